//! The group (PROTOCOL section 4): a ring of participants that authenticates, agrees on a key per epoch, and changes.
//! EpochCommit is in [`crate::record`], group seals and APHR content in [`crate::seal`]. Spec: groups.
//!
//! * [`EpochDescriptor`]: what an epoch is, hashed into its GID.
//! * [`message`]: what members say to each other.
//! * [`pair`]: the agreement of two neighbours; [`ring`]: from pairs to one confirmed key; [`signing`]: what else is signed.
//! * [`ticket`]: the invitation, as text, and taking it up.
//! * [`machine`]: the life of a group as one participant keeps it.

mod descriptor;
pub mod machine;
pub mod message;
pub mod pair;
mod pair_keys;
#[cfg(test)]
mod pair_tests;
pub mod ring;
#[cfg(test)]
mod ring_tests;
pub mod signing;
pub mod ticket;

pub use descriptor::{Change, DescriptorError, EpochDescriptor, MEMBERS_MAX, Member, PEER_ID_BYTES_MAX};
pub use message::GroupUid;
pub use ticket::Ticket;
