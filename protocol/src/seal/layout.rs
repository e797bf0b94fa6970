//! The bytes of s: suite u8 ‖ E (256, only if sealed to a participant) ‖ wrap (48) ‖ body (16 + a power of two).

use super::derive::SUITE;
use super::{ShapeError, aead::TAG_BYTES};
use crate::chebyshev::{PublicKeyBytes, in_range};
use crate::limits::SEALED_BYTES_MAX;
use crate::record::Receiver;

/// r with its authentication tag.
pub(super) const WRAP_BYTES: usize = 32 + TAG_BYTES;
/// Everything of s but the padded plaintext, when sealed to a participant: the larger of the two forms.
pub(super) const OVERHEAD_BYTES_MAX: usize = 1 + PublicKeyBytes::LEN + WRAP_BYTES + TAG_BYTES;
/// The largest power of two that fits: 64 KiB.
pub(super) const PADDED_BYTES_MAX: usize = (SEALED_BYTES_MAX - OVERHEAD_BYTES_MAX + 1).next_power_of_two() / 2;

const _: () = assert!(PADDED_BYTES_MAX == 64 * 1024, "the spec names this figure");

/// s taken apart; nothing is verified but lengths and suite.
pub(super) struct Layout<'a> {
    /// E, if sealed to a participant (receiver types 1 and 3).
    pub(super) ephemeral: Option<PublicKeyBytes>,
    /// r, encrypted.
    pub(super) wrap: &'a [u8],
    /// The plaintext, encrypted.
    pub(super) body: &'a [u8],
}

/// Takes s apart. A record without receiver has no layout.
pub(super) fn parse<'a>(receiver: &Receiver, s: &'a [u8]) -> Result<Layout<'a>, ShapeError> {
    let ephemeral_len = match receiver {
        Receiver::None => return Err(ShapeError::NotEmpty(s.len())),
        Receiver::Tag(_) | Receiver::GroupOwner(_) => PublicKeyBytes::LEN,
        Receiver::Group(_) => 0,
    };
    let min = 1 + ephemeral_len + WRAP_BYTES + TAG_BYTES;
    if s.len() < min || s.len() > SEALED_BYTES_MAX {
        return Err(ShapeError::Length { got: s.len(), min, max: SEALED_BYTES_MAX });
    }
    if s[0] != SUITE.id() {
        return Err(ShapeError::Suite(s[0]));
    }
    let (ephemeral, rest) = s[1..].split_at(ephemeral_len);
    let (wrap, body) = rest.split_at(WRAP_BYTES);
    let ephemeral = <[u8; PublicKeyBytes::LEN]>::try_from(ephemeral).ok().map(PublicKeyBytes);
    Ok(Layout { ephemeral, wrap, body })
}

/// What consensus checks of s: lengths, suite, padding (a power of two, at least `pad_min` bytes) and E < p.
/// Says nothing about whether anyone can open it.
pub fn check_shape(receiver: &Receiver, s: &[u8], pad_min: usize) -> Result<(), ShapeError> {
    if *receiver == Receiver::None && s.is_empty() {
        return Ok(());
    }
    let layout = parse(receiver, s)?;
    let padded = layout.body.len() - TAG_BYTES;
    if !padded.is_power_of_two() || padded < pad_min {
        return Err(ShapeError::Padding { got: padded, min: pad_min });
    }
    match layout.ephemeral {
        Some(e) if !in_range(e.as_bytes()) => Err(ShapeError::EphemeralOutOfRange),
        _ => Ok(()),
    }
}
