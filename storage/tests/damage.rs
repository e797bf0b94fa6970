//! Values that are not what was written: each read says where, and none panics.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::world::World;
use medring_protocol::chain::{Location, StateRead};
use medring_protocol::{BlockId, Gid, RecordId};
use medring_storage::{
    Batch, ChainStore, Column, Durability, Engine, Fate, Journal, JournalChange, Leftover, Mark, MemoryEngine,
    PoolEntry, Reorg, ReorgReport, StorageError, Watched, schema,
};

struct Fixture {
    world: World,
    engine: MemoryEngine,
    tip: BlockId,
    record: RecordId,
}

impl Fixture {
    /// A chain of two blocks: an enrolment; a record to a group. One record waits.
    fn new() -> Self {
        let mut world = World::new(5);
        let genesis = world.net.genesis();
        let bodies = vec![vec![world.net.enrol(&[0])], vec![world.net.phr(0, Gid([1; 32]), 1)]];
        let chain = world.make_chain(&genesis, bodies, 1);
        let engine = MemoryEngine::new();
        let store = ChainStore::open(engine.clone(), &world.net.params).unwrap();
        world.store_blocks(&store, &chain);
        world.go(&store, &chain[1]).unwrap();
        let record = world.net.phr(0, Gid([1; 32]), 2);
        store.put_pool(&PoolEntry { record, received_ms: 1, sequence: 1 }).unwrap();
        let record = world.made[&chain[1]].block.record_ids()[0];
        write_reorg_tables(&store, chain[1], record);
        Self { world, engine, tip: chain[1], record }
    }

    /// Reads everything that the store can tell, one error for each question that fails.
    fn read_all(&self) -> Vec<StorageError> {
        let store = match ChainStore::open(self.engine.clone(), &self.world.net.params) {
            Ok(store) => store,
            Err(error) => return vec![error],
        };
        let patient = self.world.net.patients[0].public();
        let results = [
            store.tip().map(drop),
            store.visit_headers(&mut |_| {}),
            store.block(&self.tip).map(drop),
            store.header_at(2).map(drop),
            store.undo(&self.tip).map(drop),
            store.participant(&patient.id()).map(drop),
            store.key_owner(&patient.key_hashes()[0]).map(drop),
            store.key_owner(&patient.key_hashes()[1]).map(drop),
            store.location(&self.record).map(drop),
            store.usage(&patient.id()).map(drop),
            store.keys_of(&patient.id()).map(drop),
            store.pool().map(drop),
            store.journal().map(drop),
            store.marks().map(drop),
            store.reorgs().map(drop),
            store.leftovers().map(drop),
            store.all_watched().map(drop),
            store.records_by_group(&Gid([1; 32])).map(drop),
            store.record_at(&Location { height: 2, index: 0 }).map(drop),
            store.put_headers(&[], Durability::Buffered),
        ];
        results.into_iter().filter_map(Result::err).collect()
    }

    /// A key of a column that [`Self::read_all`] reads, and its value.
    fn entry(&self, column: Column) -> (Vec<u8>, Vec<u8>) {
        let patient = self.world.net.patients[0].public();
        let key = match column {
            Column::Meta => schema::meta::TIP.to_vec(),
            Column::Headers => self.tip.0.to_vec(),
            Column::Bodies | Column::Undo => schema::height_id(2, &self.tip).to_vec(),
            Column::Heights => 2u64.to_be_bytes().to_vec(),
            Column::Participants | Column::Usage | Column::Directory => patient.id().0.to_vec(),
            Column::Keys => patient.key_hashes()[0].0.to_vec(),
            Column::Locations => self.record.0.to_vec(),
            Column::Pool => self.world.net.phr(0, Gid([1; 32]), 2).id(&self.world.net.chain).0.to_vec(),
            Column::Groups => schema::group(&Gid([1; 32]), 2, 0).to_vec(),
            Column::Marks => self.tip.0.to_vec(),
            Column::Reorgs | Column::Leftovers => 7u64.to_be_bytes().to_vec(),
            Column::Watched => self.record.0.to_vec(),
        };
        let value = self.engine.get(column, &key).unwrap().unwrap();
        (key, value)
    }

    fn put(&self, column: Column, key: &[u8], value: &[u8]) {
        let mut batch = Batch::new();
        batch.put(column, key, value);
        self.engine.write(&batch, Durability::Synced).unwrap();
    }
}

