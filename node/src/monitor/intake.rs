//! The intake of vital signs: what it acknowledges is on disk, each sample once, within a bound.

use super::batch::{Batch, check, fresh, same};
use super::entry::Entry;
use super::journal::{Journal, JournalError, Owner};
use super::state::{STREAMS_MAX, Stage, State, Stream, count};
use crate::wallet::FileError;
use medring_protocol::group::GroupUid;
use medring_protocol::vitals::{WINDOW_SAMPLES_MAX, Window};
use medring_protocol::{ChainId, ParticipantId};
use rand::CryptoRng;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The journal grows to twice what is in it, and this much, before it is written anew.
const SLACK_BYTES: usize = 8 * 1024 * 1024;

/// What became of a batch. All of it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The number that the next sample has.
    pub next: u64,
    /// Samples that were new.
    pub accepted: u64,
    /// Samples that were here already.
    pub already: u64,
}

/// A stream as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// Its name.
    pub stream: String,
    /// Who reads it.
    pub group: GroupUid,
    /// Minutes of recording in each record.
    pub window_minutes: u32,
    /// The number that the next sample has: everything below is acknowledged.
    pub next: u64,
    /// The number below which every sample lies deep enough on the chain.
    pub settled: u64,
    /// Time of sample 0, ms since 1970.
    pub first_ms: Option<u64>,
    /// When the last sample came, ms since 1970.
    pub arrived_ms: u64,
    /// Samples that are in no record yet.
    pub waiting: u64,
    /// Windows sealed and not settled.
    pub on_their_way: u64,
}

/// Why a batch was not taken. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It is malformed.
    #[error("{0}")]
    Input(String),
    /// Numbers are missing.
    #[error("the stream goes on with number {next}, and the first sample sent is number {first}")]
    Gap {
        /// The next number.
        next: u64,
        /// The number sent.
        first: u64,
    },
    /// Other samples were acknowledged under these numbers.
    #[error(
        "sample number {0} of this stream is here already, and it is another; a device that counts anew needs a new stream name"
    )]
    Other(u64),
    /// The stream is another group's, or has another window.
    #[error("{0}")]
    Differs(String),
    /// The bound is reached.
    #[error("{waiting} bytes of samples wait to be sealed, and the bound is {limit}")]
    Full {
        /// Bytes.
        waiting: usize,
        /// Bytes.
        limit: usize,
    },
    /// Too many streams.
    #[error("{STREAMS_MAX} streams are under way, the most there may be")]
    Streams,
    /// The disk.
    #[error("the samples could not be stored: {0}")]
    Disk(String),
    /// There is no such stream.
    #[error("there is no stream {0:?}")]
    Unknown(String),
}

struct Inner {
    state: State,
    /// `None`: the file has to be written anew before anything is appended.
    journal: Option<Journal>,
    owner: Owner,
    limit: usize,
    window_minutes: u32,
    problem: Option<String>,
}

/// The intake of a node. Shared between threads; every call may block on the disk.
pub struct Intake {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake(redacted)")
    }
}

/// What an intake is made of.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) chain: ChainId,
    pub(crate) participant: ParticipantId,
    /// Bytes that may wait.
    pub(crate) limit: usize,
    /// Unless a stream says otherwise.
    pub(crate) window_minutes: u32,
}

impl Intake {
    /// Opens the intake as it was acknowledged last. If its journal cannot be used nothing is taken, and it says why.
    pub(crate) fn open(place: Place, rng: &mut impl CryptoRng) -> Self {
        let Place { dir, key, chain, participant, limit, window_minutes } = place;
        let owner = Owner { dir, key, chain, participant };
        let mut state = State::default();
        let opened = owner.read().and_then(|entries| replay(&mut state, entries, &owner));
        let opened = opened.and_then(|()| owner.rewrite(&state.condensed(), rng));
        let (journal, problem) = match opened {
            Ok(journal) => (Some(journal), None),
            Err(error) => {
                tracing::error!(%error, "this node takes no vital signs; the rest of it works");
                (None, Some(error.to_string()))
            }
        };
        let inner = Inner { state, journal, owner, limit, window_minutes, problem };
        Self { inner: Mutex::new(inner), changed: watch::channel(0).0 }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told whenever something was taken.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes a batch: on disk once this returns `Ok`. The same batch again changes nothing.
    pub(crate) fn take(&self, batch: &Batch, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Accepted, IntakeError> {
        let accepted = self.lock().take(batch, now_ms, rng)?;
        self.changed.send_modify(|count| *count += 1);
        Ok(accepted)
    }

    /// Every stream.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.lock().state.streams.values().map(status).collect()
    }

    /// One stream.
    pub fn stream(&self, name: &str) -> Option<StreamStatus> {
        self.lock().state.find(name).map(|(_, stream)| status(stream))
    }

    /// Bytes that wait, and how many may.
    pub fn filled(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.state.bytes(), inner.limit)
    }

