//! Token buckets: how much of something one peer may do, on average and at once.

/// An allowance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Refilled per second.
    pub(super) per_second: u64,
    /// At most this much at once.
    pub(super) burst: u64,
}

/// What is left of one allowance, in thousandths. Starts full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    used_milli: u64,
    at_ms: u64,
}

impl Bucket {
    pub(super) fn new(now_ms: u64) -> Self {
        Self { used_milli: 0, at_ms: now_ms }
    }

    /// Takes `amount`, or nothing if that much is not left. What is larger than the whole burst passes when the bucket is full.
    pub(super) fn take(&mut self, rate: Rate, amount: u64, now_ms: u64) -> bool {
        // A clock that went back refills nothing.
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = now_ms;
        self.used_milli = self.used_milli.saturating_sub(passed_ms.saturating_mul(rate.per_second));
        let burst_milli = rate.burst.saturating_mul(1000);
        let wanted_milli = amount.saturating_mul(1000).min(burst_milli);
        let fits = self.used_milli.saturating_add(wanted_milli) <= burst_milli;
        if fits {
            self.used_milli += wanted_milli;
        }
        fits
    }

    /// Whether it is full again, and so need not be remembered.
    pub(super) fn is_full(&self, rate: Rate, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms).saturating_mul(rate.per_second) >= self.used_milli
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_passes_then_the_average_holds() {
        let mut bucket = Bucket::new(0);
        assert_eq!((0..9).filter(|_| bucket.take(RATE, 1, 0)).count(), 5);
        assert!(!bucket.take(RATE, 1, 99), "a tenth of a second has not passed");
        assert!(bucket.take(RATE, 1, 100));
        let taken = (100..10_100).filter(|now_ms| bucket.take(RATE, 1, *now_ms)).count();
        assert!((99..=101).contains(&taken), "{taken} in ten seconds");
        assert!(bucket.is_full(RATE, 20_000) && !bucket.is_full(RATE, 10_100));
    }

    #[test]
    fn a_clock_that_goes_back_refills_nothing() {
        let mut bucket = Bucket::new(1_000);
        assert!(bucket.take(RATE, 5, 1_000));
        assert!(!bucket.take(RATE, 1, 0) && !bucket.take(RATE, 1, 50));
        assert!(bucket.take(RATE, 1, 150), "time counts on from where the clock stands");
    }

    #[test]
    fn what_is_larger_than_the_burst_passes_only_when_nothing_was_used() {
        let mut bucket = Bucket::new(0);
        assert!(bucket.take(RATE, 100, 0));
        assert!(!bucket.take(RATE, 1, 0));
    }
}
