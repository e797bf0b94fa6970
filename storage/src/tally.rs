//! How many keys each column holds, written with every batch that changes it: what a damaged file hides shows at the start.

use crate::engine::{Batch, Engine};
use crate::schema::meta;
use crate::values::{damaged, read};
use crate::{Column, StorageError};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Columns that are counted: all but `meta`, whose keys are looked up one by one.
const COUNTED: usize = Column::ALL.len() - 1;

/// Their values are big, so that counting them reads the whole chain: what the engine's files say of themselves is enough.
const BIG: [Column; 2] = [Column::Bodies, Column::Undo];

/// Keys in each column after [`Column::Meta`], in the order of [`Column::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally([u64; COUNTED]);

impl Tally {
    /// An encoded one.
    pub(crate) const BYTES: usize = 8 * COUNTED;

    /// Counts what is there.
    pub(crate) fn count<E: Engine>(engine: &E) -> Result<Self, StorageError> {
        let mut tally = Self::default();
        for (column, keys) in tally.columns() {
            *keys = count(engine, column)?;
        }
        Ok(tally)
    }

    /// What was written last.
    pub(crate) fn stored<E: Engine>(engine: &E) -> Result<Self, StorageError> {
        let counts = read(engine, Column::Meta, meta::TALLY, Self::BYTES)?;
        counts.map(Self).ok_or_else(|| damaged(Column::Meta, meta::TALLY, "is not there"))
    }

    /// Puts what there will be after `batch` into it, unless that is what there is.
    pub(crate) fn add_to<E: Engine>(self, engine: &E, batch: &mut Batch) -> Result<(), StorageError> {
        let after = self.after(engine, batch)?;
        if after != self {
            after.put(batch);
        }
        Ok(())
    }

    /// Puts itself into a batch.
    pub(crate) fn put(self, batch: &mut Batch) {
        batch.put(Column::Meta, meta::TALLY, medring_protocol::codec::encode(&self.0));
    }

    /// What there will be when `batch` is written to `engine`, which holds what `self` says.
    fn after<E: Engine>(mut self, engine: &E, batch: &Batch) -> Result<Self, StorageError> {
        // Of two changes to one key the later counts.
        let last: BTreeMap<_, _> =
            batch.operations().iter().map(|o| ((o.column, o.key.as_slice()), o.value.is_some())).collect();
        for ((column, key), stays) in last {
            let Some(keys) = self.of(column) else { continue };
            match (engine.holds(column, key)?, stays) {
                (false, true) => *keys += 1,
                // A store that holds fewer than it was counted to is told of at the next start.
                (true, false) => *keys = keys.saturating_sub(1),
                _ => {}
            }
        }
        Ok(self)
    }

    /// That the columns hold what was written.
    ///
    /// # Errors
    /// [`StorageError::Damaged`], which names the column.
    pub(crate) fn check<E: Engine>(mut self, engine: &E) -> Result<(), StorageError> {
        for (column, keys) in self.columns() {
            let written = *keys;
            let big = BIG.contains(&column);
            let found = if big { engine.at_most(column)? } else { count(engine, column)? };
            if found < written || (found > written && !big) {
                let problem = format!("{written} entries were written to {column}, and {found} are there");
                return Err(damaged(Column::Meta, meta::TALLY, problem));
            }
        }
        Ok(())
    }

    fn columns(&mut self) -> impl Iterator<Item = (Column, &mut u64)> {
        Column::ALL.into_iter().skip(1).zip(&mut self.0)
    }

    fn of(&mut self, column: Column) -> Option<&mut u64> {
        self.columns().find_map(|(c, keys)| (c == column).then_some(keys))
    }
}

fn count<E: Engine>(engine: &E, column: Column) -> Result<u64, StorageError> {
    let mut keys = 0;
    engine.scan(column, &[], &mut |_, _| {
        keys += 1;
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, MemoryEngine};

    fn write(engine: &MemoryEngine, tally: Tally, batch: &mut Batch) -> Tally {
        tally.add_to(engine, batch).unwrap();
        engine.write(batch, Durability::Buffered).unwrap();
        Tally::stored(engine).unwrap()
    }

    #[test]
    fn meta_is_the_first_column_and_the_only_one_not_counted() {
        let mut tally = Tally::default();
        assert!(tally.of(Column::Meta).is_none());
        assert!(Column::ALL.iter().skip(1).all(|column| tally.of(*column).is_some()));
    }

    #[test]
    fn each_key_counts_once_whatever_a_batch_does_to_it() {
        let engine = MemoryEngine::new();
        let mut batch = Batch::new();
        batch.put(Column::Keys, *b"a", *b"1");
        batch.put(Column::Keys, *b"a", *b"2");
        batch.put(Column::Keys, *b"b", *b"1");
        batch.put(Column::Pool, *b"a", *b"1");
        batch.delete(Column::Pool, *b"a");
        batch.delete(Column::Undo, *b"never there");
        let mut tally = write(&engine, Tally::default(), &mut batch);
        assert_eq!((*tally.of(Column::Keys).unwrap(), *tally.of(Column::Pool).unwrap()), (2, 0));
        let mut batch = Batch::new();
        batch.delete(Column::Keys, *b"a");
        batch.put(Column::Keys, *b"b", *b"2");
        let tally = write(&engine, tally, &mut batch);
        assert_eq!(tally, Tally::count(&engine).unwrap());
        tally.check(&engine).unwrap();
    }

    #[test]
    fn an_entry_too_few_or_too_many_is_named_by_its_column() {
        for column in Column::ALL.into_iter().skip(1) {
            let engine = MemoryEngine::new();
            let mut batch = Batch::new();
            batch.put(column, *b"a", *b"1");
            let tally = write(&engine, Tally::default(), &mut batch);
            let mut behind = Batch::new();
            behind.delete(column, *b"a");
            engine.write(&behind, Durability::Buffered).unwrap();
            let error = tally.check(&engine).unwrap_err().to_string();
            assert!(error.contains(&format!("1 entries were written to {column}, and 0 are there")), "{error}");
            let mut behind = Batch::new();
            behind.put(column, *b"a", *b"1");
            behind.put(column, *b"b", *b"1");
            engine.write(&behind, Durability::Buffered).unwrap();
            assert_eq!(tally.check(&engine).is_err(), !BIG.contains(&column), "{column}");
        }
    }
}
