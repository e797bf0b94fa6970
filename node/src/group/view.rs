//! What is told of groups: always what was stored last, so that nobody hears of anything a crash could take back.

use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{EpochAccess, Event, Status};
use medring_protocol::{Gid, ParticipantId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When the owner's node aggregates anew by itself, besides at every new epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AphrPolicy {
    /// After so many new records.
    #[serde(default)]
    pub every_records: Option<u32>,
    /// After so many minutes.
    #[serde(default)]
    pub every_minutes: Option<u32>,
}

/// One group.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// What this participant calls it.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// Members of the epoch in force, or of the attempt, with their libp2p peer ids as multihash bytes.
    pub peers: Vec<(ParticipantId, Vec<u8>)>,
    /// The epoch in force as far as this participant is in it, or, for the owner, may seal under it.
    pub sealing: Option<EpochAccess>,
    /// When its owner aggregates.
    pub policy: AphrPolicy,
    /// What keeps it from going on beside what the status says, and what to do.
    pub problem: Option<String>,
}

impl GroupView {
    /// Why nothing may be sealed to this group now, and for how long.
    pub(super) fn why_not_sealing(&self) -> String {
        let status = &self.status;
        if !status.mine {
            return format!("only the group's owner, {}, seals records to it", status.owner);
        }
        if let Some(why) = &status.stopped {
            return format!("nothing is sealed to this group: it is stopped ({why})");
        }
        match (&status.active, &status.attempt) {
            (None, None) => "this group has no epoch yet: invite and add members, or start it alone".into(),
            (None, Some(_)) => "the first epoch is under way; seal again once its commit is mined".into(),
            (Some(active), _) if active.height.is_none() => {
                "a reorganisation took the epoch's commit away; seal again once it is mined anew".into()
            }
            (Some(_), _) => {
                "a member is being removed: nothing is sealed under the old epoch; seal again once the new one is in force"
                    .into()
            }
        }
    }
}

/// All groups of this node's participant. Copies hold keys of epochs: do not keep one longer than it is of use.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// By uid.
    pub groups: BTreeMap<GroupUid, Arc<GroupView>>,
    /// Every epoch whose key is held: in force, awaiting finality of the next, or archived.
    pub epochs: BTreeMap<Gid, (GroupUid, EpochAccess)>,
    /// When each peer last spoke or answered, ms since 1970, by multihash bytes.
    pub heard_ms: BTreeMap<Vec<u8>, u64>,
    /// Why groups cannot work, and what to do.
    pub problem: Option<String>,
}

/// What happened in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEvent {
    /// Where.
    pub group: GroupUid,
    /// What.
    pub event: Event,
}
