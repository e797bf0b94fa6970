//! Making records: sealed and signed health records, and an authority's enrolments and revocations.

use super::draft::{Draft, public_kind};
use medring_protocol::chebyshev::{KeyError, PublicKey};
use medring_protocol::deid::{DeidError, check_public};
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::identity::{Enrolment, EnrolmentEntry, IdentitySecret, PublicKeys, Revocation};
use medring_protocol::params::{Params, Purpose};
use medring_protocol::record::{Content, EpochCommit, Kind, Receiver, Record};
use medring_protocol::seal::{self, RecordSecret, SealContext, SealError, To};
use medring_protocol::{ChainId, Commitment, Gid, ParticipantId, limits};
use rand::CryptoRng;

/// When and where a record is made: the clock of its maker and the tip it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// ms since 1970.
    pub now_ms: u64,
    /// Height of the best chain.
    pub tip_height: u64,
}

/// Why no record was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// A kind without health data.
    #[error("a record of kind {0} carries no sealed health data")]
    Kind(Kind),
    /// The recipient's key.
    #[error("the recipient's key is refused: {0}")]
    Recipient(#[from] KeyError),
    /// The draft was made for someone else.
    #[error("the draft is for {made_for} and would be sealed to {sealed_to}; make it anew for the right recipient")]
    OtherRecipient {
        /// Inside the draft.
        made_for: ParticipantId,
        /// Whose key was given.
        sealed_to: ParticipantId,
    },
    /// The filter on the way out.
    #[error(transparent)]
    Public(#[from] DeidError),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The whole record is too large.
    #[error("the record has {got} bytes and the limit is {}; make less of it public", limits::RECORD_BYTES_MAX)]
    TooLarge {
        /// Bytes.
        got: usize,
    },
    /// An enrolment that no node would accept.
    #[error("the enrolment of {participant} is refused: {what}")]
    Entry {
        /// Whose.
        participant: ParticipantId,
        /// Why.
        what: String,
    },
    /// Too few or too many enrolments in one record.
    #[error("{0} enrolments in one record; 1 to {most} are allowed", most = limits::ENROL_ENTRIES_MAX)]
    Entries(usize),
}

/// A record ready to be submitted, and the secret that opens it for anyone.
#[derive(Clone, Debug)]
pub struct Produced {
    /// The record.
    pub record: Record,
    /// r: whoever is given it reads this record, and nothing else.
    pub r: RecordSecret,
}

/// T as it may stand on this chain: rounded down, so that it tells no more than it must.
fn stamp_ms(params: &Params, at: Moment) -> u64 {
    at.now_ms - at.now_ms % params.stamp_granularity_ms.max(1)
}

/// Half the window ahead: the record survives long waits, and a chain that falls back a little still takes it.
fn expiry_height(params: &Params, at: Moment) -> u64 {
    at.tip_height.saturating_add((params.expiry_window_heights / 2).max(1))
}

/// Seals `draft` for `recipient` and signs it as `uploader`. The public part passes the filter once more, whoever made the
/// draft. Costs three ladders and a compression.
pub fn seal_record(
    params: &Params,
    uploader: &IdentitySecret,
    recipient: &PublicKeys,
    draft: &Draft,
    at: Moment,
    rng: &mut impl CryptoRng,
) -> Result<Produced, ProduceError> {
    made_for(draft, &recipient.id())?;
    let key = PublicKey::validate(&recipient.chebyshev)?;
    seal_to(params, uploader, To::Participant(&key), draft, at, rng)
}

/// Seals `draft`, made for the patient who signs it, to all members of an epoch (receiver type 2). No ladder.
pub fn seal_to_group(
    params: &Params,
    uploader: &IdentitySecret,
    access: &EpochAccess,
    draft: &Draft,
    at: Moment,
    rng: &mut impl CryptoRng,
) -> Result<Produced, ProduceError> {
    made_for(draft, &uploader.public().id())?;
    seal_to(params, uploader, To::Group { k_rec: &access.k_rec, gid: access.gid }, draft, at, rng)
}

/// Seals `draft`, made for the patient who signs it, to that patient under an epoch's name (receiver type 3).
pub fn seal_to_owner(
    params: &Params,
    owner: &IdentitySecret,
    gid: Gid,
    draft: &Draft,
    at: Moment,
    rng: &mut impl CryptoRng,
) -> Result<Produced, ProduceError> {
    made_for(draft, &owner.public().id())?;
    let key = PublicKey::validate(&owner.public().chebyshev)?;
    seal_to(params, owner, To::Owner { key: &key, gid }, draft, at, rng)
}

fn made_for(draft: &Draft, sealed_to: &ParticipantId) -> Result<(), ProduceError> {
    match draft.sensitive.recipient {
        made_for if made_for == *sealed_to => Ok(()),
        made_for => Err(ProduceError::OtherRecipient { made_for, sealed_to: *sealed_to }),
    }
}

fn seal_to(
    params: &Params,
    uploader: &IdentitySecret,
    to: To<'_>,
    draft: &Draft,
    at: Moment,
    rng: &mut impl CryptoRng,
) -> Result<Produced, ProduceError> {
    let kind = public_kind(draft.kind).ok_or(ProduceError::Kind(draft.kind))?;
    check_public(kind, &draft.public, &draft.policy, params.purpose == Purpose::Demo)?;
    let (chain, me) = (params.chain_id(), uploader.public().id());
    let ctx = SealContext { chain: &chain, kind: draft.kind, uploader: &me, public: &draft.public };
    let pad_min = usize::try_from(params.pad_min_bytes).unwrap_or(usize::MAX);
    let seal::Sealed { content, r } = seal::seal(&ctx, to, &draft.sensitive, pad_min, rng)?;
    let record = sign(params, &chain, content, uploader, at)?;
    Ok(Produced { record, r })
}

/// An epoch's commit as a record by the patient, mined by `deadline_height` at the latest: its envelope expires no later.
/// The RecordId is fixed by `commit` and the uploader, so a resubmission is the same record.
pub fn commit_record(
    params: &Params,
    uploader: &IdentitySecret,
    commit: &EpochCommit,
    deadline_height: u64,
    at: Moment,
) -> Record {
    let content = payload(Kind::EpochCommit, uploader, commit.encode());
    let expiry = expiry_height(params, at).min(deadline_height);
    Record::sign(&params.chain_id(), content, stamp_ms(params, at), expiry, uploader)
}

/// Puts a record that was made earlier into a new envelope by its uploader: RecordId and Sig stay.
pub fn renew(params: &Params, record: Record, uploader: &IdentitySecret, at: Moment) -> Record {
    let (stamp, expiry) = (stamp_ms(params, at), expiry_height(params, at));
    Record::wrap(&params.chain_id(), record.content, record.signature, stamp, expiry, uploader)
}

/// An Enrol record by an authority. Every entry is checked as R-ENROL and R-ENROL-CONSENT will; that its subject knows
/// the Chebyshev secret is the caller's check ([`super::challenge`]).
pub fn enrol_record(
    params: &Params,
    authority: &IdentitySecret,
    entries: Vec<EnrolmentEntry>,
    at: Moment,
) -> Result<Record, ProduceError> {
    let chain = params.chain_id();
    if entries.is_empty() || entries.len() > limits::ENROL_ENTRIES_MAX {
        return Err(ProduceError::Entries(entries.len()));
    }
    let enrolment = Enrolment::new(entries);
    for (place, entry) in enrolment.entries.iter().enumerate() {
        let participant = entry.keys.id();
        let refuse = |what: &str| Err(ProduceError::Entry { participant, what: what.to_owned() });
        if place > 0 && enrolment.entries[place - 1].keys.id() == participant {
            return refuse("it is listed twice");
        }
        if let Err(what) = entry.keys.validate() {
            return refuse(what);
        }
        if entry.valid_from > entry.valid_until {
            return refuse("its validity ends before it begins");
        }
        if !entry.signature_check(&chain).verify() {
            return refuse("its subject did not sign it for this chain, role and keys");
        }
    }
    sign(params, &chain, payload(Kind::Enrol, authority, enrolment.encode()), authority, at)
}

/// A Revoke record by an authority.
pub fn revoke_record(
    params: &Params,
    authority: &IdentitySecret,
    subject: ParticipantId,
    invalid_from: u64,
    at: Moment,
) -> Result<Record, ProduceError> {
    let public = Revocation { subject, invalid_from }.encode();
    sign(params, &params.chain_id(), payload(Kind::Revoke, authority, public), authority, at)
}

fn payload(kind: Kind, uploader: &IdentitySecret, public: Vec<u8>) -> Content {
    let uploader = uploader.public().id();
    Content { kind, uploader, receiver: Receiver::None, commitment: Commitment::ZERO, public, sealed: Vec::new() }
}

fn sign(
    params: &Params,
    chain: &ChainId,
    content: Content,
    uploader: &IdentitySecret,
    at: Moment,
) -> Result<Record, ProduceError> {
    let record = Record::sign(chain, content, stamp_ms(params, at), expiry_height(params, at), uploader);
    match record.encoded_len() {
        got if got > limits::RECORD_BYTES_MAX => Err(ProduceError::TooLarge { got }),
        _ => Ok(record),
    }
}
