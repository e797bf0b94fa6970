//! Enrolment and revocation, carried on chain in the public part of Enrol and Revoke records.

use super::{IdentitySecret, PublicKeys, Role, Signature};
use crate::codec::{self, CodecError};
use crate::hash::{ChainId, ParticipantId, Tag, h};
use crate::{limits, record::SigCheck};
use serde::{Deserialize, Serialize};

/// One participant to enrol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentEntry {
    /// Both keys.
    pub keys: PublicKeys,
    /// What it may upload.
    pub role: Role,
    /// First height at which it may upload.
    pub valid_from: u64,
    /// Last height at which it may upload.
    pub valid_until: u64,
    /// By the subject, over H("enrol", suite, chain id, both keys, role): nobody is enrolled without its consent.
    pub subject_signature: Signature,
}

impl EnrolmentEntry {
    /// What the subject signs.
    pub fn subject_hash(chain: &ChainId, keys: &PublicKeys, role: Role) -> [u8; 32] {
        let suite = [crate::kdf::Suite::T2Aes.id()];
        h(Tag::Enrol, &[&suite, chain.as_ref(), keys.signing.as_ref(), keys.chebyshev.as_ref(), &[role.id()]])
    }

    /// An entry signed by its subject.
    pub fn new(chain: &ChainId, subject: &IdentitySecret, role: Role, valid_from: u64, valid_until: u64) -> Self {
        let keys = subject.public();
        let subject_signature = subject.sign(&Self::subject_hash(chain, &keys, role));
        Self { keys, role, valid_from, valid_until, subject_signature }
    }

    /// The subject's signature as work for a verifier.
    pub fn signature_check(&self, chain: &ChainId) -> SigCheck {
        SigCheck {
            key: self.keys.signing,
            hash: Self::subject_hash(chain, &self.keys, self.role),
            signature: self.subject_signature,
        }
    }
}

/// The public part of an Enrol record: 1 to [`limits::ENROL_ENTRIES_MAX`] entries, strictly ascending by ParticipantId, so
/// that pseudonyms of several patients travel together and their order tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The entries.
    pub entries: Vec<EnrolmentEntry>,
}

impl Enrolment {
    /// Sorts the entries.
    pub fn new(mut entries: Vec<EnrolmentEntry>) -> Self {
        entries.sort_by_cached_key(|e| e.keys.id());
        Self { entries }
    }

    /// As the public part m.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// From a public part.
    pub fn decode(public: &[u8]) -> Result<Self, CodecError> {
        codec::decode(public, limits::PUBLIC_BYTES_MAX)
    }
}

/// The public part of a Revoke record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Who is revoked. From the next block on it uploads nothing.
    pub subject: ParticipantId,
    /// Height from which reports show the subject's records as "signer revoked": a key may have leaked before anyone noticed.
    pub invalid_from: u64,
}

impl Revocation {
    /// As the public part m.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// From a public part.
    pub fn decode(public: &[u8]) -> Result<Self, CodecError> {
        codec::decode(public, limits::PUBLIC_BYTES_MAX)
    }
}
