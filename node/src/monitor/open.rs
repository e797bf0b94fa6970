//! What lies under a group's epochs and opens here, as samples: each record opened once and remembered, within a bound.

use crate::driver::NodeHandle;
use crate::group::GroupHandle;
use crate::group::GroupView;
use crate::wallet::{Checks, OpenedRecord, Wallet, WalletError};
use medring_protocol::chain::Location;
use medring_protocol::fhir::Bundle;
use medring_protocol::record::{Kind, Receiver, Record};
use medring_protocol::seal::PlainKind;
use medring_protocol::vitals::{Recording, Track, Window};
use medring_protocol::{Gid, RecordId};
use medring_storage::StorageError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Samples remembered at one time, of all groups; records beyond are opened anew each time.
const SAMPLES_MAX: usize = 2_000_000;
/// Records of one group that are looked at, the newest.
const RECORDS_MAX: usize = 16_384;

/// A record that was opened.
#[derive(Clone)]
pub(super) struct Opened {
    /// Its record; `None`: samples of this participant's own that are in none yet.
    pub(super) record: Option<RecordId>,
    /// Whether a block holds it.
    pub(super) mined: bool,
    pub(super) what: What,
}

/// What is in it.
#[derive(Clone)]
pub(super) enum What {
    /// Of a live stream, samples `from` … `to`.
    Window(Arc<Window>),
    /// A recording of its own.
    Recording(Arc<Vec<Track>>),
    /// It is of this group and does not count, and why.
    Refused(Arc<str>),
}

impl What {
    fn samples(&self) -> usize {
        match self {
            Self::Window(window) => window.count(),
            Self::Recording(tracks) => tracks.iter().map(|t| t.samples.len()).sum(),
            Self::Refused(_) => 1,
        }
    }
}

/// By record, and whether it was on the chain then; `None`: no vital signs.
#[derive(Default)]
struct Memory {
    known: BTreeMap<(RecordId, bool), Option<What>>,
    samples: usize,
}

/// Records that were opened before.
#[derive(Default)]
pub(super) struct Reader {
    memory: Mutex<Memory>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The chain.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl Reader {
    /// Everything with vital signs under the group's epochs whose key is held here, and what this participant made itself.
    pub(super) fn read(
        &self,
        node: &NodeHandle,
        groups: &GroupHandle,
        view: &GroupView,
    ) -> Result<Vec<Opened>, ReadError> {
        let mut out = Vec::new();
        let store = node.store();
        let past = view.status.history.iter().map(|past| past.gid);
        let gids: BTreeSet<Gid> = past.chain(view.status.active.iter().map(|active| active.gid)).collect();
        // The pool first: what leaves it meanwhile is found on the chain, and counted once by its id.
        let waiting = store.pool()?.into_iter().map(|entry| entry.record);
        let waiting: Vec<Record> =
            waiting.filter(|r| r.content.receiver.gid().is_some_and(|gid| gids.contains(&gid))).collect();
        let mut placed = Vec::new();
        for gid in &gids {
            placed
                .extend(store.records_by_group(gid)?.into_iter().map(|(height, index, id)| (height, index, id, *gid)));
        }
        placed.sort_unstable_by_key(|(height, index, ..)| (*height, *index));
        let skip = placed.len().saturating_sub(RECORDS_MAX);
        let mut seen = BTreeSet::new();
        for (height, index, id, gid) in placed.into_iter().skip(skip) {
            seen.insert(id);
            let load = || Ok(store.record_at(&Location { height, index })?);
            out.extend(self.one(node, groups, (id, gid, true), load)?);
        }
        for record in waiting {
            let (id, gid) = (record.id(&node.chain_id()), record.content.receiver.gid());
            if let Some(gid) = gid.filter(|_| !seen.contains(&id)) {
                out.extend(self.one(node, groups, (id, gid, false), || Ok(Some(record)))?);
            }
        }
        Ok(out)
    }

    fn one(
        &self,
        node: &NodeHandle,
        groups: &GroupHandle,
        (id, gid, mined): (RecordId, Gid, bool),
        load: impl FnOnce() -> Result<Option<Record>, ReadError>,
    ) -> Result<Option<Opened>, ReadError> {
        // What a destroyed key opened once is not told again.
        let access = groups.access(&gid);
        let own = || node.wallet().is_some_and(|wallet| wallet.record(&id).is_some_and(|r| r.problem.is_none()));
        if access.is_none() && !own() {
            return Ok(None);
        }
        let remembered = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.known.get(&(id, mined)).cloned()
        };
        let what = match remembered {
            Some(what) => what,
            None => {
                let Some(record) = load()? else { return Ok(None) };
                let what = open(node, groups, &id, &record, mined)?;
                self.remember((id, mined), what.clone());
                what
            }
        };
        Ok(what.map(|what| Opened { record: Some(id), mined, what }))
    }

