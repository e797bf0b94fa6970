//! The messages of our two-party agreement made by hand from whatever secrets someone has, after the spec and not after the code:
//! with the right four secrets and signature they are accepted, so with a wrong one it is that secret that was missing.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hmac::{Hmac, Mac};
use medring_protocol::chebyshev::{PublicKeyBytes, t};
use medring_protocol::group::message::{M1, M2, M3};
use medring_protocol::group::pair::PairContext;
use medring_protocol::hash::{Tag, h};
use medring_protocol::identity::{IdentitySecret, PublicKeys};
use medring_protocol::kdf::{Suite, kdf};
use sha2::Sha256;

const SUITE: Suite = Suite::T2Aes;
const ID: &[u8] = &[1];

/// What goes into ck.
#[derive(Clone, Copy)]
pub(crate) struct Secrets {
    pub(crate) es: [u8; 256],
    pub(crate) ss: [u8; 256],
    pub(crate) ee: [u8; 256],
    pub(crate) se: [u8; 256],
}

/// T_n of a public value: what whoever has n computes.
pub(crate) fn agree(n: &[u8; 32], y: &PublicKeyBytes) -> [u8; 256] {
    t(n, y.as_bytes())
}

fn gcm(keys: &[u8; 44], ad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut key = [0; 32];
    key.copy_from_slice(&keys[..32]);
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&keys[32..]);
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(key));
    cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: ad }).unwrap()
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut state = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| state.update(part));
    state.finalize().into_bytes().into()
}

fn plain(from: &PublicKeys, to: &PublicKeys, r: &PublicKeyBytes) -> Vec<u8> {
    [from.id().as_ref(), to.id().as_ref(), r.as_ref()].concat()
}

fn h1(ctx: &PairContext<'_>, r: &PublicKeyBytes) -> [u8; 32] {
    let index = ctx.index.to_be_bytes();
    let (i, j) = (ctx.initiator, ctx.responder);
    let (id_i, id_j) = (i.id(), j.id());
    let fields: [&[u8]; 7] =
        [ID, ctx.gid.as_ref(), &index, id_i.as_ref(), id_j.as_ref(), i.chebyshev.as_ref(), j.chebyshev.as_ref()];
    h(Tag::PairH1, &[ID, &h(Tag::Pair, &fields), r.as_ref()])
}

/// M1 with R_i.
pub(crate) fn m1(ctx: &PairContext<'_>, r: &PublicKeyBytes, es: &[u8; 256], ss: &[u8; 256]) -> M1 {
    let h1 = h1(ctx, r);
    let sealed = gcm(&kdf(SUITE, Some(&h1), &[es], "c-i", &[]), &h1, &plain(ctx.initiator, ctx.responder, r));
    let mac = mac(&kdf(SUITE, Some(&h1), &[es, ss], "mac-i", &[]), &[&h1, &sealed]);
    M1 { gid: ctx.gid, pair: ctx.index, ephemeral: *r, sealed, mac }
}

/// What both ends derive once all four secrets are there.
pub(crate) struct Derived {
    h2: [u8; 32],
    ck: [u8; 32],
    pub(crate) h3: [u8; 32],
    /// MAC_2.
    pub(crate) mac_2: [u8; 32],
    /// SK.
    pub(crate) sk: [u8; 32],
}

impl Derived {
    /// From M1, R_j and C_j as they were sent.
    pub(crate) fn new(ctx: &PairContext<'_>, m1: &M1, r_j: &PublicKeyBytes, c_j: &[u8], s: &Secrets) -> Self {
        let (h2, ck) = Self::ck(ctx, m1, r_j, s);
        let h3 = h(Tag::PairH3, &[ID, &h2, c_j]);
        let mac_2 = mac(&kdf(SUITE, Some(&h2), &[&ck], "mac-r", &[]), &[&h3]);
        let sk = *kdf(SUITE, Some(&h3), &[&ck], "pair", &[]);
        Self { h2, ck, h3, mac_2, sk }
    }

    fn ck(ctx: &PairContext<'_>, m1: &M1, r_j: &PublicKeyBytes, s: &Secrets) -> ([u8; 32], [u8; 32]) {
        let h1 = h1(ctx, &m1.ephemeral);
        let h2 = h(Tag::PairH2, &[ID, &h1, &m1.sealed, &m1.mac, r_j.as_ref()]);
        (h2, *kdf(SUITE, Some(&h2), &[&s.es, &s.ss, &s.ee, &s.se], "ck", &[]))
    }

    /// M2 with R_j, signed by `signer`.
    pub(crate) fn m2(
        ctx: &PairContext<'_>,
        m1: &M1,
        r_j: &PublicKeyBytes,
        secrets: &Secrets,
        signer: &IdentitySecret,
    ) -> (Self, M2) {
        let (h2, ck) = Self::ck(ctx, m1, r_j, secrets);
        let keys = kdf(SUITE, Some(&h2), &[&ck], "c-r", &[]);
        let sealed = gcm(&keys, &h2, &plain(ctx.responder, ctx.initiator, r_j));
        let derived = Self::new(ctx, m1, r_j, &sealed, secrets);
        let signature = signer.sign(&h(Tag::PairResponder, &[ID, &derived.h3]));
        let mac = derived.mac_2;
        (derived, M2 { gid: ctx.gid, pair: ctx.index, ephemeral: *r_j, sealed, mac, signature })
    }

    /// M3, signed by `signer`.
    pub(crate) fn m3(&self, ctx: &PairContext<'_>, signer: &IdentitySecret) -> M3 {
        let ack = mac(&kdf(SUITE, Some(&self.h2), &[&self.ck], "ack", &[]), &[&self.h3, &self.mac_2]);
        M3 { gid: ctx.gid, pair: ctx.index, ack, signature: signer.sign(&h(Tag::PairInitiator, &[ID, &self.h3])) }
    }
}
