//! What is to be done with a window next: a pure choice, so that every crash in between can be tried.
//!
//! A record that is neither on the chain nor waiting, and was never noted as submitted, has left this node to nobody: it waits in the
//! pool, synced, before it is gossiped. So it may be sealed anew without anybody reading a sample twice.

use super::state::Stage;
use medring_protocol::Gid;

/// What can be seen of a window's record, and of the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The epoch that may be sealed under now.
    pub(super) sealing: Option<Gid>,
    /// Blocks on the record, its own included; `None`: it is on no block of the best chain.
    pub(super) depth: Option<u64>,
    /// It waits in the pool, or is on its way back there.
    pub(super) waits: bool,
    /// Of the best chain.
    pub(super) tip_height: u64,
    /// Depth at which it counts as settled.
    pub(super) settled_at: u64,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing for now.
    Wait,
    /// Seal it, and note that before anything else.
    Seal,
    /// Hand the record to the core.
    Submit,
    /// Note that the core has it, or had it.
    NoteSubmitted,
    /// Give the record up.
    Unseal,
    /// Note that it lies deep enough.
    Settle,
}

/// The next step of a window.
pub(super) fn step(stage: &Stage, seen: &Seen) -> Step {
    let found = seen.depth.is_some() || seen.waits;
    match stage {
        Stage::Settled => Step::Wait,
        Stage::Cut if seen.sealing.is_some() => Step::Seal,
        Stage::Cut => Step::Wait,
        Stage::Sealed(..) if found => Step::NoteSubmitted,
        Stage::Sealed(record, _) => match seen.sealing {
            // A removal may be under way: until it is done nothing is sent under the old epoch.
            None => Step::Wait,
            Some(gid)
                if record.content.receiver.gid() == Some(gid) && !expired(record.envelope.expiry_height, seen) =>
            {
                Step::Submit
            }
            Some(_) => Step::Unseal,
        },
        Stage::Submitted(record, _) => match seen.depth {
            Some(depth) if depth >= seen.settled_at.max(1) => Step::Settle,
            _ if found => Step::Wait,
            _ if expired(record.envelope.expiry_height, seen) => Step::Unseal,
            // A reorganisation or a full pool pushed it out: the same record again.
            _ => Step::Submit,
        },
    }
}

/// Whether no block above the tip takes it.
fn expired(expiry_height: u64, seen: &Seen) -> bool {
    seen.tip_height >= expiry_height
}
