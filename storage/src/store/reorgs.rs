//! The tables about reorganisations: journal, leftovers, reports, records watched, marks of the operator.

use super::ChainStore;
use super::commit::Reorg;
use crate::engine::{Batch, Durability, Engine};
use crate::schema::meta;
use crate::values::{damaged, decode, read};
use crate::{Column, Journal, JournalChange, Leftover, Mark, ReorgReport, StorageError, Watched};
use medring_protocol::{BlockId, RecordId, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::ControlFlow;

/// Writes or deletes each.
fn write_all<K, V: Serialize>(batch: &mut Batch, column: Column, all: &[(K, Option<V>)], key: impl Fn(&K) -> Vec<u8>) {
    for (k, value) in all {
        match value {
            Some(value) => batch.put(column, key(k), codec::encode(value)),
            None => batch.delete(column, key(k)),
        }
    }
}

/// A key of 8 bytes, big-endian.
fn number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

fn id(key: &[u8]) -> Option<[u8; 32]> {
    key.try_into().ok()
}

impl<E: Engine> ChainStore<E> {
    pub(super) fn write_reorg_tables(&self, batch: &mut Batch, reorg: &Reorg) {
        match &reorg.journal {
            JournalChange::Keep => {}
            JournalChange::Write(journal) => batch.put(Column::Meta, meta::JOURNAL, codec::encode(journal)),
            JournalChange::Remove => batch.delete(Column::Meta, meta::JOURNAL),
        }
        write_all(batch, Column::Leftovers, &reorg.leftovers, |n| n.to_be_bytes().to_vec());
        write_all(batch, Column::Reorgs, &reorg.reports, |n| n.to_be_bytes().to_vec());
        write_all(batch, Column::Watched, &reorg.watched, |id| id.0.to_vec());
    }

    /// The deep reorganisation under way, if there is one: whoever opens the store has to finish it.
    pub fn journal(&self) -> Result<Option<Journal>, StorageError> {
        read(&self.engine, Column::Meta, meta::JOURNAL, Journal::BYTES)
    }

    /// That both ends of a journal are known.
    pub(super) fn check_journal(&self) -> Result<(), StorageError> {
        let Some(journal) = self.journal()? else { return Ok(()) };
        for id in [journal.origin, journal.target] {
            if self.stored_header(&id)?.is_none() {
                return Err(damaged(Column::Meta, meta::JOURNAL, format!("names block {id}, which has no header")));
            }
        }
        Ok(())
    }

    /// Whether records of left blocks are neither on the best chain nor in the pool yet, but on their way there.
    pub fn records_are_returning(&self) -> Result<bool, StorageError> {
        Ok(self.journal()?.is_some() || !self.leftovers()?.is_empty())
    }

    /// Left branches whose records still have to return, oldest first.
    pub fn leftovers(&self) -> Result<Vec<(u64, Leftover)>, StorageError> {
        self.table(Column::Leftovers, Leftover::BYTES, number)
    }

    /// The reorganisations reported, oldest first.
    pub fn reorgs(&self) -> Result<Vec<(u64, ReorgReport)>, StorageError> {
        self.table(Column::Reorgs, ReorgReport::BYTES_MAX, number)
    }

    /// One report, if it is not forgotten yet.
    pub fn reorg(&self, number: u64) -> Result<Option<ReorgReport>, StorageError> {
        read(&self.engine, Column::Reorgs, &number.to_be_bytes(), ReorgReport::BYTES_MAX)
    }

    /// Every record watched, ascending by id.
    pub fn all_watched(&self) -> Result<Vec<(RecordId, Watched)>, StorageError> {
        self.table(Column::Watched, Watched::BYTES_MAX, |key| id(key).map(RecordId))
    }

    /// What became of a record that was submitted here.
    pub fn watched(&self, id: &RecordId) -> Result<Option<Watched>, StorageError> {
        read(&self.engine, Column::Watched, &id.0, Watched::BYTES_MAX)
    }

    /// What the operator said of blocks, ascending by id.
    pub fn marks(&self) -> Result<Vec<(BlockId, Mark)>, StorageError> {
        self.table(Column::Marks, Mark::BYTES_MAX, |key| id(key).map(BlockId))
    }

    /// Stores what the operator says of blocks; `None` takes it back. Synced: the operator is told.
    pub fn put_marks(&self, marks: &[(BlockId, Option<Mark>)]) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut batch = Batch::new();
        write_all(&mut batch, Column::Marks, marks, |id| id.0.to_vec());
        self.write(batch, Durability::Synced)
    }

    fn table<K, V: DeserializeOwned>(
        &self,
        column: Column,
        limit: usize,
        parse: impl Fn(&[u8]) -> Option<K>,
    ) -> Result<Vec<(K, V)>, StorageError> {
        let mut all = Vec::new();
        self.scan_all(column, &[], |key, value| {
            let parsed = parse(key).ok_or_else(|| damaged(column, key, "is no key of this column"))?;
            all.push((parsed, decode(column, key, value, limit)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }
}
