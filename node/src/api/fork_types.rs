//! The JSON of branches, reorganisations, and what became of records.

use crate::core::{BlockState, DeepReorg, OrphanBlock, TreeBlock};
use medring_protocol::{BlockId, RecordId};
use medring_storage::{Fate, Note, ReorgReport, Watched};
use serde::{Deserialize, Serialize};

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BranchState {
    /// On the best chain.
    Active,
    /// Every body is here, and shape and signatures hold; it has less work, or as much and was seen later.
    ValidFork,
    /// Its body is here, and one below it is not.
    ValidHeaders,
    /// Its body is not here.
    HeadersOnly,
    /// It, or one below it, broke a rule or was invalidated by the operator.
    Invalid,
}

impl From<BlockState> for BranchState {
    fn from(state: BlockState) -> Self {
        match state {
            BlockState::Active => Self::Active,
            BlockState::ValidFork => Self::ValidFork,
            BlockState::ValidHeaders => Self::ValidHeaders,
            BlockState::HeadersOnly => Self::HeadersOnly,
            BlockState::Invalid => Self::Invalid,
        }
    }
}

/// A block nobody builds on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Branch {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its height.
    pub height: u64,
    /// Work of the branch, decimal.
    pub work: String,
    /// Blocks since it left the best chain; 0 for the best chain itself.
    pub length: u64,
    /// Where it stands.
    pub state: BranchState,
    /// It is invalid by the operator's word and not by a rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_operator: bool,
    /// Why it is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<TreeBlock> for Branch {
    fn from(block: TreeBlock) -> Self {
        Self {
            id: block.id,
            height: block.header.height,
            work: block.work.to_string(),
            length: block.own_blocks,
            state: block.state.into(),
            by_operator: block.by_operator,
            reason: block.reason,
        }
    }
}

/// `GET /v1/chain/tips`: the most work first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TipsResponse {
    /// The branches.
    pub tips: Vec<Branch>,
}

/// A block of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TreeEntry {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its parent.
    #[schemars(with = "crate::api::schema::Id")]
    pub prev: BlockId,
    /// Its height.
    pub height: u64,
    /// Its time stamp.
    pub time_ms: u64,
    /// Who mined it, if the miner tells.
    pub miner_tag: String,
    /// Work of its branch, decimal.
    pub work: String,
    /// Where it stands.
    pub state: BranchState,
    /// It is invalid by the operator's word and not by a rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_operator: bool,
    /// Why it is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<TreeBlock> for TreeEntry {
    fn from(block: TreeBlock) -> Self {
        Self {
            id: block.id,
            prev: block.header.prev,
            height: block.header.height,
            time_ms: block.header.time_ms,
            miner_tag: hex::encode(block.header.miner_tag),
            work: block.work.to_string(),
            state: block.state.into(),
            by_operator: block.by_operator,
            reason: block.reason,
        }
    }
}

/// A block that waits for its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Orphan {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// The parent that is not here.
    #[schemars(with = "crate::api::schema::Id")]
    pub prev: BlockId,
    /// Its height, by its own word.
    pub height: u64,
}

impl From<&OrphanBlock> for Orphan {
    fn from(orphan: &OrphanBlock) -> Self {
        Self { id: orphan.id, prev: orphan.prev, height: orphan.height }
    }
}

/// `GET /v1/chain/tree?heights=N`: the blocks of the last heights on every branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TreeResponse {
    /// The tip.
    #[schemars(with = "crate::api::schema::Id")]
    pub tip: BlockId,
    /// Ascending by height.
    pub blocks: Vec<TreeEntry>,
    /// Blocks that wait for their parents.
    pub orphans: Vec<Orphan>,
}

/// `POST /v1/chain/invalidate`, `/v1/chain/reconsider`, `/v1/chain/prefer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockRequest {
    /// Which block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
}

/// Their answer: where the best chain ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TipResponse {
    /// The tip before.
    #[schemars(with = "crate::api::schema::Id")]
    pub before: BlockId,
    /// The tip.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its height.
    pub height: u64,
}

