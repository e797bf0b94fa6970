//! A write that fails, at every write there is: the store is exactly as before it or as after it, and goes on from there.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::world::World;
use medring_protocol::{BlockId, Gid};
use medring_storage::{
    ChainStore, DumpEntry, Durability, Engine, FailPoint, FaultyEngine, MemoryEngine, PoolEntry, RocksEngine,
    StorageError,
};

/// What a node does, each step one write. A step done twice does nothing the second time, as after a restart.
enum Step {
    Header(BlockId),
    Body(BlockId),
    Go(BlockId),
    Pool(Box<PoolEntry>),
    Invalid(BlockId),
}

/// Two branches of three and four blocks, a reorg from one to the other and back.
///
/// ```text
/// genesis ─ a1 ─ a2 ─ a3
///         └ b1 ─ b2 ─ b3 ─ b4
/// ```
fn script() -> (World, Vec<Step>) {
    let mut world = World::new(2);
    let genesis = world.net.genesis();
    let gid = Gid([5; 32]);
    let phr = |world: &World, number| world.net.phr(0, gid, number);
    let bodies_a = vec![vec![world.net.enrol(&[0, 1])], vec![phr(&world, 1)], vec![world.net.revoke(1)]];
    let bodies_b =
        vec![vec![world.net.enrol(&[0])], vec![phr(&world, 2), phr(&world, 1)], vec![], vec![phr(&world, 3)]];
    let a = world.make_chain(&genesis, bodies_a, 1);
    let b = world.make_chain(&genesis, bodies_b, 2);
    let entry = Box::new(PoolEntry { record: phr(&world, 4), received_ms: 1, sequence: 1 });
    let mut steps = Vec::new();
    for id in &a {
        steps.extend([Step::Header(*id), Step::Body(*id), Step::Go(*id)]);
    }
    steps.push(Step::Pool(entry));
    for id in &b {
        steps.extend([Step::Header(*id), Step::Body(*id)]);
    }
    steps.extend([Step::Go(b[3]), Step::Go(a[2]), Step::Go(b[3]), Step::Invalid(a[1])]);
    (world, steps)
}

fn act<E: Engine>(world: &World, store: &ChainStore<E>, step: &Step) -> Result<(), StorageError> {
    match step {
        Step::Header(id) => store.put_headers(&[world.header(id)], Durability::Synced),
        Step::Body(id) => store.put_body(&world.made[id].block, &[], Durability::Synced),
        Step::Go(id) => world.go(store, id),
        Step::Pool(entry) => store.put_pool(entry),
        Step::Invalid(id) => store.mark_invalid(&[*id], "for a test"),
    }
}

/// Dumps before the first write (of genesis), after it, and after each step.
fn reference(world: &World, steps: &[Step]) -> Vec<Vec<DumpEntry>> {
    let engine = FaultyEngine::new(MemoryEngine::new(), u64::MAX);
    let store = ChainStore::open(engine.clone(), &world.net.params).unwrap();
    let mut dumps = vec![Vec::new(), store.dump().unwrap()];
    for step in steps {
        let writes = engine.writes();
        act(world, &store, step).unwrap();
        assert_eq!(engine.writes(), writes + 1, "each operation is one write");
        dumps.push(store.dump().unwrap());
    }
    dumps
}

/// Fails at write `n`, looks at what is there, opens again and goes on to the end.
fn fail_once<E: Engine>(
    world: &World,
    steps: &[Step],
    dumps: &[Vec<DumpEntry>],
    n: usize,
    point: FailPoint,
    mut open: impl FnMut() -> E,
) {
    let run = |engine: FaultyEngine<E>| -> Result<usize, (usize, StorageError)> {
        let store = ChainStore::open(engine, &world.net.params).map_err(|e| (0, e))?;
        for (done, step) in steps.iter().enumerate() {
            act(world, &store, step).map_err(|e| (done, e))?;
        }
        Ok(steps.len())
    };
    let faulty = FaultyEngine::new(open(), u64::try_from(n).unwrap()).at(point);
    let (failed, error) = run(faulty).unwrap_err();
    assert!(matches!(error, StorageError::Injected { .. }), "{error}");
    let engine = open();
    let expected = if point == FailPoint::Before { &dumps[n - 1] } else { &dumps[n] };
    let store = ChainStore::open(engine, &world.net.params).unwrap();
    // Opening writes genesis where there is none.
    let expected = if expected.is_empty() { &dumps[1] } else { expected };
    assert!(store.dump().unwrap() == *expected, "after write {n} failed {point:?}");
    for step in &steps[failed..] {
        act(world, &store, step).unwrap();
    }
    assert!(store.dump().unwrap() == *dumps.last().unwrap(), "going on after write {n} failed {point:?}");
    world.assert_agrees(&store);
}

