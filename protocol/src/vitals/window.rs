//! A window of a live stream of vital signs: samples at any times, each counted by its stream, as FHIR and back
//! (docs/spec/vitals.md).

use super::{Channel, Decimal, Recording, SAMPLES_MAX, SIGNALS_MAX, Signal, VitalsError, time};
use crate::fhir::{Bundle, Entry, Resource, str_at};
use serde_json::{Value, json};

/// The identifier system under which every Observation names its stream and range.
pub const WINDOW_SYSTEM: &str = "urn:medring:vitals-window:1";
/// Longest name of a stream.
pub const STREAM_NAME_BYTES_MAX: usize = 64;
/// Most samples of one window.
pub const WINDOW_SAMPLES_MAX: usize = 8192;
/// Samples are measured before this, ms since 1970: a day before the year 10000, which FHIR cannot name.
pub const SAMPLE_TIME_MS_END: u64 = time::YEAR_10000_MS - PERIOD_MS_MAX;
/// Longest period one Observation may have between two samples, ms: a day.
const PERIOD_MS_MAX: u64 = 86_400_000;
/// The period written where a run has a single sample, ms.
const PERIOD_MS_OF_ONE: u64 = 1000;

/// Samples of one channel, by time.
#[derive(Clone, PartialEq, Eq)]
pub struct Track {
    /// What is measured.
    pub channel: Channel,
    /// (ms since 1970, value), ascending by time; those of one time in the order they came.
    pub samples: Vec<(u64, Decimal)>,
}

/// Samples `from` … `to` of a stream, by channel. A gap is where no sample is.
#[derive(Clone, PartialEq, Eq)]
pub struct Window {
    stream: String,
    from: u64,
    tracks: Vec<Track>,
}

// Health data stays out of logs: Debug tells shapes only.
impl std::fmt::Debug for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} samples)", self.channel.code, self.samples.len())
    }
}
impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Window({} {}-{} {:?})", self.stream, self.from, self.to(), self.tracks)
    }
}

/// Whether a stream may be called so: 1 to [`STREAM_NAME_BYTES_MAX`] of a-z, A-Z, 0-9, `.`, `_` and `-`.
pub fn is_stream_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=STREAM_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(letter)
}

impl Window {
    /// Samples of a stream in the order in which it counts them, the first being number `from`: at least one, at most
    /// [`WINDOW_SAMPLES_MAX`], of at most [`SIGNALS_MAX`] channels.
    pub fn new<'a>(
        stream: &str,
        from: u64,
        samples: impl IntoIterator<Item = (&'a Channel, u64, Decimal)>,
    ) -> Result<Self, VitalsError> {
        let mut tracks: Vec<Track> = Vec::new();
        for (channel, time_ms, value) in samples {
            match tracks.iter_mut().find(|t| t.channel == *channel) {
                Some(track) => track.samples.push((time_ms, value)),
                None => tracks.push(Track { channel: channel.clone(), samples: vec![(time_ms, value)] }),
            }
        }
        // Stable: what was measured at one time keeps its order.
        tracks.iter_mut().for_each(|t| t.samples.sort_by_key(|(time_ms, _)| *time_ms));
        let window = Self { stream: stream.to_owned(), from, tracks };
        window.check()?;
        Ok(window)
    }

    fn check(&self) -> Result<(), VitalsError> {
        let count = self.count();
        if !is_stream_name(&self.stream) {
            return Err(wrong("the stream's name is not 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'"));
        }
        if count == 0 || count > WINDOW_SAMPLES_MAX || self.tracks.len() > SIGNALS_MAX {
            return Err(wrong("a window has 1 to 8192 samples of at most 32 channels"));
        }
        let late = |t: &Track| t.samples.iter().any(|(time_ms, _)| *time_ms >= SAMPLE_TIME_MS_END);
        if self.from.checked_add(u64::try_from(count).unwrap_or(u64::MAX)).is_none() || self.tracks.iter().any(late) {
            return Err(wrong("a number or a time is too large"));
        }
        Ok(())
    }

    /// Which stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The number of its first sample in the stream.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The number after its last sample's.
    pub fn to(&self) -> u64 {
        self.from + u64::try_from(self.count()).unwrap_or(u64::MAX)
    }

