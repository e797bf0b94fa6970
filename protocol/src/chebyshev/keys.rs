//! Key types: bytes as they travel, a public key that passed validation, a secret, and what two keys agree on.

use super::{field, jacobi::jacobi, ladder};
use crypto_bigint::U2048;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

byte_newtype!(
    /// A Chebyshev public value as it travels: 256 bytes, big-endian, of any value. [`PublicKey`] is the checked form.
    PublicKeyBytes, 256);

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not in 2 … p − 2.
    #[error(
        "Chebyshev public key out of range: it must lie strictly between 1 and p − 1; ask its owner for the key again"
    )]
    OutOfRange,
    /// In range, but on the twist, of small order or of order 2q.
    #[error("Chebyshev public key outside the order-q group; no honest key is: ask its owner for the key again")]
    NotInGroup,
    /// The secret was zero.
    #[error("Chebyshev secret key of zero bytes; restore the key from a backup or make a new one")]
    ZeroSecret,
}

/// A public value y = T_n(4) that passed the full check of spec/primitive: in range, and in the group of order q.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PublicKeyBytes", into = "PublicKeyBytes")]
pub struct PublicKey(PublicKeyBytes);

impl PublicKey {
    /// Accepts y iff 1 < y < p − 1, χ(2(y+1)) = +1 and χ(2(y−1)) = −1. Two Jacobi symbols, variable time: y is public.
    ///
    /// The symbols multiply to χ(y²−1) = −1, so y lies on the torus and not on the twist; and they say that y is T_2 of
    /// another value on the torus, so its order divides q and not just 2q. q is prime: only y = 1 has a smaller order.
    pub fn validate(bytes: &PublicKeyBytes) -> Result<Self, KeyError> {
        let p = field::P.as_ref();
        let y = U2048::from_be_slice(bytes.as_bytes());
        if y <= U2048::ONE || y >= p.wrapping_sub(&U2048::ONE) {
            return Err(KeyError::OutOfRange);
        }
        let twice = |value: U2048| value.double_mod(field::P.as_nz_ref());
        let plus = jacobi(&twice(y.wrapping_add(&U2048::ONE)), p);
        let minus = jacobi(&twice(y.wrapping_sub(&U2048::ONE)), p);
        if plus == 1 && minus == -1 { Ok(Self(*bytes)) } else { Err(KeyError::NotInGroup) }
    }

    /// The wire form.
    pub const fn bytes(&self) -> &PublicKeyBytes {
        &self.0
    }

    /// The 256 bytes, big-endian.
    pub const fn as_bytes(&self) -> &[u8; 256] {
        self.0.as_bytes()
    }
}

impl TryFrom<PublicKeyBytes> for PublicKey {
    type Error = KeyError;
    fn try_from(bytes: PublicKeyBytes) -> Result<Self, KeyError> {
        Self::validate(&bytes)
    }
}

impl From<PublicKey> for PublicKeyBytes {
    fn from(key: PublicKey) -> Self {
        key.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}…)", self.0.short())
    }
}

/// Whether the value is below p: the cheap check that consensus makes of an ephemeral value it will never use itself.
pub fn in_range(bytes: &[u8; 256]) -> bool {
    U2048::from_be_slice(bytes) < *field::P.as_ref()
}

/// A secret n in 1 … 2^256 − 1 with its public key T_n(4). Wiped on drop, redacted in `Debug`, never serialised.
#[derive(Clone)]
pub struct SecretKey {
    n: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl SecretKey {
    /// Length of the secret in bytes.
    pub const LEN: usize = 32;

    /// Draws 256 bits. Zero, the one value refused, is drawn again (and will not be in this universe).
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut n = Zeroizing::new([0; 32]);
        loop {
            rng.fill_bytes(n.as_mut());
            if let Ok(key) = Self::from_bytes(&n) {
                return key;
            }
        }
    }

    /// The secret from 32 big-endian bytes. Costs one ladder, for the public key.
    pub fn from_bytes(n: &[u8; 32]) -> Result<Self, KeyError> {
        if bool::from(n.as_slice().ct_eq(&[0; 32])) {
            return Err(KeyError::ZeroSecret);
        }
        // In the group by construction: the base has prime order q, which is above every n.
        let public = PublicKey(PublicKeyBytes(field::to_bytes(&ladder::t(n, &field::BASE))));
        Ok(Self { n: Zeroizing::new(*n), public })
    }

    /// A secret stored together with its public key, which is believed: no ladder.
    pub(crate) fn restored(n: &[u8; 32], public: PublicKey) -> Result<Self, KeyError> {
        if bool::from(n.as_slice().ct_eq(&[0; 32])) {
            return Err(KeyError::ZeroSecret);
        }
        Ok(Self { n: Zeroizing::new(*n), public })
    }

    /// The 32 secret bytes, for the keystore and nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.n
    }

    /// T_n(4).
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// T_n(y): what both sides of an agreement compute. Constant time; about a millisecond.
    pub fn agree(&self, other: &PublicKey) -> SharedSecret {
        let mut point = ladder::t(&self.n, &field::from_bytes(other.as_bytes()));
        let secret = SharedSecret(Zeroizing::new(field::to_bytes(&point)));
        point.zeroize();
        secret
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(redacted, public {}…)", self.public.0.short())
    }
}

/// T_rs(4), 256 bytes, wiped on drop. Input of a key derivation, never a key itself.
pub struct SharedSecret(Zeroizing<[u8; 256]>);

impl SharedSecret {
    /// An agreement that was stored.
    pub(crate) fn from_bytes(bytes: &[u8; 256]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The bytes, for the key derivation.
    pub fn as_bytes(&self) -> &[u8; 256] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(redacted)")
    }
}
