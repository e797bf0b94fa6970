//! Keeps what others can cause at will from filling a log.

/// Between two lines of one kind, ms.
const QUIET_MS: u64 = 5_000;

/// Lets one line through in [`QUIET_MS`], and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    last_ms: Option<u64>,
    dropped: u64,
}

impl Limiter {
    /// `Some(lines dropped since the last)` if this one may be said.
    pub(crate) fn allow(&mut self, now_ms: u64) -> Option<u64> {
        if self.last_ms.is_some_and(|last| now_ms < last.saturating_add(QUIET_MS)) {
            self.dropped += 1;
            return None;
        }
        self.last_ms = Some(now_ms);
        Some(std::mem::take(&mut self.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_peer_gets_one_line_in_a_while() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.allow(0), Some(0));
        assert_eq!(limiter.allow(1), None);
        assert_eq!(limiter.allow(QUIET_MS - 1), None);
        assert_eq!(limiter.allow(QUIET_MS), Some(2));
    }
}
