//! The scan: every sealed record from the birthday to the tip is tried with the participant's key, by all cores.

use super::Wallet;
use super::checks::{self, Leaved, Place};
use super::state::{RECORDS_MAX, State, WalletRecord};
use super::wallet::WalletError;
use medring_protocol::record::{Content, Receiver};
use medring_protocol::seal::{self, OpenError, Opened};
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, Engine, StorageError};
use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Most heights of one batch: what is lost when a scan is cancelled or the process dies.
const BATCH_HEIGHTS_MAX: u64 = 256;
/// A batch ends once it holds this many bytes of records; bounds memory.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Heights after which the position is written though nothing was found: the most that is scanned again after a crash.
const SAVE_HEIGHTS: u64 = 1024;
/// How often the chain may move away under the scan before it gives up until the next change of the tip.
const RESTARTS_MAX: usize = 64;

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Last height scanned.
    pub height: u64,
    /// Height of the tip.
    pub tip_height: u64,
    /// Records tried so far in this scan: divided by the time it took, the rate.
    pub tried: u64,
    /// Records found so far in this scan.
    pub found: u64,
}

/// What a scan did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Records tried.
    pub tried: u64,
    /// Records found, in the order of the chain. After a reorg a record may be found again.
    pub found: Vec<RecordId>,
    /// Records that left the chain and wait again.
    pub pending: Vec<RecordId>,
    /// Records that left the chain and do not wait.
    pub vanished: Vec<RecordId>,
    /// Whether it was cancelled; the next scan goes on from there.
    pub cancelled: bool,
}

/// One record that the key recognised.
struct Found {
    block: usize,
    index: usize,
    opened: Result<Opened, OpenError>,
}

