//! What a producer signs: the content of a record and its id.

use super::Kind;
use crate::hash::{ChainId, Commitment, Gid, ParticipantId, RecordId, Tag, h};
use crate::kdf::Suite;
use serde::{Deserialize, Serialize};

/// Whom the sealed part is for: type u8 ‖ value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// 0: nobody; nothing is sealed.
    None,
    /// 1: a one-time address that only the recipient recognises.
    Tag([u8; 16]),
    /// 2: sealed to the group of this epoch.
    Group(Gid),
    /// 3: sealed to the owner of this group (the paper's PHR: ID_G in place of P's key).
    GroupOwner(Gid),
}

impl Receiver {
    /// The bytes that are hashed and authenticated: 1, 17 or 33 of them.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, value): (u8, &[u8]) = match &self {
            Receiver::None => (0, &[]),
            Receiver::Tag(tag) => (1, tag),
            Receiver::Group(gid) => (2, &gid.0),
            Receiver::GroupOwner(gid) => (3, &gid.0),
        };
        [&[kind], value].concat()
    }

    /// The group named, if any.
    pub fn gid(&self) -> Option<Gid> {
        match self {
            Receiver::Group(gid) | Receiver::GroupOwner(gid) => Some(*gid),
            Receiver::None | Receiver::Tag(_) => None,
        }
    }
}

/// Everything that Sig covers. It outlives any resubmission in a new envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it is.
    pub kind: Kind,
    /// Who made and uploads it.
    pub uploader: ParticipantId,
    /// Whom the sealed part is for.
    pub receiver: Receiver,
    /// c = H("commit", suite, r); zero where nothing is sealed.
    pub commitment: Commitment,
    /// m: public, de-identified; or the payload of Enrol, Revoke and EpochCommit.
    #[serde(with = "serde_bytes")]
    pub public: Vec<u8>,
    /// s: the sealed part; empty where nothing is sealed.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

impl Content {
    /// RecordId = H("content", suite, chain id, kind, uploader, receiver field, H("m", m), H("s", s), c).
    pub fn id(&self, chain: &ChainId) -> RecordId {
        RecordId(h(
            Tag::Content,
            &[
                &[Suite::T2Aes.id()],
                chain.as_ref(),
                &[self.kind.id()],
                self.uploader.as_ref(),
                &self.receiver.to_bytes(),
                &h(Tag::Public, &[&self.public]),
                &h(Tag::Sealed, &[&self.sealed]),
                self.commitment.as_ref(),
            ],
        ))
    }
}
