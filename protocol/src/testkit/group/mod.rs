//! A world of group machines for tests: virtual time, a toy chain with reorganisations, an adversary on the network, nodes that
//! die at any stored step, and checkers of what must never be.
//!
//! Everything follows from a seed. [`World`] drives; [`history::play`] plays a random history in it; [`knowledge`] says what a
//! set of participants can compute from all they ever held and all that was ever said.

mod chain;
mod check;
mod dice;
pub mod history;
mod host;
pub mod knowledge;
mod mutate;
mod network;
mod node;
mod tell;
mod world;

pub use chain::{Removed, ToyBlock, ToyChain, View};
pub use check::{Ledger, contains, takes_out};
pub use dice::Dice;
pub use mutate::mutations;
pub use network::{Faults, Packet, Traffic, is_blamed_on_its_sender, kind};
pub use node::{Death, Node};
pub use world::{World, happened, peer};
