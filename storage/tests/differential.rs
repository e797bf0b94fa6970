//! The same random operations on RocksDB and in memory, compared by full dumps after each, and with the chain they mean.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod common;

use common::world::World;
use medring_protocol::chain::HeaderTree;
use medring_protocol::record::Record;
use medring_protocol::{BlockId, Gid};
use medring_storage::{ChainStore, Durability, Engine, MemoryEngine, PoolEntry, RocksEngine};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// One operation, decided before it is done, so that both stores do the same.
#[derive(Debug)]
enum Operation {
    PutHeader(BlockId),
    PutBody(BlockId, Vec<(BlockId, u64)>),
    Go { to: BlockId, add: Vec<PoolEntry>, remove: Vec<Record>, synced: bool },
    GoAstray(BlockId),
    PutPool(PoolEntry),
    RemovePool(Record),
    MarkInvalid(BlockId),
    ClearInvalid(BlockId),
    SetArrival(BlockId, u64),
    MetaPut(u8),
    Reopen,
}

fn pick<'a, T>(rng: &mut ChaCha20Rng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

/// A test in progress: the blocks there are, and which of them were stored.
struct Run {
    world: World,
    rng: ChaCha20Rng,
    tip: BlockId,
    headers: Vec<BlockId>,
    number: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let genesis = world.net.genesis();
        world.tree.body_stored(&genesis);
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { headers: vec![genesis], tip: genesis, world, rng, number: 0 }
    }

    /// Records that may stand on top of `parent`.
    fn records(&mut self, parent: &BlockId) -> Vec<Record> {
        let state = self.world.state(parent);
        let net = &self.world.net;
        let mut records = Vec::new();
        for patient in 0..net.patients.len() {
            let id = net.patients[patient].public().id();
            let standing = state.participants().find(|(of, _)| **of == id).map(|(_, p)| p.revoked.is_some());
            self.number += 1;
            match (standing, self.rng.random_range(0..6)) {
                (None, 0..=2) => records.push(net.enrol(&[patient])),
                (Some(false), 0) => records.push(net.revoke(patient)),
                (Some(false), 1..=3) => {
                    let gid = Gid([self.rng.random_range(0..3); 32]);
                    records.push(net.phr(patient, gid, self.number));
                    records.push(net.phr(patient, gid, self.number + 1_000_000));
                }
                _ => {}
            }
        }
        records
    }

    fn pool_entry(&mut self) -> PoolEntry {
        self.number += 1;
        let record = self.world.net.phr(self.rng.random_range(0..4), Gid([9; 32]), self.rng.random_range(0..5));
        PoolEntry { record, received_ms: self.number * 7, sequence: self.number }
    }

    fn bodies(&self) -> Vec<BlockId> {
        self.headers.iter().copied().filter(|id| self.world.tree.get(id).unwrap().body).collect()
    }

    /// Blocks that have all bodies down to genesis.
    fn complete(&self) -> Vec<BlockId> {
        self.headers.iter().copied().filter(|id| self.world.tree.get(id).unwrap().arrival.is_some()).collect()
    }

    fn next(&mut self) -> Operation {
        let headers = self.headers.clone();
        match self.rng.random_range(0..14) {
            0..=3 => {
                // Mostly on one of the newest, so that branches grow long.
                let newest = &headers[headers.len().saturating_sub(4)..];
                let parent = if self.rng.random_bool(0.8) {
                    *pick(&mut self.rng, newest)
                } else {
                    *pick(&mut self.rng, &headers)
                };
                let records = self.records(&parent);
                let tag = self.rng.random();
                let id = self.world.make(&parent, records, tag);
                if !self.headers.contains(&id) {
                    self.headers.push(id);
                }
                Operation::PutHeader(id)
            }
            4..=6 => {
                let missing: Vec<_> = headers.iter().filter(|id| !self.world.tree.get(id).unwrap().body).collect();
                match missing.as_slice() {
                    [] => Operation::Reopen,
                    some => {
                        let id = **pick(&mut self.rng, some);
                        Operation::PutBody(id, self.world.tree.body_stored(&id))
                    }
                }
            }
            7 | 8 => {
                let complete = self.complete();
                self.tip = *pick(&mut self.rng, &complete);
                let (add, remove) = (vec![self.pool_entry()], vec![self.pool_entry().record]);
                Operation::Go { to: self.tip, add, remove, synced: self.rng.random() }
            }
            9 => {
                let bodies = self.bodies();
                Operation::GoAstray(*pick(&mut self.rng, &bodies))
            }
            10 => match self.rng.random() {
                true => Operation::PutPool(self.pool_entry()),
                false => Operation::RemovePool(self.pool_entry().record),
            },
            11 => match self.rng.random() {
                true => Operation::MarkInvalid(*pick(&mut self.rng, &headers)),
                false => Operation::ClearInvalid(*pick(&mut self.rng, &headers)),
            },
            12 => Operation::MetaPut(self.rng.random_range(0..3)),
            _ => match self.rng.random_range(0..3) {
                0 => Operation::Reopen,
                _ => {
                    let complete = self.complete();
                    let id = *pick(&mut self.rng, &complete);
                    Operation::SetArrival(id, self.world.tree.get(&id).unwrap().arrival.unwrap())
                }
            },
        }
    }
}

