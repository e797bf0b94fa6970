//! A local testnet of real `medring node` processes: one folder, one seed, one log per node.
//!
//! Everything a testnet is lies in its folder: `testnet.json` (what runs where), `genesis.json`, and per node
//! `node0/{config.toml, keystore.json, passphrase, data/, node.log}`. A [`Testnet`] can therefore be opened again by another
//! process, which is how `medring testnet status`, `kill` and `down` work.

mod config;
mod create;
mod enrol;
mod faults;
mod guard;
mod process;
mod state;
mod testnet;
mod wait;
mod watch;

pub use config::{UpOptions, identity, rng};
pub use guard::Guarded;
pub use process::{ProcessId, find_binary};
pub use state::{NodeEntry, State};
pub(crate) use testnet::now_ms;
pub use testnet::{Progress, Testnet, TestnetError};
pub use wait::{WaitError, interrupt, interrupted, until};
pub use watch::NodeStatus;
