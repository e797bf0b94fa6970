//! What a store needs of an engine: ordered columns, atomic batches, and a way to the disk.

use crate::{Column, StorageError};
use std::ops::ControlFlow;

/// How sure a write must be before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the disk: survives a power cut. One fsync, about 4 ms.
    Synced,
    /// Handed to the system: survives the death of the process, not of the machine. Order is kept: after a power cut the
    /// store is as it was after one of its batches.
    Buffered,
}

/// One change in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// In which column.
    pub column: Column,
    /// Which key.
    pub key: Vec<u8>,
    /// Its new value; `None`: delete.
    pub value: Option<Vec<u8>>,
}

/// Changes that are written together or not at all. Of two to one key the later counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Operation>,
}

impl Batch {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn put(&mut self, column: Column, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.operations.push(Operation { column, key: key.into(), value: Some(value.into()) });
    }

    /// Deletes a key, if it is there.
    pub fn delete(&mut self, column: Column, key: impl Into<Vec<u8>>) {
        self.operations.push(Operation { column, key: key.into(), value: None });
    }

    /// The changes in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// Told each key and value of a scan; `Break` ends it.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered key-value store with columns. Clones share one store.
pub trait Engine: Clone + Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Whether a key is there.
    fn holds(&self, column: Column, key: &[u8]) -> Result<bool, StorageError> {
        Ok(self.get(column, key)?.is_some())
    }

    /// Every key at or above `from` in ascending order, as of one moment, until `visit` breaks.
    fn scan(&self, column: Column, from: &[u8], visit: Visit<'_>) -> Result<(), StorageError>;

    /// At least as many keys as a column holds, told without reading their values. Where no key was ever written twice, exact.
    fn at_most(&self, column: Column) -> Result<u64, StorageError>;

    /// Writes all of `batch` or nothing. After an error the store must be opened anew to know which; [`StorageError::Full`] alone says that
    /// nothing was written, and that writing may go on once there is room.
    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError>;

    /// Brings every earlier write to the disk.
    fn sync(&self) -> Result<(), StorageError>;
}
