//! The ring of one epoch (spec: groups): from the pairs at each side of a member to one key that all confirm.
//!
//! Hashes, XORs and signatures only: no ladder. Indices count from 0; the pair i lies between U_(i+1) and U_(i+2), so the
//! pair before the member with index i is i − 1, around the ring.

use super::descriptor::EpochDescriptor;
use super::machine::Fingerprint;
use super::message::{Confirm, Disclosure, Share};
use super::pair::{Pair, StoredError};
use super::pair_keys::{SUITE, hmac, same};
use super::signing;
use crate::hash::{ChainId, Commitment, Gid, ParticipantId, RecordId, Tag, h};
use crate::identity::{IdentitySecret, Signature};
use crate::kdf::{framed, kdf};
use crate::record::{Content, EpochCommit, Kind, Receiver, SigCheck};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// B_i = KDF(GID; SK^e, H("ss", ss); "B", i, ID_i, ID_(i+1)).
pub fn b_value(
    gid: &Gid,
    index: u16,
    id_i: &ParticipantId,
    id_next: &ParticipantId,
    pair: &Pair,
) -> Zeroizing<[u8; 32]> {
    let secrets = [pair.sk.as_slice(), pair.ss.as_slice()];
    kdf(SUITE, Some(gid.as_bytes()), &secrets, "B", &[&index.to_be_bytes(), id_i.as_ref(), id_next.as_ref()])
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|k| a[k] ^ b[k])
}

/// X_i = B_(i−1) ⊕ B_i with both pair hashes, signed.
pub fn share(
    gid: &Gid,
    index: u16,
    [b_before, b_after]: [&[u8; 32]; 2],
    [pair_before, pair_after]: [&Pair; 2],
    me: &IdentitySecret,
) -> Share {
    let mut share = Share {
        gid: *gid,
        index,
        x: xor(b_before, b_after),
        pair_before: pair_before.hash,
        pair_after: pair_after.hash,
        signature: Signature::ZERO,
    };
    share.signature = me.sign(&share_hash(&share));
    share
}

/// H("x", suite, GID, i, X_i, PH_(i−1), PH_i): what U_i signs.
pub fn share_hash(share: &Share) -> [u8; 32] {
    let fields: [&[u8]; 6] = [
        &[SUITE.id()],
        share.gid.as_ref(),
        &share.index.to_be_bytes(),
        &share.x,
        &share.pair_before,
        &share.pair_after,
    ];
    h(Tag::RingShare, &fields)
}

/// What is wrong with the shares or confirmations of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingFault {
    /// Not one for each member, or not in order.
    #[error("not one message of each member, in the order of the ring")]
    Count,
    /// For another epoch.
    #[error("a message is for another epoch")]
    Epoch,
    /// Does not hold.
    #[error("a signature does not hold")]
    Signature,
    /// The two ends of this pair report different pair hashes.
    #[error("the two ends of pair {0} did not agree on one secret")]
    Pair(u16),
    /// ⊕ X ≠ 0.
    #[error("the shares do not close the ring")]
    Sum,
    /// Unrolling does not come back to one's own B.
    #[error("the ring does not come back to this member's own value")]
    Unroll,
    /// A confirmation is not what this member's key gives.
    #[error("a confirmation is not for the key that this member has")]
    Mac,
}

/// A fault, and who did it if that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct RingError {
    /// What.
    pub fault: RingFault,
    /// Index of the one member who can have caused it.
    pub accused: Option<u16>,
}

impl RingError {
    const fn of_all(fault: RingFault) -> Self {
        Self { fault, accused: None }
    }

    const fn of(fault: RingFault, index: u16) -> Self {
        Self { fault, accused: Some(index) }
    }
}

fn signed_by(ed: &EpochDescriptor, index: u16, hash: [u8; 32], signature: Signature) -> Result<(), RingError> {
    let member = ed.roster.get(usize::from(index)).ok_or(RingError::of_all(RingFault::Count))?;
    let check = SigCheck { key: member.keys.signing, hash, signature };
    if check.verify() { Ok(()) } else { Err(RingError::of(RingFault::Signature, index)) }
}

