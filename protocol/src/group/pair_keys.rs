//! Every value derived in a two-party agreement, in the order of the spec (groups): hashes, keys, ciphertexts and MACs.

use super::pair::{PairContext, PairError};
use crate::chebyshev::{PublicKeyBytes, SharedSecret};
use crate::hash::{ParticipantId, Tag, h};
use crate::kdf::{Suite, kdf};
use crate::seal::{aead, derive::KeyNonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub(super) const SUITE: Suite = Suite::T2Aes;
/// ID ‖ ID ‖ R.
const PLAIN_BYTES: usize = 2 * ParticipantId::LEN + PublicKeyBytes::LEN;
/// Length of C_i and of C_j.
pub(super) const SEALED_BYTES: usize = PLAIN_BYTES + aead::TAG_BYTES;

/// HMAC-SHA-256 over the parts, joined. What stands here has fixed lengths or is framed by its caller.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // RFC 2104 fills a key up to a block of 64 bytes with zeros.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut state = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        state.update(part);
    }
    state.finalize().into_bytes().into()
}

/// Compares in constant time.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// h0 = H("2pa", suite, GID, i, ID_i, ID_j, Y_i, Y_j).
pub(super) fn h0(ctx: &PairContext<'_>) -> [u8; 32] {
    let (id_i, id_j) = (ctx.initiator.id(), ctx.responder.id());
    let fields: [&[u8]; 7] = [
        &[SUITE.id()],
        ctx.gid.as_ref(),
        &ctx.index.to_be_bytes(),
        id_i.as_ref(),
        id_j.as_ref(),
        ctx.initiator.chebyshev.as_ref(),
        ctx.responder.chebyshev.as_ref(),
    ];
    h(Tag::Pair, &fields)
}

/// h1 = H("h1", suite, h0, R_i).
pub(super) fn h1(ctx: &PairContext<'_>, r_i: &PublicKeyBytes) -> [u8; 32] {
    h(Tag::PairH1, &[&[SUITE.id()], &h0(ctx), r_i.as_ref()])
}

/// h2 = H("h2", suite, h1, C_i, MAC_1, R_j).
pub(super) fn h2(h1: &[u8; 32], c_i: &[u8], mac_1: &[u8; 32], r_j: &PublicKeyBytes) -> [u8; 32] {
    h(Tag::PairH2, &[&[SUITE.id()], h1, c_i, mac_1, r_j.as_ref()])
}

/// h3 = H("h3", suite, h2, C_j): the pair hash PH.
pub(super) fn h3(h2: &[u8; 32], c_j: &[u8]) -> [u8; 32] {
    h(Tag::PairH3, &[&[SUITE.id()], h2, c_j])
}

/// H("2pa-r", suite, h3) or H("2pa-i", suite, h3): what responder and initiator sign.
pub(super) fn signing_hash(tag: Tag, h3: &[u8; 32]) -> [u8; 32] {
    h(tag, &[&[SUITE.id()], h3])
}

/// H("ss", suite, ss): what of the static secret is kept with the pair.
pub(super) fn static_hash(ss: &SharedSecret) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(h(Tag::StaticSecret, &[&[SUITE.id()], ss.as_bytes()]))
}

/// The key and nonce of C_i: KDF(h1; es; "c-i"), 32 + 12 bytes.
pub(super) fn c_i(h1: &[u8; 32], es: &SharedSecret) -> KeyNonce {
    let out = kdf::<44>(SUITE, Some(h1), &[es.as_bytes()], "c-i", &[]);
    KeyNonce::split(&out[..32], &out[32..])
}

/// MAC_1 = HMAC(KDF(h1; es, ss; "mac-i"), h1 ‖ C_i).
pub(super) fn mac_1(h1: &[u8; 32], es: &SharedSecret, ss: &SharedSecret, c_i: &[u8]) -> [u8; 32] {
    let key = kdf::<32>(SUITE, Some(h1), &[es.as_bytes(), ss.as_bytes()], "mac-i", &[]);
    hmac(&key, &[h1, c_i])
}

/// What follows from all four secrets: ck, never used itself.
pub(super) struct Chain {
    h2: [u8; 32],
    ck: Zeroizing<[u8; 32]>,
}

impl Chain {
    /// ck = KDF(h2; es, ss, ee, se; "ck").
    pub(super) fn new(h2: [u8; 32], secrets: [&SharedSecret; 4]) -> Self {
        let ck = kdf::<32>(SUITE, Some(&h2), &secrets.map(|s| s.as_bytes().as_slice()), "ck", &[]);
        Self { h2, ck }
    }

    /// The key and nonce of C_j: KDF(h2; ck; "c-r"), 32 + 12 bytes.
    pub(super) fn c_j(&self) -> KeyNonce {
        let out = kdf::<44>(SUITE, Some(&self.h2), &[self.ck.as_slice()], "c-r", &[]);
        KeyNonce::split(&out[..32], &out[32..])
    }

    /// MAC_2 = HMAC(KDF(h2; ck; "mac-r"), h3).
    pub(super) fn mac_2(&self, h3: &[u8; 32]) -> [u8; 32] {
        hmac(&kdf::<32>(SUITE, Some(&self.h2), &[self.ck.as_slice()], "mac-r", &[]), &[h3])
    }

    /// Ack = HMAC(KDF(h2; ck; "ack"), h3 ‖ MAC_2).
    pub(super) fn ack(&self, h3: &[u8; 32], mac_2: &[u8; 32]) -> [u8; 32] {
        hmac(&kdf::<32>(SUITE, Some(&self.h2), &[self.ck.as_slice()], "ack", &[]), &[h3, mac_2])
    }

    /// SK = KDF(h3; ck; "pair").
    pub(super) fn sk(&self, h3: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        kdf(SUITE, Some(h3), &[self.ck.as_slice()], "pair", &[])
    }
}

/// GCM(keys, from ‖ to ‖ R) with associated data.
pub(super) fn seal(
    keys: &KeyNonce,
    ad: &[u8; 32],
    from: &ParticipantId,
    to: &ParticipantId,
    r: &PublicKeyBytes,
) -> Vec<u8> {
    let mut plain = Zeroizing::new(Vec::with_capacity(SEALED_BYTES));
    for part in [from.as_ref(), to.as_ref(), r.as_ref()] {
        plain.extend_from_slice(part);
    }
    aead::encrypt(keys, ad, plain)
}

/// Opens such a ciphertext; it must hold exactly these.
pub(super) fn check_sealed(
    keys: &KeyNonce,
    ad: &[u8; 32],
    sealed: &[u8],
    [from, to]: [&ParticipantId; 2],
    r: &PublicKeyBytes,
) -> Result<(), PairError> {
    let plain = aead::decrypt(keys, ad, sealed).ok_or(PairError::Seal)?;
    let expected = [from.as_ref(), to.as_ref(), r.as_ref()].concat();
    if same(&plain, &expected) { Ok(()) } else { Err(PairError::Seal) }
}
