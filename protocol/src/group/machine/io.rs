//! Everything that goes into a group's machine and comes out of it.

use crate::group::descriptor::Change;
use crate::group::message::{Answer, Endpoint, GroupUid, Join, Left, Message, Phase};
use crate::hash::{Gid, ParticipantId, RecordId};
use crate::identity::{PublicKeys, Role};
use crate::record::EpochCommit;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// What a machine may know of the chain: this node's own best chain, and no one's word.
pub trait ChainView {
    /// Height of the tip.
    fn height(&self) -> u64;
    /// An enrolled participant as it stands at the tip; `None` if it never was enrolled.
    fn standing(&self, id: &ParticipantId) -> Option<Standing>;
    /// Height of the block that holds this record on the best chain.
    fn height_of(&self, record: &RecordId) -> Option<u64>;
}

/// An enrolled participant at the tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Both keys.
    pub keys: PublicKeys,
    /// Its role.
    pub role: Role,
    /// Enrolled, within its validity and not revoked, at the tip.
    pub valid: bool,
}

/// What the caller lends for one call.
pub struct Env<'a> {
    /// ms since 1970.
    pub now_ms: u64,
    /// The chain as it is now.
    pub chain: &'a dyn ChainView,
    /// From the OS, or seeded in tests.
    pub rng: &'a mut dyn CryptoRng,
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} ms, height {})", self.now_ms, self.chain.height())
    }
}

/// Number of one delivery, drawn by the machine; not used twice within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId(pub u64);

/// What happens to a machine.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "handed over once and not kept: a copy costs less than a box")]
pub enum Input {
    /// Time passed.
    Tick,
    /// The best chain changed; also right after a start.
    Chain,
    /// A message came. The machine's answer is in [`Output::Answer`], exactly one, after what it changed was marked for
    /// storing.
    Message {
        /// Noise peer of the stream, multihash bytes.
        from: Vec<u8>,
        /// Number that the answer carries.
        ticket: u64,
        /// The message.
        message: Message,
    },
    /// What became of one [`Output::Send`]: the receiver's answer, or `None` if it could not be delivered.
    Delivered {
        /// Which.
        id: SendId,
        /// The answer.
        answer: Option<Answer>,
    },
}

/// What the person at this node may want. Answered by the return value of `Machine::command`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Owner: a new invitation, good until then.
    Invite {
        /// What the owner calls the invited, 1 to 40 characters.
        name: String,
        /// ms since 1970.
        expires_ms: u64,
    },
    /// Owner: changes for the next epoch, all in one. Joins name candidates who took up an invitation; a join of a suspended
    /// member is a return.
    Change(Vec<Change>),
    /// Owner: propose the first epoch with nobody else in it.
    StartAlone,
    /// Owner: forget changes that wait and abort an attempt that is not yet committed.
    Cancel,
    /// Owner: try again after the attempts were used up.
    Retry,
    /// Member: leave, pair anew, or return.
    Ask(crate::group::message::Wish),
}

/// Why a command was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Only the owner may.
    #[error("only the group's owner can do this; ask {owner} to")]
    NotOwner {
        /// Who is.
        owner: ParticipantId,
    },
    /// Only a member who is not the owner may.
    #[error("the owner cannot leave its own group; `medring group remove` takes others out of it")]
    Owner,
    /// Nobody of that id here.
    #[error("{0} is no member and no candidate of this group; see `medring group status`")]
    Nobody(ParticipantId),
    /// A change that changes nothing.
    #[error("{0}")]
    Pointless(String),
    /// A bound.
    #[error("{0}")]
    Bound(String),
    /// Not enrolled, or revoked.
    #[error("{0} is not enrolled on this chain, or its enrolment ended; an authority has to enrol it first")]
    NotEnrolled(ParticipantId),
    /// The group is stopped.
    #[error("the group is stopped: {0}")]
    Stopped(String),
}

/// What a machine wants done, in order, and only after [`super::Machine::snapshot`] was stored if the machine changed.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "handed over once and not kept: a copy costs less than a box")]
pub enum Output {
    /// Say to a node; answered by one [`Input::Delivered`].
    Send {
        /// Number of the delivery.
        id: SendId,
        /// Whom.
        to: Endpoint,
        /// What.
        message: Message,
    },
    /// The answer to one [`Input::Message`].
    Answer {
        /// Which.
        ticket: u64,
        /// What.
        answer: Answer,
    },
    /// Owner: keep this EpochCommit on its way: sign it as a record (the RecordId is fixed by its content), submit it, renew its
    /// envelope while the chain does not hold it and `deadline_height` is not passed. Given again after each start and
    /// whenever the chain lost it.
    Submit {
        /// What.
        commit: EpochCommit,
        /// Its id.
        record: RecordId,
        /// Last height at which it may be mined; no envelope expires later.
        deadline_height: u64,
    },
    /// For people, logs and metrics.
    Event(Event),
}