/// One share alone: its epoch, index and signature.
pub fn check_share(ed: &EpochDescriptor, gid: &Gid, share: &Share) -> Result<(), RingError> {
    if share.gid != *gid {
        return Err(RingError::of_all(RingFault::Epoch));
    }
    signed_by(ed, share.index, share_hash(share), share.signature)
}

/// All n shares, by index: each as [`check_share`], both ends of each pair report one PH, and ⊕ X = 0.
pub fn check_shares(ed: &EpochDescriptor, shares: &[Share]) -> Result<(), RingError> {
    let in_order = (0_u16..).zip(shares).all(|(i, share)| share.index == i);
    if shares.len() != ed.roster.len() || !in_order {
        return Err(RingError::of_all(RingFault::Count));
    }
    let gid = ed.gid();
    shares.iter().try_for_each(|share| check_share(ed, &gid, share))?;
    let following = shares.iter().cycle().skip(1);
    if let Some((share, _)) = shares.iter().zip(following).find(|(a, b)| a.pair_after != b.pair_before) {
        return Err(RingError::of_all(RingFault::Pair(share.index)));
    }
    let sum = shares.iter().fold([0; 32], |sum, share| xor(&sum, &share.x));
    if sum == [0; 32] { Ok(()) } else { Err(RingError::of_all(RingFault::Sum)) }
}

/// All B by index of their pair, from one's own B_i and the X of the others: B_(i+1) = X_(i+1) ⊕ B_i, around the ring.
/// `shares` are all n by index and passed [`check_shares`]; `index` is one's own.
pub fn unroll(index: u16, b_after: &[u8; 32], shares: &[Share]) -> Zeroizing<Vec<[u8; 32]>> {
    let n = shares.len();
    let mut bs = Zeroizing::new(vec![[0; 32]; n]);
    let mut b = Zeroizing::new(*b_after);
    for step in 0..n {
        let at = (usize::from(index) + step) % n;
        if step > 0 {
            *b = xor(&b, &shares[at].x);
        }
        bs[at] = *b;
    }
    bs
}

/// Unrolls, and compares the B_(i−1) that comes out with one's own, in constant time.
pub fn unroll_checked(
    index: u16,
    [b_before, b_after]: [&[u8; 32]; 2],
    shares: &[Share],
) -> Result<Zeroizing<Vec<[u8; 32]>>, RingError> {
    let n = shares.len();
    if usize::from(index) >= n {
        return Err(RingError::of_all(RingFault::Count));
    }
    let bs = unroll(index, b_after, shares);
    let before = (usize::from(index) + n - 1) % n;
    if same(&bs[before], b_before) { Ok(bs) } else { Err(RingError::of_all(RingFault::Unroll)) }
}

/// th = H("th", suite, GID, then each share without its signature: GID ‖ i ‖ X_i ‖ PH_(i−1) ‖ PH_i, 130 bytes).
pub fn transcript(gid: &Gid, shares: &[Share]) -> [u8; 32] {
    let plain =
        |s: &Share| [s.gid.as_ref(), &s.index.to_be_bytes(), s.x.as_slice(), &s.pair_before, &s.pair_after].concat();
    let messages: Vec<Vec<u8>> = shares.iter().map(plain).collect();
    let suite = [SUITE.id()];
    let mut fields: Vec<&[u8]> = vec![&suite, gid.as_ref()];
    fields.extend(messages.iter().map(Vec::as_slice));
    h(Tag::RingTranscript, &fields)
}

/// GSK of an epoch and what follows from it. Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct EpochKeys {
    /// GSK.
    pub gsk: Zeroizing<[u8; 32]>,
    /// Confirms that all members hold one key.
    pub k_conf: Zeroizing<[u8; 32]>,
    /// Seals the secret r of each record to the group.
    pub k_rec: Zeroizing<[u8; 32]>,
    /// Reserved.
    pub k_idx: Zeroizing<[u8; 32]>,
    /// Gives the fingerprint that people compare.
    pub k_exp: Zeroizing<[u8; 32]>,
}

impl EpochKeys {
    /// Length of the stored form.
    pub const LEN: usize = 160;

