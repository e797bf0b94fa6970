//! What an open store costs in memory, once a chain of 10,000 records went through it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::Net;
use medring_protocol::Gid;
use medring_protocol::chain::apply;
use medring_storage::{ChainStore, Durability, Reorg, RocksEngine};

/// Resident memory of this process, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_records_leave_little_in_memory() {
    let net = Net::new(6);
    let folder = tempfile::tempdir().unwrap();
    let start = resident_kib();
    let store = ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &net.params).unwrap();
    let mut parent = net.params.genesis();
    for height in 1..=1_001u64 {
        let number = |i: u64| height * 10 + i;
        let records = match height {
            1 => vec![net.enrol(&[0, 1, 2, 3])],
            _ => (0..10).map(|i| net.phr(usize::try_from(i % 4).unwrap(), Gid([1; 32]), number(i))).collect(),
        };
        let block = net.mine(&parent, records, 1);
        parent = block.block().header;
        store.put_headers(&[parent], Durability::Buffered).unwrap();
        store.put_body(&block, &[], Durability::Buffered).unwrap();
        let diff = apply(&net.rules, &net.params, &store, &block).unwrap();
        let connect = vec![(block.id(), diff)];
        store.commit(&Reorg { connect, ..Reorg::default() }, Durability::Buffered).unwrap();
    }
    // Read all of it once, so that caches are full.
    for height in 0..=1_001 {
        store.block(&store.id_at(height).unwrap().unwrap()).unwrap().unwrap();
    }
    assert_eq!(store.records_by_group(&Gid([1; 32])).unwrap().len(), 10_000);
    let grown_mib = (resident_kib() - start) / 1024;
    let bytes = |folder: &std::path::Path| -> u64 {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    println!("{grown_mib} MiB resident, {} MiB on disk", bytes(folder.path()) >> 20);
    assert!(grown_mib < 80, "{grown_mib} MiB");
}
