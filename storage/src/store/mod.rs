//! The chain in an engine: what is stored, and which changes belong in one batch (spec: docs/spec/storage.md).

mod blocks;
mod commit;
mod dump;
mod pool;
mod read;
mod reorgs;
mod state;
mod undo;

pub use commit::Reorg;
pub use dump::DumpEntry;

use crate::engine::{Batch, Durability, Engine};
use crate::schema::{self, FORMAT_VERSION, meta};
use crate::tally::Tally;
use crate::values::{damaged, read};
use crate::{Column, StorageError, StoredHeader, migrate};
use medring_protocol::block::Block;
use medring_protocol::codec;
use medring_protocol::params::Params;
use medring_protocol::{BlockId, ChainId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One chain's headers, blocks, state at the tip and mempool. Clones share it; one writes at a time, reads do not wait.
///
/// A read that needs two keys may see a commit in between: compare [`ChainStore::tip`] before and after where it matters.
#[derive(Debug)]
pub struct ChainStore<E> {
    engine: E,
    params: Arc<Params>,
    chain: ChainId,
    /// Held from reading what a batch depends on until it is written.
    writer: Arc<Mutex<()>>,
}

impl<E: Clone> Clone for ChainStore<E> {
    fn clone(&self) -> Self {
        let Self { engine, params, chain, writer } = self;
        Self { engine: engine.clone(), params: params.clone(), chain: *chain, writer: writer.clone() }
    }
}

impl<E: Engine> ChainStore<E> {
    /// Opens the chain of `params`: writes genesis into an empty engine, migrates an older format.
    ///
    /// # Errors
    /// [`StorageError::NewerFormat`], [`StorageError::WrongChain`], [`StorageError::Damaged`], and what the engine says.
    pub fn open(engine: E, params: &Params) -> Result<Self, StorageError> {
        let chain = params.chain_id();
        let store = Self { engine, params: Arc::new(params.clone()), chain, writer: Arc::default() };
        match read::<E, u32>(&store.engine, Column::Meta, meta::FORMAT, 4)? {
            None => store.write_genesis()?,
            Some(found) => {
                migrate::migrate(&store.engine, found)?;
                let theirs = ChainId(store.meta(meta::CHAIN, 32)?);
                if theirs != chain {
                    return Err(StorageError::WrongChain { ours: chain, theirs });
                }
            }
        }
        let (id, height) = store.check_tip()?;
        Tally::stored(&store.engine)?.check(&store.engine)?;
        tracing::debug!(%chain, tip = %id, height, "opened the store");
        Ok(store)
    }

    fn write_genesis(&self) -> Result<(), StorageError> {
        let genesis = Block { header: self.params.genesis(), records: Vec::new() };
        let id = genesis.id();
        let entry = StoredHeader { header: genesis.header, sequence: 0, body: true, arrival: Some(0), invalid: None };
        let mut batch = Batch::new();
        batch.put(Column::Meta, meta::FORMAT, codec::encode(&FORMAT_VERSION));
        batch.put(Column::Meta, meta::CHAIN, self.chain.0);
        batch.put(Column::Meta, meta::TIP, codec::encode(&(id, 0u64)));
        batch.put(Column::Meta, meta::SEQUENCE, codec::encode(&1u64));
        batch.put(Column::Headers, id.0, codec::encode(&entry));
        batch.put(Column::Bodies, schema::height_id(0, &id), genesis.encode());
        batch.put(Column::Heights, 0u64.to_be_bytes(), id.0);
        Tally::default().add_to(&self.engine, &mut batch)?;
        self.engine.write(&batch, Durability::Synced)
    }

    /// That what every commit writes together is there together: a folder with files missing may open all the same.
    fn check_tip(&self) -> Result<(BlockId, u64), StorageError> {
        let (id, height) = self.tip()?;
        let problem = if self.id_at(height)? != Some(id) {
            "is not the block at its height"
        } else if self.id_at(height + 1)?.is_some() {
            "is not the highest block"
        } else if !self.stored_header(&id)?.is_some_and(|entry| entry.body && entry.header.height == height) {
            "has no header"
        } else if self.body_raw(&id)?.is_none() {
            "has no body"
        } else if height > 0 && self.undo(&id)?.is_none() {
            "has no undo"
        } else {
            self.check_journal()?;
            return Ok((id, height));
        };
        Err(damaged(Column::Meta, meta::TIP, format!("the tip {id} {problem}")))
    }

    /// The chain's parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The chain's id.
    pub fn chain_id(&self) -> ChainId {
        self.chain
    }

    /// Tip of the best chain, as last committed, and its height.
    pub fn tip(&self) -> Result<(BlockId, u64), StorageError> {
        self.meta(meta::TIP, 40)
    }

    /// Brings everything written before to the disk.
    pub fn sync(&self) -> Result<(), StorageError> {
        self.engine.sync()
    }

    /// Bytes the node put under `name`.
    pub fn meta_get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.engine.get(Column::Meta, &node_key(name))
    }

    /// Puts bytes under a name of the node's choice, buffered: see [`Durability::Buffered`] and [`Self::sync`].
    pub fn meta_put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.put(Column::Meta, node_key(name), bytes);
        self.engine.write(&batch, Durability::Buffered)
    }

    /// A value every opened store has.
    fn meta<T: serde::de::DeserializeOwned>(&self, key: &[u8], limit: usize) -> Result<T, StorageError> {
        read(&self.engine, Column::Meta, key, limit)?.ok_or_else(|| damaged(Column::Meta, key, "is not there"))
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        // It guards no data of its own, so a panic elsewhere leaves nothing half done behind it.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch and what it makes of the tally. Ask for [`Self::writer`] before.
    fn write(&self, mut batch: Batch, durability: Durability) -> Result<(), StorageError> {
        if batch.is_empty() {
            return Ok(());
        }
        Tally::stored(&self.engine)?.add_to(&self.engine, &mut batch)?;
        self.engine.write(&batch, durability)
    }
}

fn node_key(name: &str) -> Vec<u8> {
    [meta::NODE, name.as_bytes()].concat()
}
