//! What a machine stores that is no secret of an epoch: epochs, the attempt under way, and the owner's tables.

use super::io::{MyStanding, PastEpoch};
use super::outbox::Letter;
use crate::group::descriptor::{Change, EpochDescriptor};
use crate::group::message::{Ask, Confirm, Disclosure, Endpoint, GroupUid, Join, M1, M2, M3, Phase, Proposal, Share};
use crate::hash::{ChainId, Gid, ParticipantId, RecordId};
use crate::identity::PublicKeys;
use crate::record::EpochCommit;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Invitations open at once; those used are kept besides while their candidates wait.
pub(super) const INVITATIONS_MAX: usize = 64;
/// Candidates who wait for the owner's decision.
pub(super) const CANDIDATES_MAX: usize = 64;
/// Suspended members remembered; the one suspended first is forgotten first.
pub(super) const SUSPENDED_MAX: usize = 256;
/// Names, endpoints and the like.
pub(super) const PEOPLE_MAX: usize = 1024;
/// Attempts whose GID is remembered, newest first, so that two descriptors under one number show.
pub(super) const SEEN_MAX: usize = 64;
/// Dead attempts whose B values are kept for a disclosure.
pub(super) const DEAD_MAX: usize = 4;
/// Epochs whose attempt numbers the owner remembers.
pub(super) const NUMBERED_MAX: usize = 16;
/// Changes that wait for the next epoch.
pub(super) const PENDING_MAX: usize = 256;
/// Letters on their way.
pub(super) const OUTBOX_MAX: usize = 4096;
/// Longest stored state, bytes: 256 members with addresses, shares and confirms of two epochs take about 600 KiB.
pub(super) const STATE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// First field of the stored state.
pub(super) const STATE_FORMAT: u16 = 1;

/// An epoch whose EpochCommit was seen on the best chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Epoch {
    pub(super) proposal: Proposal,
    pub(super) gid: Gid,
    pub(super) commit: EpochCommit,
    pub(super) record: RecordId,
    /// Of the commit; `None` while a reorganisation has taken it away.
    pub(super) height: Option<u64>,
    pub(super) is_final: bool,
    /// For members who missed some: signed, so that they can be passed on.
    pub(super) shares: Vec<Share>,
    pub(super) confirms: Vec<Confirm>,
}

impl Epoch {
    pub(super) fn ed(&self) -> &EpochDescriptor {
        &self.proposal.ed
    }
}

/// An attempt at the next epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) proposal: Proposal,
    pub(super) gid: Gid,
    /// This participant's place in the ring.
    pub(super) me: u16,
    pub(super) phase: Phase,
    /// End of this step, ms.
    pub(super) until_ms: u64,
    /// Member: the owner was asked for what is missing.
    pub(super) nudged: bool,
    /// Owner: who took the proposal.
    pub(super) taken: BTreeSet<ParticipantId>,
    /// Sent to the next member, who gets the same again after a crash.
    pub(super) m1_out: Option<M1>,
    pub(super) m3_out: Option<M3>,
    /// M2 that M3 answers.
    pub(super) m2_in: Option<M2>,
    /// From the member before: the first one counts.
    pub(super) m1_in: Option<M1>,
    pub(super) m2_out: Option<M2>,
    pub(super) m3_in: Option<M3>,
    /// By index; an index without a member is `None` until its share comes.
    pub(super) shares: Vec<Option<Share>>,
    pub(super) confirms: Vec<Option<Confirm>>,
    /// From Committing on.
    pub(super) commit: Option<(EpochCommit, RecordId)>,
}

impl Attempt {
    pub(super) fn ed(&self) -> &EpochDescriptor {
        &self.proposal.ed
    }

    pub(super) fn n(&self) -> usize {
        self.proposal.ed.roster.len()
    }

    /// Index of the pair U_(me−1) → U_me, which is that of the member before.
    pub(super) fn before(&self) -> u16 {
        if self.me == 0 { index(self.n().saturating_sub(1)) } else { self.me - 1 }
    }

    /// Index of the member after.
    pub(super) fn after(&self) -> u16 {
        if usize::from(self.me) + 1 >= self.n() { 0 } else { self.me + 1 }
    }

    /// Whose keys stand at an index.
    pub(super) fn keys(&self, at: u16) -> Option<&PublicKeys> {
        self.proposal.ed.roster.get(usize::from(at)).map(|m| &m.keys)
    }

    /// Place of the member whose node this is.
    pub(super) fn place_of_peer(&self, peer: &[u8]) -> Option<u16> {
        self.proposal.ed.roster.iter().position(|m| m.peer_id == peer).map(index)
    }
}

/// An attempt that ended. Its secrets are B_(i−1) and B_i, for a disclosure, and nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dead {
    pub(super) proposal: Proposal,
    pub(super) gid: Gid,
    pub(super) me: u16,
    pub(super) phase: Phase,
    /// All of them, if it came so far.
    pub(super) shares: Vec<Option<Share>>,
    /// Owner: until when disclosures are awaited, ms; `None`: judged, or nothing to judge.
    pub(super) judge_at_ms: Option<u64>,
    pub(super) disclosures: BTreeMap<u16, Disclosure>,
}

/// A committed epoch as remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Past {
    pub(super) epoch: PastEpoch,
    pub(super) uploader: ParticipantId,
    pub(super) patient_ids: Vec<ParticipantId>,
}

/// Why nothing goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) why: String,
    /// Two proposals under one number, both signed by the owner.
    pub(super) evidence: Vec<Proposal>,
}

