//! The two-party agreement U_i → U_j of a ring (spec: groups): three messages, each end authenticated twice, and nothing
//! accepted before it was checked.
//!
//! ```text
//! U_i  Initiator::start   ── M1: R_i, C_i, MAC_1 ──────▶  Responder::respond  U_j
//!      Initiator::finish  ◀── M2: R_j, C_j, MAC_2, Sig ──
//!      Pair               ── M3: Ack, Sig ─────────────▶  Responder::accept → Pair
//! ```
//!
//! Five ladders at each end. Each end is a value that can be stored between its two steps. Signatures are checked before
//! ladders, membership before either.

use super::message::{M1, M2, M3};
use super::pair_keys::{self as keys, Chain, SEALED_BYTES, SUITE, same};
use crate::chebyshev::{PublicKey, PublicKeyBytes, SecretKey, SharedSecret};
use crate::codec;
use crate::hash::{Gid, Tag};
use crate::identity::{IdentitySecret, PublicKeys};
use crate::kdf::kdf;
use crate::record::SigCheck;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// Between whom, and for what. Both ends hold the same.
#[derive(Clone, Copy, Debug)]
pub struct PairContext<'a> {
    /// The epoch.
    pub gid: Gid,
    /// i, from 0: the pair U_(i+1) → U_(i+2), the last → U_1.
    pub index: u16,
    /// U_i as the roster has it.
    pub initiator: &'a PublicKeys,
    /// U_j as the roster has it.
    pub responder: &'a PublicKeys,
}

/// Why a message of the agreement was refused. Nothing of it is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// An element outside the order-q group, or keys that are not the ones of this context.
    #[error("a key of the agreement is not in the group, or not of this pair")]
    Key,
    /// Another epoch or pair, or a ciphertext of a length that cannot be.
    #[error("the message is not one of this agreement")]
    Malformed,
    /// MAC_1, MAC_2 or Ack.
    #[error("a MAC of the agreement does not hold")]
    Mac,
    /// C_i or C_j.
    #[error("a ciphertext of the agreement does not open, or names others")]
    Seal,
    /// Of the responder in M2, or of the initiator in M3.
    #[error("a signature of the agreement does not hold")]
    Signature,
}

/// Stored bytes that are not what they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are no {0}; restore the group's state from a sound copy, or pair anew")]
pub struct StoredError(pub &'static str);

/// What two neighbours share. Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct Pair {
    /// SK.
    pub sk: Zeroizing<[u8; 32]>,
    /// H("ss", suite, ss).
    pub ss: Zeroizing<[u8; 32]>,
    /// PH: h3 of the agreement, public, the same in every epoch the pair lasts.
    pub hash: [u8; 32],
}

impl Pair {
    /// Length of the stored form.
    pub const LEN: usize = 96;

    /// The pair in the next epoch: SK^e = KDF(GID_e; SK; "ratchet"). One way, no ladder.
    #[must_use]
    pub fn ratchet(&self, gid: &Gid) -> Self {
        let sk = kdf(SUITE, Some(gid.as_bytes()), &[self.sk.as_slice()], "ratchet", &[]);
        Self { sk, ss: self.ss.clone(), hash: self.hash }
    }

    /// SK ‖ H("ss", …) ‖ PH.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut out = Zeroizing::new([0; Self::LEN]);
        out[..32].copy_from_slice(self.sk.as_slice());
        out[32..64].copy_from_slice(self.ss.as_slice());
        out[64..].copy_from_slice(&self.hash);
        out
    }

    /// From the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let (parts, []) = bytes.as_chunks::<32>() else { return Err(StoredError("pair")) };
        let [sk, ss, hash] = parts else { return Err(StoredError("pair")) };
        Ok(Self { sk: Zeroizing::new(*sk), ss: Zeroizing::new(*ss), hash: *hash })
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair({}…, redacted)", hex::encode(&self.hash[..4]))
    }
}

/// What an observer without any secret can check of an agreement: its place, elements, lengths and both signatures. Gives PH.
pub fn observe(ctx: &PairContext<'_>, m1: &M1, m2: &M2, m3: &M3) -> Result<[u8; 32], PairError> {
    for (gid, pair) in [(&m1.gid, m1.pair), (&m2.gid, m2.pair), (&m3.gid, m3.pair)] {
        belongs(ctx, gid, pair)?;
    }
    if m1.sealed.len() != SEALED_BYTES || m2.sealed.len() != SEALED_BYTES {
        return Err(PairError::Malformed);
    }
    for key in [&ctx.initiator.chebyshev, &ctx.responder.chebyshev, &m1.ephemeral, &m2.ephemeral] {
        element(key)?;
    }
    let h2 = keys::h2(&keys::h1(ctx, &m1.ephemeral), &m1.sealed, &m1.mac, &m2.ephemeral);
    let h3 = keys::h3(&h2, &m2.sealed);
    let signed = |tag, keys: &PublicKeys, signature| {
        SigCheck { key: keys.signing, hash: keys::signing_hash(tag, &h3), signature }.verify()
    };
    let both = signed(Tag::PairResponder, ctx.responder, m2.signature)
        && signed(Tag::PairInitiator, ctx.initiator, m3.signature);
    if both { Ok(h3) } else { Err(PairError::Signature) }
}

