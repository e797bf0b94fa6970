//! A local testnet of real `medring node` processes: one folder, one seed, one log per node.
//!
//! Everything a testnet is lies in its folder: `testnet.json` (what runs where), `genesis.json`, and per node
//! `node0/{config.toml, keystore.json, passphrase, data/, node.log}`. A [`Testnet`] can therefore be opened again by another
//! process, which is how `medring testnet status`, `kill` and `down` work.
//!
//! ```no_run
//! use medring_testnet::procs::{Guarded, Testnet, UpOptions, find_binary};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = UpOptions::numbered("net".into(), find_binary()?, 5, 42);
//! let mut net = Guarded::new(Testnet::up(&options, &mut |_| {})?); // ends with this variable
//! net.enrol(&mut |_| {})?;
//! net.restart(3)?;
//! let (tip, height) = net.wait_agree(Duration::from_secs(60))?;
//! # Ok(())
//! # }
//! ```

mod config;
mod create;
mod enrol;
mod faults;
mod group;
mod guard;
mod process;
mod state;
mod testnet;
mod wait;
mod watch;
mod world;

pub use config::{UpOptions, identity, rng};
pub use group::{EpochSeen, group_path};
pub use guard::Guarded;
pub use process::{ProcessId, find_binary};
pub use state::{NodeEntry, State};
pub(crate) use testnet::now_ms;
pub use testnet::{Progress, Testnet, TestnetError};
pub use wait::{WaitError, interrupt, interrupted, until};
pub use watch::NodeStatus;
pub use world::ProcsWorld;