/// An end of a reorganisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Place {
    /// The block.
    #[schemars(with = "crate::api::schema::Id")]
    pub id: BlockId,
    /// Its height.
    pub height: u64,
}

impl From<(BlockId, u64)> for Place {
    fn from((id, height): (BlockId, u64)) -> Self {
        Self { id, height }
    }
}

/// A change of the best chain that took blocks away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReorgInfo {
    /// When it ended.
    pub at_ms: u64,
    /// Blocks that were taken away.
    pub depth: u64,
    /// Whether that is more than D: blocks that counted as settled left.
    pub deep: bool,
    /// The tip that was left.
    pub from: Place,
    /// The tip that was reached.
    pub to: Place,
    /// The last block both share.
    pub fork: Place,
    /// Batches it took.
    pub steps: u32,
    /// Records of the left blocks that went back to pending.
    pub returned: u32,
    /// Those that the new branch holds too.
    pub confirmed_again: u32,
    /// Those that can never be mined on it: expired, or in conflict.
    pub dropped: u32,
    /// Which of the records submitted to this node went back, at most 64.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub own: Vec<RecordId>,
}

impl ReorgInfo {
    pub(super) fn new(report: ReorgReport, confirmations: u32) -> Self {
        let depth = report.depth();
        Self {
            at_ms: report.at_ms,
            depth,
            deep: depth > u64::from(confirmations),
            from: report.from.into(),
            to: report.to.into(),
            fork: report.fork.into(),
            steps: report.steps,
            returned: report.returned,
            confirmed_again: report.confirmed_again,
            dropped: report.dropped,
            own: report.own,
        }
    }
}

/// `GET /v1/chain/reorgs`: the last first, at most 256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReorgsResponse {
    /// The reorganisations.
    pub reorgs: Vec<ReorgInfo>,
    /// Records of left blocks are still on their way back to the pool, which is full.
    pub returning: bool,
}

/// In `GET /v1/status`: the last reorganisation deeper than D.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeepReorgInfo {
    /// When.
    pub at_ms: u64,
    /// Blocks that were taken away.
    pub depth: u64,
    /// The tip that was left.
    #[schemars(with = "crate::api::schema::Id")]
    pub from: BlockId,
    /// The tip that was reached.
    #[schemars(with = "crate::api::schema::Id")]
    pub to: BlockId,
}

impl From<DeepReorg> for DeepReorgInfo {
    fn from(deep: DeepReorg) -> Self {
        Self { at_ms: deep.at_ms, depth: deep.depth, from: deep.from, to: deep.to }
    }
}

/// One thing that happened to a record submitted to this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordNote {
    /// When.
    pub at_ms: u64,
    /// `submitted`, `confirmed` (again, if it was before), `went-back`, `dropped`.
    pub what: String,
    /// The block that holds it, or held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub block_id: Option<BlockId>,
    /// That block's height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Why it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<Note> for RecordNote {
    fn from(note: Note) -> Self {
        let (what, place, reason) = match note.what {
            Fate::Submitted => ("submitted", None, None),
            Fate::Confirmed { block, height } => ("confirmed", Some((block, height)), None),
            Fate::WentBack { block, height } => ("went-back", Some((block, height)), None),
            Fate::Dropped(reason) => ("dropped", None, Some(reason)),
        };
        let (block_id, height) = place.unzip();
        Self { at_ms: note.at_ms, what: what.into(), block_id, height, reason }
    }
}

/// The notes of a record, oldest first.
pub(super) fn history(watched: Option<Watched>) -> Vec<RecordNote> {
    watched.map(|watched| watched.notes.into_iter().map(RecordNote::from).collect()).unwrap_or_default()
}

/// Whether a fork ever took it off the chain.
pub(super) fn went_back(watched: Option<&Watched>) -> bool {
    watched.is_some_and(|watched| watched.notes.iter().any(|note| matches!(note.what, Fate::WentBack { .. })))
}

/// `GET /v1/records/{id}/history`: what became of a record submitted to this node, also of one that was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HistoryResponse {
    /// Which.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// Oldest first.
    pub notes: Vec<RecordNote>,
}
