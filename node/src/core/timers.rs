//! When something is due: the moments the core keeps for itself, and the earliest of all.

use super::{Event, NodeCore, limits};
use medring_storage::Engine;

/// Moments in ms since 1970.
#[derive(Debug)]
pub(super) struct Timers {
    /// Every peer is told where we stand.
    pub(super) status_ms: u64,
    /// That was last done.
    pub(super) status_sent_ms: u64,
    /// Records not mined for long are offered again.
    pub(super) reoffer_ms: u64,
}

impl Timers {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            status_ms: now_ms + limits::STATUS_INTERVAL_MS,
            status_sent_ms: now_ms,
            reoffer_ms: now_ms + limits::REOFFER_INTERVAL_MS,
        }
    }
}

impl<E: Engine> NodeCore<E> {
    /// The moment, ms since 1970, at which [`super::Input::Tick`] is due if nothing else comes first; `None`: never.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.failed.is_some() {
            return None;
        }
        let future = self.held.next_stamp_ms().map(|stamp| stamp.saturating_sub(self.config.params.future_limit_ms));
        let own = [Some(self.timers.status_ms), Some(self.timers.reoffer_ms), future, self.template_due_ms()];
        let sync = self.sync_due_ms();
        let peers = self.peers.values().filter_map(|peer| peer.due_ms());
        own.into_iter().flatten().chain(sync).chain(peers).chain(self.relay.due_ms()).min()
    }

    /// The machine's clock was set back: what was due in so many ms still is, and not in a day.
    pub(super) fn clock_went_back(&mut self, by_ms: u64) {
        let moved = |at_ms: &mut u64| *at_ms = at_ms.saturating_sub(by_ms);
        let Timers { status_ms, status_sent_ms, reoffer_ms } = &mut self.timers;
        [status_ms, status_sent_ms, reoffer_ms].into_iter().for_each(moved);
        self.sync.moments().for_each(moved);
        self.relay.moments().for_each(moved);
        self.templates.made_mut().into_iter().for_each(moved);
        self.peers.values_mut().flat_map(|peer| peer.moments()).for_each(moved);
        self.pool.moments().for_each(moved);
        self.event(Event::Warning(format!("this machine's clock was set back by {by_ms} ms")));
    }
}
