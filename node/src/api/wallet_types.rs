//! The JSON of the routes about the wallet, as types for the server and for its clients.

use super::types::RecordState;
use medring_protocol::identity::Role;
use medring_protocol::record::Kind;
use medring_protocol::{BlockId, ParticipantId, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use crate::wallet::Checks;

/// `GET /v1/wallet`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WalletResponse {
    /// Whose it is.
    #[schemars(with = "crate::api::schema::Id")]
    pub participant: ParticipantId,
    /// As what it is enrolled at the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::RoleName>")]
    pub role: Option<Role>,
    /// First height that is scanned.
    pub birthday_height: u64,
    /// Last height that was scanned.
    pub scanned_height: Option<u64>,
    /// Height of the best chain.
    pub tip_height: u64,
    /// Records found.
    pub records: usize,
    /// Whether a scan is running.
    pub scanning: bool,
}

/// `GET /v1/wallet/records`: in the order of the chain, those that wait last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WalletRecordsResponse {
    /// The records.
    pub records: Vec<WalletRecordInfo>,
}

/// A record of the wallet, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WalletRecordInfo {
    /// Its id.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// What it is.
    #[schemars(with = "crate::api::schema::RecordKind")]
    pub kind: Kind,
    /// Who made it.
    #[schemars(with = "crate::api::schema::Id")]
    pub uploader: ParticipantId,
    /// As what the uploader is enrolled.
    #[schemars(with = "Option<crate::api::schema::RoleName>")]
    pub uploader_role: Option<Role>,
    /// Height of its block; absent: it left the chain in a fork and waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub block_id: Option<BlockId>,
    /// Blocks on top of it, its own included.
    pub confirmations: u64,
    /// Where it stands.
    pub state: RecordState,
    /// Length of its content.
    pub bytes: u64,
    /// When it was sent.
    pub stamp_ms: u64,
    /// Why it does not open, though it is sealed to this participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// `GET /v1/wallet/records/{id}`: opened, and checked anew on the chain as it is now.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpenedResponse {
    /// As in lists.
    #[serde(flatten)]
    pub info: WalletRecordInfo,
    /// Whom it was made for.
    #[schemars(with = "crate::api::schema::Id")]
    pub recipient: ParticipantId,
    /// What it was checked for.
    pub checks: Checks,
    /// Whether all of that is so.
    pub passed: bool,
    /// `fhir-bundle` or `aphr`.
    pub content_type: String,
    /// JSON as it was sealed, byte for byte; what is no JSON as hex.
    pub content: Box<RawValue>,
}

impl std::fmt::Debug for OpenedResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedResponse").field("info", &self.info).finish_non_exhaustive()
    }
}
