//! A running node: the core on its own thread, and the sockets, clock, randomness and threads it must not know.
//!
//! | Queue | Bound | When full |
//! |---|---|---|
//! | network → core | 64 inputs | swarm events are not taken: peers are slowed down by TCP |
//! | core → network | 64 commands | the core waits; the event loop takes commands all the time |
//! | API, miner → core | 64 inputs | the caller waits, until its own time limit |
//! | core → workers | 1,024 jobs | never: the core keeps no more under way |
//! | workers → core | jobs under way | never |
//! | events | 4,096 | a slow subscriber is told how many it missed |

mod check;
mod clock;
mod core_thread;
mod error;
mod event_log;
mod folder;
mod groups;
mod handle;
mod import;
mod keys;
mod mining;
mod run;
mod start;
mod wallet_task;
mod workers;

pub use check::{Finding, Standing, check};
pub use clock::now_ms;
pub(crate) use clock::os_rng;
pub use error::StartError;
pub use folder::{ApiToken, NodeFile, TOKEN_FILE};
pub(crate) use handle::Submitter;
pub use handle::{NodeHandle, NodeInfo, Stopped};
pub use import::{ImportError, ImportReport, import};
pub use keys::seal_node_key;
pub use mining::MineError;
pub use run::{RunError, run};
pub use start::Node;
use start::read_genesis;

/// Asks a node, and whoever else holds a clone, to stop.
pub type Shutdown = tokio_util::sync::CancellationToken;