#[test]
fn a_failed_write_leaves_memory_as_before_or_after() {
    let (world, steps) = script();
    let dumps = reference(&world, &steps);
    for n in 1..dumps.len() {
        for point in [FailPoint::Before, FailPoint::After] {
            let engine = MemoryEngine::new();
            fail_once(&world, &steps, &dumps, n, point, || engine.clone());
        }
    }
}

#[test]
fn a_failed_write_leaves_rocks_as_before_or_after() {
    let (world, steps) = script();
    let dumps = reference(&world, &steps);
    for n in 1..dumps.len() {
        for point in [FailPoint::Before, FailPoint::After] {
            let folder = tempfile::tempdir().unwrap();
            fail_once(&world, &steps, &dumps, n, point, || RocksEngine::open(folder.path()).unwrap());
        }
    }
}

#[test]
fn a_reorg_there_and_back_leaves_what_was_there() {
    let (world, steps) = script();
    let store = ChainStore::open(MemoryEngine::new(), &world.net.params).unwrap();
    for step in &steps[..18] {
        act(&world, &store, step).unwrap();
    }
    let (before, hash) = (store.dump().unwrap(), store.state_hash().unwrap());
    act(&world, &store, &steps[18]).unwrap();
    assert_eq!(store.tip().unwrap().1, 4);
    assert_ne!(store.state_hash().unwrap(), hash);
    act(&world, &store, &steps[19]).unwrap();
    assert_eq!(store.tip().unwrap().1, 3);
    assert!(store.dump().unwrap() == before);
}

#[test]
fn a_commit_that_does_not_link_writes_nothing() {
    let (world, steps) = script();
    let store = ChainStore::open(MemoryEngine::new(), &world.net.params).unwrap();
    for step in &steps[..18] {
        act(&world, &store, step).unwrap();
    }
    let before = store.dump().unwrap();
    let (Step::Go(b4), Step::Go(a3)) = (&steps[18], &steps[19]) else { panic!("the script changed") };
    let good = world.way(a3, b4);
    let mut cases = Vec::new();
    let mut case = |name: &'static str, change: fn(&mut medring_storage::Reorg)| {
        let mut bad = good.clone();
        change(&mut bad);
        cases.push((name, bad));
    };
    case("disconnects from below the tip", |r| r.disconnect = r.disconnect[1..].to_vec());
    case("disconnects in the wrong order", |r| r.disconnect.reverse());
    case("disconnects too little", |r| r.disconnect.truncate(2));
    case("connects with a gap", |r| drop(r.connect.remove(1)));
    case("connects in the wrong order", |r| r.connect.reverse());
    case("connects with another block's diff", |r| {
        let diff = r.connect[1].1.clone();
        r.connect[0].1 = diff;
    });
    case("connects with a record at no place of its block", |r| {
        r.connect[1].1.locations[0].after.as_mut().unwrap().index = 2;
    });
    case("connects with usage that does not follow", |r| {
        r.connect[1].1.usage[0].after.as_mut().unwrap().0.insert(0, (0, 1));
    });
    case("connects a block without a body", |r| r.connect[3].0 = BlockId([1; 32]));
    case("disconnects a block that is not the tip, and nothing else", |r| {
        r.disconnect.remove(0);
        r.connect.clear();
    });
    case("connects a block whose parent is on another branch", |r| {
        r.disconnect.clear();
        r.connect.drain(..3);
    });
    for (name, bad) in cases {
        let error = store.commit(&bad, Durability::Synced).unwrap_err();
        assert_eq!(error.fault(), medring_protocol::Fault::Bug, "{name}: {error}");
        assert!(store.dump().unwrap() == before, "{name}");
    }
    store.commit(&good, Durability::Synced).unwrap();
    world.assert_agrees(&store);
}
