//! Opening a store: the first time, again, by two, of the wrong chain, of a newer format.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Net;
use medring_storage::{Batch, ChainStore, Column, Durability, Engine, MemoryEngine, RocksEngine, StorageError, schema};

#[test]
fn an_empty_folder_gets_genesis_and_keeps_it() {
    let net = Net::new(1);
    let folder = tempfile::tempdir().unwrap();
    let store = ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap();
    let genesis = net.params.genesis();
    assert_eq!(store.tip().unwrap(), (genesis.id(), 0));
    assert_eq!(store.header_at(0).unwrap(), Some(genesis));
    assert_eq!(store.block(&genesis.id()).unwrap().unwrap().records, []);
    let first = store.dump().unwrap();
    drop(store);
    let store = ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap();
    assert_eq!(store.dump().unwrap(), first);
    assert_eq!(ChainStore::open(MemoryEngine::new(), &net.params).unwrap().dump().unwrap(), first);
}

#[test]
fn a_second_engine_on_one_folder_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = RocksEngine::open(folder.path()).unwrap();
    let clone = first.clone();
    drop(first);
    let error = RocksEngine::open(folder.path()).unwrap_err();
    assert!(matches!(error, StorageError::InUse { .. }));
    let text = error.to_string();
    assert!(text.contains(folder.path().to_str().unwrap()) && text.contains("Stop that one"), "{text}");
    drop(clone);
    RocksEngine::open(folder.path()).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.join("below"), file] {
        let error = RocksEngine::open(&path).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StorageError::Folder { .. }), "{text}");
        assert!(text.contains(path.to_str().unwrap()) && text.contains("may write to"), "{text}");
    }
}

#[test]
fn another_chain_is_refused_and_both_are_named() {
    let (ours, theirs) = (Net::new(1), Net::new(2));
    let engine = MemoryEngine::new();
    drop(ChainStore::open(engine.clone(), &theirs.params).unwrap());
    let before = engine.fork();
    let error = ChainStore::open(engine.clone(), &ours.params).unwrap_err();
    assert!(matches!(error, StorageError::WrongChain { ours: o, theirs: t } if (o, t) == (ours.chain, theirs.chain)));
    assert!(error.to_string().contains(&theirs.chain.to_string()));
    assert!(error.to_string().contains(&ours.chain.to_string()));
    // Nothing was written on the way.
    let dump = |engine| ChainStore::open(engine, &theirs.params).unwrap().dump().unwrap();
    assert_eq!(dump(engine), dump(before));
}

#[test]
fn a_newer_format_is_refused() {
    let net = Net::new(1);
    let engine = MemoryEngine::new();
    drop(ChainStore::open(engine.clone(), &net.params).unwrap());
    let mut batch = Batch::new();
    batch.put(Column::Meta, schema::meta::FORMAT, (schema::FORMAT_VERSION + 1).to_be_bytes());
    engine.write(&batch, Durability::Synced).unwrap();
    let error = ChainStore::open(engine, &net.params).unwrap_err();
    assert!(matches!(error, StorageError::NewerFormat { .. }), "{error}");
}

#[test]
fn a_column_of_a_newer_version_is_refused() {
    let net = Net::new(1);
    let folder = tempfile::tempdir().unwrap();
    drop(ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap());
    let mut options = rocksdb::Options::default();
    options.create_missing_column_families(true);
    let columns: Vec<_> = Column::ALL.iter().map(|c| c.name()).chain(["default", "inventions"]).collect();
    drop(rocksdb::DB::open_cf(&options, folder.path(), columns).unwrap());
    let error = RocksEngine::open(folder.path()).unwrap_err();
    assert!(matches!(error, StorageError::NewerFormat { .. }), "{error}");
    assert!(error.to_string().contains("inventions"), "{error}");
}

#[test]
fn a_full_disk_is_refused_before_it_is_full_and_room_lets_it_go_on() {
    let net = Net::new(1);
    let folder = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(folder.path()).unwrap();
    let store = ChainStore::open(engine.clone(), &net.params).unwrap();
    let full = ChainStore::open(engine.keeping_free(u64::MAX), &net.params).unwrap();
    let error = full.meta_put("fact", b"1").unwrap_err();
    assert!(matches!(error, StorageError::Full { .. }), "{error}");
    assert!(error.to_string().contains("Make room"), "{error}");
    assert_eq!(full.meta_get("fact").unwrap(), None);
    store.meta_put("fact", b"1").unwrap();
    assert_eq!(full.meta_get("fact").unwrap().unwrap(), b"1");
}

#[test]
fn a_folder_whose_process_died_before_its_first_write_is_a_new_one() {
    let net = Net::new(1);
    let folder = tempfile::tempdir().unwrap();
    drop(RocksEngine::open(folder.path()).unwrap());
    let store = ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap();
    assert_eq!(store.tip().unwrap().1, 0);
}

/// A folder as format 1 left it: no column and no key of a later format.
#[test]
fn a_folder_of_format_1_is_migrated_and_keeps_its_chain() {
    let net = Net::new(1);
    let folder = tempfile::tempdir().unwrap();
    let engine = RocksEngine::open(folder.path()).unwrap();
    let store = ChainStore::open(engine.clone(), &net.params).unwrap();
    let (before, state) = (store.dump().unwrap(), store.state_hash().unwrap());
    let mut batch = Batch::new();
    batch.put(Column::Meta, schema::meta::FORMAT, 1u32.to_be_bytes());
    batch.delete(Column::Meta, schema::meta::TALLY);
    engine.write(&batch, Durability::Synced).unwrap();
    drop((engine, store));
    let new = [Column::Marks, Column::Reorgs, Column::Leftovers, Column::Watched].map(Column::name);
    let names = Column::ALL.iter().map(|c| c.name()).chain(["default"]);
    let mut db = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), names).unwrap();
    new.iter().for_each(|name| db.drop_cf(name).unwrap());
    drop(db);
    let store = ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap();
    assert_eq!(store.state_hash().unwrap(), state);
    assert_eq!(store.dump().unwrap(), before, "the format's number is the newest again");
    assert_eq!(store.journal().unwrap(), None);
}