/// What people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// An invitation was taken up.
    Candidate {
        /// Who.
        member: ParticipantId,
    },
    /// The change waits for nodes that do not answer.
    Waiting {
        /// For whom.
        missing: Vec<ParticipantId>,
    },
    /// An attempt moved.
    Moved {
        /// The attempt.
        gid: Gid,
        /// e.
        epoch: u64,
        /// Attempt number.
        attempt: u32,
        /// Where it stands.
        phase: Phase,
    },
    /// An attempt ended without an epoch.
    Aborted {
        /// The attempt.
        gid: Gid,
        /// Where it stood.
        phase: Phase,
        /// Why.
        why: String,
        /// Who is held responsible, as far as known here.
        accused: Option<ParticipantId>,
    },
    /// EpochCommit is on the best chain: the epoch is in force.
    Activated {
        /// The epoch.
        gid: Gid,
        /// e.
        epoch: u64,
        /// At which height.
        height: u64,
    },
    /// A reorganisation took EpochCommit away: it is on its way again.
    RolledBack {
        /// The epoch.
        gid: Gid,
        /// e.
        epoch: u64,
    },
    /// EpochCommit is D deep.
    Final {
        /// The epoch.
        gid: Gid,
        /// e.
        epoch: u64,
    },
    /// The secrets of an epoch or attempt were dropped; their key must be destroyed.
    Wiped {
        /// Which.
        gid: Gid,
    },
    /// The owner left this participant out, or it asked for it.
    Left {
        /// Who.
        member: ParticipantId,
        /// How.
        why: Left,
    },
    /// All attempts are used up: the owner has to decide.
    Stalled {
        /// e.
        epoch: u64,
        /// Attempts made.
        attempts: u32,
    },
    /// Two descriptors under one number: proof that the owner's key plays two games.
    Equivocation {
        /// e.
        epoch: u64,
        /// Attempt number.
        attempt: u32,
    },
}

/// Time limits and bounds of one machine. Units last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Each of pairing, sharing and confirming may take this long, ms. Members grant twice that.
    pub step_timeout_ms: u64,
    /// Members that did not answer are asked again this often, ms.
    pub probe_interval_ms: u64,
    /// A delivery that failed, or was answered with Later, is tried again after this, doubled up to sixteenfold, ms.
    pub resend_interval_ms: u64,
    /// Wait before the second attempt, ms; doubled for each further one.
    pub backoff_ms: u64,
    /// … up to this.
    pub backoff_max_ms: u64,
    /// Attempts at one epoch before the owner has to decide.
    pub attempts_max: u32,
    /// EpochCommit must be mined within so many blocks of the proposal.
    pub commit_within_blocks: u64,
    /// D: EpochCommit so deep is final.
    pub confirmations: u64,
    /// Most members.
    pub members_max: usize,
    /// Keep k_rec of past epochs.
    pub archive: bool,
}

impl Config {
    /// For a chain with this finality depth.
    pub const fn new(confirmations: u64) -> Self {
        Self {
            step_timeout_ms: 30_000,
            probe_interval_ms: 2_000,
            resend_interval_ms: 250,
            backoff_ms: 1_000,
            backoff_max_ms: 60_000,
            attempts_max: 8,
            commit_within_blocks: 100,
            confirmations,
            members_max: 64,
            archive: false,
        }
    }
}

/// One group as its participant sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    pub group: GroupUid,
    /// Who owns it.
    pub owner: ParticipantId,
    /// Whether that is this participant.
    pub mine: bool,
    /// What this participant is in it.
    pub standing: MyStanding,
    /// The epoch in force.
    pub active: Option<EpochStatus>,
    /// The attempt under way.
    pub attempt: Option<AttemptStatus>,
    /// Owner: changes that wait for the next epoch.
    pub pending: Vec<Change>,
    /// Owner: whom they wait for.
    pub waiting_for: Vec<ParticipantId>,
    /// Owner: invitations not taken up yet.
    pub invitations: Vec<InvitationStatus>,
    /// Owner: who took one up and is not a member yet.
    pub candidates: Vec<CandidateStatus>,
    /// Owner: who is suspended.
    pub suspended: Vec<ParticipantId>,
    /// Owner: names given in invitations.
    pub names: Vec<(ParticipantId, String)>,
    /// Committed epochs this participant knows of, oldest first, at most [`HISTORY_MAX`].
    pub history: Vec<PastEpoch>,
    /// Why nothing goes on, if so.
    pub stopped: Option<String>,
}

