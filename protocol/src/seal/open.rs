//! Opening a seal: as its receiver, as a member of its group, or with a disclosed r.

use super::derive::{self, KeyNonce, Part};
use super::{OpenError, Receiver, ReceiverTag, RecordSecret, SealContext, SensitivePlain, aead, layout};
use crate::chebyshev::{PublicKey, PublicKeyBytes, SecretKey};
use crate::hash::{Commitment, ParticipantId};
use subtle::ConstantTimeEq;

/// The sealed fields of a record, as they stand on the chain.
#[derive(Clone, Copy, Debug)]
pub struct SealedParts<'a> {
    /// The receiver field.
    pub receiver: &'a Receiver,
    /// s.
    pub s: &'a [u8],
    /// c.
    pub c: &'a Commitment,
}

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
pub fn detect(ctx: &SealContext<'_>, sealed: SealedParts<'_>, secret: &SecretKey) -> bool {
    match (sealed.receiver, layout::parse(sealed.receiver, sealed.s)) {
        (Receiver::Tag(tag), Ok(layout::Layout { ephemeral: Some(e), .. })) => {
            wrap_keys(ctx, sealed.c, &e, secret).is_some_and(|(_, expected)| same(tag, &expected))
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
    ctx: &SealContext<'_>,
    sealed: SealedParts<'_>,
    me: &ParticipantId,
    secret: &SecretKey,
) -> Result<Option<Opened>, OpenError> {
    let address = match sealed.receiver {
        Receiver::Tag(tag) => Some(tag),
        Receiver::Owner(_) => None,
        Receiver::None | Receiver::Group(_) => return Ok(None),
    };
    let layout = layout::parse(sealed.receiver, sealed.s)?;
    let Some((keys, tag)) = layout.ephemeral.and_then(|e| wrap_keys(ctx, sealed.c, &e, secret)) else {
        return Ok(None);
    };
    if address.is_some_and(|address| !same(address, &tag)) {
        return Ok(None);
    }
    let r = match unwrap_secret(ctx, &sealed, &keys, layout.wrap) {
        Err(OpenError::Wrap) if address.is_none() => return Ok(None),
        unwrapped => unwrapped?,
    };
    let opened = open_with_r(ctx, sealed, &r)?;
    if opened.plain.recipient != *me {
        return Err(OpenError::OtherRecipient);
    }
    Ok(Some(opened))
}

/// Opens a record sealed to a group (receiver type 2) with the epoch's k_rec. `None` for every other receiver type.
/// The caller compares the recipient inside with the ids of the group's owner.
pub fn open_in_group(
    ctx: &SealContext<'_>,
    sealed: SealedParts<'_>,
    k_rec: &[u8; 32],
) -> Result<Option<Opened>, OpenError> {
    let Receiver::Group(gid) = sealed.receiver else { return Ok(None) };
    let layout = layout::parse(sealed.receiver, sealed.s)?;
    let keys = derive::group_wrap(ctx, sealed.c, k_rec, gid);
    let r = unwrap_secret(ctx, &sealed, &keys, layout.wrap)?;
    open_with_r(ctx, sealed, &r).map(Some)
}

/// Opens a record with a disclosed r: checks that c commits to r, derives K_rec and reads the body. Whoever does this is
/// convinced that the content is what the record's producer signed: AES-GCM alone would not commit to one key, c does.
/// The caller compares the recipient inside with whom it expects.
pub fn open_with_r(ctx: &SealContext<'_>, sealed: SealedParts<'_>, r: &RecordSecret) -> Result<Opened, OpenError> {
    let layout = layout::parse(sealed.receiver, sealed.s)?;
    if !r.belongs_to(sealed.c) {
        return Err(OpenError::Commitment);
    }
    let ad = derive::associated_data(ctx, Part::Body, sealed.receiver, sealed.c);
    let padded = aead::decrypt(&derive::record_key(ctx, sealed.c, r.expose()), &ad, layout.body);
    let plain = SensitivePlain::decode(&padded.ok_or(OpenError::Body)?)?;
    Ok(Opened { r: r.clone(), plain })
}

/// Full validation of E, then Z = T_s(E) and the keys; nothing if E is no group element.
fn wrap_keys(
    ctx: &SealContext<'_>,
    c: &Commitment,
    ephemeral: &PublicKeyBytes,
    secret: &SecretKey,
) -> Option<(KeyNonce, ReceiverTag)> {
    let e = PublicKey::validate(ephemeral).ok()?;
    Some(derive::participant_wrap(ctx, c, &secret.agree(&e), ephemeral, secret.public()))
}

fn unwrap_secret(
    ctx: &SealContext<'_>,
    sealed: &SealedParts<'_>,
    keys: &KeyNonce,
    wrap: &[u8],
) -> Result<RecordSecret, OpenError> {
    let ad = derive::associated_data(ctx, Part::Wrap, sealed.receiver, sealed.c);
    let r = aead::decrypt(keys, &ad, wrap).ok_or(OpenError::Wrap)?;
    let r = <&[u8; 32]>::try_from(r.as_slice()).map_err(|_| OpenError::Wrap)?;
    Ok(RecordSecret::from_bytes(r))
}

/// Constant time: the expected address is a secret as long as it is not the record's.
fn same(a: &ReceiverTag, b: &ReceiverTag) -> bool {
    a.as_bytes().as_slice().ct_eq(b.as_bytes()).into()
}
