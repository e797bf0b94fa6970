//! Sealing: the sensitive part of a record, readable by one participant or one group (spec: sealing).
//!
//! Each record has its own random secret r. Its hash c is public, its key K_rec encrypts the body, and r itself is wrapped
//! for the receiver. So whoever is given r, and nothing else, can check that it belongs to this record and read it.
//!
//! * [`seal`] makes the content of a record, ready to be signed; it draws all randomness from its argument.
//! * [`detect`] and [`open_as`] are the owner's scan; [`open_in_group`] a member's; [`open_with_r`] a disclosure.
//! * [`AphrContent`] is what an APHR seals: its sources, disclosed, and the aggregate.
//! * [`check_shape`] is what consensus, which can decrypt nothing, checks of s.
//! * [`mod@derive`] names every intermediate value, for the vectors in `docs/spec/vectors/seal.json`.

pub(crate) mod aead;
mod aphr;
pub mod derive;
mod error;
mod layout;
mod open;
mod plain;
mod secret;
#[cfg(test)]
mod tests;
mod wrap;

pub use aead::{gcm_decrypt, gcm_encrypt};
pub use aphr::{AphrContent, AphrError, AphrSource};
pub use error::{OpenError, PlainError, SealError, ShapeError};
pub use layout::check_shape;
pub use open::{Opened, detect, open_as, open_in_group, open_with_r};
pub use plain::{PlainKind, SensitivePlain};
pub use secret::RecordSecret;
pub use wrap::{Sealed, To, seal};

use crate::hash::{ChainId, ParticipantId};
use crate::record::{Content, Kind};

/// What a seal is bound to besides its receiver: moved to another chain, kind, uploader or public part, nothing opens.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// The network.
    pub chain: &'a ChainId,
    /// What the record is.
    pub kind: Kind,
    /// Who signs and uploads the record.
    pub uploader: &'a ParticipantId,
    /// m, the public part.
    pub public: &'a [u8],
}

impl<'a> SealContext<'a> {
    /// What the seal of this content must be bound to.
    pub fn of(chain: &'a ChainId, content: &'a Content) -> Self {
        Self { chain, kind: content.kind, uploader: &content.uploader, public: &content.public }
    }
}
