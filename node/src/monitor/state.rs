//! The intake as a value: streams, what of them waits, and their windows. Journal entries change it, live and at a restart alike.

use super::entry::{Entry, StoredChannel, StoredSample};
use medring_protocol::group::GroupUid;
use medring_protocol::record::Record;
use medring_protocol::vitals::{Channel, Decimal, VitalsError, WINDOW_SAMPLES_MAX, Window};
use std::collections::{BTreeMap, VecDeque};

/// Streams of one node.
pub(super) const STREAMS_MAX: usize = 64;
/// Samples of one entry; the codec's limit is far above.
const CHUNK: usize = 4096;
/// What a waiting sample counts for, bytes: about what it takes in memory, and more than on disk.
pub(super) const SAMPLE_BYTES: usize = 32;

/// One sample as it waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) time_ms: u64,
    pub(super) channel: u16,
    pub(super) value: Decimal,
}

/// How far a window is.
#[derive(Clone)]
pub(super) enum Stage {
    /// Its range is fixed.
    Cut,
    /// Sealed, and perhaps not in the pool yet.
    Sealed(Box<Record>, [u8; 32]),
    /// Was in the pool.
    Submitted(Box<Record>, [u8; 32]),
    /// Deep on the chain.
    Settled,
}

/// A window, which begins at its key.
pub(super) struct Cut {
    pub(super) to: u64,
    pub(super) stage: Stage,
}

/// A stream.
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) group: GroupUid,
    pub(super) window_ms: u64,
    pub(super) channels: Vec<Channel>,
    /// The number of the first sample that is kept.
    pub(super) base: u64,
    pub(super) samples: VecDeque<Sample>,
    /// Everything below is in a window.
    pub(super) cut: u64,
    pub(super) windows: BTreeMap<u64, Cut>,
    /// Time of sample 0.
    pub(super) first_ms: Option<u64>,
    /// When the last came.
    pub(super) arrived_ms: u64,
}

/// All streams, by the order in which they were opened.
#[derive(Default)]
pub(super) struct State {
    pub(super) streams: BTreeMap<u32, Stream>,
}

impl Stream {
    /// The number that the next sample will have.
    pub(super) fn next(&self) -> u64 {
        self.base + count(self.samples.len())
    }

    /// The number below which everything is settled.
    pub(super) fn settled(&self) -> u64 {
        self.base
    }

    /// Sample number `seq`, if it is kept.
    pub(super) fn sample(&self, seq: u64) -> Option<&Sample> {
        self.samples.get(usize::try_from(seq.checked_sub(self.base)?).ok()?)
    }

    /// What of memory and disk it takes.
    pub(super) fn bytes(&self) -> usize {
        let sealed = |cut: &Cut| match &cut.stage {
            Stage::Sealed(record, _) | Stage::Submitted(record, _) => record.encoded_len(),
            _ => 0,
        };
        self.samples.len() * SAMPLE_BYTES + self.windows.values().map(sealed).sum::<usize>()
    }

    /// Samples `from` … `to` as a window.
    pub(super) fn window(&self, from: u64, to: u64) -> Result<Window, VitalsError> {
        let kept = (from..to).filter_map(|seq| self.sample(seq));
        let named = kept.filter_map(|s| Some((self.channels.get(usize::from(s.channel))?, s.time_ms, s.value)));
        Window::new(&self.name, from, named)
    }

    /// Where the next window ends, if it is over: a later one has begun, it is full, or nothing came for so long. Windows lie on
    /// multiples of their length; a sample that came out of order goes with those it came with.
    pub(super) fn next_cut(&self, now_ms: u64, flush: bool) -> Option<u64> {
        let first = self.sample(self.cut)?.time_ms / self.window_ms;
        let next = self.next();
        let end = next.min(self.cut + count(WINDOW_SAMPLES_MAX));
        let later = (self.cut..end).find(|seq| self.sample(*seq).is_some_and(|s| s.time_ms / self.window_ms > first));
        let silent = now_ms.saturating_sub(self.arrived_ms) >= self.window_ms;
        let full = end - self.cut == count(WINDOW_SAMPLES_MAX);
        later.or_else(|| (full || flush || silent).then_some(end))
    }

    fn done(&self) -> bool {
        self.samples.is_empty()
    }
}

impl State {
    /// The stream of this name.
    pub(super) fn find(&self, name: &str) -> Option<(u32, &Stream)> {
        self.streams.iter().find(|(_, s)| s.name == name).map(|(of, s)| (*of, s))
    }

    /// What all streams take.
    pub(super) fn bytes(&self) -> usize {
        self.streams.values().map(Stream::bytes).sum()
    }

    /// The number of the next stream.
    pub(super) fn next_stream(&self) -> u32 {
        self.streams.keys().next_back().map_or(0, |of| of + 1)
    }

    /// The stream that may be forgotten first: all of it is settled, and it has been silent longest.
    pub(super) fn oldest_done(&self) -> Option<u32> {
        self.streams.iter().filter(|(_, s)| s.done()).min_by_key(|(_, s)| s.arrived_ms).map(|(of, _)| *of)
    }