/// A value of each kind that is kept of reorganisations.
fn write_reorg_tables(store: &ChainStore<MemoryEngine>, tip: BlockId, record: RecordId) {
    let at = (tip, 2);
    let report = ReorgReport {
        at_ms: 1,
        from: at,
        to: at,
        fork: at,
        steps: 1,
        returned: 1,
        confirmed_again: 0,
        dropped: 0,
        own: vec![record],
    };
    let mut watched = Watched { sequence: 1, notes: Vec::new() };
    watched.note(1, Fate::WentBack { block: tip, height: 2 });
    watched.note(2, Fate::Dropped("expired".into()));
    let reorg = Reorg {
        journal: JournalChange::Write(Journal { origin: tip, target: tip, began_ms: 1, steps: 1 }),
        leftovers: vec![(7, Some(Leftover { tip, height: 2, index: 0, reorg: 7 }))],
        reports: vec![(7, Some(report))],
        watched: vec![(record, Some(watched))],
        ..Reorg::default()
    };
    store.commit(&reorg, Durability::Synced).unwrap();
    store.put_marks(&[(tip, Some(Mark::Preferred(1)))]).unwrap();
}

#[test]
fn a_sound_store_reads_without_an_error() {
    assert!(Fixture::new().read_all().is_empty());
}

#[test]
fn truncated_and_trailing_bytes_are_named_by_column_and_key() {
    let fixture = Fixture::new();
    use schema::meta;
    let metas: [&[u8]; 5] = [meta::FORMAT, meta::CHAIN, meta::TIP, meta::SEQUENCE, meta::JOURNAL];
    let metas = metas.map(|key| (Column::Meta, key.to_vec(), fixture.engine.get(Column::Meta, key).unwrap().unwrap()));
    let others = Column::ALL.into_iter().map(|column| {
        let (key, value) = fixture.entry(column);
        (column, key, value)
    });
    for (column, key, value) in others.chain(metas) {
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        let trailing = [value.as_slice(), &[0]].concat();
        for bad in (0..value.len()).map(|end| &value[..end]).chain([trailing.as_slice()]) {
            fixture.put(column, &key, bad);
            let errors = fixture.read_all();
            let named = |e: &StorageError| matches!(e, StorageError::Damaged { column: c, key: k, .. } if *c == column.name() && *k == hex);
            assert!(errors.iter().any(named), "{column}, {} of {} bytes: {errors:?}", bad.len(), value.len());
        }
        fixture.put(column, &key, &value);
        assert!(fixture.read_all().is_empty(), "{column}");
    }
}

#[test]
fn any_flipped_byte_is_an_error_or_another_sound_value_and_never_a_panic() {
    let fixture = Fixture::new();
    for column in Column::ALL {
        let (key, value) = fixture.entry(column);
        for at in 0..value.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bad = value.clone();
                bad[at] ^= flip;
                fixture.put(column, &key, &bad);
                fixture.read_all();
            }
        }
        fixture.put(column, &key, &value);
    }
}

#[test]
fn values_under_another_key_are_seen() {
    for (column, made_of) in
        [(Column::Headers, 112), (Column::Bodies, 112), (Column::Directory, 288), (Column::Pool, 200)]
    {
        let fixture = Fixture::new();
        let (key, value) = fixture.entry(column);
        assert!(value.len() >= made_of);
        let mut other = value.clone();
        // A byte of a hashed part: the value decodes, its hash differs from the key.
        other[50] ^= 1;
        fixture.put(column, &key, &other);
        let errors = fixture.read_all();
        assert!(
            errors.iter().any(|e| matches!(e, StorageError::Damaged { column: c, problem, .. } if *c == column.name() && problem.contains("another"))),
            "{column}: {errors:?}"
        );
    }
}

#[test]
fn a_store_whose_tip_lacks_what_a_commit_writes_does_not_open() {
    for column in [Column::Headers, Column::Bodies, Column::Heights, Column::Undo] {
        let fixture = Fixture::new();
        let mut batch = Batch::new();
        batch.delete(column, fixture.entry(column).0);
        fixture.engine.write(&batch, Durability::Synced).unwrap();
        let error = ChainStore::open(fixture.engine, &fixture.world.net.params).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { column: "meta", .. }), "{column}: {error}");
    }
}
