//! A participant's wallet on one chain: which records are its own, and opening them.

use super::checks::{self, Checks, Leaved, Place};
use super::files::FileError;
use super::keystore::Keystore;
use super::state::{RECORDS_MAX, State, StateError, StateFile, WalletRecord};
use medring_protocol::chain::StateRead;
use medring_protocol::identity::IdentitySecret;
use medring_protocol::record::Record;
use medring_protocol::seal::{self, OpenError, PlainKind, RecordSecret};
use medring_protocol::{ChainId, Gid, ParticipantId, RecordId};
use medring_storage::{ChainStore, Engine, StorageError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use zeroize::Zeroizing;

/// Why a wallet failed.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// Its state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its state could not be written.
    #[error("the wallet could not be written: {0}")]
    File(#[from] FileError),
    /// The chain could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// More records than it holds.
    #[error("the wallet holds {RECORDS_MAX} records, the most it can; start another with a later birthday height")]
    Full,
    /// The record does not open.
    #[error("record {record} does not open: {problem}")]
    Open {
        /// Which.
        record: RecordId,
        /// Why.
        problem: OpenError,
    },
}

/// A wallet in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WalletStatus {
    /// Whose it is.
    pub participant: ParticipantId,
    /// First height that is scanned.
    pub birthday_height: u64,
    /// Last height that was scanned; `None`: none yet.
    pub scanned_height: Option<u64>,
    /// Records found.
    pub records: usize,
    /// Whether a scan is running.
    pub scanning: bool,
}

/// An opened record. Its content is wiped on drop and not shown by `Debug`.
#[derive(Clone)]
pub struct OpenedRecord {
    /// The record, with its checks made anew on the chain as it is now.
    pub record: WalletRecord,
    /// What the content is.
    pub content_type: PlainKind,
    /// The content.
    pub content: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for OpenedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedRecord").field("record", &self.record.record_id).finish_non_exhaustive()
    }
}

/// Finds k_rec of an epoch.
type GroupKeys = Box<dyn Fn(&Gid) -> Option<Zeroizing<[u8; 32]>> + Send + Sync>;

/// A wallet. Shared between threads; reading never waits for a scan.
pub struct Wallet {
    pub(super) participant: ParticipantId,
    pub(super) identity: Arc<IdentitySecret>,
    file: StateFile,
    state: Mutex<State>,
    /// Held while the file is written and the state replaced, so that no writer undoes another.
    writing: Mutex<()>,
    /// Records this node made since it started and that can be opened by their r alone: a scan that began before one was
    /// made must not forget it.
    pub(super) made: Mutex<BTreeMap<RecordId, WalletRecord>>,
    /// Finds k_rec of an epoch of this participant's own group, while it is held.
    pub(super) group_keys: OnceLock<GroupKeys>,
    /// Held while a scan runs.
    pub(super) scan_lock: Mutex<()>,
    pub(super) scanning: AtomicBool,
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wallet").field("participant", &self.participant).finish_non_exhaustive()
    }
}

impl Wallet {
    /// Opens the wallet of a participant on a chain, in `dir`/wallet.state; makes one if there is none. An earlier birthday
    /// than the last time's means that everything is scanned again from there; a later one changes nothing.
    pub fn open(dir: &Path, keystore: &Keystore, chain: &ChainId, birthday: u64) -> Result<Self, WalletError> {
        let participant = keystore.participant();
        let (path, key) = (StateFile::path_in(dir), keystore.subkey("wallet"));
        let file = StateFile { path, key, chain: *chain, participant };
        let mut state = file.load()?.unwrap_or_else(|| State { birthday, ..State::default() });
        if birthday < state.birthday {
            state.birthday = birthday;
            state.marks.clear();
        }
        Ok(Self {
            participant,
            identity: keystore.identity().clone(),
            file,
            state: Mutex::new(state),
            writing: Mutex::new(()),
            made: Mutex::default(),
            group_keys: OnceLock::new(),
            scan_lock: Mutex::new(()),
            scanning: AtomicBool::new(false),
        })
    }

    /// Whose it is.
    pub fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// The participant's secret keys, to sign and seal with.
    pub fn identity(&self) -> &Arc<IdentitySecret> {
        &self.identity
    }

    /// In figures.
    pub fn status(&self) -> WalletStatus {
        let state = self.snapshot_with(|state| (state.birthday, state.marks.last().copied(), state.records.len()));
        WalletStatus {
            participant: self.participant,
            birthday_height: state.0,
            scanned_height: state.1.map(|(height, _)| height),
            records: state.2,
            scanning: self.scanning.load(Ordering::Relaxed),
        }
    }

    /// Every record found, in the order of the chain; those without a place last.
    pub fn records(&self) -> Vec<WalletRecord> {
        let mut records: Vec<_> = self.snapshot_with(|state| state.records.values().cloned().collect());
        let order = |r: &WalletRecord| r.place.map_or((u64::MAX, 0), |place| (place.height, place.index));
        records.sort_by_key(|r| (order(r), r.record_id));
        records
    }

    /// One record.
    pub fn record(&self, id: &RecordId) -> Option<WalletRecord> {
        self.snapshot_with(|state| state.records.get(id).cloned())
    }