/// The checked long-term keys of both ends. `me` must be the end named `mine`.
fn checked(ctx: &PairContext<'_>, me: &IdentitySecret, mine: &PublicKeys) -> Result<[PublicKey; 2], PairError> {
    if me.public() != *mine || ctx.initiator.id() == ctx.responder.id() {
        return Err(PairError::Key);
    }
    Ok([element(&ctx.initiator.chebyshev)?, element(&ctx.responder.chebyshev)?])
}

fn element(bytes: &PublicKeyBytes) -> Result<PublicKey, PairError> {
    PublicKey::validate(bytes).map_err(|_| PairError::Key)
}

fn belongs(ctx: &PairContext<'_>, gid: &Gid, pair: u16) -> Result<(), PairError> {
    if *gid == ctx.gid && pair == ctx.index { Ok(()) } else { Err(PairError::Malformed) }
}

/// U_i between M1 and M2. Holds r_i, es and ss: wiped on drop, redacted in `Debug`.
pub struct Initiator {
    r: SecretKey,
    es: SharedSecret,
    ss: SharedSecret,
    m1: M1,
}

impl Initiator {
    /// Draws r_i and makes M1. Three ladders.
    pub fn start(ctx: &PairContext<'_>, me: &IdentitySecret, rng: &mut dyn CryptoRng) -> Result<(Self, M1), PairError> {
        let [_, y_j] = checked(ctx, me, ctx.initiator)?;
        let r = SecretKey::generate(rng);
        let (es, ss) = (r.agree(&y_j), me.chebyshev().agree(&y_j));
        let ephemeral = *r.public().bytes();
        let h1 = keys::h1(ctx, &ephemeral);
        let sealed = keys::seal(&keys::c_i(&h1, &es), &h1, &ctx.initiator.id(), &ctx.responder.id(), &ephemeral);
        let mac = keys::mac_1(&h1, &es, &ss, &sealed);
        let m1 = M1 { gid: ctx.gid, pair: ctx.index, ephemeral, sealed, mac };
        Ok((Self { r, es, ss, m1: m1.clone() }, m1))
    }

    /// M1, to be sent again.
    pub fn m1(&self) -> &M1 {
        &self.m1
    }

    /// Checks M2 and makes M3. Two ladders, after R_j and the signature were found good.
    pub fn finish(&self, ctx: &PairContext<'_>, me: &IdentitySecret, m2: &M2) -> Result<(Pair, M3), PairError> {
        belongs(ctx, &m2.gid, m2.pair)?;
        belongs(ctx, &self.m1.gid, self.m1.pair)?;
        if m2.sealed.len() != SEALED_BYTES {
            return Err(PairError::Malformed);
        }
        checked(ctx, me, ctx.initiator)?;
        let r_j = element(&m2.ephemeral)?;
        let h1 = keys::h1(ctx, &self.m1.ephemeral);
        let h2 = keys::h2(&h1, &self.m1.sealed, &self.m1.mac, &m2.ephemeral);
        let h3 = keys::h3(&h2, &m2.sealed);
        let hash = keys::signing_hash(Tag::PairResponder, &h3);
        if !(SigCheck { key: ctx.responder.signing, hash, signature: m2.signature }).verify() {
            return Err(PairError::Signature);
        }
        let (ee, se) = (self.r.agree(&r_j), me.chebyshev().agree(&r_j));
        let chain = Chain::new(h2, [&self.es, &self.ss, &ee, &se]);
        if !same(&chain.mac_2(&h3), &m2.mac) {
            return Err(PairError::Mac);
        }
        keys::check_sealed(&chain.c_j(), &h2, &m2.sealed, [&ctx.responder.id(), &ctx.initiator.id()], &m2.ephemeral)?;
        let signature = me.sign(&keys::signing_hash(Tag::PairInitiator, &h3));
        let m3 = M3 { gid: ctx.gid, pair: ctx.index, ack: chain.ack(&h3, &m2.mac), signature };
        Ok((Pair { sk: chain.sk(&h3), ss: keys::static_hash(&self.ss), hash: h3 }, m3))
    }

    /// r_i ‖ es ‖ ss ‖ M1 in the codec.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let m1 = codec::encode(&self.m1);
        let secrets: [&[u8]; 3] = [self.r.expose(), self.es.as_bytes(), self.ss.as_bytes()];
        joined(&secrets, &m1)
    }

    /// From the stored form. No ladder.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let read = || {
            let (r, rest) = bytes.split_first_chunk::<32>()?;
            let (es, rest) = rest.split_first_chunk::<256>()?;
            let (ss, rest) = rest.split_first_chunk::<256>()?;
            let m1: M1 = codec::decode(rest, STORED_MESSAGE_BYTES_MAX).ok()?;
            let r = SecretKey::restored(r, PublicKey::validate(&m1.ephemeral).ok()?).ok()?;
            Some(Self { r, es: SharedSecret::from_bytes(es), ss: SharedSecret::from_bytes(ss), m1 })
        };
        read().ok_or(StoredError("initiator of an agreement"))
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Initiator({:?}, pair {}, redacted)", self.m1.gid, self.m1.pair)
    }
}

