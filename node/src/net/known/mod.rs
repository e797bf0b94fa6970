//! What a node remembers of others across restarts: where they are, how they behaved, who is banned.

mod bans;
mod book;
mod file;
mod text;
mod writer;

pub use bans::{Ban, Target};
pub use book::Known;

pub(super) use bans::{Bans, FAULT_POINTS, RATE_POINTS};
pub(super) use book::{ADDRESSES_PER_PEER_MAX, Book};
pub(super) use file::Contents;
pub(super) use writer::Writer;
