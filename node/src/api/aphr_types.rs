//! The JSON of the routes about aggregates, as types for the server and for its clients.

use crate::aphr::SourceReport;
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use medring_protocol::identity::Signature;
use serde::{Deserialize, Serialize};

/// `POST /v1/wallet/groups/{group}/aggregate`: nothing to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregateRequest {}

/// Its answer: the APHR is in the pool and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AggregateResponse {
    /// The APHR.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// Records it was made from.
    pub sources: usize,
    /// Length of the aggregate.
    pub bytes: usize,
    /// Records that would have been sources and did not verify.
    #[serde(default)]
    pub skipped: Vec<SourceReport>,
}

/// `POST /v1/testnet/aggregate`: an APHR exactly as told, to play a patient who cheats. Test networks only; answered by
/// [`AggregateResponse`]. Not shown by `Debug`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayRequest {
    /// The group, of this node's participant.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// Its sources, in this order.
    pub sources: Vec<PlaySource>,
    /// The aggregate, as text; absent: the one that those sources give which open.
    #[serde(default)]
    pub aggregate: Option<String>,
}

impl std::fmt::Debug for PlayRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlayRequest").field("group", &self.group).finish_non_exhaustive()
    }
}

/// One source as it is to be named.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaySource {
    /// Which record.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// 32 bytes in hex; absent: the record's own, from this node's wallet.
    #[serde(default)]
    pub r: Option<String>,
    /// 64 bytes in hex; absent: the record's own, from the chain.
    #[serde(default)]
    #[schemars(with = "Option<crate::api::schema::SignatureHex>")]
    pub signature: Option<Signature>,
}
