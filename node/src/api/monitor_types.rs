//! The JSON of monitoring, as types for the server and for its clients (docs/monitoring.md).

use medring_protocol::group::GroupUid;
use serde::{Deserialize, Serialize};

/// `POST /v1/vitals/samples`. Not shown by `Debug`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplesRequest {
    /// The stream, as its device calls it: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub stream: String,
    /// Whose members read it; a group of this node's participant.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// The number of the first sample in the stream, from 0. The same samples under the same numbers again change nothing.
    pub first_seq: u64,
    /// 1 to 4,096 samples, in the order in which they are counted; none only with `end`.
    #[serde(default)]
    pub samples: Vec<SampleIn>,
    /// Minutes of recording in each record, 1 … 15; fixed when the stream begins. Absent: as the node is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<u32>,
    /// No more comes soon: what waits is sealed at once.
    #[serde(default)]
    pub end: bool,
}

impl std::fmt::Debug for SamplesRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SamplesRequest").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// One sample.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleIn {
    /// When it was measured, ms since 1970.
    pub time_ms: u64,
    /// Its LOINC code, for example `8867-4`; `mdc:` and a code for one of ISO 11073.
    pub channel: String,
    /// What the device calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A decimal number; as a string its digits are kept as written (`"62.80"`).
    pub value: ValueIn,
    /// UCUM, for example `/min`.
    pub unit: String,
}

/// A value: a string keeps its digits.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ValueIn {
    /// As written.
    Text(String),
    /// As JSON gives it.
    Number(serde_json::Number),
}

/// Its answer: everything below `next_seq` is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SamplesResponse {
    /// The stream.
    pub stream: String,
    /// The number of the next sample.
    pub next_seq: u64,
    /// Samples that were new.
    pub accepted: u64,
    /// Samples that were here already.
    pub already: u64,
    /// Whether the group can be sealed to now. If not, samples wait on this node's disk.
    pub sealing: bool,
    /// Why not, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_because: Option<String>,
}

/// `GET /v1/vitals/streams`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StreamsResponse {
    /// Streams that came to this node, in the order in which they began.
    pub streams: Vec<StreamInfo>,
    /// Bytes that wait on disk, records that are not settled among them.
    pub queued_bytes: usize,
    /// Bytes that may.
    pub queued_bytes_max: usize,
    /// Why nothing is taken, and what to do; absent if all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// `GET /v1/vitals/streams/{stream}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StreamInfo {
    /// The stream.
    pub stream: String,
    /// Whose members read it.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// Minutes of recording in each record.
    pub window_minutes: u32,
    /// The number of the next sample: everything below is on disk.
    pub next_seq: u64,
    /// Everything below lies deep enough on the chain.
    pub settled_seq: u64,
    /// Samples that are in no record yet.
    pub unsealed: u64,
    /// Records that are not settled yet.
    pub records_on_their_way: u64,
    /// Time of sample 0, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// When the last sample came, ms since 1970.
    pub arrived_ms: u64,
    /// Whether the group can be sealed to now.
    pub sealing: bool,
    /// Why not, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_because: Option<String>,
}

/// `GET /v1/groups/{gid}/vitals`: what of the group's live vital signs opens on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VitalsResponse {
    /// The group.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// What is measured, all of it, whatever was asked for.
    pub channels: Vec<ChannelInfo>,
    /// Samples by time, then channel, each once. A gap is where none is.
    pub samples: Vec<SampleOut>,
    /// For `after`, to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How much of each stream is here.
    pub streams: Vec<CoverInfo>,
    /// Records that are not counted in, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedInfo>,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ChannelInfo {
    /// As in [`SampleIn::channel`].
    pub channel: String,
    /// What the device calls it.
    pub name: String,
    /// UCUM.
    pub unit: String,
    /// Samples there are.
    pub samples: usize,
    /// Time of the first, ms since 1970.
    pub first_ms: u64,
    /// Time of the last, ms since 1970.
    pub last_ms: u64,
    /// The last.
    pub latest: String,
}

/// One sample as it was measured. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SampleOut {
    /// When, ms since 1970.
    pub time_ms: u64,
    /// As in [`SampleIn::channel`].
    pub channel: String,
    /// With the digits that it was measured with.
    pub value: String,
    /// UCUM.
    pub unit: String,
    /// The record it is from; absent: it is in none yet, and on the patient's own node only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::Id>")]
    pub record_id: Option<medring_protocol::RecordId>,
    /// Whether a block holds that record; if not, it waits in the pool.
    pub mined: bool,
}

impl std::fmt::Debug for SampleOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SampleOut").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// How much of a stream is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CoverInfo {
    /// The stream.
    pub stream: String,
    /// Its windows that opened.
    pub windows: usize,
    /// The number after its last sample here.
    pub next_seq: u64,
    /// Numbers below that of which no window opens here, as `[from, to)`: not here yet, or under a key that is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(u64, u64)>,
}

/// A record that is not counted in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefusedInfo {
    /// Which.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: medring_protocol::RecordId,
    /// Why.
    pub why: String,
}
