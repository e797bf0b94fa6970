//! How long a peer that let us down is left alone.

use super::super::limits;

/// One kind of question to one peer.
#[derive(Debug, Default)]
pub(in crate::core) struct Backoff {
    until_ms: u64,
    failures: u32,
}

impl Backoff {
    /// Whether it may be asked.
    pub(in crate::core) fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms <= now_ms
    }

    /// When it may be asked again, if that lies ahead.
    pub(in crate::core) fn ends_ms(&self, now_ms: u64) -> Option<u64> {
        (self.until_ms > now_ms).then_some(self.until_ms)
    }

    /// Whether it has let us down since it last did well.
    pub(in crate::core) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// A failure that may be nobody's fault: it is left alone for a while, longer each time. It counts as having failed at
    /// least `failures_min` times before, so that one that lets us wait is not asked again soon.
    pub(in crate::core) fn failed(&mut self, now_ms: u64, failures_min: u32) {
        let failures = self.failures.max(failures_min);
        let wait_ms = (limits::BACKOFF_MS << failures.min(20)).min(limits::BACKOFF_MAX_MS);
        self.failures = failures.saturating_add(1);
        self.until_ms = now_ms + wait_ms;
    }

    /// It did well.
    pub(in crate::core) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// There is something new to ask it for: an earlier failure is no reason to wait long.
    pub(in crate::core) fn hurry(&mut self, now_ms: u64) {
        self.until_ms = self.until_ms.min(now_ms + limits::BACKOFF_MS);
    }

    /// It is not asked before this.
    pub(in crate::core) fn wait_until(&mut self, at_ms: u64) {
        self.until_ms = self.until_ms.max(at_ms);
    }

    /// The moment kept here.
    pub(in crate::core) fn moment(&mut self) -> &mut u64 {
        &mut self.until_ms
    }
}
