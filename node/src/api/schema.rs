//! What the JSON of types from other crates looks like, for the API's document. None of these is ever made: the real types are
//! sent and read, and tests hold every answer against the document.

#![expect(dead_code, reason = "these say what JSON looks like, and are never made")]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Bytes in hex.
macro_rules! hex {
    ($(#[$doc:meta])* $name:ident, $digits:literal) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": concat!($digits, " hex digits"),
                    "pattern": concat!("^[0-9a-f]{", $digits, "}$"),
                })
            }
        }
    };
}

hex!(
    /// 32 bytes: ids of chains, blocks, records, participants, epochs and groups.
    Id,
    64
);
hex!(
    /// An Ed25519 signature.
    SignatureHex,
    128
);
hex!(
    /// A public key over T2-2048.
    ChebyshevKey,
    512
);
hex!(
    /// 16 bytes.
    MinerTag,
    32
);

/// A measured value.
pub(crate) struct DecimalText;

impl JsonSchema for DecimalText {
    fn schema_name() -> Cow<'static, str> {
        "DecimalText".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "a decimal number as it was measured", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"})
    }
}

/// The numbers of the chain's parameters, compact targets among them.
pub(crate) struct TargetHex;

impl JsonSchema for TargetHex {
    fn schema_name() -> Cow<'static, str> {
        "TargetHex".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "a compact target", "pattern": "^0x[0-9a-f]{8}$"})
    }
}

/// What a record is.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordKind {
    /// By a healthcare center.
    Ehr,
    /// By a doctor.
    Emr,
    /// By a patient.
    Phr,
    /// An aggregate, by a patient.
    Aphr,
    /// Puts an epoch of a group into force.
    EpochCommit,
    /// Enrols participants.
    Enrol,
    /// Revokes one.
    Revoke,
    /// Reserved.
    AuthorityUpdate,
}

/// As what a participant is enrolled.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoleName {
    /// Uploads EHR.
    HealthcareCenter,
    /// Uploads EMR.
    Doctor,
    /// Uploads PHR and APHR.
    Patient,
    /// Reads as a member of a group.
    Caregiver,
}

/// What a network is for.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PurposeName {
    /// Real records.
    Production,
    /// Tests.
    Testnet,
    /// Tests that show the scheme.
    Demo,
}

/// A participant's public keys.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Ed25519.
    signing: Id,
    /// T2-2048.
    chebyshev: ChebyshevKey,
}

/// A Merkle path.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MerkleProof {
    /// Of the leaf, from 0.
    index: u32,
    /// Leaves in the tree.
    count: u32,
    /// Siblings, from the leaf up.
    path: Vec<Id>,
}

/// The file that founds a network.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Genesis {
    /// `medring-genesis/1`.
    format: String,
    /// Commits to the parameters.
    chain_id: Id,
    /// The parameters (docs/spec/genesis.md).
    params: ChainParams,
}

/// A chain's parameters (docs/spec/genesis.md).
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainParams {
    name: String,
    purpose: PurposeName,
    genesis_time_ms: u64,
    target_spacing_ms: u64,
    genesis_target: TargetHex,
    limit_target: TargetHex,
    retarget: bool,
    future_limit_ms: u64,
    stamp_granularity_ms: u64,
    stamp_window_ms: u64,
    expiry_window_heights: u64,
    quota_bytes: QuotaBytes,
    confirmations: u32,
    pad_min_bytes: u32,
    authorities: Vec<Keys>,
}

/// Bytes one uploader of each role may place in 144 successive heights.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaBytes {
    authority: u64,
    healthcare_center: u64,
    doctor: u64,
    patient: u64,
}

/// Where a group stands for this participant.
#[derive(JsonSchema)]
pub(crate) struct GroupStatus {
    /// Which.
    group: Id,
    /// Who owns it.
    owner: Id,
    /// Whether that is this participant.
    mine: bool,
    /// What this participant is in it.
    standing: Standing,
    /// The epoch in force.
    active: Option<Epoch>,
    /// The attempt under way.
    attempt: Option<Attempt>,
    /// Owner: changes that wait for the next epoch.
    pending: Vec<MemberChange>,
    /// Owner: whom they wait for.
    waiting_for: Vec<Id>,
    /// Owner: invitations not taken up yet.
    invitations: Vec<OpenInvitation>,
    /// Owner: who took one up and is not a member yet.
    candidates: Vec<Candidate>,
    /// Owner: who is suspended.
    suspended: Vec<Id>,
    /// Owner: names given in invitations.
    names: Vec<(Id, String)>,
    /// Committed epochs, oldest first.
    history: Vec<EarlierEpoch>,
    /// Why nothing goes on, if so.
    stopped: Option<String>,
}

/// What a participant is in a group.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// Awaits its first epoch.
    Invited,
    /// In the epoch in force.
    Member,
    /// Left out until it is back.
    Suspended,
    /// Left by itself.
    Left,
    /// Removed.
    Removed,
}

/// The epoch in force.
#[derive(JsonSchema)]
pub(crate) struct Epoch {
    /// Its id.
    gid: Id,
    /// e.
    epoch: u64,
    /// Members in ring order.
    ring: Vec<Id>,
    /// What people compare.
    fingerprint: Id,
    /// EpochCommit.
    commit: Id,
    /// Its height.
    height: Option<u64>,
    /// Whether it is settled.
    is_final: bool,
    /// Who signs records of this epoch.
    uploader: Id,
    /// Whether records may be sealed under it.
    sealing: bool,
}

/// An attempt under way.
#[derive(JsonSchema)]
pub(crate) struct Attempt {
    /// Its id.
    gid: Id,
    /// e.
    epoch: u64,
    /// Attempt number.
    attempt: u32,
    /// Where it stands.
    phase: AttemptPhase,
    /// Members in ring order.
    ring: Vec<Id>,
    /// Who is awaited.
    missing: Vec<Id>,
}

/// Where an attempt stands.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AttemptPhase {
    Proposed,
    Pairing,
    Sharing,
    Confirming,
    Committing,
}

/// An invitation not taken up yet.
#[derive(JsonSchema)]
pub(crate) struct OpenInvitation {
    /// What the owner calls the invited.
    name: String,
    /// ms since 1970.
    expires_ms: u64,
}

/// Who took up an invitation.
#[derive(JsonSchema)]
pub(crate) struct Candidate {
    /// Who.
    member: Id,
    /// As in the invitation.
    name: String,
    /// What both people compare.
    code: String,
}

/// A committed epoch.
#[derive(JsonSchema)]
pub(crate) struct EarlierEpoch {
    /// Its id.
    gid: Id,
    /// e.
    epoch: u64,
    /// Members in ring order.
    ring: Vec<Id>,
    /// What it changed.
    changes: Vec<MemberChange>,
    /// EpochCommit.
    commit: Id,
    /// Its height.
    height: Option<u64>,
    /// Whether its key is held here.
    readable: bool,
}

/// A change of members.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemberChange {
    Join(Id),
    Leave(Id),
    Remove(Id),
    Suspend(Id),
    Return(Id),
    Update(Id),
}

/// What a member may ask for.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WishName {
    Leave,
    Update,
    Return,
}

/// A libp2p peer id.
pub(crate) struct PeerIdText;

/// An address of a node.
pub(crate) struct AddressText;

impl JsonSchema for PeerIdText {
    fn schema_name() -> Cow<'static, str> {
        "PeerId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "a libp2p peer id, base58"})
    }
}

impl JsonSchema for AddressText {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "for example /ip4/127.0.0.1/tcp/4001"})
    }
}