/// Committed epochs remembered.
pub const HISTORY_MAX: usize = 256;

/// What a participant is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MyStanding {
    /// Took up an invitation and awaits the epoch it is in.
    Invited,
    /// In the epoch in force.
    Member,
    /// Left out until it is back.
    Suspended,
    /// Left by itself.
    Left,
    /// Removed.
    Removed,
}

/// The epoch in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochStatus {
    /// Its id.
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// Members in ring order.
    pub ring: Vec<ParticipantId>,
    /// What people compare: H("fp", suite, k_exp).
    pub fingerprint: Fingerprint,
    /// EpochCommit.
    pub commit: RecordId,
    /// Its height; `None` while a reorganisation has taken it away.
    pub height: Option<u64>,
    /// Whether it is D deep.
    pub is_final: bool,
    /// Who signs records of this epoch.
    pub uploader: ParticipantId,
    /// Whether records may be sealed under it: not once a removal is proposed.
    pub sealing: bool,
}

byte_newtype!(
    /// H("fp", suite, k_exp), shown to people as eight groups of four hex digits of its first half.
    Fingerprint, 32);

/// An attempt under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptStatus {
    /// Its id.
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// Attempt number.
    pub attempt: u32,
    /// Where it stands here.
    pub phase: Phase,
    /// Members in ring order.
    pub ring: Vec<ParticipantId>,
    /// Whose part of this phase is still missing here.
    pub missing: Vec<ParticipantId>,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationStatus {
    /// For whom.
    pub name: String,
    /// ms since 1970.
    pub expires_ms: u64,
}

/// Who took one up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateStatus {
    /// Who.
    pub member: ParticipantId,
    /// What the owner calls it.
    pub name: String,
    /// What both people compare, of the join message: five groups of five digits.
    pub code: String,
}

/// A committed epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastEpoch {
    /// Its id.
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// Who was in it, in ring order.
    pub ring: Vec<ParticipantId>,
    /// What it changed.
    pub changes: Vec<Change>,
    /// EpochCommit.
    pub commit: RecordId,
    /// Its height when last seen.
    pub height: Option<u64>,
    /// Whether its secrets are still held here: active, awaiting finality of the next, or archived.
    pub readable: bool,
}

/// What an invitation carries besides addresses: see `Ticket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The one-time token.
    pub token: [u8; 16],
    /// ms since 1970.
    pub expires_ms: u64,
}

/// The message an invited node sends to the owner, and the code its person compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The message.
    pub join: Join,
    /// Five groups of five digits.
    pub code: String,
}

/// What sealing and reading under one epoch takes. Wiped on drop, not shown by `Debug`.
#[derive(Clone)]
pub struct EpochAccess {
    /// The epoch.
    pub gid: Gid,
    /// e.
    pub epoch: u64,
    /// k_rec of GSK_e.
    pub k_rec: zeroize::Zeroizing<[u8; 32]>,
    /// The only id whose records count under this GID.
    pub uploader: ParticipantId,
    /// P's ids: a source made for none of them is another patient's.
    pub patient_ids: Vec<ParticipantId>,
}

impl std::fmt::Debug for EpochAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochAccess({:?}, epoch {}, redacted)", self.gid, self.epoch)
    }
}

/// Who runs a machine.
#[derive(Clone, Debug)]
pub struct Me {
    /// Both secret keys.
    pub identity: std::sync::Arc<crate::identity::IdentitySecret>,
    /// This participant's node.
    pub endpoint: Endpoint,
}

/// Everything a machine is, to be stored before its outputs are carried out.
///
/// The public part holds no secret of an epoch. The secrets of each epoch or attempt stand apart, each to be kept under a key
/// of its own; a GID that is no longer here is to be wiped: its key destroyed.
#[derive(Clone)]
pub struct Snapshot {
    /// Roster, history, outbox, phases: in the codec.
    pub public: Vec<u8>,
    /// Per epoch or attempt, in the codec.
    pub secrets: std::collections::BTreeMap<Gid, zeroize::Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} bytes, secrets of {} epochs, redacted)", self.public.len(), self.secrets.len())
    }
}
