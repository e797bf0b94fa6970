//! The chain on disk: RocksDB behind a small synchronous trait, and the same in memory.
//!
//! [`ChainStore`] knows what is stored and in which batch; an [`Engine`] knows how: [`RocksEngine`] on disk,
//! [`MemoryEngine`] for the simulator, [`FaultyEngine`] around either for tests. What each column holds stands in
//! [`schema`] and docs/spec/storage.md.
#![forbid(unsafe_code)]

mod engine;
mod error;
mod faulty;
mod memory;
mod migrate;
mod reorg;
mod rocks;
pub mod schema;
mod store;
mod tally;
mod values;

pub use engine::{Batch, Durability, Engine, Operation, Visit};
pub use error::StorageError;
pub use faulty::{FailPoint, FaultyEngine};
pub use memory::MemoryEngine;
pub use reorg::{Fate, Journal, JournalChange, Leftover, Mark, Note, ReorgReport, Watched};
pub use rocks::RocksEngine;
pub use schema::Column;
pub use store::{ChainStore, DumpEntry, Reorg};
pub use values::{PoolEntry, StoredHeader};