    /// By channel.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Samples of all channels.
    pub fn count(&self) -> usize {
        self.tracks.iter().map(|t| t.samples.len()).sum()
    }

    /// Observations with SampledData, each with the window's identifier. Samples at equal distances share one, with `E` where
    /// one is missing; others are divided until they do.
    pub fn to_fhir(&self, subject: &str) -> Result<Bundle, VitalsError> {
        let identifier = json!([{ "system": WINDOW_SYSTEM, "value": self.name() }]);
        let mut entries = Vec::new();
        for track in &self.tracks {
            for run in runs(&track.samples) {
                let signal = Signal { channel: track.channel.clone(), samples: run.samples };
                let recording = Recording::new(run.start_ms, run.period_ms * 1_000_000, vec![signal])?;
                for entry in recording.to_fhir(subject).entries() {
                    let mut observation = entry.resource.value().clone();
                    observation["identifier"] = identifier.clone();
                    entries.push(Entry { full_url: None, resource: Resource::made(observation) });
                }
            }
        }
        Ok(Bundle::collection(entries))
    }

    fn name(&self) -> String {
        format!("{}/{}-{}", self.stream, self.from, self.to())
    }

    /// The inverse of [`Window::to_fhir`]; `None` if the bundle is of no live stream.
    ///
    /// # Errors
    /// If only a part of it is of one, if it is of several, or if it does not hold as many samples as its range says.
    pub fn from_fhir(bundle: &Bundle) -> Result<Option<Self>, VitalsError> {
        let names: Vec<Option<&str>> = bundle.entries().iter().map(|e| window_name(e.resource.value())).collect();
        let Some(name) = names.iter().flatten().next() else { return Ok(None) };
        if names.iter().any(|other| other != &Some(*name)) {
            return Err(wrong("its Observations name several windows, or some none"));
        }
        let (stream, from, to) = parse_name(name).ok_or_else(|| wrong("the window's identifier is malformed"))?;
        let mut samples = Vec::new();
        for entry in bundle.entries() {
            let alone = Recording::from_fhir(&Bundle::collection(vec![entry.clone()]))?;
            for signal in alone.signals() {
                let present = signal.samples.iter().enumerate().filter_map(|(row, value)| Some((row, (*value)?)));
                samples.extend(present.map(|(row, value)| (signal.channel.clone(), alone.time_ms(row), value)));
            }
            if samples.len() > WINDOW_SAMPLES_MAX {
                break;
            }
        }
        let window = Self::new(stream, from, samples.iter().map(|(channel, at, value)| (channel, *at, *value)))?;
        if window.to() != to {
            return Err(wrong("the window does not hold as many samples as its identifier says"));
        }
        Ok(Some(window))
    }
}

fn wrong(what: &str) -> VitalsError {
    VitalsError::NotARecording { what: what.to_owned() }
}

fn window_name(observation: &Value) -> Option<&str> {
    let identifiers = observation.get("identifier")?.as_array()?;
    str_at(identifiers.iter().find(|i| str_at(i, "system") == Some(WINDOW_SYSTEM))?, "value")
}

/// `STREAM/FROM-TO`, numbers without leading zeros.
fn parse_name(name: &str) -> Option<(&str, u64, u64)> {
    let (stream, range) = name.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    (is_stream_name(stream) && from < to && name == format!("{stream}/{from}-{to}")).then_some((stream, from, to))
}

/// Samples at equal distances, some missing.
struct Run {
    start_ms: u64,
    period_ms: u64,
    samples: Vec<Option<Decimal>>,
}

/// Divides samples, ascending by time, until each part has a period of its own without being mostly gaps.
fn runs(samples: &[(u64, Decimal)]) -> Vec<Run> {
    let (mut todo, mut done) = (vec![samples], Vec::new());
    while let Some(part) = todo.pop() {
        if let Some(run) = run(part) {
            done.push(run);
            continue;
        }
        let (left, right) = part.split_at(part.len() / 2);
        todo.extend([right, left].into_iter().filter(|half| !half.is_empty()));
    }
    done
}

