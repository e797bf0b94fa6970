//! What a member's node finds in an APHR: every source checked on its own chain, and the aggregate made again.

use super::source::{self, Checked, SourceReport, Verdict};
use super::summary::Summary;
use crate::wallet::{Checks, of_chain};
use medring_protocol::aggregate::{SOURCES_BYTES_MAX, Source, aggregate_within, budget_of};
use medring_protocol::chain::Location;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::record::{Kind, Receiver, Record};
use medring_protocol::seal::{self, AphrContent, OpenError, PlainKind};
use medring_protocol::{Gid, ParticipantId, RecordId};
use medring_storage::{ChainStore, Engine, StorageError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What an APHR turned out to be.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AphrReport {
    /// The APHR.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// The epoch it is sealed to.
    #[schemars(with = "crate::api::schema::Id")]
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// Height of its block.
    pub height: u64,
    /// Who made it.
    #[schemars(with = "crate::api::schema::Id")]
    pub by: ParticipantId,
    /// The checks of the APHR itself.
    pub checks: Checks,
    /// Its sources, in its order.
    pub sources: Vec<SourceReport>,
    /// Whether the aggregate, made again here from these sources, is byte for byte what it holds.
    pub aggregate_matches: bool,
    /// Why not, if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Whether its patient has published something newer in this epoch that it does not cover.
    pub stale: bool,
    /// The newest such record.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub newer: Option<RecordId>,
    /// Whether everything but its age is in order: its own checks, every source verified, and the aggregate matches. What the
    /// patient left out shows only if it is a PHR or APHR of this epoch: nobody else can tell whose an EHR or EMR is.
    pub passed: bool,
    /// What is in it; only if the aggregate matches, for else it is nobody's word but its maker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The aggregate, if it was asked for and matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Box<serde_json::value::RawValue>>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not on the best chain.
    #[error("record {0} is not on this node's best chain; wait until it is mined, or check the id")]
    NotOnChain(RecordId),
    /// Another kind, another group, or a maker who is not this epoch's.
    #[error("record {record} is no APHR of this epoch: {why}")]
    NotOfEpoch {
        /// Which.
        record: RecordId,
        /// What it is instead.
        why: String,
    },
    /// It is of this epoch and does not open.
    #[error("record {record} does not open under its epoch's key: {problem}")]
    Open {
        /// Which.
        record: RecordId,
        /// Why.
        problem: OpenError,
    },
    /// It opens and holds no APHR.
    #[error("record {record} opens and holds no APHR: {problem}")]
    Content {
        /// Which.
        record: RecordId,
        /// Why.
        problem: String,
    },
    /// The chain could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The newest APHR of an epoch on the best chain, by its uploader: (uploader, GID) is how it is found, and what others put
/// under that GID does not count.
pub fn newest<E: Engine>(store: &ChainStore<E>, access: &EpochAccess) -> Result<Option<RecordId>, StorageError> {
    let mut found = None;
    for (_, id, record) in by_uploader(store, access)? {
        if record.content.kind == Kind::Aphr {
            found = Some(id);
        }
    }
    Ok(found)
}

/// What the epoch's uploader has put under its GID, by place.
fn by_uploader<E: Engine>(
    store: &ChainStore<E>,
    access: &EpochAccess,
) -> Result<Vec<(Location, RecordId, Record)>, StorageError> {
    let mut all = Vec::new();
    for (height, index, id) in store.records_by_group(&access.gid)? {
        let at = Location { height, index };
        if let Some(record) = store.record_at(&at)?.filter(|r| r.content.uploader == access.uploader) {
            all.push((at, id, record));
        }
    }
    Ok(all)
}

/// Opens an APHR with its epoch's key and checks everything in it against this node's own chain.
pub fn report<E: Engine>(
    store: &ChainStore<E>,
    access: &EpochAccess,
    id: &RecordId,
    with_aggregate: bool,
) -> Result<AphrReport, ReportError> {
    let (record, leaved, index) = source::on_chain(store, id)?.ok_or(ReportError::NotOnChain(*id))?;
    of_epoch(access, id, &record)?;
    let (mut checks, _) = of_chain(store, &record, Some((&leaved, index)))?;
    let failed = |problem| ReportError::Open { record: *id, problem };
    let opened = seal::open_in_group(&store.chain_id(), &record.content, &access.k_rec).map_err(failed)?;
    let opened = opened.ok_or_else(|| failed(OpenError::Wrap))?;
    checks.commitment = opened.r.belongs_to(&record.content.commitment);
    checks.recipient = access.patient_ids.contains(&opened.plain.recipient);
    let no_aphr = |problem: String| ReportError::Content { record: *id, problem };
    if opened.plain.kind != PlainKind::Aphr {
        return Err(no_aphr("its content is of another type".to_owned()));
    }
    let content = AphrContent::decode(&opened.plain.bytes).map_err(|e| no_aphr(e.to_string()))?;
    let checked = check_all(store, access, &content)?;
    let made = again(&opened.plain.recipient, &content, &checked);
    let matches = made.is_ok();
    let at = Location { height: leaved.block.header.height, index };
    let newer = newer(store, access, at, &checked)?;
    let sources: Vec<SourceReport> = checked.into_iter().map(|c| c.report).collect();
    let text = || String::from_utf8(content.aggregate.to_vec()).ok();
    let aggregate = text().filter(|_| matches && with_aggregate);
    Ok(AphrReport {
        record_id: *id,
        gid: access.gid,
        epoch: access.epoch,
        height: at.height,
        by: record.content.uploader,
        checks,
        passed: checks.passed() && matches && sources.iter().all(|s| s.verdict == Verdict::Verified),
        sources,
        aggregate_matches: matches,
        summary: made.as_ref().ok().and_then(|bytes| Summary::of(bytes)),
        why_not: made.err(),
        stale: newer.is_some(),
        newer,
        aggregate: aggregate.and_then(|text| serde_json::value::RawValue::from_string(text).ok()),
    })
}

/// Kind, receiver and maker are what the epoch says. Another enrolled patient may put an APHR under any GID: consensus
/// cannot know whose it is. Members can.
fn of_epoch(access: &EpochAccess, id: &RecordId, record: &Record) -> Result<(), ReportError> {
    let refuse = |why: String| Err(ReportError::NotOfEpoch { record: *id, why });
    let content = &record.content;
    if content.kind != Kind::Aphr {
        return refuse(format!("its kind is {}", content.kind));
    }
    if content.receiver != Receiver::Group(access.gid) {
        return refuse("it is sealed to another group or epoch".to_owned());
    }
    if content.uploader != access.uploader {
        return refuse(format!(
            "{} made it, and records of this epoch are made by {}",
            content.uploader, access.uploader
        ));
    }
    Ok(())
}

/// Every source, opened as long as together they are no larger than an aggregate may be made from.
fn check_all<E: Engine>(
    store: &ChainStore<E>,
    access: &EpochAccess,
    content: &AphrContent,
) -> Result<Vec<Checked>, StorageError> {
    let (mut all, mut bytes) = (Vec::with_capacity(content.sources.len()), 0_usize);
    for named in &content.sources {
        let mut checked = source::check(store, &access.patient_ids, named)?;
        bytes += checked.bundle.as_ref().map_or(0, |bundle| bundle.to_bytes().len());
        if bytes > SOURCES_BYTES_MAX {
            checked.bundle = None;
            checked.report.verdict = Verdict::Altered;
            "with it the sources are larger than an aggregate is made from".clone_into(&mut checked.report.why);
        }
        all.push(checked);
    }
    Ok(all)
}

/// The aggregate made again, if it is the one that the content holds.
fn again(patient: &ParticipantId, content: &AphrContent, checked: &[Checked]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut sources = Vec::with_capacity(checked.len());
    for one in checked {
        let report = &one.report;
        let (Some(kind), Some(uploader), Some(bundle)) = (report.kind, report.uploader, &one.bundle) else {
            return Err(format!("it cannot be made again: source {} did not open", report.record_id));
        };
        sources.push(Source { record: report.record_id, kind, uploader, bundle });
    }
    let places: Vec<Option<(u64, u32)>> = checked.iter().map(|c| c.at.map(|at| (at.height, at.index))).collect();
    if !places.is_sorted() {
        return Err("its sources are not in the order of the chain".to_owned());
    }
    let budget =
        budget_of(&content.aggregate).ok_or("it is no aggregate/1: it names no budget of the specification")?;
    let made = aggregate_within(patient, &sources, budget).map_err(|e| e.to_string())?;
    if made.as_slice() != content.aggregate.as_slice() {
        return Err("made again from its sources, it is something else".to_owned());
    }
    Ok(made)
}

/// The newest record that makes this APHR stale: a later APHR, or a PHR of this epoch that it does not name and that stands
/// behind every PHR of this epoch that it does name.
fn newer<E: Engine>(
    store: &ChainStore<E>,
    access: &EpochAccess,
    at: Location,
    checked: &[Checked],
) -> Result<Option<RecordId>, StorageError> {
    let place = |at: &Location| (at.height, at.index);
    let named = |id: &RecordId| checked.iter().any(|c| c.report.record_id == *id);
    let all = by_uploader(store, access)?;
    let covered = all.iter().filter(|(_, id, _)| named(id)).map(|(at, ..)| place(at)).max();
    let stale = |(other, id, record): &(Location, RecordId, Record)| match record.content.kind {
        Kind::Aphr => place(other) > place(&at),
        Kind::Phr => !named(id) && covered.is_none_or(|covered| place(other) > covered),
        _ => false,
    };
    Ok(all.iter().filter(|one| stale(one)).max_by_key(|(at, ..)| place(at)).map(|(_, id, _)| *id))
}
