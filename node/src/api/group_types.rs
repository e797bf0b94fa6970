//! The JSON of the group's routes, as types for the server and for its clients.

use super::types::RecordState;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::Status;
use medring_protocol::group::message::Wish;
use medring_protocol::record::Kind;
use medring_protocol::{Gid, ParticipantId, RecordId};
use serde::{Deserialize, Serialize};

pub use medring_protocol::group::Change;
pub use medring_protocol::group::machine::{
    AttemptStatus, CandidateStatus, EpochStatus, Fingerprint, InvitationStatus, MyStanding, PastEpoch,
};
pub use medring_protocol::group::message::Phase;

/// `GET /v1/wallet/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupsResponse {
    /// The groups of this node's participant, by uid.
    pub groups: Vec<GroupInfo>,
    /// Why the groups of this node cannot work, and what to do; absent if they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A group as this node's participant sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupInfo {
    /// What this participant calls it.
    pub name: String,
    /// Members of the epoch in force whose node is linked to this one, or answered it lately; this participant among them.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub online: Vec<ParticipantId>,
    /// Invitations not taken up yet and not out of date.
    pub tickets_open: usize,
    /// What keeps it from going on beside what the status says, and what to do; absent if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Where it stands: `group`, `owner`, `mine`, `standing`, `active`, `attempt` and the rest.
    #[serde(flatten)]
    #[schemars(with = "crate::api::schema::GroupStatus")]
    pub status: Status,
}

/// `POST /v1/wallet/groups`; answered by [`GroupInfo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// What this participant calls it, 1 to 40 characters; told to nobody.
    pub name: String,
    /// Propose the first epoch at once, with nobody else in it.
    #[serde(default)]
    pub alone: bool,
}

/// `POST /v1/wallet/groups/{group}/invitations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// What the owner calls the invited, 1 to 40 characters.
    pub name: String,
    /// How long the ticket is good, 1 to 10,080 minutes (a week).
    pub minutes: u64,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InvitationResponse {
    /// For the invited: text that also fits a QR code. Good once, and until then.
    pub ticket: String,
    /// ms since 1970.
    pub expires_ms: u64,
}

/// `POST /v1/wallet/groups/accept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// As the owner's node gave it; case, spaces and line breaks do not matter.
    pub ticket: String,
    /// What this participant calls the group, 1 to 40 characters.
    pub name: String,
}

/// Its answer. The owner's node is told as soon as it can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AcceptResponse {
    /// The group.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// What both people compare before the owner adds this participant: five groups of five digits.
    pub code: String,
}

/// `POST /v1/wallet/groups/{group}/changes`, all of them in one epoch; answered by [`GroupInfo`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesRequest {
    /// `{"join": ID}`, `remove`, `suspend`, `return` or `update`.
    #[schemars(with = "Vec<crate::api::schema::MemberChange>")]
    pub changes: Vec<Change>,
}

/// `POST /v1/wallet/groups/{group}/ask`; answered by [`GroupInfo`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// `leave`, `update` or `return`.
    #[schemars(with = "crate::api::schema::WishName")]
    pub wish: Wish,
}

/// `POST /v1/wallet/groups/recall`: of an owner that restored its keys and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecallRequest {
    /// The node of someone who is in the group: `/ip4/ADDRESS/tcp/PORT/p2p/PEERID`.
    pub address: String,
}

/// Its answer: the groups that are back. Nothing back: that node knows of none, or has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecallResponse {
    /// The recovered groups.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub groups: Vec<GroupUid>,
}

/// `GET /v1/wallet/groups/{group}/records`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupRecordsResponse {
    /// Newest first.
    pub records: Vec<GroupRecordInfo>,
    /// `cursor` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A record under one of the group's epochs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GroupRecordInfo {
    /// Its id.
    #[schemars(with = "crate::api::schema::Id")]
    pub record_id: RecordId,
    /// What it is.
    #[schemars(with = "crate::api::schema::RecordKind")]
    pub kind: Kind,
    /// The epoch it names.
    #[schemars(with = "crate::api::schema::Id")]
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// Height of its block; absent in the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Where it stands.
    pub state: RecordState,
    /// Who uploaded it. Records by others than the owner are no records of the group and not listed.
    #[schemars(with = "crate::api::schema::Id")]
    pub uploader: ParticipantId,
    /// In the codec.
    pub bytes: usize,
    /// Whether this node holds what opens it.
    pub readable: bool,
}