/// Does an operation; what it says of itself must be equal on both engines, too.
fn act<E: Engine>(world: &World, store: &ChainStore<E>, operation: &Operation) -> String {
    let result = match operation {
        Operation::PutHeader(id) => store.put_headers(&[world.header(id)], Durability::Buffered),
        Operation::PutBody(id, arrivals) => store.put_body(&world.made[id].block, arrivals, Durability::Buffered),
        Operation::Go { to, add, remove, synced } => {
            let mut way = world.way(&store.tip().unwrap().0, to);
            way.pool_add.clone_from(add);
            way.pool_remove = remove.iter().map(|record| record.id(&world.net.chain)).collect();
            store.commit(&way, if *synced { Durability::Synced } else { Durability::Buffered })
        }
        // A way that begins where the store is not.
        Operation::GoAstray(to) => {
            let from = if *to == world.net.genesis() { *world.order.last().unwrap_or(to) } else { world.net.genesis() };
            match store.tip().unwrap().0 == from || from == *to {
                true => Ok(()),
                false => {
                    let error = store.commit(&world.way(&from, to), Durability::Buffered).unwrap_err();
                    assert_eq!(error.fault(), medring_protocol::Fault::Bug, "{error}");
                    Err(error)
                }
            }
        }
        Operation::PutPool(entry) => store.put_pool(entry),
        Operation::RemovePool(record) => store.remove_pool(&[record.id(&world.net.chain)]),
        Operation::MarkInvalid(id) => store.mark_invalid(&[*id], "for a test"),
        Operation::ClearInvalid(id) => store.clear_invalid(&[*id]),
        Operation::SetArrival(id, arrival) => store.set_arrivals(&[(*id, *arrival)]),
        Operation::MetaPut(name) => store.meta_put(&format!("fact-{name}"), &[*name; 3]),
        Operation::Reopen => Ok(()),
    };
    format!("{result:?}")
}

/// Returns the blocks that the deepest reorg of the run disconnected.
fn run(seed: u64) -> usize {
    println!("seed {seed}");
    let mut run = Run::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryEngine::new();
    let open_rocks =
        |run: &Run| ChainStore::open(RocksEngine::open(folder.path()).unwrap(), &run.world.net.params).unwrap();
    let open_memory = |run: &Run| ChainStore::open(memory.clone(), &run.world.net.params).unwrap();
    let (mut rocks, mut twin) = (open_rocks(&run), open_memory(&run));
    let mut deepest = 0;
    for step in 0..80 {
        let operation = run.next();
        let place = format!("seed {seed}, step {step}, {operation:?}");
        if let Operation::Go { to, .. } = &operation {
            let way = run.world.way(&rocks.tip().unwrap().0, to);
            deepest = deepest.max(way.disconnect.len().min(way.connect.len()));
        }
        assert_eq!(act(&run.world, &rocks, &operation), act(&run.world, &twin, &operation), "{place}");
        if matches!(operation, Operation::Reopen) {
            drop(rocks);
            (rocks, twin) = (open_rocks(&run), open_memory(&run));
        }
        assert!(rocks.dump().unwrap() == twin.dump().unwrap(), "dumps differ: {place}");
        assert_eq!(rocks.state_hash().unwrap(), twin.state_hash().unwrap(), "{place}");
        assert_eq!(rocks.tip().unwrap().0, run.tip, "{place}");
        run.world.assert_agrees(&rocks);
        run.world.assert_agrees(&twin);
    }
    assert_state_is_replay(&run.world, &rocks);
    assert_tree_is_restored(&run, &rocks);
    deepest
}

/// The state equals that of a fresh store that only ever saw the best chain.
fn assert_state_is_replay<E: Engine>(world: &World, store: &ChainStore<E>) {
    let fresh = ChainStore::open(MemoryEngine::new(), &world.net.params).unwrap();
    let (tip, height) = store.tip().unwrap();
    for at in 1..=height {
        let id = world.tree.ancestor(&tip, at).unwrap();
        world.store_blocks(&fresh, &[id]);
        world.go(&fresh, &id).unwrap();
    }
    assert_eq!(fresh.state_hash().unwrap(), store.state_hash().unwrap());
}

/// A tree rebuilt from the store is the tree that was there, marks aside (the run marks at random).
fn assert_tree_is_restored<E: Engine>(run: &Run, store: &ChainStore<E>) {
    store.clear_invalid(&run.headers).unwrap();
    let mut tree = HeaderTree::new(&run.world.net.params);
    let mut order = Vec::new();
    store
        .visit_headers(&mut |entry| {
            order.push(entry.header.id());
            let invalid = entry.invalid.is_some();
            tree.restore(&run.world.net.params, entry.header, entry.body, entry.arrival, invalid).unwrap();
        })
        .unwrap();
    let mut expected = run.headers.clone();
    expected.sort_by_key(|id| run.world.header(id).height);
    assert_eq!(order, expected, "by height, then in the order of insertion");
    assert_eq!(tree.best(), run.world.tree.best());
    assert!(tree.iter().eq(run.world.tree.iter()), "a restored node differs");
}

#[test]
fn rocks_and_memory_agree_after_every_operation() {
    let deepest = (1..=20).map(run).max();
    println!("the deepest reorg disconnected {deepest:?} blocks and connected as many");
    assert!(deepest >= Some(3), "the seeds reach no deep reorg any more: {deepest:?}");
}
