//! III-C "Upload phase" and III-E "Group member retrieval phase": what a producer sends, what BT asks of it, what a member checks.
//!
//! s = E_PK(SI, H(r)): no other randomness is printed than r, and r enters as H(r), which C publishes beside s. So E_PK is a
//! function of PK, SI and H(r); here an agreement with the ephemeral secret H(SI ‖ H(r)).

use super::{BASE, hash};
use crate::printed::pair::{decrypt, encrypt};
use medring_protocol::chebyshev::t;
use medring_protocol::identity::{IdentitySecret, Signature, SigningPk};
use medring_protocol::record::SigCheck;

/// ΔT, ms.
pub(crate) const WINDOW_MS: u64 = 60_000;

/// C_1 = S_SK(m, Sig, s, T, H(r)) with the public key sent along, and the block's receiver (III-A: "the receiver can use his/her
/// public key to retrieve his/her own block").
#[derive(Clone, PartialEq)]
pub(crate) struct Upload {
    /// PK_P; in PHR and APHR ID_G.
    pub(crate) receiver: Vec<u8>,
    pub(crate) m: Vec<u8>,
    pub(crate) s: Vec<u8>,
    /// Sig = S_SK(m, s).
    pub(crate) sig: Signature,
    pub(crate) stamp_ms: u64,
    pub(crate) h_r: [u8; 32],
    pub(crate) key: SigningPk,
    pub(crate) c: Signature,
}

/// What Sig is over.
pub(crate) fn signed(m: &[u8], s: &[u8]) -> [u8; 32] {
    hash(&[m, s])
}

impl Upload {
    pub(crate) fn new(by: &IdentitySecret, receiver: &[u8], [m, s]: [&[u8]; 2], stamp_ms: u64, h_r: [u8; 32]) -> Self {
        let sig = by.sign(&signed(m, s));
        let (receiver, m, s) = (receiver.to_vec(), m.to_vec(), s.to_vec());
        let key = by.public().signing;
        let mut upload = Self { receiver, m, s, sig, stamp_ms, h_r, key, c: sig };
        upload.c = by.sign(&upload.outer());
        upload
    }

    fn outer(&self) -> [u8; 32] {
        hash(&[&self.m, &self.sig.0, &self.s, &self.stamp_ms.to_be_bytes(), &self.h_r])
    }

    /// BT: opens C with the key that came with it, and "verifies whether the information transmission is within the legal
    /// time by calculating T_BT − T ≤ ΔT".
    pub(crate) fn bt_takes(&self, now_ms: i64) -> bool {
        let stamp_ms = i64::try_from(self.stamp_ms).unwrap();
        let window_ms = i64::try_from(WINDOW_MS).unwrap();
        SigCheck { key: self.key, hash: self.outer(), signature: self.c }.verify() && now_ms - stamp_ms <= window_ms
    }

    /// V_PK(Sig) = (m, s).
    pub(crate) fn sig_holds(&self, key: SigningPk) -> bool {
        SigCheck { key, hash: signed(&self.m, &self.s), signature: self.sig }.verify()
    }
}

/// E_PK(SI, H(r)).
pub(crate) fn seal(pk: &[u8; 256], si: &[u8], h_r: &[u8; 32]) -> Vec<u8> {
    let e = hash(&[si, h_r]);
    [&t(&e, &BASE)[..], &encrypt(&t(&e, pk), &[si, h_r].concat())].concat()
}

/// D_SK(s) = (SI, H(r)).
pub(crate) fn open(sk: &[u8; 32], s: &[u8]) -> Option<Vec<u8>> {
    let (ephemeral, sealed) = s.split_first_chunk::<256>()?;
    decrypt(&t(sk, ephemeral), sealed)
}

/// E_GSK(SI_G, Sig_H, Sig_D, Sig_P).
pub(crate) fn seal_to_group(gsk: &[u8; 32], si: &[u8], sigs: &[Signature]) -> Vec<u8> {
    let sigs: Vec<_> = sigs.iter().flat_map(|sig| sig.0).collect();
    encrypt(&wide(gsk), &[&sigs, si].concat())
}

/// D_GSK(s_G), as SI_G; `None` if it is not under this key.
pub(crate) fn open_in_group(gsk: &[u8; 32], s: &[u8], sigs: usize) -> Option<Vec<u8>> {
    decrypt(&wide(gsk), s).map(|plain| plain[64 * sigs..].to_vec())
}

/// GSK as a key of E.
fn wide(gsk: &[u8; 32]) -> [u8; 256] {
    let mut out = [0; 256];
    out[224..].copy_from_slice(gsk);
    out
}