/// Either message takes less.
const STORED_MESSAGE_BYTES_MAX: usize = 1024;

/// Secrets and a public rest, in one allocation.
fn joined(secrets: &[&[u8]], public: &[u8]) -> Zeroizing<Vec<u8>> {
    let len = secrets.iter().map(|s| s.len()).sum::<usize>() + public.len();
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    secrets.iter().for_each(|s| out.extend_from_slice(s));
    out.extend_from_slice(public);
    out
}

/// U_j between M2 and M3. r_j is gone already; the pair is here, and not given out before M3 holds.
pub struct Responder {
    pair: Pair,
    ack: Zeroizing<[u8; 32]>,
    m1: M1,
    m2: M2,
}

impl Responder {
    /// Checks M1, draws r_j and makes M2. One ladder before C_i is checked, a second before MAC_1, three after.
    pub fn respond(
        ctx: &PairContext<'_>,
        me: &IdentitySecret,
        m1: &M1,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, M2), PairError> {
        belongs(ctx, &m1.gid, m1.pair)?;
        if m1.sealed.len() != SEALED_BYTES {
            return Err(PairError::Malformed);
        }
        let [y_i, _] = checked(ctx, me, ctx.responder)?;
        let r_i = element(&m1.ephemeral)?;
        let (id_i, id_j) = (ctx.initiator.id(), ctx.responder.id());
        let h1 = keys::h1(ctx, &m1.ephemeral);
        let es = me.chebyshev().agree(&r_i);
        keys::check_sealed(&keys::c_i(&h1, &es), &h1, &m1.sealed, [&id_i, &id_j], &m1.ephemeral)?;
        let ss = me.chebyshev().agree(&y_i);
        if !same(&keys::mac_1(&h1, &es, &ss, &m1.sealed), &m1.mac) {
            return Err(PairError::Mac);
        }
        let r = SecretKey::generate(rng);
        let ephemeral = *r.public().bytes();
        let (ee, se) = (r.agree(&r_i), r.agree(&y_i));
        let h2 = keys::h2(&h1, &m1.sealed, &m1.mac, &ephemeral);
        let chain = Chain::new(h2, [&es, &ss, &ee, &se]);
        let sealed = keys::seal(&chain.c_j(), &h2, &id_j, &id_i, &ephemeral);
        let h3 = keys::h3(&h2, &sealed);
        let mac = chain.mac_2(&h3);
        let signature = me.sign(&keys::signing_hash(Tag::PairResponder, &h3));
        let m2 = M2 { gid: ctx.gid, pair: ctx.index, ephemeral, sealed, mac, signature };
        let pair = Pair { sk: chain.sk(&h3), ss: keys::static_hash(&ss), hash: h3 };
        let ack = Zeroizing::new(chain.ack(&h3, &mac));
        Ok((Self { pair, ack, m1: m1.clone(), m2: m2.clone() }, m2))
    }

    /// Whether this M1 is the one that was answered: a duplicate gets [`Self::m2`] again, another is refused.
    pub fn answered(&self, m1: &M1) -> bool {
        self.m1 == *m1
    }

    /// M2, to be sent again.
    pub fn m2(&self) -> &M2 {
        &self.m2
    }

    /// Checks M3 and gives out the pair. No ladder.
    pub fn accept(&self, ctx: &PairContext<'_>, m3: &M3) -> Result<Pair, PairError> {
        belongs(ctx, &m3.gid, m3.pair)?;
        belongs(ctx, &self.m2.gid, self.m2.pair)?;
        let hash = keys::signing_hash(Tag::PairInitiator, &self.pair.hash);
        if !(SigCheck { key: ctx.initiator.signing, hash, signature: m3.signature }).verify() {
            return Err(PairError::Signature);
        }
        if same(self.ack.as_slice(), &m3.ack) { Ok(self.pair.clone()) } else { Err(PairError::Mac) }
    }

    /// Pair ‖ Ack ‖ M1 and M2 in the codec.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let messages = codec::encode(&(&self.m1, &self.m2));
        let pair = self.pair.to_bytes();
        joined(&[pair.as_slice(), self.ack.as_slice()], &messages)
    }

    /// From the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let read = || {
            let (pair, rest) = bytes.split_first_chunk::<{ Pair::LEN }>()?;
            let (ack, rest) = rest.split_first_chunk::<32>()?;
            let (m1, m2) = codec::decode(rest, 2 * STORED_MESSAGE_BYTES_MAX).ok()?;
            Some(Self { pair: Pair::from_bytes(pair).ok()?, ack: Zeroizing::new(*ack), m1, m2 })
        };
        read().ok_or(StoredError("responder of an agreement"))
    }
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Responder({:?}, pair {}, redacted)", self.m2.gid, self.m2.pair)
    }
}