    fn remember(&self, key: (RecordId, bool), what: Option<What>) {
        let samples = what.as_ref().map_or(1, What::samples);
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.samples + samples > SAMPLES_MAX {
            *memory = Memory::default();
        }
        memory.samples += samples;
        memory.known.insert(key, what);
    }
}

/// Opens a record; `None`: it has no vital signs, or somebody else than the patient put it under this GID.
fn open(
    node: &NodeHandle,
    groups: &GroupHandle,
    id: &RecordId,
    record: &Record,
    mined: bool,
) -> Result<Option<What>, ReadError> {
    let refused = |why: String| Ok(Some(What::Refused(why.into())));
    let (content, by_group) = (&record.content, matches!(record.content.receiver, Receiver::Group(_)));
    let access = content.receiver.gid().and_then(|gid| groups.access(&gid)).filter(|_| by_group);
    let own = node.wallet().filter(|wallet| wallet.participant() == content.uploader);
    let mine = access.as_ref().is_some_and(|access| access.uploader == content.uploader) || own.is_some();
    if content.kind != Kind::Phr || !mine {
        return Ok(None);
    }
    let opened = match (&access, own) {
        (Some(access), _) => Wallet::open_group_record(node.store(), access, id),
        (None, Some(wallet)) => wallet.open_record(node.store(), id),
        (None, None) => return Ok(None),
    };
    let opened = match opened {
        Err(WalletError::Open { problem, .. }) => return refused(format!("it does not open: {problem}")),
        other => other?,
    };
    let Some(OpenedRecord { record, content_type, content }) = opened else { return Ok(None) };
    if let Some(failed) = failed(&record.checks, mined) {
        return refused(format!("the check {failed} failed"));
    }
    if content_type != PlainKind::FhirBundle {
        return Ok(None);
    }
    let bundle = match Bundle::parse(&content) {
        Ok(bundle) => bundle,
        Err(error) => return refused(error.to_string()),
    };
    match Window::from_fhir(&bundle) {
        Ok(Some(window)) => Ok(Some(What::Window(Arc::new(window)))),
        Ok(None) => {
            Ok(Recording::from_fhir(&bundle).ok().map(|recording| What::Recording(Arc::new(tracks(&recording)))))
        }
        Err(error) => refused(error.to_string()),
    }
}

/// The first check that failed; of a record that waits, those are made that can be.
fn failed(checks: &Checks, mined: bool) -> Option<&'static str> {
    let of_chain = ["merkle_proof", "role", "not_revoked"];
    let each = checks.each().into_iter().filter(|(name, ..)| mined || !of_chain.contains(name));
    each.into_iter().find(|(_, passed, _)| !passed).map(|(name, ..)| name)
}

fn tracks(recording: &Recording) -> Vec<Track> {
    let track = |signal: &medring_protocol::vitals::Signal| {
        let present = signal.samples.iter().enumerate().filter_map(|(row, value)| Some((row, (*value)?)));
        let samples = present.map(|(row, value)| (recording.time_ms(row), value)).collect();
        Track { channel: signal.channel.clone(), samples }
    };
    recording.signals().iter().map(track).collect()
}
