//! Opening a store: the first time, again, by two, of the wrong chain, of a newer format.

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
