//! Making a seal.

use super::derive::{self, KeyNonce, Part, SUITE};
use super::{RecordSecret, SealContext, SealError, SensitivePlain, aead};
use crate::chebyshev::{PublicKey, SecretKey};
use crate::hash::{Commitment, Gid};
use crate::record::{Content, Receiver};
use rand::CryptoRng;
use zeroize::Zeroizing;

/// For whom to seal.
#[derive(Clone, Copy)]
pub enum To<'a> {
    /// One participant by one-time address: receiver type 1.
    Participant(&'a PublicKey),
    /// The owner of a group, who is named by the group's id: receiver type 3.
    Owner {
        /// The owner's key.
        key: &'a PublicKey,
        /// The epoch.
        gid: Gid,
    },
    /// All members of a group's epoch: receiver type 2.
    Group {
        /// k_rec, from the epoch's group key.
        k_rec: &'a [u8; 32],
        /// The epoch.
        gid: Gid,
    },
}

/// A record's content with its sealed part, and its secret for the wallet.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The content, ready to be signed.
    pub content: Content,
    /// r: keep it secret, and keep it if this record is ever to be disclosed on its own.
    pub r: RecordSecret,
}

/// Seals `plain`, padded to a power of two and at least `pad_min` bytes (a chain parameter). Draws 32 bytes for r, then
/// 32 bytes for the ephemeral key if there is one: any change of m or of the content is a new call and so a new r.
/// Costs two ladders to a participant, none to a group.
pub fn seal<R: CryptoRng + ?Sized>(
    ctx: &SealContext<'_>,
    to: To<'_>,
    plain: &SensitivePlain,
    pad_min: usize,
    rng: &mut R,
) -> Result<Sealed, SealError> {
    let padded = plain.encode(pad_min)?;
    let r = RecordSecret::generate(rng);
    let c = r.commitment();
    let mut s = vec![SUITE.id()];
    let (receiver, wrap_keys) = match to {
        To::Participant(key) => {
            let (keys, tag) = to_key(ctx, &c, key, &mut s, rng);
            (Receiver::Tag(tag), keys)
        }
        To::Owner { key, gid } => (Receiver::GroupOwner(gid), to_key(ctx, &c, key, &mut s, rng).0),
        To::Group { k_rec, gid } => (Receiver::Group(gid), derive::group_wrap(ctx, &c, k_rec, &gid)),
    };
    let mut r_copy = Zeroizing::new(Vec::with_capacity(r.expose().len() + aead::TAG_BYTES));
    r_copy.extend_from_slice(r.expose());
    let ad = |part| derive::associated_data(ctx, part, &receiver, &c);
    s.extend_from_slice(&aead::encrypt(&wrap_keys, &ad(Part::Wrap), r_copy));
    s.extend_from_slice(&aead::encrypt(&derive::record_key(ctx, &c, r.expose()), &ad(Part::Body), padded));
    let (kind, uploader, public) = (ctx.kind, *ctx.uploader, ctx.public.to_vec());
    Ok(Sealed { content: Content { kind, uploader, receiver, commitment: c, public, sealed: s }, r })
}

/// Draws e, appends E = T_e(x) to s, and derives the wrap's keys and the one-time address from Z = T_e(Y).
fn to_key<R: CryptoRng + ?Sized>(
    ctx: &SealContext<'_>,
    c: &Commitment,
    key: &PublicKey,
    s: &mut Vec<u8>,
    rng: &mut R,
) -> (KeyNonce, [u8; 16]) {
    let e = SecretKey::generate(rng);
    s.extend_from_slice(e.public().as_bytes());
    derive::participant_wrap(ctx, c, &e.agree(key), e.public().bytes(), key)
}
