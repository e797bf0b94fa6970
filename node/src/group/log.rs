//! What happens in groups, as log lines: ids and figures, and never a name or a key.

use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::Event;

/// Logs one event.
pub(super) fn say(group: &GroupUid, event: &Event) {
    match event {
        Event::Candidate { member } => tracing::info!(%group, %member, "an invitation was taken up"),
        Event::Waiting { missing } => {
            tracing::info!(%group, missing = missing.len(), "a change waits for members' nodes")
        }
        Event::Moved { epoch, attempt, phase, .. } => {
            tracing::debug!(%group, epoch, attempt, ?phase, "an attempt moved")
        }
        Event::Aborted { gid, phase, why, accused } => {
            let accused = accused.map(|who| who.to_string()).unwrap_or_default();
            tracing::warn!(%group, %gid, ?phase, why, accused, "an attempt was aborted");
        }
        Event::Activated { epoch, height, .. } => tracing::info!(%group, epoch, height, "an epoch is in force"),
        Event::RolledBack { epoch, .. } => {
            tracing::warn!(%group, epoch, "a reorganisation took an epoch's commit away; it is on its way again");
        }
        Event::Final { epoch, .. } => tracing::info!(%group, epoch, "an epoch is final"),
        Event::Wiped { gid } => tracing::info!(%group, %gid, "secrets of an epoch or attempt are destroyed"),
        Event::Left { member, why } => tracing::info!(%group, %member, ?why, "a participant is outside the group"),
        Event::Stalled { epoch, attempts } => {
            tracing::warn!(%group, epoch, attempts, "all attempts are used up; the owner has to decide");
        }
        Event::Equivocation { epoch, attempt } => {
            tracing::error!(%group, epoch, attempt, "the owner's key signed two epochs under one number; the group is stopped");
        }
    }
}
