//! Signature checks as values: collected where keys are known, verified wherever there is a core to spare.

use crate::identity::{Signature, SigningPk};

/// One Ed25519 verification still to be done, by ZIP-215 rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigCheck {
    /// Whose key.
    pub key: SigningPk,
    /// The 32-byte H that was signed.
    pub hash: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl SigCheck {
    /// Verifies this one alone. ZIP-215 accepts exactly what a batch accepts.
    pub fn verify(&self) -> bool {
        ed25519_zebra::VerificationKey::try_from(self.key.0)
            .is_ok_and(|key| key.verify(&ed25519_zebra::Signature::from(self.signature.0), &self.hash).is_ok())
    }
}

/// Verifies all in one batch, about twice as fast as one by one; `Err(i)` names the first bad one. `rng` blinds the batch:
/// it must not be predictable to whoever made the signatures.
pub fn verify_all(checks: &[SigCheck], rng: &mut impl rand::CryptoRng) -> Result<(), usize> {
    let mut batch = ed25519_zebra::batch::Verifier::new();
    for check in checks {
        let key = ed25519_zebra::VerificationKeyBytes::from(check.key.0);
        batch.queue((key, ed25519_zebra::Signature::from(check.signature.0), &check.hash));
    }
    match batch.verify(rng) {
        Ok(()) => Ok(()),
        Err(_) => checks.iter().position(|c| !c.verify()).map_or(Ok(()), Err),
    }
}
