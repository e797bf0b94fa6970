//! An APHR from its sources: the aggregate with the largest budget that fits, and the record's draft.

use super::gather::Gathered;
use crate::wallet::{Draft as RecordDraft, DraftError};
use medring_protocol::ParticipantId;
use medring_protocol::aggregate::{AggregateError, BUDGETS_BYTES, Source, aggregate_within};
use medring_protocol::deid::{self, Input, Policy, PublicKind};
use medring_protocol::params::{Params, Purpose};
use medring_protocol::record::Kind;
use medring_protocol::seal::{self, AphrContent, PlainKind, SealError, SensitivePlain};

/// An APHR not yet sealed.
#[derive(Debug)]
pub struct Draft {
    /// To be sealed to the group.
    pub record: RecordDraft,
    /// Length of the aggregate.
    pub bytes: usize,
    /// The budget it was made with.
    pub budget_bytes: usize,
}

/// Why no APHR was made.
#[derive(Debug, thiserror::Error)]
pub enum AphrError {
    /// Nothing to aggregate.
    #[error(
        "the wallet holds no settled EHR, EMR or PHR that verifies; aggregate again once a record is deep enough in the chain"
    )]
    NoSources,
    /// The aggregate.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// The public part.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The content.
    #[error(transparent)]
    Content(#[from] seal::AphrError),
    /// Even with the smallest budget it does not fit a record.
    #[error("the aggregate does not fit a record even with its smallest budget: {0}")]
    Seal(#[from] SealError),
}

/// The APHR of `patient` from `gathered`, in their order.
pub fn make(params: &Params, patient: &ParticipantId, gathered: &[Gathered]) -> Result<Draft, AphrError> {
    if gathered.is_empty() {
        return Err(AphrError::NoSources);
    }
    let sources: Vec<Source<'_>> = gathered.iter().map(Gathered::as_source).collect();
    let pad_min = usize::try_from(params.pad_min_bytes).unwrap_or(usize::MAX);
    let mut last = None;
    for budget_bytes in BUDGETS_BYTES {
        let aggregate = aggregate_within(patient, &sources, budget_bytes)?;
        let bytes = aggregate.len();
        let named = gathered.iter().map(|g| g.source.clone()).collect();
        let record = draft(params, patient, &AphrContent { sources: named, aggregate })?;
        match record.sensitive.encode(pad_min) {
            Ok(_) => return Ok(Draft { record, bytes, budget_bytes }),
            Err(e @ (SealError::DoesNotFit { .. } | SealError::TooLong { .. })) => last = Some(e),
            Err(e) => return Err(e.into()),
        }
    }
    Err(last.map_or(AphrError::NoSources, AphrError::Seal))
}

/// A content as it stands, as a record's draft. Its public part says that it is an APHR and no more.
pub(super) fn draft(params: &Params, patient: &ParticipantId, content: &AphrContent) -> Result<RecordDraft, AphrError> {
    let policy = Policy::Minimal;
    let demo = params.purpose == Purpose::Demo;
    let public =
        deid::public_part(PublicKind::Aphr, &policy, Input::Nothing, demo).map_err(|e| AphrError::Draft(e.into()))?;
    let sensitive = SensitivePlain { recipient: *patient, kind: PlainKind::Aphr, bytes: content.encode()? };
    Ok(RecordDraft { kind: Kind::Aphr, policy, public: public.bytes, sensitive, warning: public.warning })
}