impl Wallet {
    /// Scans from where the last scan ended, or from the birthday, to the tip of `store`, following reorgs. Call it when the
    /// tip changes; one scan runs at a time. `progress` is called after each batch; setting `cancel` ends the scan soon,
    /// and nothing found before is lost.
    pub fn scan<E: Engine + Sync>(
        &self,
        store: &ChainStore<E>,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<ScanReport, WalletError> {
        let _one = self.scan_lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.scanning.store(true, Ordering::Relaxed);
        let done = self.scan_to_tip(store, progress, cancel);
        self.scanning.store(false, Ordering::Relaxed);
        done
    }

    fn scan_to_tip<E: Engine + Sync>(
        &self,
        store: &ChainStore<E>,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<ScanReport, WalletError> {
        let mut report = ScanReport::default();
        let (mut restarts, mut unsaved) = (0, 0);
        while restarts < RESTARTS_MAX {
            let tip = store.tip()?;
            let (_, tip_height) = tip;
            let mut state = self.snapshot();
            let mut changed = leave_stale_branch(store, &mut state)?;
            let from = state.next_height();
            if from > tip_height {
                changed |= settle(store, tip, &mut state, &mut report)?;
                self.keep(state, changed || unsaved >= SAVE_HEIGHTS)?;
                break;
            }
            let Some(batch) = load(store, from, tip_height, state.marks.last().map(|(_, id)| *id))? else {
                self.keep(state, changed)?;
                restarts += 1;
                continue;
            };
            let Some((tried, found)) = self.try_all(&store.chain_id(), &batch, cancel) else {
                self.keep(state, changed)?;
                report.cancelled = true;
                break;
            };
            changed |= !found.is_empty();
            for found in found {
                report.found.push(self.take_in(store, &mut state, &batch, found)?);
            }
            batch.iter().for_each(|leaved| state.mark(leaved.block.header.height, leaved.id));
            report.tried += tried;
            unsaved += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let height = state.next_height().saturating_sub(1);
            let save = changed || unsaved >= SAVE_HEIGHTS;
            self.keep(state, save)?;
            if save {
                unsaved = 0;
            }
            restarts = 0;
            let found = u64::try_from(report.found.len()).unwrap_or(u64::MAX);
            progress(Progress { height, tip_height, tried: report.tried, found });
        }
        Ok(report)
    }

    /// Tries every record of the batch; `None` if cancelled. Found ones come in the order of the chain.
    fn try_all(
        &self,
        chain: &medring_protocol::ChainId,
        batch: &[Leaved],
        cancel: &AtomicBool,
    ) -> Option<(u64, Vec<Found>)> {
        let contents = batch.iter().enumerate().flat_map(|(block, leaved)| {
            let records = leaved.block.records.iter().enumerate();
            records.map(move |(index, record)| (block, index, &record.content))
        });
        let items: Vec<(usize, usize, &Content)> = contents.filter(|(.., content)| self.may_be_mine(content)).collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let worker = || {
            while !cancel.load(Ordering::Relaxed) {
                let Some((block, index, content)) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let opened = match self.try_one(chain, content) {
                    // Consensus lets nothing misshapen pass, and it says nothing about whose it is.
                    Ok(None) | Err(OpenError::Shape(_)) => continue,
                    Ok(Some(opened)) => Ok(opened),
                    Err(problem) => Err(problem),
                };
                let found_one = Found { block: *block, index: *index, opened };
                found.lock().unwrap_or_else(PoisonError::into_inner).push(found_one);
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
        std::thread::scope(|scope| {
            (1..cores).for_each(|_| drop(scope.spawn(worker)));
            worker();
        });
        if cancel.load(Ordering::Relaxed) {
            return None;
        }
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|f| (f.block, f.index));
        Some((u64::try_from(items.len()).unwrap_or(u64::MAX), found))
    }

    /// Whether this participant may hold what opens it: its key for types 1 and 3; for type 2 only what it made itself. (What
    /// others made for a group is read through the group.)
    fn may_be_mine(&self, content: &Content) -> bool {
        match content.receiver {
            Receiver::Tag(_) | Receiver::GroupOwner(_) => true,
            Receiver::Group(_) => content.uploader == self.participant,
            Receiver::None => false,
        }
    }

    /// Opens a record; `None`: not mine, or made under an epoch whose key is gone and without a note.
    fn try_one(&self, chain: &medring_protocol::ChainId, content: &Content) -> Result<Option<Opened>, OpenError> {
        let Receiver::Group(gid) = &content.receiver else {
            return seal::open_as(chain, content, &self.participant, self.identity.chebyshev());
        };
        if let Some(r) = self.record(&content.id(chain)).and_then(|noted| noted.r) {
            return seal::open_with_r(chain, content, &r).map(Some);
        }
        match self.group_keys.get().and_then(|keys| keys(gid)) {
            Some(k_rec) => seal::open_in_group(chain, content, &k_rec),
            None => Ok(None),
        }
    }

    /// Checks a found record and notes it.
    fn take_in<E: Engine>(
        &self,
        store: &ChainStore<E>,
        state: &mut State,
        batch: &[Leaved],
        found: Found,
    ) -> Result<RecordId, WalletError> {
        let leaved = &batch[found.block];
        let record = &leaved.block.records[found.index];
        // A block holds at most 4,096 records.
        let index = u32::try_from(found.index).unwrap_or(u32::MAX);
        let (mut checks, uploader_role) = checks::of_chain(store, record, Some((leaved, index)))?;
        let (r, bytes, problem) = match found.opened {
            Ok(opened) => {
                checks.commitment = opened.r.belongs_to(&record.content.commitment);
                checks.recipient = opened.plain.recipient == self.participant;
                (Some(opened.r), u64::try_from(opened.plain.bytes.len()).unwrap_or(u64::MAX), None)
            }
            Err(problem) => {
                // Only a record that opened is told to be for someone else.
                checks.commitment = problem == OpenError::OtherRecipient;
                (None, 0, Some(problem.to_string()))
            }
        };
        let record_id = record.id(&store.chain_id());
        if !state.records.contains_key(&record_id) && state.records.len() >= RECORDS_MAX {
            return Err(WalletError::Full);
        }
        let place = Place { height: leaved.block.header.height, index, block_id: leaved.id };
        let noted = WalletRecord {
            record_id,
            kind: record.content.kind,
            uploader: record.content.uploader,
            uploader_role,
            stamp_ms: record.envelope.stamp_ms,
            place: Some(place),
            bytes,
            checks,
            problem,
            r,
        };
        state.records.insert(record_id, noted);
        Ok(record_id)
    }
}

/// If the scanned branch is not the best one any more, goes back to where they part; records above it have no place until
/// they are found again. True if anything changed.
fn leave_stale_branch<E: Engine>(store: &ChainStore<E>, state: &mut State) -> Result<bool, StorageError> {
    let before = state.marks.len();
    while let Some((height, id)) = state.marks.last() {
        if store.id_at(*height)? == Some(*id) {
            break;
        }
        state.marks.pop();
    }
    if state.marks.len() == before {
        return Ok(false);
    }
    let next = state.next_height();
    for record in state.records.values_mut().filter(|r| r.place.is_some_and(|place| place.height >= next)) {
        record.place = None;
        record.checks.merkle_proof = false;
    }
    Ok(true)
}

/// At the tip: what found no place again waits in the pool, or is gone. True if anything changed. While the chain moves
/// nothing is said to be gone: what a reorganisation took away is on its way to another block or to the pool.
fn settle<E: Engine>(
    store: &ChainStore<E>,
    tip: (BlockId, u64),
    state: &mut State,
    report: &mut ScanReport,
) -> Result<bool, StorageError> {
    if state.records.values().all(|record| record.place.is_some()) {
        return Ok(false);
    }
    let chain = store.chain_id();
    let returning = store.records_are_returning()?;
    let waiting: BTreeSet<RecordId> = store.pool()?.iter().map(|entry| entry.record.id(&chain)).collect();
    let moving = returning || store.tip()? != tip;
    let (before, placeless) = (state.records.len(), |r: &WalletRecord| r.place.is_none());
    let waits = |id: &RecordId| moving || waiting.contains(id);
    for record in state.records.values().filter(|r| placeless(r)) {
        let list = if waits(&record.record_id) { &mut report.pending } else { &mut report.vanished };
        list.push(record.record_id);
    }
    state.records.retain(|id, record| record.place.is_some() || waits(id));
    Ok(state.records.len() != before)
}

/// Blocks of the best chain from a height on that follow each other and `parent`; `None` if they do not: the chain moved.
fn load<E: Engine>(
    store: &ChainStore<E>,
    from: u64,
    tip_height: u64,
    parent: Option<BlockId>,
) -> Result<Option<Vec<Leaved>>, StorageError> {
    let (mut batch, mut bytes, mut parent) = (Vec::new(), 0usize, parent);
    for height in from..=tip_height.min(from.saturating_add(BATCH_HEIGHTS_MAX - 1)) {
        let Some(id) = store.id_at(height)? else { return Ok(None) };
        let Some(block) = store.block(&id)? else { return Ok(None) };
        if parent.is_some_and(|parent| parent != block.header.prev) {
            return Ok(None);
        }
        parent = Some(id);
        bytes += block.records_len();
        batch.push(Leaved::new(&store.chain_id(), id, block));
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    Ok(Some(batch))
}
