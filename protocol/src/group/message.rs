//! What members of a group say to each other over a direct stream, one message per stream, in the codec.
//!
//! The stream's Noise peer is known to the receiver, who checks it against the roster before anything else. Every stream
//! carries one [`Envelope`] and brings one [`Answer`] back; an answer of [`Answer::Taken`] is given only after what the message
//! changed is stored. So a message is sent again until it is taken or refused, and a message that comes twice changes nothing.

use super::descriptor::{EpochDescriptor, PEER_ID_BYTES_MAX};
use crate::codec::{self, CodecError};
use crate::hash::{Gid, ParticipantId};
use crate::identity::{PublicKeys, Signature};
use serde::{Deserialize, Serialize};

/// Longest message, bytes: a proposal for 256 members with their addresses takes about 200 KiB.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Longest answer, bytes.
pub const ANSWER_BYTES_MAX: usize = 1024;
/// Addresses of one participant that are passed on.
pub const ADDRESSES_MAX: usize = 4;
/// Longest such address, bytes.
pub const ADDRESS_BYTES_MAX: usize = 128;

byte_newtype!(
    /// Drawn when a group is made, and its own for good.
    GroupUid, 32);

/// Where a participant's node is reached. A hint: who answers there is proved by the Noise handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// libp2p peer id as multihash bytes.
    #[serde(with = "serde_bytes")]
    pub peer_id: Vec<u8>,
    /// Multiaddresses as text, at most [`ADDRESSES_MAX`] of at most [`ADDRESS_BYTES_MAX`] bytes.
    pub addresses: Vec<String>,
}

impl Endpoint {
    /// Whether it keeps its bounds: a peer id of 1 to 64 bytes, few and short addresses.
    pub fn is_well_formed(&self) -> bool {
        (1..=PEER_ID_BYTES_MAX).contains(&self.peer_id.len())
            && self.addresses.len() <= ADDRESSES_MAX
            && self.addresses.iter().all(|a| a.len() <= ADDRESS_BYTES_MAX)
    }
}

/// A message for one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Which.
    pub group: GroupUid,
    /// What.
    pub message: Message,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Invited → owner: the invitation is taken up.
    Join(Box<Join>),
    /// Owner → member: are you there? Taken: yes.
    Probe,
    /// Owner → members; also member → member who does not know the epoch: the descriptor.
    Propose(Box<Proposal>),
    /// Member → member: I do not know this epoch that you speak of; answered by a `Propose` of its own.
    WantProposal {
        /// Which epoch.
        gid: Gid,
    },
    /// Two-party agreement, first message: initiator U_i → responder U_(i+1).
    M1(M1),
    /// Second, responder → initiator.
    M2(M2),
    /// Third, initiator → responder.
    M3(M3),
    /// X_i, to every member.
    Share(Share),
    /// mac_i, to every member.
    Confirm(Confirm),
    /// An attempt is over, to every member; the accused is named to the owner alone.
    Abort(Abort),
    /// Owner → member: which B did you use in this dead attempt?
    WantDisclosure {
        /// Which attempt.
        gid: Gid,
    },
    /// Its answer.
    Disclose(Disclosure),
    /// Member → owner: please change this.
    Ask(Ask),
    /// Owner → who is not in the new epoch.
    Notice(Notice),
    /// Owner without memory → anyone who may be a member: answered by a `Propose` for the last epoch known.
    Recall(Recall),
}

impl Envelope {
    /// As sent.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// As received; at most [`MESSAGE_BYTES_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, MESSAGE_BYTES_MAX)
    }
}

/// What the receiver says to a message, on the same stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Understood and stored, now or before.
    Taken,
    /// Not yet of use here (the epoch is not known, the step not reached): send it again a little later.
    Later,
    /// Of no use any more (an older attempt, a finished step): do not send it again.
    Stale,
    /// Refused for good.
    Refused(Refusal),
}

impl Answer {
    /// As sent.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// As received.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, ANSWER_BYTES_MAX)
    }
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The group is not known here.
    #[error("this node knows nothing of the group")]
    UnknownGroup,
    /// The stream's peer is not who may say this.
    #[error("it did not come from the node that the roster names")]
    WrongPeer,
    /// A signature or a MAC.
    #[error("a signature or MAC does not hold")]
    BadSignature,
    /// The form, a key, an index, a hash.
    #[error("the message is malformed or contradicts the epoch")]
    Malformed,
    /// Another message stands in its place already.
    #[error("another message was taken in its place before")]
    Conflict,
    /// The invitation is unknown, used or out of date.
    #[error("the invitation is unknown, used or out of date")]
    Invitation,
    /// Not enrolled, or revoked, on the receiver's chain.
    #[error("a participant is not enrolled, or is revoked, on this chain")]
    NotEnrolled,
    /// Two descriptors for one epoch and attempt.
    #[error("the owner proposed two different epochs under one number")]
    Equivocation,
    /// The receiver has no memory of the last epoch and must pair anew.
    #[error("this member lost its keys of the last epoch and has to pair anew")]
    LostState,
    /// Too much at once.
    #[error("a bound was reached; try later")]
    Full,
}

/// ED with its owner's signature over H("ed", ED), and where the members are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// ED.
    pub ed: EpochDescriptor,
    /// Its owner's.
    pub signature: Signature,
    /// Hints, in any order; not signed, since who answers there is proved anyway.
    pub endpoints: Vec<Endpoint>,
}

