//! The groups of the participant who lives on this node: their machines, what they keep, and what people ask of them.
//!
//! One thread owns every machine (`protocol::group::machine`). It takes what happened (commands, messages, answers, a new
//! tip, time), stores what changed in the vault, and only then lets anything out. [`GroupHandle`] is what the rest of the
//! node holds of it.

mod chain;
mod deliver;
mod error;
mod extra;
mod handle;
mod held;
#[cfg(test)]
mod held_tests;
mod log;
mod phr;
mod recall;
mod requests;
mod service;
mod start;
mod submit;
pub mod vault;
mod view;

pub use error::GroupError;
pub use handle::GroupHandle;
pub(crate) use phr::drafts;
pub use phr::{PhrError, seal_phr};
pub(crate) use start::{Parts, start};
pub use view::{AphrPolicy, GroupEvent, GroupView, Groups};
