//! Opening a seal: as its receiver, as a member of its group, or with a disclosed r.

use super::derive::{self, KeyNonce, Part};
use super::{OpenError, RecordSecret, SealContext, SensitivePlain, aead, layout};
use crate::chebyshev::{PublicKey, PublicKeyBytes, SecretKey};
use crate::hash::{ChainId, ParticipantId};
use crate::record::{Content, Receiver};
use subtle::ConstantTimeEq;

/// An opened seal.
#[derive(Clone, Debug)]
pub struct Opened {
    /// r, which would open this record for anyone.
    pub r: RecordSecret,
    /// The content.
    pub plain: SensitivePlain,
}

/// One step of the wallet's scan: whether the record carries the one-time address of this key. Costs two Jacobi symbols
/// and a ladder. False for anything malformed, and for other receiver types (see [`open_as`] for type 3).
pub fn detect(chain: &ChainId, content: &Content, secret: &SecretKey) -> bool {
    match (content.receiver, layout::parse(&content.receiver, &content.sealed)) {
        (Receiver::Tag(tag), Ok(layout::Layout { ephemeral: Some(e), .. })) => {
            wrap_keys(chain, content, &e, secret).is_some_and(|(_, expected)| same(&tag, &expected))
        }
        _ => false,
    }
}

/// Opens a record sealed to the participant `me`, who holds `secret`; `None` means "not mine".
///
/// Receiver type 1 is not mine if E fails validation or the one-time address is another's. Receiver type 3 carries no
/// address, so a wrap that does not open is not mine. Types 0 and 2 are never opened this way. Once a record is known to
/// be mine, whatever is wrong with it is an error worth showing.
pub fn open_as(
    chain: &ChainId,
    content: &Content,
    me: &ParticipantId,
    secret: &SecretKey,
) -> Result<Option<Opened>, OpenError> {
    let address = match content.receiver {
        Receiver::Tag(tag) => Some(tag),
        Receiver::GroupOwner(_) => None,
        Receiver::None | Receiver::Group(_) => return Ok(None),
    };
    let layout = layout::parse(&content.receiver, &content.sealed)?;
    let Some((keys, tag)) = layout.ephemeral.and_then(|e| wrap_keys(chain, content, &e, secret)) else {
        return Ok(None);
    };
    if address.is_some_and(|address| !same(&address, &tag)) {
        return Ok(None);
    }
    let r = match unwrap_secret(chain, content, &keys, layout.wrap) {
        Err(OpenError::Wrap) if address.is_none() => return Ok(None),
        unwrapped => unwrapped?,
    };
    let opened = open_with_r(chain, content, &r)?;
    if opened.plain.recipient != *me {
        return Err(OpenError::OtherRecipient);
    }
    Ok(Some(opened))
}

/// Opens a record sealed to a group (receiver type 2) with the epoch's k_rec. `None` for every other receiver type.
/// The caller compares the recipient inside with the ids of the group's owner.
pub fn open_in_group(chain: &ChainId, content: &Content, k_rec: &[u8; 32]) -> Result<Option<Opened>, OpenError> {
    let Receiver::Group(gid) = &content.receiver else { return Ok(None) };
    let layout = layout::parse(&content.receiver, &content.sealed)?;
    let keys = derive::group_wrap(&SealContext::of(chain, content), &content.commitment, k_rec, gid);
    let r = unwrap_secret(chain, content, &keys, layout.wrap)?;
    open_with_r(chain, content, &r).map(Some)
}

/// Opens a record with a disclosed r: checks that c commits to r, derives K_rec and reads the body. Whoever does this is
/// convinced that the plaintext is what the record's producer signed: AES-GCM alone would not commit to one key, c does.
/// The caller compares the recipient inside with whom it expects.
pub fn open_with_r(chain: &ChainId, content: &Content, r: &RecordSecret) -> Result<Opened, OpenError> {
    let layout = layout::parse(&content.receiver, &content.sealed)?;
    if !r.belongs_to(&content.commitment) {
        return Err(OpenError::Commitment);
    }
    let ctx = SealContext::of(chain, content);
    let ad = derive::associated_data(&ctx, Part::Body, &content.receiver, &content.commitment);
    let padded = aead::decrypt(&derive::record_key(&ctx, &content.commitment, r.expose()), &ad, layout.body);
    let plain = SensitivePlain::decode(&padded.ok_or(OpenError::Body)?)?;
    Ok(Opened { r: r.clone(), plain })
}

/// Full validation of E, then Z = T_s(E), the wrap's keys and tag16; nothing if E is no group element.
fn wrap_keys(
    chain: &ChainId,
    content: &Content,
    ephemeral: &PublicKeyBytes,
    secret: &SecretKey,
) -> Option<(KeyNonce, [u8; 16])> {
    let z = secret.agree(&PublicKey::validate(ephemeral).ok()?);
    let ctx = SealContext::of(chain, content);
    Some(derive::participant_wrap(&ctx, &content.commitment, &z, ephemeral, secret.public()))
}

fn unwrap_secret(chain: &ChainId, content: &Content, keys: &KeyNonce, wrap: &[u8]) -> Result<RecordSecret, OpenError> {
    let ctx = SealContext::of(chain, content);
    let ad = derive::associated_data(&ctx, Part::Wrap, &content.receiver, &content.commitment);
    let r = aead::decrypt(keys, &ad, wrap).ok_or(OpenError::Wrap)?;
    let r = <&[u8; 32]>::try_from(r.as_slice()).map_err(|_| OpenError::Wrap)?;
    Ok(RecordSecret::from_bytes(r))
}

/// Constant time: the expected address is a secret as long as it is not the record's.
fn same(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.as_slice().ct_eq(b).into()
}