    /// Why nothing is taken, and what to do.
    pub fn problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    /// Samples for a group that are in no record which others may have: as windows, in the order of each stream.
    pub(super) fn waiting(&self, group: &GroupUid) -> Vec<Window> {
        let inner = self.lock();
        let mut out = Vec::new();
        for stream in inner.state.streams.values().filter(|s| s.group == *group) {
            let unsent = stream.windows.iter().filter(|(_, cut)| matches!(cut.stage, Stage::Cut | Stage::Sealed(..)));
            let mut ranges: Vec<(u64, u64)> = unsent.map(|(from, cut)| (*from, cut.to)).collect();
            let step = WINDOW_SAMPLES_MAX;
            ranges.extend(
                (stream.cut..stream.next()).step_by(step).map(|from| (from, stream.next().min(from + count(step)))),
            );
            out.extend(ranges.into_iter().filter_map(|(from, to)| stream.window(from, to).ok()));
        }
        out
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// The next write begins the file anew, as after a failed one.
    #[cfg(test)]
    pub(super) fn wear_out(&self) {
        self.lock().journal = None;
    }

    /// Notes something of a window.
    pub(super) fn note(&self, entry: Entry, rng: &mut impl CryptoRng) -> Result<(), IntakeError> {
        self.lock().write(entry, rng)
    }
}

fn replay(state: &mut State, entries: Vec<Entry>, owner: &Owner) -> Result<(), JournalError> {
    for (place, entry) in entries.into_iter().enumerate() {
        state.apply(entry).map_err(|what| JournalError::Damaged {
            path: owner.dir.clone(),
            what: format!("entry {place}: {what}"),
        })?;
    }
    Ok(())
}

fn status(stream: &Stream) -> StreamStatus {
    let on_their_way = |stage: &Stage| matches!(stage, Stage::Sealed(..) | Stage::Submitted(..));
    let unsealed = stream.windows.iter().filter(|(_, cut)| matches!(cut.stage, Stage::Cut));
    let unsealed: u64 = unsealed.map(|(from, cut)| cut.to - from).sum();
    StreamStatus {
        stream: stream.name.clone(),
        group: stream.group,
        window_minutes: u32::try_from(stream.window_ms / 60_000).unwrap_or(u32::MAX),
        next: stream.next(),
        settled: stream.settled(),
        first_ms: stream.first_ms,
        arrived_ms: stream.arrived_ms,
        waiting: stream.next() - stream.cut + unsealed,
        on_their_way: count(stream.windows.values().filter(|cut| on_their_way(&cut.stage)).count()),
    }
}

impl Inner {
    fn take(&mut self, batch: &Batch, now_ms: u64, rng: &mut impl CryptoRng) -> Result<Accepted, IntakeError> {
        if let Some(problem) = &self.problem {
            return Err(IntakeError::Disk(problem.clone()));
        }
        check(batch)?;
        let of = match self.state.find(&batch.stream) {
            Some((of, stream)) => {
                same(stream, batch)?;
                of
            }
            None if batch.first > 0 => return Err(IntakeError::Gap { next: 0, first: batch.first }),
            None if batch.samples.is_empty() => return Err(IntakeError::Unknown(batch.stream.clone())),
            None => {
                // Before a stream is opened for it: what does not fit must leave nothing behind.
                self.fits(batch.samples.len())?;
                self.open_stream(batch, now_ms, rng)?
            }
        };
        let Some(stream) = self.state.streams.get(&of) else { return Err(IntakeError::Unknown(batch.stream.clone())) };
        let (already, entry) = fresh(of, stream, batch, now_ms)?;
        let accepted = count(batch.samples.len()) - already;
        if let Some(entry) = entry {
            self.fits(usize::try_from(accepted).unwrap_or(usize::MAX))?;
            self.write(entry, rng)?;
        }
        let next = self.state.streams.get(&of).map_or(0, Stream::next);
        if batch.end {
            self.flush(of, rng)?;
        }
        Ok(Accepted { next, accepted, already })
    }

    fn fits(&self, samples: usize) -> Result<(), IntakeError> {
        let waiting = self.state.bytes() + samples * super::state::SAMPLE_BYTES;
        if waiting > self.limit { Err(IntakeError::Full { waiting, limit: self.limit }) } else { Ok(()) }
    }

    fn open_stream(&mut self, batch: &Batch, now_ms: u64, rng: &mut impl CryptoRng) -> Result<u32, IntakeError> {
        if self.state.streams.len() >= STREAMS_MAX {
            let of = self.state.oldest_done().ok_or(IntakeError::Streams)?;
            self.write(Entry::Forget { of }, rng)?;
        }
        let of = self.state.next_stream();
        let minutes = batch.window_minutes.unwrap_or(self.window_minutes);
        let (stream, group, window_ms) = (batch.stream.clone(), batch.group, u64::from(minutes) * 60_000);
        self.write(Entry::Open { of, stream, group, window_ms, base: 0, first_ms: None, arrived_ms: now_ms }, rng)?;
        Ok(of)
    }

    /// Cuts what waits into windows.
    fn flush(&mut self, of: u32, rng: &mut impl CryptoRng) -> Result<(), IntakeError> {
        while let Some(to) = self.state.streams.get(&of).and_then(|stream| stream.next_cut(0, true)) {
            self.write(Entry::Cut { of, to }, rng)?;
        }
        Ok(())
    }

    /// On disk first, then in memory.
    fn write(&mut self, entry: Entry, rng: &mut impl CryptoRng) -> Result<(), IntakeError> {
        let disk = |error: JournalError| IntakeError::Disk(error.to_string());
        let worn = |journal: &Journal, state: &State| journal.bytes() > 2 * state.bytes() + SLACK_BYTES;
        let usable = self.journal.as_ref().filter(|journal| !journal.is_broken() && !worn(journal, &self.state));
        if usable.is_none() {
            self.journal = None;
            self.journal = Some(self.owner.rewrite(&self.state.condensed(), rng).map_err(disk)?);
        }
        let Some(journal) = &mut self.journal else { return Err(IntakeError::Disk("there is no journal".into())) };
        journal.append(&entry).map_err(|error: FileError| IntakeError::Disk(error.to_string()))?;
        // Ours alone: what does not follow from the state is a bug, and is not built upon.
        self.state.apply(entry).map_err(|what| {
            self.problem = Some(format!("this is a bug in medring, please report it: {what}"));
            IntakeError::Disk(what.to_owned())
        })
    }
}
