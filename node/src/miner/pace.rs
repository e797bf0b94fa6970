//! A cap on hashes per second, without sleeping: says until when a thread has to wait.

use std::time::{Duration, Instant};

/// Turns a rate into chunks and deadlines, for one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    per_second: u64,
    /// When all hashes so far are paid for.
    due: Instant,
}

/// A chunk takes this long at the capped rate: how quickly new work is noticed.
const CHUNKS_PER_SECOND: u64 = 50;
/// Hashes in one chunk without a cap: about a millisecond.
pub(super) const CHUNK_MAX: u64 = 8192;

impl Pace {
    pub(super) fn new(per_second: u64, now: Instant) -> Self {
        Self { per_second: per_second.max(1), due: now }
    }

    /// Hashes to do at once.
    pub(super) fn chunk(&self) -> u64 {
        (self.per_second / CHUNKS_PER_SECOND).clamp(1, CHUNK_MAX)
    }

    /// `hashes` were done; when the next may start. Time left unused is not saved up.
    pub(super) fn after(&mut self, hashes: u64, now: Instant) -> Instant {
        let nanos = u128::from(hashes) * 1_000_000_000 / u128::from(self.per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.due = self.due.max(now) + cost;
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a point in time to count from")]
    fn a_rate_is_kept_and_idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, start);
        assert_eq!(pace.chunk(), 20);
        let mut now = start;
        for _ in 0..50 {
            now = pace.after(20, now);
        }
        assert_eq!(now - start, Duration::from_secs(1));
        let later = now + Duration::from_secs(60);
        assert_eq!(pace.after(20, later) - later, Duration::from_millis(20));
        assert_eq!(Pace::new(3, start).chunk(), 1);
        assert_eq!(Pace::new(u64::MAX, start).chunk(), CHUNK_MAX);
    }
}