/// An invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Invited {
    /// H(token): the token itself is on the ticket alone.
    pub(super) token_hash: [u8; 32],
    pub(super) name: String,
    pub(super) expires_ms: u64,
    /// Who took it up: the same participant may say so again.
    pub(super) used_by: Option<ParticipantId>,
}

/// Who took up an invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Candidate {
    pub(super) keys: PublicKeys,
    pub(super) name: String,
    pub(super) code: String,
}

/// A member left out until it is back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Suspended {
    pub(super) keys: PublicKeys,
    /// The last epoch it was in: its wish to return names it.
    pub(super) last: Gid,
}

/// What only the owner keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Owning {
    /// For the next epoch, those of the attempt under way included.
    pub(super) pending: Vec<Change>,
    /// The first epoch is wanted although nobody joins it.
    pub(super) alone: bool,
    /// Members whose both pairs are agreed anew in the next epoch: they have no memory of the last.
    pub(super) lost: BTreeSet<ParticipantId>,
    /// All pairs are agreed anew in the next epoch.
    pub(super) refresh_all: bool,
    pub(super) invitations: Vec<Invited>,
    pub(super) candidates: BTreeMap<ParticipantId, Candidate>,
    pub(super) suspended: BTreeMap<ParticipantId, Suspended>,
    pub(super) names: BTreeMap<ParticipantId, String>,
    /// Late, or in a quarrel: twice is once too often. Cleared by an epoch that comes about.
    pub(super) strikes: BTreeMap<ParticipantId, u8>,
    /// Attempts at this epoch so far, for the back-off.
    pub(super) attempts_made: u32,
    /// Number of the next attempt at each epoch, newest epochs: numbers never restart, not even when an epoch that was in
    /// force has to be made again.
    pub(super) numbers: BTreeMap<u64, u32>,
    /// No attempt before, ms.
    pub(super) not_before_ms: u64,
    pub(super) stalled: bool,
}

/// Everything but secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) format: u16,
    pub(super) chain: ChainId,
    pub(super) group: GroupUid,
    pub(super) owner: ParticipantId,
    pub(super) standing: MyStanding,
    /// Where people are, as last heard.
    pub(super) endpoints: BTreeMap<ParticipantId, Endpoint>,
    /// The last committed epoch.
    pub(super) current: Option<Epoch>,
    /// Epochs whose secrets go when the current one is final.
    pub(super) superseded: BTreeSet<Gid>,
    pub(super) attempt: Option<Attempt>,
    /// Newest last.
    pub(super) dead: Vec<Dead>,
    /// (e, attempt) of every signed proposal known.
    pub(super) seen: BTreeMap<(u64, u32), Gid>,
    /// Oldest first.
    pub(super) past: Vec<Past>,
    pub(super) outbox: BTreeSet<(ParticipantId, Letter)>,
    pub(super) stopped: Option<Stop>,
    /// The owner's.
    pub(super) owning: Option<Owning>,
    /// An invited node's, until the owner has taken it.
    pub(super) join: Option<Join>,
    /// A member's, until the owner has taken it.
    pub(super) ask: Option<Ask>,
    /// The last epoch it was in, as the owner's notice says: a wish to return names it.
    pub(super) out_since: Option<Gid>,
    /// An owner without memory: told to members so that they know its node again.
    pub(super) recall: Option<crate::group::message::Recall>,
}

impl State {
    pub(super) fn new(chain: ChainId, group: GroupUid, owner: ParticipantId, standing: MyStanding) -> Self {
        Self {
            format: STATE_FORMAT,
            chain,
            group,
            owner,
            standing,
            endpoints: BTreeMap::new(),
            current: None,
            superseded: BTreeSet::new(),
            attempt: None,
            dead: Vec::new(),
            seen: BTreeMap::new(),
            past: Vec::new(),
            outbox: BTreeSet::new(),
            stopped: None,
            owning: None,
            join: None,
            ask: None,
            out_since: None,
            recall: None,
        }
    }

    /// Keys of everyone in the last committed epoch, in ring order.
    pub(super) fn ring(&self) -> Vec<ParticipantId> {
        self.current.as_ref().map(|e| ids(e.ed())).unwrap_or_default()
    }

    /// Notes where somebody is, within the bound.
    pub(super) fn note_endpoint(&mut self, who: ParticipantId, endpoint: Endpoint) {
        if self.endpoints.len() < PEOPLE_MAX || self.endpoints.contains_key(&who) {
            self.endpoints.insert(who, endpoint);
        }
    }

    /// Forgets where those are who have nothing to do with the group any more, once there are many.
    pub(super) fn prune_endpoints(&mut self) {
        if self.endpoints.len() <= PEOPLE_MAX / 2 {
            return;
        }
        let mut known: BTreeSet<ParticipantId> = self.ring().into_iter().chain([self.owner]).collect();
        known.extend(self.outbox.iter().map(|(to, _)| *to));
        known.extend(self.owning.iter().flat_map(|o| o.candidates.keys().chain(o.suspended.keys())));
        self.endpoints.retain(|id, _| known.contains(id));
    }

    /// Notes a signed proposal's number, within the bound.
    pub(super) fn note_seen(&mut self, ed: &EpochDescriptor, gid: Gid) {
        self.seen.insert((ed.epoch, ed.attempt), gid);
        while self.seen.len() > SEEN_MAX {
            self.seen.pop_first();
        }
    }
}

/// Everyone in a descriptor, in ring order.
pub(super) fn ids(ed: &EpochDescriptor) -> Vec<ParticipantId> {
    ed.roster.iter().map(|m| m.keys.id()).collect()
}

/// A place in the ring as its index; a ring has at most 256 places.
pub(super) fn index(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}
