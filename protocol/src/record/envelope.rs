//! A full record: content, the producer's signature, and the uploader's envelope (the paper's C).

use super::{Content, SigCheck};
use crate::codec::{self, CodecError};
use crate::hash::{ChainId, RecordId, Tag, WireId, h};
use crate::identity::{IdentitySecret, PublicKeys, Signature};
use crate::kdf::Suite;
use crate::limits;
use serde::{Deserialize, Serialize};

/// How the uploader shows that it may upload: scheme u8 ‖ length ‖ proof. Scheme 1 is Ed25519; others are reserved for
/// pseudonyms and anonymous credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthProof {
    /// 1: an Ed25519 signature by the uploader (R-AUTH-SCHEME).
    pub scheme: u8,
    /// The proof, at most [`limits::PROOF_BYTES_MAX`] bytes.
    #[serde(with = "serde_bytes")]
    pub proof: Vec<u8>,
}

impl AuthProof {
    /// Ed25519.
    pub const ED25519: u8 = 1;
}

/// When a record was sent, until when it may be mined, and the uploader's proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// T, ms since 1970, a multiple of the chain's granularity.
    pub stamp_ms: u64,
    /// Last height at which it may be mined.
    pub expiry_height: u64,
    /// The proof.
    pub auth: AuthProof,
}

/// A full record as it travels, is hashed into the Merkle tree and is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the producer signed.
    pub content: Content,
    /// Sig: Ed25519 over the RecordId.
    pub signature: Signature,
    /// The envelope.
    pub envelope: Envelope,
}

impl Record {
    /// Signs `content` and its envelope. `stamp_ms` must already be rounded down to the chain's granularity.
    pub fn sign(
        chain: &ChainId,
        content: Content,
        stamp_ms: u64,
        expiry_height: u64,
        uploader: &IdentitySecret,
    ) -> Self {
        let signature = uploader.sign(&content.id(chain).0);
        Self::wrap(chain, content, signature, stamp_ms, expiry_height, uploader)
    }

    /// Puts signed content in a new envelope: a resubmission keeps RecordId and Sig.
    pub fn wrap(
        chain: &ChainId,
        content: Content,
        signature: Signature,
        stamp_ms: u64,
        expiry_height: u64,
        uploader: &IdentitySecret,
    ) -> Self {
        let hash = envelope_hash(&content.id(chain), &signature, stamp_ms, expiry_height);
        let proof = uploader.sign(&hash).0.to_vec();
        let auth = AuthProof { scheme: AuthProof::ED25519, proof };
        Self { content, signature, envelope: Envelope { stamp_ms, expiry_height, auth } }
    }

    /// The content's id.
    pub fn id(&self, chain: &ChainId) -> RecordId {
        self.content.id(chain)
    }

    /// WireId = H("record", suite, RecordId, Sig, T, expiry height, auth scheme, proof): commits to every byte of the record.
    pub fn wire_id(&self, chain: &ChainId) -> WireId {
        self.wire_id_of(&self.id(chain))
    }

    /// The WireId, for who knows the RecordId: hashing the content is most of the work.
    pub fn wire_id_of(&self, id: &RecordId) -> WireId {
        WireId(h(
            Tag::Record,
            &[
                &[Suite::T2Aes.id()],
                id.as_ref(),
                self.signature.as_ref(),
                &self.envelope.stamp_ms.to_be_bytes(),
                &self.envelope.expiry_height.to_be_bytes(),
                &[self.envelope.auth.scheme],
                &self.envelope.auth.proof,
            ],
        ))
    }

    /// The two signatures by the uploader, whose keys the caller looked up, as work for a verifier. `None` if the proof is
    /// not of scheme 1 and 64 bytes.
    pub fn signature_checks(&self, chain: &ChainId, uploader: &PublicKeys) -> Option<[SigCheck; 2]> {
        self.signature_checks_of(&self.id(chain), uploader)
    }

    /// As [`Self::signature_checks`], for who knows the RecordId.
    pub fn signature_checks_of(&self, id: &RecordId, uploader: &PublicKeys) -> Option<[SigCheck; 2]> {
        if self.envelope.auth.scheme != AuthProof::ED25519 {
            return None;
        }
        let proof: [u8; 64] = self.envelope.auth.proof.as_slice().try_into().ok()?;
        let envelope = envelope_hash(id, &self.signature, self.envelope.stamp_ms, self.envelope.expiry_height);
        let key = uploader.signing;
        Some([
            SigCheck { key, hash: id.0, signature: self.signature },
            SigCheck { key, hash: envelope, signature: Signature(proof) },
        ])
    }

    /// The record's bytes in the codec.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads exactly one record of at most [`limits::RECORD_BYTES_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, limits::RECORD_BYTES_MAX)
    }

    /// Length in the codec, bytes: what R-QUOTA and the block limit count. Exact without encoding: kind 1, uploader 32,
    /// receiver 4 + value, commitment 32, two lengths 16, signature 64, stamp and expiry 16, scheme 1, proof length 8.
    pub fn encoded_len(&self) -> usize {
        let receiver = 4 + self.content.receiver.to_bytes().len() - 1;
        let fixed = 1 + 32 + receiver + 32 + 16 + 64 + 16 + 1 + 8;
        fixed + self.content.public.len() + self.content.sealed.len() + self.envelope.auth.proof.len()
    }
}

/// H("envelope", suite, RecordId, Sig, T, expiry height): what the uploader signs.
fn envelope_hash(id: &RecordId, signature: &Signature, stamp_ms: u64, expiry_height: u64) -> [u8; 32] {
    let (stamp, expiry) = (stamp_ms.to_be_bytes(), expiry_height.to_be_bytes());
    h(Tag::Envelope, &[&[Suite::T2Aes.id()], id.as_ref(), signature.as_ref(), &stamp, &expiry])
}
