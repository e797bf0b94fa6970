//! r, the one secret of a record, and its public commitment c.

use super::derive::SUITE;
use crate::hash::{Commitment, Tag, h};
use rand::CryptoRng;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// r: 32 random bytes that open one record. Giving it away discloses that record and nothing else.
/// Wiped on drop, redacted in `Debug`.
#[derive(Clone)]
pub struct RecordSecret(Zeroizing<[u8; 32]>);

impl RecordSecret {
    /// Draws r. Called inside `seal` alone, so that no two records share one.
    pub(super) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut r = Zeroizing::new([0; 32]);
        rng.fill_bytes(r.as_mut());
        Self(r)
    }

    /// An r that was disclosed, or kept by the wallet.
    pub fn from_bytes(r: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*r))
    }

    /// The 32 secret bytes, for the wallet, a disclosure or an APHR's source list.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// c = H("commit", suite, r), the paper's public H(r).
    pub fn commitment(&self) -> Commitment {
        Commitment(h(Tag::Commit, &[&[SUITE.id()], self.0.as_slice()]))
    }

    /// Whether c commits to this r.
    pub fn belongs_to(&self, c: &Commitment) -> bool {
        self.commitment().as_bytes().as_slice().ct_eq(c.as_bytes()).into()
    }
}

impl fmt::Debug for RecordSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordSecret(redacted)")
    }
}