    /// Opens a record and checks it anew on the chain as it is now; `None` if it is not in this wallet, or is neither on the
    /// best chain nor waiting any more.
    ///
    /// # Errors
    /// [`WalletError::Open`] if it is sealed to this participant and does not open.
    pub fn open_record<E: Engine>(
        &self,
        store: &ChainStore<E>,
        id: &RecordId,
    ) -> Result<Option<OpenedRecord>, WalletError> {
        let Some(mut noted) = self.record(id) else { return Ok(None) };
        let Some((record, at)) = fetch(store, id)? else { return Ok(None) };
        let (mut checks, role) = checks::of_chain(store, &record, at.as_ref().map(|(leaved, i)| (leaved, *i)))?;
        let failed = |problem| WalletError::Open { record: *id, problem };
        let opened = match &noted.r {
            Some(r) => seal::open_with_r(&store.chain_id(), &record.content, r).map_err(failed)?,
            None => {
                let secret = self.identity.chebyshev();
                let opened = seal::open_as(&store.chain_id(), &record.content, &self.participant, secret);
                opened.map_err(failed)?.ok_or_else(|| failed(OpenError::Wrap))?
            }
        };
        checks.commitment = opened.r.belongs_to(&record.content.commitment);
        checks.recipient = opened.plain.recipient == self.participant;
        noted.place =
            at.map(|(leaved, index)| Place { height: leaved.block.header.height, index, block_id: leaved.id });
        (noted.checks, noted.uploader_role) = (checks, role);
        Ok(Some(OpenedRecord { record: noted, content_type: opened.plain.kind, content: opened.plain.bytes }))
    }

    pub(super) fn snapshot(&self) -> State {
        self.snapshot_with(State::clone)
    }

    fn snapshot_with<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `state` the wallet's, with what was made meanwhile; on disk too if `save`.
    pub(super) fn keep(&self, mut state: State, save: bool) -> Result<(), WalletError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, made) in self.made.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            state.records.entry(*id).or_insert_with(|| made.clone());
        }
        self.replace(state, save)
    }

    /// Notes a record of this participant's own making, sealed to its group: with its r it can be opened and disclosed even
    /// when the epoch's key is gone. On disk once this returns; to be called before the record is submitted.
    ///
    /// # Errors
    /// [`WalletError::Full`], and if the file cannot be written: then it is not noted.
    pub fn note_made(&self, chain: &ChainId, record: &Record, r: RecordSecret, bytes: u64) -> Result<(), WalletError> {
        let checks = Checks { commitment: true, recipient: true, ..Checks::default() };
        let noted = WalletRecord {
            record_id: record.id(chain),
            kind: record.content.kind,
            uploader: record.content.uploader,
            uploader_role: record.content.kind.uploader_role(),
            stamp_ms: record.envelope.stamp_ms,
            place: None,
            bytes,
            checks,
            problem: None,
            r: Some(r),
        };
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.snapshot();
        if state.records.len() >= RECORDS_MAX {
            return Err(WalletError::Full);
        }
        state.records.insert(noted.record_id, noted.clone());
        self.replace(state, true)?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(noted.record_id, noted);
        Ok(())
    }

    /// Takes a note back: the record was not submitted.
    pub fn forget_made(&self, id: &RecordId) -> Result<(), WalletError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        let mut state = self.snapshot();
        match state.records.remove(id) {
            Some(noted) if noted.place.is_none() => self.replace(state, true),
            _ => Ok(()),
        }
    }

    /// Says where k_rec of epochs of this participant's group is found. Only the first call counts.
    pub fn set_group_keys(&self, keys: impl Fn(&Gid) -> Option<Zeroizing<[u8; 32]>> + Send + Sync + 'static) {
        let _ = self.group_keys.set(Box::new(keys));
    }

    fn replace(&self, state: State, save: bool) -> Result<(), WalletError> {
        if save {
            self.file.save(&state, &mut os_random())?;
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        Ok(())
    }
}

/// Only the salt of the state's file is drawn here; it decides nothing that a run could be replayed from.
#[expect(clippy::disallowed_methods, reason = "the wallet owns the salts of its own file")]
fn os_random() -> impl rand::CryptoRng {
    rand::rng()
}

pub(super) type Fetched = (Record, Option<(Leaved, u32)>);

/// A record from the best chain, or from the pool.
pub(super) fn fetch<E: Engine>(store: &ChainStore<E>, id: &RecordId) -> Result<Option<Fetched>, StorageError> {
    let chain = store.chain_id();
    if let Some(at) = store.location(id)? {
        let block_id = store.id_at(at.height)?;
        let block = block_id.map(|block_id| store.block(&block_id)).transpose()?.flatten();
        if let (Some(block_id), Some(block)) = (block_id, block) {
            let leaved = Leaved::new(&chain, block_id, block);
            let record = usize::try_from(at.index).ok().and_then(|i| leaved.block.records.get(i)).cloned();
            return Ok(record.filter(|r| r.id(&chain) == *id).map(|record| (record, Some((leaved, at.index)))));
        }
    }
    let waiting = store.pool()?.into_iter().map(|entry| entry.record).find(|r| r.id(&chain) == *id);
    Ok(waiting.map(|record| (record, None)))
}
