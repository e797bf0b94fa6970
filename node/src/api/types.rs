//! The JSON of the API, as types for the server and for its clients. Times are milliseconds since 1970, hashes and ids hex.

use crate::core::SyncSnapshot;
use medring_protocol::identity::{PublicKeys, Role};
use medring_protocol::merkle::Proof;
use medring_protocol::params::Purpose;
use medring_protocol::record::Kind;
use medring_protocol::{BlockId, ChainId, ParticipantId, RecordId, WireId};
use serde::{Deserialize, Serialize};

pub use super::access::Scope;
pub use super::access_types::*;
pub use super::alert_types::*;
pub use super::aphr_types::*;
pub use super::event_types::*;
pub use super::fhir_types::*;
pub use super::fork_types::*;
pub use super::group_types::*;
pub use super::monitor_types::*;
pub use super::peer_types::*;
pub use super::wallet_types::*;
pub use crate::aphr::{AphrReport, ConflictShown, SourceReport, Summary, Verdict, VitalShown};
pub use crate::group::AphrPolicy;
pub use crate::net::Direction;
/// `GET /v1/genesis`: the file that founds the network, as `medring genesis new` wrote it but for white space.
pub use medring_protocol::params::GenesisFile;

/// `GET /health`, the only answer without a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Health {
    /// Always true: a node that cannot work stops.
    pub ok: bool,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusResponse {
    /// The chain's name.
    pub name: String,
    /// The chain.
    #[schemars(with = "crate::api::schema::Id")]
    pub chain_id: ChainId,
    /// What it is for.
    #[schemars(with = "crate::api::schema::PurposeName")]
    pub purpose: Purpose,
    /// Of the software.
    pub version: String,
    /// This node's libp2p id.
    pub peer_id: String,
    /// Addresses others can dial, each with `/p2p/` and the id.
    pub listen: Vec<String>,
    /// Tip of the best chain.
    pub tip: TipInfo,
    /// Height of the best header known; above the tip's while bodies are fetched.
    pub headers_height: u64,
    /// Whether headers or blocks are being fetched.
    pub syncing: bool,
    /// What is being fetched.
    pub sync: SyncInfo,
    /// Linked peers.
    pub peers: usize,
    /// The mempool.
    pub pool: PoolInfo,
    /// The miner.
    pub mining: MiningInfo,
    /// 16 bytes that stand in the blocks mined here.
    pub miner_tag: String,
    /// The participant whose keystore this node opened.
    pub participant: Option<ParticipantInfo>,
    /// This node's clock.
    pub clock_ms: u64,
    /// How long it has been running.
    pub uptime_ms: u64,
    /// The last reorganisation deeper than D: blocks that counted as settled left the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deep_reorg: Option<DeepReorgInfo>,
}

/// Catching up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SyncInfo {
    /// `idle`, `headers` or `bodies`.
    pub phase: String,
    /// Peers that are asked.
    pub peers: usize,
    /// Bodies fetched of the branch aimed at …
    pub bodies: u64,
    /// … of so many that were missing when fetching began.
    pub bodies_total: u64,
    /// Height aimed at; the tip's where no bodies are fetched.
    pub to: u64,
    /// Bodies stored per second, over the last seconds.
    pub blocks_per_second: u64,
    /// How long the rest will take at this rate, ms; absent: not known, or nothing is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

impl From<SyncSnapshot> for SyncInfo {
    fn from(sync: SyncSnapshot) -> Self {
        let SyncSnapshot { phase, peers, bodies, bodies_total, to, blocks_per_second, left_ms } = sync;
        Self { phase: phase.name().into(), peers, bodies, bodies_total, to, blocks_per_second, left_ms }
    }
}

/// A tip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TipInfo {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its height.
    pub height: u64,
    /// Its time stamp.
    pub time_ms: u64,
    /// Cumulative work, decimal.
    pub work: String,
}

/// The mempool's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PoolInfo {
    /// Records.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// The miner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MiningInfo {
    /// Whether it mines all the time.
    pub enabled: bool,
    /// Threads.
    pub threads: u32,
    /// Hashes per second, lately.
    pub hash_rate: f64,
    /// Blocks of its own that joined the tree since the node started.
    pub blocks_found: u64,
}

/// A participant, and its role once enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParticipantInfo {
    /// Who.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: ParticipantId,
    /// As what it is enrolled at the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::RoleName>")]
    pub role: Option<Role>,
}

/// `POST /v1/testnet/isolate`, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolation {
    /// Whether all links are cut and refused.
    pub on: bool,
}

