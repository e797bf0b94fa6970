//! The chain: what a block does to the state, which branch wins, and the rules of both (PROTOCOL section 5; spec: rules).

mod apply;
pub mod file;
mod memory;
mod presync;
pub mod rules;
mod state;
mod tree;

pub use apply::{ApplyError, Candidate, apply};
pub use memory::{MemoryState, Overlay};
pub use presync::{Presync, Redownload};
pub use state::{Change, Diff, Location, Participant, Revoked, StateRead, Usage, keys_of};
pub use tree::{HeaderError, HeaderNode, HeaderTree, Inserted, Path, Reconsidered};
