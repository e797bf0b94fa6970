//! One file that says what happens to a network and what must come of it; it runs on real processes and in the simulator.
//!
//! [`Scenario::parse`] reads the file and checks every name and number in it, [`run()`] plays it on a [`World`], and
//! [`Report`] tells what was seen after each step. The format stands in `docs/testnet.md`.

pub(crate) mod chain;
mod check;
mod error;
mod file;
mod keys;
mod report;
mod run;
mod shipped;
mod step;
mod tell;
mod world;

pub use error::ScenarioError;
pub use file::{Links, NodeSettings, Placed, Scenario};
pub use report::{Report, Seen, StepReport};
pub use run::run;
pub use shipped::{SHIPPED, shipped};
pub use step::{Action, Condition, Nodes, Step, Word};
pub use world::{Told, World};

#[cfg(test)]
mod tests;