/// `POST /v1/records`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SubmitResponse {
    /// What it says.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// The record with this envelope.
    #[schemars(with = "crate::api::schema::Id")]
    pub wire_id: WireId,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// In the pool.
    Pending,
    /// On the best chain, less deep than D.
    Confirmed,
    /// On the best chain, at least D deep.
    Settled,
}

/// The receiver field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReceiverInfo {
    /// `none`, `tag`, `group` or `group-owner`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tag or GID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A record as anyone sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordSummary {
    /// What it says.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// With its envelope.
    #[schemars(with = "crate::api::schema::Id")]
    pub wire_id: WireId,
    /// What it is.
    #[schemars(with = "crate::api::schema::RecordKind")]
    pub kind: Kind,
    /// Who made and uploaded it.
    #[schemars(with = "crate::api::schema::Id")]
    pub uploader: ParticipantId,
    /// Whom it is for.
    pub receiver: ReceiverInfo,
    /// Where it stands.
    pub state: RecordState,
    /// Height of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub block_id: Option<BlockId>,
    /// Its place in the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Blocks on top of it, its own included; 0 in the pool.
    pub confirmations: u64,
    /// In the codec.
    pub bytes: usize,
    /// When it was sent.
    pub stamp_ms: u64,
    /// Last height at which it may be mined.
    pub expiry_height: u64,
    /// The public part: JSON as it is, anything else as hex.
    pub public: serde_json::Value,
    /// What became of it, oldest first, if it was submitted to this node. Not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<RecordNote>,
    /// A fork took it off the chain, and it is pending or was confirmed again since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_back: bool,
}

/// `GET /v1/records`, `/v1/pool`, `/v1/groups/{gid}/records`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordsResponse {
    /// Newest first on the chain; in order of admission in the pool.
    pub records: Vec<RecordSummary>,
    /// `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /v1/records/{id}/proof`: enough to check the record against a chain of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProofResponse {
    /// The record.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// The Merkle leaf.
    #[schemars(with = "crate::api::schema::Id")]
    pub wire_id: WireId,
    /// Its block.
    #[schemars(with = "crate::api::schema::Id")]
    pub block_id: BlockId,
    /// The block's height.
    pub height: u64,
    /// The block's header, 112 bytes in hex.
    pub header: String,
    /// The path from leaf to root.
    #[schemars(with = "crate::api::schema::MerkleProof")]
    pub proof: Proof,
    /// Blocks on top of it, its own included.
    pub confirmations: u64,
}

/// A block in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BlockSummary {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its height.
    pub height: u64,
    /// Its time stamp.
    pub time_ms: u64,
    /// Who mined it, if the miner tells.
    pub miner_tag: String,
    /// Number of its records.
    pub records: usize,
    /// Their bytes in the codec.
    pub bytes: usize,
    /// Compact target, eight hex digits.
    pub target: String,
    /// Expected hashes for it, decimal.
    pub work: String,
}

/// `GET /v1/blocks`: ascending from `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BlocksResponse {
    /// The blocks.
    pub blocks: Vec<BlockSummary>,
    /// `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /v1/blocks/{id or height}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BlockResponse {
    /// As in lists.
    #[serde(flatten)]
    pub summary: BlockSummary,
    /// The parent; of block 0: the chain id.
    #[schemars(with = "crate::api::schema::Id")]
    pub prev: BlockId,
    /// Commits to the records.
    pub records_root: String,
    /// The nonce.
    pub nonce: u64,
    /// Whether it is on the best chain.
    pub active: bool,
    /// Blocks on top of it, its own included; 0 off the best chain.
    pub confirmations: u64,
    /// Its records, in order.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub record_ids: Vec<RecordId>,
}

/// `POST /v1/chain/mine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MineRequest {
    /// How many.
    pub blocks: u32,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MineResponse {
    /// The blocks, lowest first.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub ids: Vec<BlockId>,
}

/// `GET /v1/participants/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ParticipantResponse {
    /// Who.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: ParticipantId,
    /// Whether it is an authority of the genesis file; then nothing below but the keys is set.
    pub authority: bool,
    /// Both keys.
    #[schemars(with = "crate::api::schema::Keys")]
    pub keys: PublicKeys,
    /// What it may upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::RoleName>")]
    pub role: Option<Role>,
    /// First height at which it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<u64>,
    /// Last height at which it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<u64>,
    /// Height of its enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<u64>,
    /// Height of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<u64>,
    /// Height from which its records count as "signer revoked".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_from: Option<u64>,
}

/// An error, `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// `urn:medring:problem:KIND`: stable, for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong.
    pub detail: String,
    /// The consensus rule that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What to do next.
    pub next: String,
}
