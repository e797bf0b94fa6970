//! One source of an APHR, checked against this node's own chain and nobody's word.

use crate::wallet::{Leaved, of_chain};
use medring_protocol::chain::{Location, StateRead};
use medring_protocol::fhir::Bundle;
use medring_protocol::identity::{PublicKeys, Role};
use medring_protocol::record::{Kind, Record, SigCheck};
use medring_protocol::seal::{self, AphrSource, PlainKind};
use medring_protocol::{ParticipantId, RecordId};
use medring_storage::{ChainStore, Engine, StorageError};
use serde::{Deserialize, Serialize};

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What its producer signed, on this chain, for this patient.
    Verified,
    /// Not what its producer signed, or not of its producer: a wrong signature, an r that does not open it, a wrong kind or role.
    Altered,
    /// Not on this node's best chain.
    Missing,
    /// Made for somebody else, or a PHR by somebody else.
    NotThisPatient,
    /// Genuine, but a revocation of its signer covers its height.
    SignerRevoked,
}

impl Verdict {
    /// As the API writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::NotThisPatient => "not-this-patient",
            Self::SignerRevoked => "signer-revoked",
        }
    }
}

/// One source in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SourceReport {
    /// Which record.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// What it is, if it is on this chain.
    #[schemars(with = "Option<crate::api::schema::RecordKind>")]
    pub kind: Option<Kind>,
    /// Who signed it.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub uploader: Option<ParticipantId>,
    /// As what that participant is enrolled.
    #[schemars(with = "Option<crate::api::schema::RoleName>")]
    pub role: Option<Role>,
    /// Height of its block.
    pub height: Option<u64>,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// In a sentence.
    pub why: String,
}

/// A source with its verdict and, if its r opens it, what it holds.
pub(super) struct Checked {
    pub(super) report: SourceReport,
    /// Where it stands: sources are listed in this order.
    pub(super) at: Option<Location>,
    pub(super) bundle: Option<Bundle>,
}

/// A record of the best chain with the block it stands in; one that only waits is none.
pub(super) fn on_chain<E: Engine>(
    store: &ChainStore<E>,
    id: &RecordId,
) -> Result<Option<(Record, Leaved, u32)>, StorageError> {
    let Some(at) = store.location(id)? else { return Ok(None) };
    let Some(block_id) = store.id_at(at.height)? else { return Ok(None) };
    let Some(block) = store.block(&block_id)? else { return Ok(None) };
    let chain = store.chain_id();
    let record = usize::try_from(at.index).ok().and_then(|i| block.records.get(i)).cloned();
    let record = record.filter(|record| record.id(&chain) == *id);
    Ok(record.map(|record| (record, Leaved::new(&chain, block_id, block), at.index)))
}

/// Checks a source named with its r and Sig. `patient_ids` are the ids of the patient whose record it is to be.
pub(super) fn check<E: Engine>(
    store: &ChainStore<E>,
    patient_ids: &[ParticipantId],
    source: &AphrSource,
) -> Result<Checked, StorageError> {
    let Some((record, leaved, index)) = on_chain(store, &source.record)? else {
        let why = "no block of this node's best chain holds it".to_owned();
        let report = SourceReport {
            record_id: source.record,
            kind: None,
            uploader: None,
            role: None,
            height: None,
            verdict: Verdict::Missing,
            why,
        };
        return Ok(Checked { report, at: None, bundle: None });
    };
    let (checks, role) = of_chain(store, &record, Some((&leaved, index)))?;
    let keys = store.keys_of(&record.content.uploader)?;
    let height = leaved.block.header.height;
    let opened = judge(&store.chain_id(), patient_ids, source, &record, keys.as_ref(), &checks);
    let (bundle, verdict, why) = match opened {
        Ok(bundle) if !checks.not_revoked => {
            let why = "a revocation of its signer covers the height of its block".to_owned();
            (Some(bundle), Verdict::SignerRevoked, why)
        }
        Ok(bundle) => (Some(bundle), Verdict::Verified, "signed, on this chain, and for this patient".to_owned()),
        Err((verdict, why)) => (None, verdict, why),
    };
    let report = SourceReport {
        record_id: source.record,
        kind: Some(record.content.kind),
        uploader: Some(record.content.uploader),
        role,
        height: Some(height),
        verdict,
        why,
    };
    Ok(Checked { report, at: Some(Location { height, index }), bundle })
}

/// The bundle of a record that is what it is said to be, or what is wrong with it.
fn judge(
    chain: &medring_protocol::ChainId,
    patient_ids: &[ParticipantId],
    source: &AphrSource,
    record: &Record,
    keys: Option<&PublicKeys>,
    checks: &crate::wallet::Checks,
) -> Result<Bundle, (Verdict, String)> {
    let altered = |why: &str| Err((Verdict::Altered, why.to_owned()));
    let foreign = |why: &str| Err((Verdict::NotThisPatient, why.to_owned()));
    let content = &record.content;
    if !matches!(content.kind, Kind::Ehr | Kind::Emr | Kind::Phr) {
        return altered("its kind is none that an aggregate is made from");
    }
    if !checks.merkle_proof {
        return altered("no Merkle proof ties it to its block");
    }
    let disclosed = keys.map(|keys| SigCheck { key: keys.signing, hash: source.record.0, signature: source.signature });
    if !checks.signature || !disclosed.is_some_and(|check| check.verify()) {
        return altered("the signature named for it is not its producer's");
    }
    if !checks.role {
        return altered("its signer was not enrolled at that height in the role that makes such records");
    }
    let opened = seal::open_with_r(chain, content, &source.r)
        .map_err(|e| (Verdict::Altered, format!("the r named for it does not open what was signed: {e}")))?;
    if !patient_ids.contains(&opened.plain.recipient) {
        return foreign("it was made for another participant");
    }
    // An EHR or EMR is somebody's about the patient; a PHR is the patient's own, or none.
    if content.kind == Kind::Phr && !patient_ids.contains(&content.uploader) {
        return foreign("it is a PHR that another participant signed");
    }
    if opened.plain.kind != PlainKind::FhirBundle {
        return altered("it holds no FHIR bundle");
    }
    Bundle::parse(&opened.plain.bytes).map_err(|e| (Verdict::Altered, format!("what it holds is no FHIR bundle: {e}")))
}
