//! The disk of a simulated node: a store in memory that knows which writes a power cut would take away.

use medring_storage::{Batch, Column, Durability, Engine, MemoryEngine, StorageError, Visit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk does that no disk should: the broken rules of [`super::Broken`] that lie below the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DiskFlaws {
    /// Says that it synced, and did not.
    pub(super) never_syncs: bool,
    /// Forgets to delete where records stand, when their block leaves the chain.
    pub(super) keeps_locations: bool,
}

/// A store in memory. Clones share it. A batch is whole or not there, as in RocksDB, whose log drops a torn one; what was not
/// synced may be lost from some batch on.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    memory: MemoryEngine,
    /// For each batch not synced yet, oldest first: what takes it back.
    unsynced: Arc<Mutex<Vec<Batch>>>,
    flaws: DiskFlaws,
    full: Arc<AtomicBool>,
}

impl Disk {
    pub(super) fn new(flaws: DiskFlaws) -> Self {
        Self { flaws, ..Self::default() }
    }

    /// A copy that shares nothing: the disk as it is now, all of it synced.
    pub(super) fn fork(&self) -> Self {
        Self { memory: self.memory.fork(), flaws: self.flaws, ..Self::default() }
    }

    /// From now on there is no room for a further write, or there is again.
    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn unsynced(&self) -> MutexGuard<'_, Vec<Batch>> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes. Of what was not synced, `kept_percent` of the batches had reached the disk, oldest first. Returns how
    /// many were lost.
    pub(super) fn cut_power(&self, kept_percent: usize) -> Result<usize, StorageError> {
        let mut unsynced = self.unsynced();
        let kept = unsynced.len() * kept_percent.min(100) / 100;
        let lost = unsynced.split_off(kept);
        unsynced.clear();
        for inverse in lost.iter().rev() {
            self.memory.write(inverse, Durability::Synced)?;
        }
        Ok(lost.len())
    }

    /// What takes `batch` back.
    fn inverse(&self, batch: &Batch) -> Result<Batch, StorageError> {
        let mut inverse = Batch::new();
        for operation in batch.operations() {
            match self.memory.get(operation.column, &operation.key)? {
                Some(before) => inverse.put(operation.column, operation.key.clone(), before),
                None => inverse.delete(operation.column, operation.key.clone()),
            }
        }
        Ok(inverse)
    }

    fn spoiled(&self, batch: &Batch) -> Batch {
        let mut spoiled = Batch::new();
        for operation in batch.operations() {
            match &operation.value {
                Some(value) => spoiled.put(operation.column, operation.key.clone(), value.clone()),
                None if operation.column == Column::Locations => {}
                None => spoiled.delete(operation.column, operation.key.clone()),
            }
        }
        spoiled
    }
}

impl Engine for Disk {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.memory.get(column, key)
    }

    fn holds(&self, column: Column, key: &[u8]) -> Result<bool, StorageError> {
        self.memory.holds(column, key)
    }

    fn at_most(&self, column: Column) -> Result<u64, StorageError> {
        self.memory.at_most(column)
    }

    fn scan(&self, column: Column, from: &[u8], visit: Visit<'_>) -> Result<(), StorageError> {
        self.memory.scan(column, from, visit)
    }

    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(StorageError::Full { problem: "the scenario says so".into() });
        }
        if self.flaws.keeps_locations {
            let spoiled = self.spoiled(batch);
            return self.memory.write(&spoiled, durability);
        }
        let mut unsynced = self.unsynced();
        if durability == Durability::Synced && !self.flaws.never_syncs {
            unsynced.clear();
        } else {
            unsynced.push(self.inverse(batch)?);
        }
        self.memory.write(batch, durability)
    }

    fn sync(&self) -> Result<(), StorageError> {
        if !self.flaws.never_syncs {
            self.unsynced().clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(disk: &Disk, key: &str, value: &str, durability: Durability) {
        let mut batch = Batch::new();
        batch.put(Column::Meta, key, value);
        disk.write(&batch, durability).unwrap();
    }

    fn read(disk: &Disk, key: &str) -> Option<String> {
        disk.get(Column::Meta, key.as_bytes()).unwrap().map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_power_cut_takes_whole_batches_back_to_the_last_synced_one() {
        let disk = Disk::default();
        put(&disk, "a", "1", Durability::Buffered);
        put(&disk, "a", "2", Durability::Synced);
        put(&disk, "a", "3", Durability::Buffered);
        put(&disk, "b", "4", Durability::Buffered);
        assert_eq!(disk.cut_power(50).unwrap(), 1, "half of two batches had reached the disk");
        assert_eq!((read(&disk, "a").as_deref(), read(&disk, "b")), (Some("3"), None));
        put(&disk, "a", "5", Durability::Buffered);
        disk.sync().unwrap();
        put(&disk, "a", "6", Durability::Buffered);
        assert_eq!(disk.cut_power(0).unwrap(), 1);
        assert_eq!(read(&disk, "a").as_deref(), Some("5"));
    }

    #[test]
    fn a_disk_that_never_syncs_loses_what_it_promised() {
        let disk = Disk::new(DiskFlaws { never_syncs: true, ..DiskFlaws::default() });
        put(&disk, "a", "1", Durability::Synced);
        disk.sync().unwrap();
        disk.cut_power(0).unwrap();
        assert_eq!(read(&disk, "a"), None);
    }
}
