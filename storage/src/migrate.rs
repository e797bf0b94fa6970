//! Brings a folder of an older format to the one written now, one format after the other, each in one batch.

use crate::engine::{Batch, Durability, Engine};
use crate::schema::{FORMAT_VERSION, meta};
use crate::tally::Tally;
use crate::{Column, StorageError};
use medring_protocol::codec;

/// What leads from one format to the next. The batch holds the changes; the version itself is added here.
pub(crate) struct Step<E> {
    /// The format it reads; it writes the one after.
    pub(crate) from: u32,
    /// Makes the changes.
    pub(crate) changes: fn(&E) -> Result<Batch, StorageError>,
}

/// Every step there is.
fn steps<E: Engine>() -> Vec<Step<E>> {
    // Format 2 adds a key and columns, all of them empty at first; format 3 counts.
    vec![
        Step { from: 1, changes: |_| Ok(Batch::new()) },
        Step {
            from: 2,
            changes: |engine| {
                let mut batch = Batch::new();
                Tally::count(engine)?.put(&mut batch);
                Ok(batch)
            },
        },
    ]
}

/// From format `found` to [`FORMAT_VERSION`]; refuses a newer one.
pub(crate) fn migrate<E: Engine>(engine: &E, found: u32) -> Result<(), StorageError> {
    migrate_by(engine, found, FORMAT_VERSION, &steps())
}

fn migrate_by<E: Engine>(engine: &E, found: u32, known: u32, steps: &[Step<E>]) -> Result<(), StorageError> {
    if found > known {
        return Err(StorageError::NewerFormat { found: found.to_string(), known });
    }
    for from in found..known {
        let Some(step) = steps.iter().find(|step| step.from == from) else {
            return Err(StorageError::Bug(format!("no migration leads from storage format {from}")));
        };
        tracing::info!(from, to = from + 1, "migrating the store");
        let mut batch = (step.changes)(engine)?;
        batch.put(Column::Meta, meta::FORMAT, codec::encode(&(from + 1)));
        engine.write(&batch, Durability::Synced)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultyEngine, MemoryEngine};

    /// A made-up format 2 that keeps what stood under `a` under `b`, and a format 3 that changes nothing.
    fn made_up<E: Engine>() -> Vec<Step<E>> {
        fn move_a<E: Engine>(engine: &E) -> Result<Batch, StorageError> {
            let mut batch = Batch::new();
            if let Some(value) = engine.get(Column::Meta, b"a")? {
                batch.delete(Column::Meta, *b"a");
                batch.put(Column::Meta, *b"b", value);
            }
            Ok(batch)
        }
        vec![Step { from: 1, changes: move_a }, Step { from: 2, changes: |_| Ok(Batch::new()) }]
    }

    fn old_store() -> MemoryEngine {
        let engine = MemoryEngine::new();
        let mut batch = Batch::new();
        batch.put(Column::Meta, meta::FORMAT, codec::encode(&1u32));
        batch.put(Column::Meta, *b"a", *b"value");
        engine.write(&batch, Durability::Synced).unwrap();
        engine
    }

    fn format(engine: &MemoryEngine) -> u32 {
        codec::decode(&engine.get(Column::Meta, meta::FORMAT).unwrap().unwrap(), 4).unwrap()
    }

    #[test]
    fn an_older_folder_passes_through_every_format() {
        let engine = old_store();
        migrate_by(&engine, 1, 3, &made_up()).unwrap();
        assert_eq!(format(&engine), 3);
        assert_eq!(engine.get(Column::Meta, b"a").unwrap(), None);
        assert_eq!(engine.get(Column::Meta, b"b").unwrap().unwrap(), b"value");
    }

    #[test]
    fn a_migration_cut_short_goes_on_where_it_stopped() {
        let engine = old_store();
        let faulty = FaultyEngine::new(engine.clone(), 2);
        assert!(matches!(migrate_by(&faulty, 1, 3, &made_up()), Err(StorageError::Injected { write: 2 })));
        assert_eq!(format(&engine), 2);
        migrate_by(&engine, 2, 3, &made_up()).unwrap();
        assert_eq!(format(&engine), 3);
        assert_eq!(engine.get(Column::Meta, b"b").unwrap().unwrap(), b"value");
    }

    #[test]
    fn a_newer_folder_is_refused_and_the_way_on_named() {
        let error = migrate_by(&old_store(), 4, 3, &made_up()).unwrap_err();
        assert!(matches!(error, StorageError::NewerFormat { known: 3, .. }));
        assert!(error.to_string().contains("format 4") && error.to_string().contains("Install the newer medring"));
    }
}