    /// Takes an entry. `Err`: it does not follow from those before it, so something between them is lost.
    pub(super) fn apply(&mut self, entry: Entry) -> Result<(), &'static str> {
        match entry {
            Entry::Open { of, stream, group, window_ms, base, first_ms, arrived_ms } => {
                if self.streams.contains_key(&of) || self.find(&stream).is_some() || window_ms == 0 {
                    return Err("a stream is opened twice");
                }
                let (channels, samples, windows) = (Vec::new(), VecDeque::new(), BTreeMap::new());
                let opened = Stream {
                    name: stream,
                    group,
                    window_ms,
                    channels,
                    base,
                    samples,
                    cut: base,
                    windows,
                    first_ms,
                    arrived_ms,
                };
                self.streams.insert(of, opened);
                Ok(())
            }
            Entry::Forget { of } => self.streams.remove(&of).map(drop).ok_or("a stream is forgotten that is not there"),
            Entry::Samples { of, first, arrived_ms, channels, samples } => {
                self.stream(of)?.take(first, arrived_ms, channels, &samples)
            }
            Entry::Cut { of, to } => self.stream(of)?.cut_to(to),
            Entry::Sealed { of, from, record, r } => {
                let record = Record::decode(&record).map_err(|_| "a sealed window is no record")?;
                self.stream(of)?.restage(from, |_| Stage::Sealed(Box::new(record), r))
            }
            Entry::Submitted { of, from } => self.stream(of)?.restage(from, |stage| match stage {
                Stage::Sealed(record, r) => Stage::Submitted(record, r),
                other => other,
            }),
            Entry::Unsealed { of, from } => self.stream(of)?.restage(from, |_| Stage::Cut),
            Entry::Settled { of, from } => {
                let stream = self.stream(of)?;
                stream.restage(from, |_| Stage::Settled)?;
                stream.let_go();
                Ok(())
            }
        }
    }

    fn stream(&mut self, of: u32) -> Result<&mut Stream, &'static str> {
        self.streams.get_mut(&of).ok_or("it speaks of a stream that is not there")
    }

    /// The shortest journal that leads here.
    pub(super) fn condensed(&self) -> Vec<Entry> {
        let mut out = Vec::new();
        for (of, stream) in &self.streams {
            stream.condense(*of, &mut out);
        }
        out
    }
}

impl Stream {
    fn take(
        &mut self,
        first: u64,
        arrived_ms: u64,
        channels: Vec<StoredChannel>,
        samples: &[StoredSample],
    ) -> Result<(), &'static str> {
        if first != self.next() {
            return Err("samples are missing between two entries");
        }
        self.channels.extend(channels.into_iter().map(Channel::from));
        for stored in samples {
            let value = stored.value().ok_or("a value has too many digits")?;
            if usize::from(stored.1) >= self.channels.len() {
                return Err("a sample is of a channel that is not there");
            }
            self.samples.push_back(Sample { time_ms: stored.0, channel: stored.1, value });
        }
        if first == 0 {
            self.first_ms = samples.first().map(|s| s.0);
        }
        self.arrived_ms = arrived_ms;
        Ok(())
    }

    fn cut_to(&mut self, to: u64) -> Result<(), &'static str> {
        if to <= self.cut || to > self.next() || to - self.cut > count(WINDOW_SAMPLES_MAX) {
            return Err("a window has a range that cannot be");
        }
        self.windows.insert(self.cut, Cut { to, stage: Stage::Cut });
        self.cut = to;
        Ok(())
    }

    fn restage(&mut self, from: u64, change: impl FnOnce(Stage) -> Stage) -> Result<(), &'static str> {
        let cut = self.windows.get_mut(&from).ok_or("it speaks of a window that is not there")?;
        let before = std::mem::replace(&mut cut.stage, Stage::Cut);
        cut.stage = change(before);
        Ok(())
    }

    /// Drops samples that are settled, as far as those before them are.
    fn let_go(&mut self) {
        while let Some(first) = self.windows.first_entry() {
            if !matches!(first.get().stage, Stage::Settled) {
                return;
            }
            let to = first.remove().to;
            let gone = usize::try_from(to - self.base).unwrap_or(usize::MAX).min(self.samples.len());
            self.samples.drain(..gone);
            self.base = to;
        }
    }

    fn condense(&self, of: u32, out: &mut Vec<Entry>) {
        out.push(Entry::Open {
            of,
            stream: self.name.clone(),
            group: self.group,
            window_ms: self.window_ms,
            base: self.base,
            first_ms: self.first_ms,
            arrived_ms: self.arrived_ms,
        });
        let stored = |s: &Sample| StoredSample(s.time_ms, s.channel, s.value.mantissa(), s.value.scale());
        let all: Vec<StoredSample> = self.samples.iter().map(stored).collect();
        let mut channels: Vec<StoredChannel> = self.channels.iter().map(StoredChannel::from).collect();
        let mut first = self.base;
        // The channels are kept even where no sample is.
        let parts = if all.is_empty() { vec![&all[..]] } else { all.chunks(CHUNK).collect() };
        for part in parts {
            let channels = std::mem::take(&mut channels);
            out.push(Entry::Samples { of, first, arrived_ms: self.arrived_ms, channels, samples: part.to_vec() });
            first += count(part.len());
        }
        for (from, cut) in &self.windows {
            let from = *from;
            out.push(Entry::Cut { of, to: cut.to });
            match &cut.stage {
                Stage::Cut => {}
                Stage::Settled => out.push(Entry::Settled { of, from }),
                Stage::Sealed(record, r) | Stage::Submitted(record, r) => {
                    out.push(Entry::Sealed { of, from, record: record.encode().into(), r: *r });
                    if matches!(cut.stage, Stage::Submitted(..)) {
                        out.push(Entry::Submitted { of, from });
                    }
                }
            }
        }
    }
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
