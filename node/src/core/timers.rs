//! When something is due: the moments the core keeps for itself, and the earliest of all.

use super::{NodeCore, limits};
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
        own.into_iter().flatten().chain(sync).chain(peers).min()
    }
}
