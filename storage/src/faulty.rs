//! An engine that fails at the n-th write, around any other.

use crate::engine::{Batch, Durability, Engine, Visit};
use crate::{Column, StorageError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a write fails. Batches are atomic, so there is no third place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailPoint {
    /// Before the batch is written.
    Before,
    /// After it is written, but before the caller is told.
    After,
}

/// Fails at the n-th write and at each one after it, as a disk that went away does. Clones share the count. Reads go on:
/// what they find is what a restarted process would find.
#[derive(Clone, Debug)]
pub struct FaultyEngine<E> {
    inner: E,
    fail_at_write: u64,
    point: FailPoint,
    writes: Arc<AtomicU64>,
}

impl<E: Engine> FaultyEngine<E> {
    /// Around `inner`; the first write is number 1, and `u64::MAX` never fails. Fails before the batch is written.
    pub fn new(inner: E, fail_at_write: u64) -> Self {
        Self { inner, fail_at_write, point: FailPoint::Before, writes: Arc::default() }
    }

    /// The same, failing at `point`.
    #[must_use]
    pub fn at(self, point: FailPoint) -> Self {
        Self { point, ..self }
    }

    /// Writes asked for so far, failed ones included.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

impl<E: Engine> Engine for FaultyEngine<E> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(column, key)
    }

    fn holds(&self, column: Column, key: &[u8]) -> Result<bool, StorageError> {
        self.inner.holds(column, key)
    }

    fn at_most(&self, column: Column) -> Result<u64, StorageError> {
        self.inner.at_most(column)
    }

    fn scan(&self, column: Column, from: &[u8], visit: Visit<'_>) -> Result<(), StorageError> {
        self.inner.scan(column, from, visit)
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if write < self.fail_at_write {
            return self.inner.write(batch, durability);
        }
        if write == self.fail_at_write && self.point == FailPoint::After {
            self.inner.write(batch, durability)?;
        }
        Err(StorageError::Injected { write })
    }

    fn sync(&self) -> Result<(), StorageError> {
        match self.writes() {
            write if write >= self.fail_at_write => Err(StorageError::Injected { write }),
            _ => self.inner.sync(),
        }
    }
}
