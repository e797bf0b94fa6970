//! The two key pairs of a participant.

use crate::chebyshev;
use crate::hash::{ParticipantId, Tag, h};
use crate::kdf::Suite;
use ed25519_dalek::Signer;
use serde::{Deserialize, Serialize};

byte_newtype!(
    /// An Ed25519 verification key as 32 bytes, not yet checked.
    SigningPk, 32);
byte_newtype!(
    /// Name of one public key: "no key in two enrolments" is kept by this.
    KeyHash, 32);
byte_newtype!(
    /// An Ed25519 signature.
    Signature, 64);

/// Both public keys of a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeys {
    /// V: verifies what the participant signs.
    pub signing: SigningPk,
    /// T_s(x): others seal to it.
    pub chebyshev: chebyshev::PublicKeyBytes,
}

impl PublicKeys {
    /// ParticipantId = H("id", suite, ed25519_pk, chebyshev_pk).
    pub fn id(&self) -> ParticipantId {
        ParticipantId(h(Tag::Id, &[&[Suite::T2Aes.id()], self.signing.as_ref(), self.chebyshev.as_ref()]))
    }

    /// Names of the two keys, for uniqueness: H("key", suite, key).
    pub fn key_hashes(&self) -> [KeyHash; 2] {
        let suite = [Suite::T2Aes.id()];
        [self.signing.as_ref(), self.chebyshev.as_ref()].map(|key| KeyHash(h(Tag::Key, &[&suite, key])))
    }

    /// R-ENROL's check of the keys themselves: the signing key canonical and of prime order, the Chebyshev key in the
    /// order-q group. About 0.2 ms. The error says which and how.
    pub fn validate(&self) -> Result<(), &'static str> {
        validate_signing(&self.signing)?;
        chebyshev::PublicKey::validate(&self.chebyshev)
            .map(drop)
            .map_err(|_| "the Chebyshev key is not in the order-q group of T2-2048")
    }
}

fn validate_signing(key: &SigningPk) -> Result<(), &'static str> {
    // from_bytes refuses what is not on the curve and reduces y, so re-encoding refuses non-canonical bytes; the identity
    // and its small-order kin are weak; any other torsion component shows under multiplication by the prime order.
    let parsed = ed25519_dalek::VerifyingKey::from_bytes(&key.0).map_err(|_| "the signing key is no Ed25519 point")?;
    let point = parsed.to_edwards();
    if point.compress().to_bytes() != key.0 {
        return Err("the signing key is not in canonical form");
    }
    if parsed.is_weak() || !point.is_torsion_free() {
        return Err("the signing key is not of prime order");
    }
    Ok(())
}

/// Both secret keys of a participant. Wiped when dropped; never printed.
pub struct IdentitySecret {
    signing: ed25519_dalek::SigningKey,
    chebyshev: chebyshev::SecretKey,
}

impl IdentitySecret {
    /// Draws both keys.
    pub fn generate(rng: &mut impl rand::CryptoRng) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self { signing: ed25519_dalek::SigningKey::from_bytes(&seed), chebyshev: chebyshev::SecretKey::generate(rng) }
    }

    /// From stored secrets: the Ed25519 seed and the Chebyshev scalar, 32 bytes each; `None` if the scalar is zero.
    pub fn from_bytes(signing_seed: &[u8; 32], chebyshev_secret: &[u8; 32]) -> Option<Self> {
        Some(Self {
            signing: ed25519_dalek::SigningKey::from_bytes(signing_seed),
            chebyshev: chebyshev::SecretKey::from_bytes(chebyshev_secret).ok()?,
        })
    }

    /// The Ed25519 seed and the Chebyshev scalar, for the keystore, which encrypts them.
    pub fn expose(&self) -> zeroize::Zeroizing<[u8; 64]> {
        let mut out = zeroize::Zeroizing::new([0; 64]);
        out[..32].copy_from_slice(self.signing.as_bytes());
        out[32..].copy_from_slice(self.chebyshev.expose());
        out
    }

    /// The public keys.
    pub fn public(&self) -> PublicKeys {
        let signing = SigningPk(self.signing.verifying_key().to_bytes());
        PublicKeys { signing, chebyshev: *self.chebyshev.public().bytes() }
    }

    /// The Chebyshev secret, for opening.
    pub fn chebyshev(&self) -> &chebyshev::SecretKey {
        &self.chebyshev
    }

    /// Signs a 32-byte H made under one of the closed list of tags.
    pub fn sign(&self, hash: &[u8; 32]) -> Signature {
        Signature(self.signing.sign(hash).to_bytes())
    }
}

impl std::fmt::Debug for IdentitySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentitySecret(…)")
    }
}
