//! Every value derived on the way to a seal, by its name in the spec. Public for the test vectors; use `seal` and `open_*`.

use super::SealContext;
use crate::chebyshev::{PublicKey, PublicKeyBytes, SharedSecret};
use crate::hash::{Commitment, DOMAIN, Gid, Tag, h};
use crate::kdf::{Suite, framed, kdf};
use crate::record::Receiver;
use zeroize::Zeroizing;

/// The suite of every seal this version makes or opens.
pub const SUITE: Suite = Suite::T2Aes;

/// Key and nonce of one AES-256-GCM encryption, wiped on drop. Used once.
pub struct KeyNonce {
    /// k, 32 bytes.
    pub key: Zeroizing<[u8; 32]>,
    /// The nonce, 12 bytes.
    pub nonce: [u8; 12],
}

impl KeyNonce {
    pub(crate) fn split(key: &[u8], nonce: &[u8]) -> Self {
        let mut out = Self { key: Zeroizing::new([0; 32]), nonce: [0; 12] };
        out.key.copy_from_slice(key);
        out.nonce.copy_from_slice(nonce);
        out
    }
}

/// K_rec = KDF(; r; "record key", kind, uploader, c), with the nonce 0¹²: r, and so K_rec, is used once.
pub fn record_key(ctx: &SealContext<'_>, c: &Commitment, r: &[u8; 32]) -> KeyNonce {
    let fields: [&[u8]; 3] = [&[ctx.kind.id()], ctx.uploader.as_bytes(), c.as_bytes()];
    KeyNonce { key: kdf::<32>(SUITE, None, &[r], "record key", &fields), nonce: [0; 12] }
}

/// (k, nonce, tag16) = KDF(; Z, E, Y; "seal", chain id, kind, uploader, c): 32 + 12 + 16 bytes.
/// The receiver field is not among the fields, since it holds tag16.
pub fn participant_wrap(
    ctx: &SealContext<'_>,
    c: &Commitment,
    z: &SharedSecret,
    ephemeral: &PublicKeyBytes,
    receiver: &PublicKey,
) -> (KeyNonce, [u8; 16]) {
    let secrets: [&[u8]; 3] = [z.as_bytes(), ephemeral.as_bytes(), receiver.as_bytes()];
    let fields: [&[u8]; 4] = [ctx.chain.as_bytes(), &[ctx.kind.id()], ctx.uploader.as_bytes(), c.as_bytes()];
    let out = kdf::<60>(SUITE, None, &secrets, "seal", &fields);
    let mut tag = [0; 16];
    tag.copy_from_slice(&out[44..]);
    (KeyNonce::split(&out[..32], &out[32..44]), tag)
}

/// (k, nonce) = KDF(c; k_rec of the epoch; "group seal", chain id, kind, uploader, GID): 32 + 12 bytes.
pub fn group_wrap(ctx: &SealContext<'_>, c: &Commitment, k_rec: &[u8; 32], gid: &Gid) -> KeyNonce {
    let fields: [&[u8]; 4] = [ctx.chain.as_bytes(), &[ctx.kind.id()], ctx.uploader.as_bytes(), gid.as_bytes()];
    let out = kdf::<44>(SUITE, Some(c.as_bytes()), &[k_rec], "group seal", &fields);
    KeyNonce::split(&out[..32], &out[32..])
}

/// Which of the two ciphertexts of a seal is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// r under the receiver's key.
    Wrap,
    /// The plaintext under K_rec.
    Body,
}

/// Associated data: LP("medring/1") ‖ LP("wrap" or "body") ‖ LP(suite) ‖ LP(chain id) ‖ LP(kind) ‖ LP(uploader) ‖
/// LP(receiver field) ‖ LP(c) ‖ LP(H("m", m)).
pub fn associated_data(ctx: &SealContext<'_>, part: Part, receiver: &Receiver, c: &Commitment) -> Vec<u8> {
    let name: &[u8] = match part {
        Part::Wrap => b"wrap",
        Part::Body => b"body",
    };
    let parts: [&[u8]; 9] = [
        DOMAIN,
        name,
        &[SUITE.id()],
        ctx.chain.as_bytes(),
        &[ctx.kind.id()],
        ctx.uploader.as_bytes(),
        &receiver.to_bytes(),
        c.as_bytes(),
        &h(Tag::Public, &[ctx.public]),
    ];
    framed(&parts).to_vec()
}
