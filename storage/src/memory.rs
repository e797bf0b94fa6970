//! An engine in memory, for the simulator and tests. It promises no durability.

use crate::engine::{Batch, Durability, Engine, Visit};
use crate::{Column, StorageError};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Columns as ordered maps. Clones share them, so a clone kept aside is what a restarted node finds.
#[derive(Clone, Debug, Default)]
pub struct MemoryEngine {
    columns: Arc<RwLock<[Map; Column::ALL.len()]>>,
}

/// Position of a column in [`Column::ALL`].
fn place(column: Column) -> usize {
    // A fieldless enum without explicit values counts from 0 in the order of its list.
    column as usize
}

impl MemoryEngine {
    /// Nothing stored.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that shares nothing: the store as it is now.
    #[must_use]
    pub fn fork(&self) -> Self {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner).clone();
        Self { columns: Arc::new(RwLock::new(columns)) }
    }
}

impl Engine for MemoryEngine {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        Ok(columns[place(column)].get(key).cloned())
    }

    fn holds(&self, column: Column, key: &[u8]) -> Result<bool, StorageError> {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        Ok(columns[place(column)].contains_key(key))
    }

    fn at_most(&self, column: Column) -> Result<u64, StorageError> {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        Ok(u64::try_from(columns[place(column)].len()).unwrap_or(u64::MAX))
    }

    fn scan(&self, column: Column, from: &[u8], visit: Visit<'_>) -> Result<(), StorageError> {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in
            columns[place(column)].range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded))
        {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch, _: Durability) -> Result<(), StorageError> {
        let mut columns = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        for operation in batch.operations() {
            let map = &mut columns[place(operation.column)];
            match &operation.value {
                Some(value) => map.insert(operation.key.clone(), value.clone()),
                None => map.remove(&operation.key),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_its_place() {
        assert!(Column::ALL.iter().enumerate().all(|(i, column)| place(*column) == i));
    }
}
