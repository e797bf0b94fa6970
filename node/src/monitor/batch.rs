//! A batch of samples on its way in: what it may be, and what of it is new.

use super::entry::{Entry, StoredChannel, StoredSample};
use super::intake::IntakeError;
use super::state::{Stream, count};
use medring_protocol::group::GroupUid;
use medring_protocol::vitals::{Channel, Decimal, SAMPLE_TIME_MS_END, SIGNALS_MAX, is_stream_name};

/// Samples of one request.
pub const BATCH_SAMPLES_MAX: usize = 4096;
/// Minutes of recording in a window, least and most.
pub const WINDOW_MINUTES: std::ops::RangeInclusive<u32> = 1..=15;
const CHANNEL_TEXT_BYTES_MAX: usize = 100;

/// One sample on its way in.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// When, ms since 1970.
    pub time_ms: u64,
    /// What.
    pub channel: Channel,
    /// How much, as it was written.
    pub value: Decimal,
}

// Health data stays out of logs.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({})", self.channel.code)
    }
}

/// Samples of a stream, the first being its number `first`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The stream, as the sender calls it.
    pub stream: String,
    /// The group whose members read it.
    pub group: GroupUid,
    /// Minutes of recording in each record, [`WINDOW_MINUTES`]; `None`: as the stream has it, or the node's own.
    pub window_minutes: Option<u32>,
    /// The number of the first sample, from 0.
    pub first: u64,
    /// At most [`BATCH_SAMPLES_MAX`].
    pub samples: Vec<Incoming>,
    /// No more is to come soon: what waits is sealed though its window is not over.
    pub end: bool,
}

/// A stream stays what it was.
pub(super) fn same(stream: &Stream, batch: &Batch) -> Result<(), IntakeError> {
    let name = &batch.stream;
    if stream.group != batch.group {
        let what =
            format!("stream {name:?} is sealed to group {}; another group needs a stream of its own", stream.group);
        return Err(IntakeError::Differs(what));
    }
    let minutes = stream.window_ms / 60_000;
    match batch.window_minutes {
        Some(asked) if u64::from(asked) != minutes => {
            let what = format!(
                "stream {name:?} has windows of {minutes} min; leave window_minutes out, or name another stream"
            );
            Err(IntakeError::Differs(what))
        }
        _ => Ok(()),
    }
}

pub(super) fn check(batch: &Batch) -> Result<(), IntakeError> {
    let wrong = |what: String| Err(IntakeError::Input(what));
    if !is_stream_name(&batch.stream) {
        return wrong("stream: use 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-'".into());
    }
    if let Some(minutes) = batch.window_minutes.filter(|m| !WINDOW_MINUTES.contains(m)) {
        return wrong(format!("window_minutes is {minutes}; use 1 … 15"));
    }
    if batch.samples.len() > BATCH_SAMPLES_MAX || (batch.samples.is_empty() && !batch.end) {
        return wrong(format!("a batch has 1 to {BATCH_SAMPLES_MAX} samples; send more in several"));
    }
    if batch.first.checked_add(count(batch.samples.len())).is_none_or(|end| end > u64::MAX / 2) {
        return wrong("first_seq is too large; count from 0".into());
    }
    for (i, sample) in batch.samples.iter().enumerate() {
        let channel = &sample.channel;
        let texts = [&channel.name, &channel.system, &channel.code, &channel.unit];
        if texts.iter().any(|text| text.len() > CHANNEL_TEXT_BYTES_MAX || text.chars().any(char::is_control)) {
            return wrong(format!(
                "samples[{i}]: channel, name and unit have at most {CHANNEL_TEXT_BYTES_MAX} bytes and no control characters"
            ));
        }
        if channel.code.is_empty() || channel.unit.is_empty() {
            return wrong(format!("samples[{i}]: name channel and unit, for example 8867-4 and /min"));
        }
        if sample.time_ms >= SAMPLE_TIME_MS_END {
            return wrong(format!("samples[{i}]: time_ms is after the year 9999; give milliseconds since 1970"));
        }
    }
    Ok(())
}

/// How many samples of a batch are here already, and the entry for those that are not.
pub(super) fn fresh(of: u32, stream: &Stream, batch: &Batch, now_ms: u64) -> Result<(u64, Option<Entry>), IntakeError> {
    let next = stream.next();
    if batch.first > next {
        return Err(IntakeError::Gap { next, first: batch.first });
    }
    let (mut channels, mut added, mut samples, mut already) = (stream.channels.clone(), Vec::new(), Vec::new(), 0);
    for (seq, sample) in (batch.first..).zip(&batch.samples) {
        let known = channels.iter().position(|channel| *channel == sample.channel);
        if seq < next {
            // Only what is kept can be compared; the rest lies on the chain.
            let differs = stream.sample(seq).is_some_and(|kept| {
                let of_channel = Some(usize::from(kept.channel));
                known != of_channel || kept.time_ms != sample.time_ms || kept.value != sample.value
            });
            if differs {
                return Err(IntakeError::Other(seq));
            }
            already += 1;
            continue;
        }
        let place = known.unwrap_or(channels.len());
        if place == channels.len() {
            if place >= SIGNALS_MAX {
                return Err(IntakeError::Input(format!(
                    "a stream has at most {SIGNALS_MAX} channels; use another for more"
                )));
            }
            channels.push(sample.channel.clone());
            added.push(StoredChannel::from(&sample.channel));
        }
        let channel = u16::try_from(place).unwrap_or(u16::MAX);
        samples.push(StoredSample(sample.time_ms, channel, sample.value.mantissa(), sample.value.scale()));
    }
    let entry = Entry::Samples { of, first: next, arrived_ms: now_ms, channels: added, samples };
    let any = matches!(&entry, Entry::Samples { samples, .. } if !samples.is_empty());
    Ok((already, any.then_some(entry)))
}