fn run(samples: &[(u64, Decimal)]) -> Option<Run> {
    let (first, last) = (samples.first()?, samples.last()?);
    let mut period_ms = 0;
    for (a, b) in samples.iter().zip(samples.iter().skip(1)) {
        let step = b.0.checked_sub(a.0).filter(|step| *step > 0)?;
        period_ms = gcd(period_ms, step);
    }
    if period_ms == 0 {
        period_ms = PERIOD_MS_OF_ONE;
    }
    let rows = usize::try_from((last.0 - first.0) / period_ms).ok()?.checked_add(1)?;
    if period_ms > PERIOD_MS_MAX || rows > 4 * samples.len() + 64 || rows > SAMPLES_MAX {
        return None;
    }
    let mut row = vec![None; rows];
    for (at, value) in samples {
        let place = usize::try_from((at - first.0) / period_ms).ok()?;
        *row.get_mut(place)? = Some(*value);
    }
    Some(Run { start_ms: first.0, period_ms, samples: row })
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn channels() -> Vec<Channel> {
        vec![Channel::loinc("heart_rate_bpm", "8867-4", "/min"), Channel::loinc("spo2_percent", "59408-5", "%")]
    }

    fn window(samples: &[(usize, u64, i64, u8)]) -> Window {
        let channels = channels();
        let made = samples.iter().map(|(c, at, m, s)| (&channels[*c], *at, Decimal::new(*m, *s).unwrap()));
        Window::new("bed-3", 17, made).unwrap()
    }

    fn back(window: &Window) -> Window {
        let bytes = window.to_fhir("Patient/1").unwrap().to_bytes();
        Window::from_fhir(&Bundle::parse(&bytes).unwrap()).unwrap().unwrap()
    }

    proptest! {
        #[test]
        fn any_samples_read_back_each_once_with_their_digits(
            samples in prop::collection::vec(
                (0..2_usize, prop_oneof![0..50_u64, (0..40_u64).prop_map(|m| m * 60_000), 0..YEAR_MS], -9_999..9_999_i64, 0..4_u8),
                1..120,
            )
        ) {
            let window = window(&samples);
            prop_assert_eq!(window.count(), samples.len());
            prop_assert_eq!(&back(&window), &window);
        }
    }
    const YEAR_MS: u64 = 31_536_000_000;

    #[test]
    fn a_grid_with_gaps_is_one_observation_a_channel() {
        let minute = 60_000;
        let window = window(&[(0, 0, 628, 1), (1, 0, 97, 0), (0, 3 * minute, 6280, 2), (0, 4 * minute, -5, 0)]);
        let bundle = window.to_fhir("Patient/1").unwrap();
        assert_eq!(bundle.entries().len(), 2);
        assert_eq!(bundle.entries()[0].resource.value()["valueSampledData"]["data"], "62.8 E E 62.80 -5");
        assert_eq!(bundle.entries()[0].resource.value()["identifier"][0]["value"], "bed-3/17-21");
        assert_eq!(back(&window), window);
    }

    #[test]
    fn a_window_that_lost_or_mixed_something_is_refused() {
        let window = window(&[(0, 0, 1, 0), (1, 7, 2, 0)]);
        let text = String::from_utf8(window.to_fhir("Patient/1").unwrap().to_bytes()).unwrap();
        let read = |text: &str| Window::from_fhir(&Bundle::parse(text.as_bytes()).unwrap());
        assert!(read(&text).unwrap().is_some());
        assert!(read(&text.replace("bed-3/17-19", "bed-3/17-20")).is_err(), "one sample is missing");
        assert!(read(&text.replacen("bed-3/17-19", "bed-3/19-21", 1)).is_err(), "two windows");
        assert!(read(&text.replacen(WINDOW_SYSTEM, "urn:other", 1)).is_err(), "a part of a window");
        assert!(read(&text.replace("bed-3/17-19", "bed-3/017-19")).is_err(), "written otherwise");
        assert!(read(&text.replace(WINDOW_SYSTEM, "urn:other")).unwrap().is_none(), "no window at all");
    }

    #[test]
    fn names_of_streams_are_short_and_plain() {
        assert!(is_stream_name("csv-3f.A_9") && is_stream_name(&"x".repeat(64)));
        for wrong in ["", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_stream_name(wrong), "{wrong}");
        }
    }
}
