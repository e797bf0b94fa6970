//! What a node takes for the time.

/// A clock that may be wrong: ahead or behind, and faster or slower, since a moment of virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) offset_ms: i64,
    pub(super) drift_ppm: i64,
    pub(super) since_ms: u64,
}

impl Clock {
    /// What it shows at a moment of virtual time.
    pub(super) fn local_ms(&self, now_ms: u64) -> u64 {
        let passed = i128::from(now_ms) - i128::from(self.since_ms);
        let shown = i128::from(now_ms) + i128::from(self.offset_ms) + passed * i128::from(self.drift_ppm) / 1_000_000;
        u64::try_from(shown).unwrap_or(0)
    }

    /// The first moment of virtual time, not before `now_ms`, at which it shows `local_ms` or more.
    pub(super) fn when_ms(&self, local_ms: u64, now_ms: u64) -> u64 {
        if self.drift_ppm == 0 {
            return local_ms.saturating_add_signed(-self.offset_ms).max(now_ms);
        }
        // It runs at half to one and a half times the true speed, so halving the way that is left comes close.
        let mut at_ms = now_ms;
        while let Some(left_ms) = local_ms.checked_sub(self.local_ms(at_ms)).filter(|left| *left > 0) {
            at_ms += (left_ms / 2).max(1);
        }
        at_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_on_a_wrong_clock_has_its_moment() {
        for (offset_ms, drift_ppm) in [(0, 0), (9_000, 0), (-9_000, 400), (5, -500_000), (0, 500_000)] {
            let clock = Clock { offset_ms, drift_ppm, since_ms: 1_000_000 };
            for ahead_ms in [1, 250, 10_001] {
                let due = clock.local_ms(1_020_000) + ahead_ms;
                let at = clock.when_ms(due, 1_020_000);
                assert!(clock.local_ms(at) >= due && clock.local_ms(at - 1) < due, "{clock:?} {ahead_ms}");
            }
            assert_eq!(clock.when_ms(5, 1_020_000), 1_020_000, "what is past is due now");
        }
    }
}