    /// (k_conf, k_rec, k_idx, k_exp) = KDF(th; GSK; "keys"), 4 · 32 bytes.
    fn new(th: &[u8; 32], gsk: Zeroizing<[u8; 32]>) -> Self {
        let out = kdf::<128>(SUITE, Some(th), &[gsk.as_slice()], "keys", &[]);
        let key = |i: usize| {
            let mut key = Zeroizing::new([0; 32]);
            key.copy_from_slice(&out[32 * i..32 * (i + 1)]);
            key
        };
        Self { gsk, k_conf: key(0), k_rec: key(1), k_idx: key(2), k_exp: key(3) }
    }

    /// GSK ‖ k_conf ‖ k_rec ‖ k_idx ‖ k_exp.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut out = Zeroizing::new([0; Self::LEN]);
        let keys = [&self.gsk, &self.k_conf, &self.k_rec, &self.k_idx, &self.k_exp];
        for (part, key) in out.chunks_exact_mut(32).zip(keys) {
            part.copy_from_slice(key.as_slice());
        }
        out
    }

    /// From the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        let (parts, []) = bytes.as_chunks::<32>() else { return Err(StoredError("keys of an epoch")) };
        let [gsk, k_conf, k_rec, k_idx, k_exp] = parts else { return Err(StoredError("keys of an epoch")) };
        let key = |bytes: &[u8; 32]| Zeroizing::new(*bytes);
        Ok(Self { gsk: key(gsk), k_conf: key(k_conf), k_rec: key(k_rec), k_idx: key(k_idx), k_exp: key(k_exp) })
    }
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EpochKeys(redacted)")
    }
}

/// GSK = KDF(th; B_1 … B_n; "gsk"), and the keys of the epoch.
pub fn epoch_keys(th: &[u8; 32], bs: &[[u8; 32]]) -> EpochKeys {
    let secrets: Vec<&[u8]> = bs.iter().map(<[u8; 32]>::as_slice).collect();
    EpochKeys::new(th, kdf(SUITE, Some(th), &secrets, "gsk", &[]))
}

/// The epoch of a group of one: th = H("th", suite, GID), and GSK is random.
pub fn alone(gid: &Gid, random_key: &[u8; 32]) -> ([u8; 32], EpochKeys) {
    let th = transcript(gid, &[]);
    (th, EpochKeys::new(&th, Zeroizing::new(*random_key)))
}

/// H("fp", suite, k_exp).
pub fn fingerprint(keys: &EpochKeys) -> Fingerprint {
    Fingerprint(h(Tag::Fingerprint, &[&[SUITE.id()], keys.k_exp.as_slice()]))
}

/// mac_i = HMAC(k_conf, LP(suite) ‖ LP(GID) ‖ LP(i) ‖ LP(th)).
fn confirm_mac(gid: &Gid, index: u16, th: &[u8; 32], keys: &EpochKeys) -> [u8; 32] {
    hmac(&keys.k_conf, &[&framed(&[&[SUITE.id()], gid.as_ref(), &index.to_be_bytes(), th])])
}

/// H("confirm", suite, GID, i, th, mac_i): what U_i signs.
pub fn confirm_hash(confirm: &Confirm, th: &[u8; 32]) -> [u8; 32] {
    let fields: [&[u8]; 5] = [&[SUITE.id()], confirm.gid.as_ref(), &confirm.index.to_be_bytes(), th, &confirm.mac];
    h(Tag::Confirm, &fields)
}

/// One's own confirmation.
pub fn confirm(gid: &Gid, index: u16, th: &[u8; 32], keys: &EpochKeys, me: &IdentitySecret) -> Confirm {
    let mac = confirm_mac(gid, index, th, keys);
    let mut confirm = Confirm { gid: *gid, index, mac, signature: Signature::ZERO };
    confirm.signature = me.sign(&confirm_hash(&confirm, th));
    confirm
}

