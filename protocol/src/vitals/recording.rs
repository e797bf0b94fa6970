//! A recording of vital signs: signals sampled side by side at one period, gaps kept.

use std::fmt;

use super::{CELLS_MAX, Channel, Decimal, SAMPLES_MAX, SIGNALS_MAX, VitalsError, time};

/// One signal: what it is and its samples, `None` where none was measured.
#[derive(Clone, PartialEq, Eq)]
pub struct Signal {
    /// What is measured.
    pub channel: Channel,
    /// One sample a period.
    pub samples: Vec<Option<Decimal>>,
}

/// Signals that start together and share a period; all have the same number of samples.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    start_ms: u64,
    period_ns: u64,
    signals: Vec<Signal>,
}

/// A signal in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The newest sample.
    pub latest: Decimal,
    /// The smallest.
    pub min: Decimal,
    /// The largest.
    pub max: Decimal,
    /// The mean of those present, with one digit more than the finest of them (at most nine), halves away from zero.
    pub mean: Decimal,
    /// Samples present.
    pub present: usize,
    /// Samples and gaps together; coverage is present of total.
    pub total: usize,
}

// Health data stays out of logs: Debug tells shapes only.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} samples)", self.channel.code, self.samples.len())
    }
}
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("period_ns", &self.period_ns)
            .field("signals", &self.signals)
            .finish_non_exhaustive()
    }
}

impl Signal {
    /// The signal in figures; None if every sample is a gap.
    pub fn stats(&self) -> Option<Stats> {
        let mut present = self.samples.iter().flatten().copied();
        let first = present.next()?;
        let (mut latest, mut min, mut max, mut sum, mut count, mut scale) =
            (first, first, first, first.nanos(), 1_usize, first.scale());
        for sample in present {
            (latest, min, max) = (sample, min.min(sample), max.max(sample));
            (sum, count, scale) = (sum + sample.nanos(), count + 1, scale.max(sample.scale()));
        }
        // A value of 15 digits leaves no room for one more.
        let finer = Decimal::mean(sum, count, scale.saturating_add(1).min(9));
        let mean = finer.or_else(|| Decimal::mean(sum, count, scale))?;
        Some(Stats { latest, min, max, mean, present: count, total: self.samples.len() })
    }
}

impl Recording {
    /// A recording that starts at `start_ms` (milliseconds since 1970, before the year 10000) with a sample every
    /// `period_ns` nanoseconds (1 to a day) of 1 to [`SIGNALS_MAX`] signals of equal length, 1 to [`SAMPLES_MAX`].
    pub fn new(start_ms: u64, period_ns: u64, signals: Vec<Signal>) -> Result<Self, VitalsError> {
        let wrong = |what: String| Err(VitalsError::NotARecording { what });
        let rows = signals.first().map_or(0, |s| s.samples.len());
        if signals.is_empty() || signals.len() > SIGNALS_MAX {
            return wrong(format!("{} signals; there may be 1 to {SIGNALS_MAX}", signals.len()));
        }
        if rows == 0 || rows > SAMPLES_MAX || rows.saturating_mul(signals.len()) > CELLS_MAX {
            return wrong(format!("{rows} samples of {} signals; too few or too many", signals.len()));
        }
        if signals.iter().any(|s| s.samples.len() != rows) {
            return wrong("the signals differ in length".to_owned());
        }
        if period_ns == 0 || period_ns > 86_400_000_000_000 {
            return wrong(format!("a period of {period_ns} ns; it may be up to a day"));
        }
        let recording = Self { start_ms, period_ns, signals };
        if recording.time_ms(rows) >= time::YEAR_10000_MS {
            return wrong("it ends after the year 9999".to_owned());
        }
        Ok(recording)
    }

    /// When the first sample was taken, in milliseconds since 1970.
    pub fn start_ms(&self) -> u64 {
        self.start_ms
    }

    /// Nanoseconds from one sample to the next.
    pub fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// The signals.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Samples of each signal, gaps included.
    pub fn rows(&self) -> usize {
        self.signals.first().map_or(0, |s| s.samples.len())
    }

    /// When sample `row` was taken, in milliseconds since 1970, rounded down.
    pub fn time_ms(&self, row: usize) -> u64 {
        let offset_ns = u128::from(self.period_ns) * u128::try_from(row).unwrap_or(u128::MAX >> 64);
        self.start_ms.saturating_add(u64::try_from(offset_ns / 1_000_000).unwrap_or(u64::MAX))
    }

    /// Cuts the recording into windows of `minutes` (at least one sample each), in order; the last may be shorter.
    /// Put together they are the recording.
    pub fn windows(&self, minutes: u32) -> Vec<Self> {
        let rows = u64::from(minutes) * 60_000_000_000 / self.period_ns;
        let rows = usize::try_from(rows.max(1)).unwrap_or(usize::MAX);
        let starts = (0..self.rows()).step_by(rows);
        starts
            .map(|from| {
                let cut = |s: &Signal| {
                    let samples = s.samples.iter().skip(from).take(rows).copied().collect();
                    Signal { channel: s.channel.clone(), samples }
                };
                let signals = self.signals.iter().map(cut).collect();
                Self { start_ms: self.time_ms(from), period_ns: self.period_ns, signals }
            })
            .collect()
    }
}
