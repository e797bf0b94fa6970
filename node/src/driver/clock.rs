//! The node's clock and its randomness: the only place that asks the system for either.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The clock that a node's core goes by: the system's, and on test networks as far off it as someone wished. Clones are one clock.
#[derive(Clone, Debug, Default)]
pub(super) struct CoreClock(Arc<AtomicI64>);

impl CoreClock {
    /// Milliseconds since 1970, as the core takes them.
    pub(super) fn now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.0.load(Ordering::Relaxed))
    }

    /// Ahead of the system's clock by so much from now on, ms; below 0: behind it.
    pub(super) fn skew(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

/// For measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// A generator seeded by the operating system.
#[expect(clippy::disallowed_methods, reason = "the driver owns randomness")]
pub(crate) fn os_rng() -> rand::rngs::StdRng {
    rand::make_rng()
}

/// Seconds since then.
pub(super) fn seconds_since(then: Instant) -> f64 {
    instant().saturating_duration_since(then).as_secs_f64()
}
