//! The receiver field of a record: for whom it is, as far as the public may know.

use crate::hash::Gid;
use serde::{Deserialize, Serialize};

byte_newtype!(
    /// tag16: a one-time address, 16 bytes, that only the owner of the receiving key can recognise.
    ReceiverTag, 16);

/// type u8 ‖ value: 1, 17 or 33 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    /// Type 0: nothing is sealed (enrolments, revocations, epoch commits).
    None,
    /// Type 1: sealed to one participant, by one-time address.
    Tag(ReceiverTag),
    /// Type 2: sealed to the group of this epoch.
    Group(Gid),
    /// Type 3: sealed to the owner of this group, who is public: the paper's PHR, with ID_G in place of P's key.
    Owner(Gid),
}

impl Receiver {
    /// The type's id, first byte of the field.
    pub const fn id(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Tag(_) => 1,
            Self::Group(_) => 2,
            Self::Owner(_) => 3,
        }
    }

    /// The field as it is hashed and authenticated: type u8 ‖ value.
    pub fn field(&self) -> Vec<u8> {
        let value: &[u8] = match self {
            Self::None => &[],
            Self::Tag(tag) => tag.as_bytes(),
            Self::Group(gid) | Self::Owner(gid) => gid.as_bytes(),
        };
        let mut field = Vec::with_capacity(1 + value.len());
        field.push(self.id());
        field.extend_from_slice(value);
        field
    }

    /// The group epoch the record belongs to, for lookups by GID.
    pub const fn gid(&self) -> Option<&Gid> {
        match self {
            Self::Group(gid) | Self::Owner(gid) => Some(gid),
            Self::None | Self::Tag(_) => None,
        }
    }
}
