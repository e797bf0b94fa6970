//! How fast bodies are being stored: a rate over the last seconds, for people.

use std::collections::VecDeque;

/// Least time between two samples.
const STEP_MS: u64 = 1_000;
/// Samples kept: the rate is one over about so many seconds.
const SAMPLES_MAX: usize = 15;

/// Counts blocks; about 250 bytes.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// (when, blocks counted by then), oldest first.
    samples: VecDeque<(u64, u64)>,
    blocks: u64,
}

impl Meter {
    /// A block was stored.
    pub(super) fn count(&mut self, now_ms: u64) {
        if self.samples.back().is_none_or(|(at_ms, _)| at_ms + STEP_MS <= now_ms) {
            self.samples.push_back((now_ms, self.blocks));
            if self.samples.len() > SAMPLES_MAX {
                self.samples.pop_front();
            }
        }
        self.blocks += 1;
    }

    /// Nothing is fetched any more.
    pub(super) fn reset(&mut self) {
        self.samples.clear();
    }

    /// Blocks and the ms in which they were stored.
    fn lately(&self, now_ms: u64) -> Option<(u64, u64)> {
        let (from_ms, from) = *self.samples.front()?;
        let ms = now_ms.checked_sub(from_ms).filter(|ms| *ms >= STEP_MS)?;
        Some((self.blocks - from, ms))
    }

    /// Blocks per second; 0 before a second has passed.
    pub(super) fn per_second(&self, now_ms: u64) -> u64 {
        self.lately(now_ms).map_or(0, |(blocks, ms)| blocks.saturating_mul(1_000) / ms)
    }

    /// How long `blocks` more will take at this rate, ms; `None`: not known.
    pub(super) fn left_ms(&self, now_ms: u64, blocks: u64) -> Option<u64> {
        self.lately(now_ms).filter(|(done, _)| *done > 0).map(|(done, ms)| blocks.saturating_mul(ms) / done)
    }

    /// The moments kept here.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        self.samples.iter_mut().map(|(at_ms, _)| at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_one_over_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!((meter.per_second(5_000), meter.left_ms(5_000, 9)), (0, None));
        for ms in 0..60_000u64 {
            // Ten a second, then a hundred.
            if ms.is_multiple_of(if ms < 30_000 { 100 } else { 10 }) {
                meter.count(ms);
            }
        }
        assert_eq!(meter.per_second(60_000), 100);
        assert_eq!(meter.left_ms(60_000, 1_000), Some(10_000));
        meter.reset();
        assert_eq!(meter.per_second(60_000), 0);
    }
}
