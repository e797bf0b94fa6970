//! The JSON of events, as types for the server and for its clients.

use super::fork_types::Place;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::Event;
use medring_protocol::{BlockId, RecordId};
use serde::{Deserialize, Serialize};

/// `event: tip`: the best chain changed, and that is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TipEvent {
    /// The new height.
    pub height: u64,
    /// Blocks that joined it, the new tip last.
    pub connected: Vec<BlockId>,
    /// Blocks that left it, the old tip first.
    pub disconnected: Vec<BlockId>,
    /// False for a step of a deep reorganisation that another one follows.
    pub settled: bool,
}

/// `event: reorg`: blocks left the best chain for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReorgEvent {
    /// How many.
    pub depth: u64,
    /// The tip that was left.
    pub from: Place,
    /// The tip that was reached.
    pub to: Place,
    /// The last block both share.
    pub fork: Place,
}

/// `event: pooled`: a record waits to be mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PooledEvent {
    /// Which.
    pub record_id: RecordId,
}

/// `event: dropped`: a record left the pool unmined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedEvent {
    /// Which.
    pub record_id: RecordId,
    /// Why.
    pub reason: String,
}

/// `event: group`: something happened in a group of the participant's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEventInfo {
    /// Where.
    pub group: GroupUid,
    /// What: `event` names it, for example `activated`.
    #[serde(flatten)]
    pub event: Event,
}

/// `event: missed`: events are not in the stream; ask for what they were about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedEvent {
    /// How many; 0: nobody knows.
    pub missed: u64,
}

/// `event: end`: the last one of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndEvent {
    /// `slow`, `token` or `stopping`.
    pub why: String,
    /// What to do.
    pub next: String,
}