/// M1 of PROTOCOL section 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct M1 {
    /// The epoch.
    pub gid: Gid,
    /// i, from 0: the pair U_(i+1) → U_(i+2).
    pub pair: u16,
    /// R_i, 256 bytes.
    pub ephemeral: crate::chebyshev::PublicKeyBytes,
    /// C_i = GCM(k, nonce, ID_i ‖ ID_j ‖ R_i): 320 + 16 bytes.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
    /// MAC_1.
    pub mac: [u8; 32],
}

/// M2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct M2 {
    /// The epoch.
    pub gid: Gid,
    /// As in M1.
    pub pair: u16,
    /// R_j, 256 bytes.
    pub ephemeral: crate::chebyshev::PublicKeyBytes,
    /// C_j = GCM(k_C, nonce, ID_j ‖ ID_i ‖ R_j): 320 + 16 bytes.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
    /// MAC_2.
    pub mac: [u8; 32],
    /// Over H("2pa-r", h3).
    pub signature: Signature,
}

/// M3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct M3 {
    /// The epoch.
    pub gid: Gid,
    /// As in M1.
    pub pair: u16,
    /// Ack = HMAC(k_ACK, h3 ‖ MAC_2).
    pub ack: [u8; 32],
    /// Over H("2pa-i", h3).
    pub signature: Signature,
}

/// X_i = B_(i−1) ⊕ B_i with both pair hashes, signed over H("x", …).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The epoch.
    pub gid: Gid,
    /// i, from 0.
    pub index: u16,
    /// X_i.
    pub x: [u8; 32],
    /// PH of the pair before: U_i as responder.
    pub pair_before: [u8; 32],
    /// PH of the pair after: U_i as initiator.
    pub pair_after: [u8; 32],
    /// By U_i.
    pub signature: Signature,
}

/// mac_i = HMAC(k_conf, GID, i, th), signed over H("confirm", …).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The epoch.
    pub gid: Gid,
    /// i, from 0.
    pub index: u16,
    /// mac_i.
    pub mac: [u8; 32],
    /// By U_i.
    pub signature: Signature,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Phase {
    /// The descriptor is out.
    Proposed = 1,
    /// Two-party agreements run.
    Pairing = 2,
    /// X values travel.
    Sharing = 3,
    /// MACs travel.
    Confirming = 4,
    /// EpochCommit is signed and awaits its block.
    Committing = 5,
}

/// The end of an attempt, signed over H("abort", suite, GID, by, phase, accused).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// The attempt.
    pub gid: Gid,
    /// Whose decision.
    pub by: ParticipantId,
    /// Where it stood there.
    pub phase: Phase,
    /// Index of who is held responsible; to the owner alone, to others `None`.
    pub accused: Option<u16>,
    /// By `by`.
    pub signature: Signature,
}

/// B_(i−1) and B_i of a dead attempt, signed over H("disclose", suite, GID, i, B_(i−1), B_i).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// The attempt.
    pub gid: Gid,
    /// i, from 0.
    pub index: u16,
    /// B_(i−1).
    pub b_before: [u8; 32],
    /// B_i.
    pub b_after: [u8; 32],
    /// By U_i.
    pub signature: Signature,
}

impl std::fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosure({:?}, {}, redacted)", self.gid, self.index)
    }
}

/// Taking up an invitation, signed over H("join", suite, chain, group, H(token), owner, ParticipantId, PeerId).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The one-time token of the ticket.
    pub token: [u8; 16],
    /// The invited's keys, as enrolled.
    pub keys: PublicKeys,
    /// Its node.
    pub endpoint: Endpoint,
    /// By the invited.
    pub signature: Signature,
}

/// What a member may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Wish {
    /// To leave.
    Leave = 1,
    /// To pair anew on both sides (new keys, or old ones that may have leaked, or lost state).
    Update = 2,
    /// To be back after a suspension.
    Return = 3,
}

/// A member's wish, signed over H("ask", suite, chain, group, wish, since, ParticipantId).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// What.
    pub wish: Wish,
    /// The last epoch committed when it was wished; a wish is good for that epoch only, so that it cannot be replayed later.
    pub since: Gid,
    /// Who.
    pub by: ParticipantId,
    /// Its node as it is now.
    pub endpoint: Endpoint,
    /// By `by`.
    pub signature: Signature,
}

/// Signed over H("notice", suite, chain, group, kind, ParticipantId, GID of the last epoch it was in).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Left, removed or suspended.
    pub why: Left,
    /// Whom it concerns.
    pub member: ParticipantId,
    /// The last epoch it was in.
    pub last: Gid,
    /// By the owner.
    pub signature: Signature,
}

/// How a member came to be outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Left {
    /// It asked to.
    Left = 1,
    /// The owner removed it.
    Removed = 2,
    /// It is left out until it is back.
    Suspended = 3,
}

/// An owner that restored its keys and nothing else, signed over H("recall", suite, chain, owner, PeerId, nonce).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// The owner's keys.
    pub keys: PublicKeys,
    /// Its node as it is now.
    pub endpoint: Endpoint,
    /// Drawn for this recall.
    pub nonce: [u8; 16],
    /// By the owner.
    pub signature: Signature,
}