/// Another's: epoch, signature, and the MAC recomputed. A wrong MAC accuses nobody: the sender may be the victim whose
/// neighbours gave it another key. A wrong signature may also mean another transcript, so it accuses nobody either.
pub fn check_confirm(
    ed: &EpochDescriptor,
    gid: &Gid,
    th: &[u8; 32],
    keys: &EpochKeys,
    confirm: &Confirm,
) -> Result<(), RingError> {
    if confirm.gid != *gid {
        return Err(RingError::of_all(RingFault::Epoch));
    }
    signed_by(ed, confirm.index, confirm_hash(confirm, th), confirm.signature)
        .map_err(|error| RingError::of_all(error.fault))?;
    let expected = confirm_mac(gid, confirm.index, th, keys);
    if same(&expected, &confirm.mac) { Ok(()) } else { Err(RingError::of_all(RingFault::Mac)) }
}

/// H("confirms", suite, mac_1, …, mac_n).
pub fn confirms_hash(macs: &[[u8; 32]]) -> [u8; 32] {
    let suite = [SUITE.id()];
    let mut fields: Vec<&[u8]> = vec![&suite];
    fields.extend(macs.iter().map(<[u8; 32]>::as_slice));
    h(Tag::Confirms, &fields)
}

/// What the owner puts on the chain once it holds all n confirmations, by index.
pub fn commit(gid: &Gid, th: &[u8; 32], macs: &[[u8; 32]]) -> EpochCommit {
    EpochCommit { gid: *gid, transcript: *th, confirms: confirms_hash(macs) }
}

/// RecordId of an EpochCommit: nothing in it but what all members know.
pub fn commit_record_id(chain: &ChainId, uploader: &ParticipantId, commit: &EpochCommit) -> RecordId {
    let content = Content {
        kind: Kind::EpochCommit,
        uploader: *uploader,
        receiver: Receiver::None,
        commitment: Commitment::ZERO,
        public: commit.encode(),
        sealed: Vec::new(),
    };
    content.id(chain)
}

/// One's own disclosure of a dead attempt, signed.
pub fn disclose(gid: &Gid, index: u16, [b_before, b_after]: [&[u8; 32]; 2], me: &IdentitySecret) -> Disclosure {
    let signature = me.sign(&signing::disclose_hash(gid, index, b_before, b_after));
    Disclosure { gid: *gid, index, b_before: *b_before, b_after: *b_after, signature }
}

/// Whether a disclosure is for this epoch and signed by the member it names.
pub fn check_disclosure(ed: &EpochDescriptor, gid: &Gid, d: &Disclosure) -> Result<(), RingError> {
    if d.gid != *gid {
        return Err(RingError::of_all(RingFault::Epoch));
    }
    signed_by(ed, d.index, signing::disclose_hash(gid, d.index, &d.b_before, &d.b_after), d.signature)
}

/// Who lied in a dead attempt, ascending. `shares` are all n, by index. A member whose X is not the XOR of the B it disclosed
/// is convicted. Of two neighbours who disclose different B for their pair one lied and it cannot be told which: both are named,
/// unless one of them is convicted already, or is the owner (who asks, and knows its own). Disclosures that do
/// not pass [`check_disclosure`] count as absent; absence convicts nobody here.
pub fn check_disclosures(ed: &EpochDescriptor, shares: &[Share], disclosures: &[Disclosure]) -> Vec<u16> {
    let gid = ed.gid();
    let of = |index: u16| disclosures.iter().find(|d| d.index == index && check_disclosure(ed, &gid, d).is_ok());
    let indices = || (0_u16..).take(ed.roster.len());
    let mut liars: BTreeSet<u16> = indices()
        .filter(|i| match (of(*i), shares.get(usize::from(*i))) {
            (Some(d), Some(share)) => xor(&d.b_before, &d.b_after) != share.x,
            _ => false,
        })
        .collect();
    let convicted = liars.clone();
    let is_owner = |i: u16| ed.roster[usize::from(i)].keys.id() == ed.owner;
    for i in indices() {
        let next = if usize::from(i) + 1 == ed.roster.len() { 0 } else { i + 1 };
        let (Some(a), Some(b)) = (of(i), of(next)) else { continue };
        if a.b_after == b.b_before || convicted.contains(&i) || convicted.contains(&next) {
            continue;
        }
        liars.extend([i, next].into_iter().filter(|who| !is_owner(*who)));
    }
    liars.into_iter().collect()
}
