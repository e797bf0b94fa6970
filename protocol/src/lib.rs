//! The medring scheme and its consensus rules, made exact in `docs/spec/`.
//!
//! This crate is pure: it opens no socket and no file, reads no clock and draws no randomness of its own. Whatever it
//! needs of either comes in as an argument, so every result can be replayed. The arrows of the workspace point at it:
//! `cli → testnet → node → storage → protocol`.
#![forbid(unsafe_code)]

#[macro_use]
mod bytes;

pub mod aggregate;
pub mod block;
pub mod chain;
pub mod chebyshev;
pub mod codec;
pub mod compact;
pub mod deid;
pub mod error;
pub mod fhir;
pub mod group;
pub mod hash;
pub mod identity;
pub mod kdf;
pub mod limits;
pub mod merkle;
pub mod params;
pub mod pow;
pub mod record;
pub mod seal;
pub mod testkit;
pub mod vitals;
pub mod wire;

pub use error::{Fault, RuleId, Violation};
pub use hash::{BlockId, ChainId, Commitment, Gid, ParticipantId, RecordId, WireId};
