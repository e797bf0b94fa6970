//! The mempool on disk: what is waiting survives a restart.

use super::ChainStore;
use crate::engine::{Batch, Durability, Engine};
use crate::values::{damaged, decode};
use crate::{Column, PoolEntry, StorageError};
use medring_protocol::{RecordId, codec};
use std::ops::ControlFlow;

impl<E: Engine> ChainStore<E> {
    /// Every waiting record, in the order of admission.
    pub fn pool(&self) -> Result<Vec<PoolEntry>, StorageError> {
        let mut entries: Vec<PoolEntry> = Vec::new();
        self.scan_all(Column::Pool, &[], |key, value| {
            let entry: PoolEntry = decode(Column::Pool, key, value, PoolEntry::BYTES_MAX)?;
            if entry.record.id(&self.chain).0 != key {
                return Err(damaged(Column::Pool, key, "holds another record"));
            }
            entries.push(entry);
            Ok(ControlFlow::Continue(()))
        })?;
        entries.sort_by_key(|entry| entry.sequence);
        Ok(entries)
    }

    /// Stores a waiting record, in place of one of the same RecordId, buffered. To acknowledge it as safe from a power cut,
    /// [`ChainStore::sync`] first.
    pub fn put_pool(&self, entry: &PoolEntry) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut batch = Batch::new();
        self.pool_put(&mut batch, entry);
        self.write(batch, Durability::Buffered)
    }

    /// Removes records that wait no more, buffered.
    pub fn remove_pool(&self, ids: &[RecordId]) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut batch = Batch::new();
        pool_remove(&mut batch, ids);
        self.write(batch, Durability::Buffered)
    }

    pub(super) fn pool_put(&self, batch: &mut Batch, entry: &PoolEntry) {
        batch.put(Column::Pool, entry.record.id(&self.chain).0, codec::encode(entry));
    }
}

pub(super) fn pool_remove(batch: &mut Batch, ids: &[RecordId]) {
    for id in ids {
        batch.delete(Column::Pool, id.0);
    }
}
