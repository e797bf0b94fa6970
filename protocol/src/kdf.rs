//! KDF(salt; ikm…; label, fields…; L): HKDF-SHA-256 with framed inputs (spec: encoding).

use crate::hash::DOMAIN;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A cipher suite. Every derivation and all associated data carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// T2-2048 with SHA-256, AES-256-GCM and Ed25519.
    T2Aes = 1,
}

impl Suite {
    /// The id on the wire.
    pub const fn id(self) -> u8 {
        self as u8
    }
}

pub(crate) fn framed(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(parts.iter().map(|p| 4 + p.len()).sum()));
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Derives `N` bytes (at most 8,160). Salt: 32 zero bytes if absent. ikm: LP-framed `secrets`.
/// info = LP("medring/1") ‖ LP(label) ‖ LP(suite, 1 byte) ‖ LP(fields…). One expand; the caller splits in the listed order.
pub fn kdf<const N: usize>(
    suite: Suite,
    salt: Option<&[u8; 32]>,
    secrets: &[&[u8]],
    label: &str,
    fields: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives at most 8,160 bytes") };
    let ikm = framed(secrets);
    let suite_id = [suite.id()];
    let mut info_parts: Vec<&[u8]> = vec![DOMAIN, label.as_bytes(), &suite_id];
    info_parts.extend_from_slice(fields);
    let info = framed(&info_parts);
    let mut out = Zeroizing::new([0; N]);
    // The only error is a length above the limit asserted above.
    let done = Hkdf::<Sha256>::new(Some(salt.unwrap_or(&[0; 32])), &ikm).expand(&info, out.as_mut());
    debug_assert!(done.is_ok());
    out
}
