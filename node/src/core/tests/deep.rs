//! Reorganisations of several steps: at each write a death, a branch that turns out invalid, more records than the pool holds.

use super::*;
use medring_storage::{FailPoint, RocksEngine, StorageError};

/// Blocks of one step in these tests.
const STEP: usize = 4;

/// ```text
/// genesis ─ e ─ a2 ─ … ─ a12          a record in each, the pool's one in b3
///             └ b2 ─ … ─ b14
/// ```
struct Fork {
    kit: Kit,
    config: CoreConfig,
    /// Block 1, then a.
    ours: Vec<Block>,
    /// Block 1, then b.
    theirs: Vec<Block>,
    /// Waits in the pool while a is best; b3 holds it.
    waiting: Record,
    now_ms: u64,
}

impl Fork {
    /// `bad`: height of a block of b that holds a record of b3 again.
    fn new(seed: u64, bad: Option<u64>) -> Self {
        let kit = Kit::new(seed);
        let config = CoreConfig { reorg_step_blocks: STEP, ..CoreConfig::new(kit.params.clone()) };
        let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
        let waiting = kit.record(Kind::Phr, 500, 2);
        let (mut ours, mut theirs) = (vec![first.clone()], vec![first]);
        for height in 2..=12 {
            let parent = ours.last().unwrap().header;
            ours.push(kit.block(&parent, vec![kit.record(Kind::Ehr, height, 2)], 1));
        }
        for height in 2..=14 {
            let records = match height {
                3 => vec![waiting.clone()],
                _ if Some(height) == bad => vec![waiting.clone()],
                // Half of our records are on their branch, too.
                _ if height % 2 == 0 && height <= 12 => vec![kit.record(Kind::Ehr, height, 2)],
                _ => vec![],
            };
            theirs.push(kit.block(&theirs.last().unwrap().header, records, 2));
        }
        let now_ms = theirs.last().unwrap().header.time_ms;
        Self { kit, config, ours, theirs, waiting, now_ms }
    }

    /// A disk with our branch as the best, and of theirs all but the last block.
    fn disk(&self) -> MemoryEngine {
        let memory = MemoryEngine::new();
        let mut node = Alone::with(self.config.clone(), memory.clone(), u64::MAX, self.now_ms);
        node.meet(EVE, &self.kit.params.genesis(), 0);
        for block in self.ours.iter().chain(&self.theirs[1..12]) {
            node.gossip_block(EVE, block);
        }
        assert_eq!(node.submit_late(&self.waiting), self.waiting.id(&self.kit.chain));
        // Of equal work and seen later: header and body are there.
        assert_eq!(node.tip(), self.ours[11].id());
        memory
    }

    /// What the disk says after `blocks` of a chain.
    fn replayed(&self, blocks: &[Block]) -> [u8; 32] {
        replay(&self.config, blocks)
    }

    /// Every state there may be after a step: the ends of our branch and of theirs.
    fn states(&self) -> BTreeMap<BlockId, [u8; 32]> {
        let all = [&self.ours, &self.theirs].into_iter().flat_map(|chain| (1..=chain.len()).map(|n| &chain[..n]));
        all.map(|part| (part.last().unwrap().id(), self.replayed(part))).collect()
    }

    /// Ids of our branch's records that are not on theirs, lowest first.
    fn lost(&self) -> Vec<RecordId> {
        let odd = self.ours[1..].iter().filter(|block| block.header.height % 2 == 1);
        odd.map(|block| block.records[0].id(&self.kit.chain)).collect()
    }
}

/// The state after a chain, block by block in a fresh store.
pub(super) fn replay(config: &CoreConfig, blocks: &[Block]) -> [u8; 32] {
    use medring_protocol::block::CheckedBlock;
    use medring_protocol::chain::apply;
    use medring_storage::{Durability, Reorg};
    let store = ChainStore::open(MemoryEngine::new(), &config.params).unwrap();
    for block in blocks {
        let checked = CheckedBlock::check(&config.rules, &config.params, &config.params.chain_id(), block.clone());
        let block = checked.unwrap().assume_verified();
        store.put_headers(&[block.block().header], Durability::Buffered).unwrap();
        store.put_body(&block, &[], Durability::Buffered).unwrap();
        let diff = apply(&config.rules, &config.params, &store, &block).unwrap();
        let connect = vec![(block.id(), diff)];
        store.commit(&Reorg { connect, ..Reorg::default() }, Durability::Buffered).unwrap();
    }
    store.state_hash().unwrap()
}

fn give(node: &mut Alone, blocks: &[Block]) {
    for block in blocks {
        let (message, bytes) = (MessageId(block.header.height), block.encode());
        node.input(Input::Gossip { peer: EVE, message, topic: Topic::Blocks, bytes });
    }
}

/// Depths of the reorganisations told, and the longest step.
fn told(events: &[Event]) -> (Vec<u64>, usize) {
    let depth = |event: &Event| match event {
        Event::Reorg { report } => Some(report.depth()),
        _ => None,
    };
    let step = |event: &Event| match event {
        Event::Tip { disconnected, connected, .. } => Some(disconnected.len() + connected.len()),
        _ => None,
    };
    (events.iter().filter_map(depth).collect(), events.iter().filter_map(step).max().unwrap_or(0))
}

#[test]
fn a_deep_reorg_goes_in_steps_and_its_records_return_in_their_order() {
    let fork = Fork::new(71, None);
    let mut node = Alone::with(fork.config.clone(), fork.disk(), u64::MAX, fork.now_ms);
    node.events();
    give(&mut node, &fork.theirs[12..]);
    assert_eq!(node.tip(), fork.theirs[13].id());
    assert_eq!(node.core.store().state_hash().unwrap(), fork.replayed(&fork.theirs));
    let events = node.events();
    assert_eq!(told(&events), (vec![11], STEP), "one reorganisation, 11 deep, in steps");
    let settled: Vec<bool> =
        events.iter().filter_map(|e| if let Event::Tip { settled, .. } = e { Some(*settled) } else { None }).collect();
    assert_eq!(settled.iter().filter(|settled| **settled).count(), 2, "the last step, and the block after it");
    assert!(!settled[0]);
    assert_eq!(node.pool(), fork.lost(), "what theirs does not hold waits again, and what it holds waits no more");
    let (_, report) = node.core.store().reorgs().unwrap().pop().unwrap();
    assert_eq!((report.returned, report.confirmed_again, report.dropped), (5, 6, 0));
    assert_eq!((report.from.0, report.fork.1), (fork.ours[11].id(), 1));
    assert!(!node.core.store().records_are_returning().unwrap());
    let alarm = node.core.snapshot().deep_reorg.expect("deeper than the 3 confirmations at which records settle");
    assert_eq!((alarm.depth, alarm.to), (11, report.to.0));
    assert_eq!(node.restarted().core.snapshot().deep_reorg, Some(alarm), "also after a restart");
}

/// Dies at every write on the way; the disk then is at the end of a step, and a restart arrives.
#[test]
fn a_deep_reorg_that_dies_at_any_write_is_at_a_steps_end_and_goes_on_by_itself() {
    let fork = Fork::new(72, None);
    let (disk, states) = (fork.disk(), fork.states());
    let (mut between, mut done) = (0, false);
    for n in 1..100 {
        for point in [FailPoint::Before, FailPoint::After] {
            let memory = disk.fork();
            let mut node = Alone::on(fork.config.clone(), memory.clone(), (n, point), fork.now_ms);
            give(&mut node, &fork.theirs[12..13]);
            done |= node.core.failed.is_none();
            let found = ChainStore::open(memory, &fork.kit.params).unwrap();
            let tip = found.tip().unwrap().0;
            assert_eq!(states[&tip], found.state_hash().unwrap(), "write {n} {point:?}: at the end of a step");
            between += usize::from(found.journal().unwrap().is_some());
            let mut node = node.restarted();
            if found.stored_header(&fork.theirs[12].id()).unwrap().is_some_and(|header| header.body) {
                assert_eq!(node.tip(), fork.theirs[12].id(), "write {n} {point:?}: it goes on by itself");
            } else {
                give(&mut node, &fork.theirs[12..13]);
            }
            assert_eq!(node.core.store().state_hash().unwrap(), states[&fork.theirs[12].id()]);
            assert_eq!(node.pool(), fork.lost(), "write {n} {point:?}");
            assert!(!node.core.store().records_are_returning().unwrap());
            assert_eq!(node.core.store().reorgs().unwrap().len(), 1, "write {n} {point:?}");
        }
        if done {
            break;
        }
    }
    assert!(done && between >= 8, "{between} deaths were between two steps");
}

/// Their branch breaks a rule beyond the first steps: the old branch is restored, also if we die on the way back.
#[test]
fn a_deep_reorg_to_a_branch_that_turns_out_invalid_is_reversed_also_after_a_death() {
    let fork = Fork::new(73, Some(11));
    let (disk, ours) = (fork.disk(), fork.replayed(&fork.ours));
    let mut done = false;
    let mut turned = 0;
    for n in 1..100 {
        for point in [FailPoint::Before, FailPoint::After] {
            let memory = disk.fork();
            let mut node = Alone::on(fork.config.clone(), memory.clone(), (n, point), fork.now_ms);
            give(&mut node, &fork.theirs[12..13]);
            done |= node.core.failed.is_none();
            let found = ChainStore::open(memory, &fork.kit.params).unwrap();
            turned += usize::from(found.journal().unwrap().is_some_and(|journal| journal.target == journal.origin));
            let mut node = node.restarted();
            give(&mut node, &fork.theirs[12..13]);
            assert_eq!(node.tip(), fork.ours[11].id(), "write {n} {point:?}");
            assert_eq!(node.core.store().state_hash().unwrap(), ours);
            assert_eq!(node.pool(), [fork.waiting.id(&fork.kit.chain)], "the pool is as if nothing had been");
            assert_eq!(node.core.store().journal().unwrap(), None);
            assert!(node.core.store().reorgs().unwrap().is_empty(), "no block has left");
            let invalid = |at: usize| node.core.tree().get(&fork.theirs[at].id()).is_some_and(|node| node.invalid);
            assert!(invalid(10) && !invalid(9), "the bad block is marked and what is below it is not");
        }
        if done {
            break;
        }
    }
    assert!(done && turned >= 2, "{turned} deaths were on the way back");
}

#[test]
fn a_deep_reorg_whose_good_part_is_heavier_stays_there() {
    let mut fork = Fork::new(74, None);
    // A block above that breaks a rule: the 13 blocks below it are still more than ours.
    let bad = fork.kit.block(&fork.theirs[13].header, vec![fork.waiting.clone()], 2);
    fork.theirs.push(bad);
    fork.now_ms += 10_000;
    let mut node = Alone::with(fork.config.clone(), fork.disk(), u64::MAX, fork.now_ms);
    let others = fork.theirs.clone();
    node.meet(BOB, &others[14].header, u64::MAX);
    node.serve(BOB, &others);
    assert_eq!(node.tip(), fork.theirs[13].id());
    assert_eq!(node.core.store().state_hash().unwrap(), fork.replayed(&fork.theirs[..14]));
    assert!(node.is_dropped(BOB));
    assert_eq!(node.restarted().pool(), fork.lost());
}

/// Ten records return to a pool of four: the others wait on disk until there is room.
#[test]
fn records_that_find_no_room_after_a_fork_wait_on_disk_and_return_later() {
    let fork = Fork::new(75, None);
    let mut config = fork.config.clone();
    config.pool.records_max = 3;
    config.mine = true;
    let mut node = Alone::with(config, fork.disk(), u64::MAX, fork.now_ms);
    node.events();
    give(&mut node, &fork.theirs[12..13]);
    let dropped = |events: Vec<Event>| events.iter().filter(|e| matches!(e, Event::Dropped { .. })).count();
    assert_eq!(dropped(node.events()), 0);
    let lost = fork.lost();
    assert_eq!(node.pool(), lost[..3], "as many as there is room for, lowest first");
    let mut node = node.restarted();
    assert_eq!(node.pool(), lost[..3]);
    assert!(node.core.store().records_are_returning().unwrap());
    node.pass(5_000);
    node.mine();
    assert_eq!(node.pool(), lost[3..], "there is room now");
    assert!(!node.core.store().records_are_returning().unwrap());
    node.pass(5_000);
    node.mine();
    assert!(lost.iter().all(|id| node.confirmed(id)) && node.pool().is_empty());
    assert_eq!(dropped(node.events()), 0, "none was lost");
    let (_, report) = node.core.store().reorgs().unwrap().remove(0);
    assert_eq!((report.returned, report.dropped), (5, 0));
}

/// A core on RocksDB, without a driver.
fn rocks(folder: &std::path::Path, config: &CoreConfig, now_ms: u64) -> NodeCore<RocksEngine> {
    let engine = RocksEngine::open(folder).unwrap();
    NodeCore::new(config.clone(), ChainStore::open(engine, &config.params).unwrap(), now_ms).unwrap()
}

/// As sync gives it; these blocks have no signatures.
fn take<E: Engine>(core: &mut NodeCore<E>, block: &Block, now_ms: u64) {
    core.take_block(block.clone(), blocks::Origin { source: blocks::Source::Asked(EVE), message: None });
    core.handle(now_ms, Input::Tick);
    while core.poll_output().is_some() {}
}

/// 1,050 blocks are left for 1,051 others on a real disk; the node is dropped in the middle and started again.
#[test]
fn a_reorg_of_a_thousand_blocks_on_disk_is_resumed_by_a_restart() -> Result<(), StorageError> {
    let kit = Kit::new(76);
    let config = CoreConfig::new(kit.params.clone());
    let genesis = kit.params.genesis();
    let (a, b) = (branch(&kit, &genesis, 1_050, 1), branch(&kit, &genesis, 1_051, 2));
    let now_ms = b[1_050].header.time_ms;
    let folder = tempfile::tempdir().unwrap();
    let mut core = rocks(folder.path(), &config, now_ms);
    // With all headers known it is catching up, and does not wait for the disk at each block.
    for block in a.iter().chain(&b[..1_050]) {
        core.insert_header(&block.header)?.unwrap();
    }
    for block in a.iter().chain(&b[..1_050]) {
        take(&mut core, block, now_ms);
    }
    assert_eq!(core.tip(), a[1_049].id());
    drop(core);
    // Its disk goes away in the middle of the reorganisation.
    let engine = RocksEngine::open(folder.path())?;
    let faulty = FaultyEngine::new(engine, 9);
    let mut core = NodeCore::new(config.clone(), ChainStore::open(faulty, &config.params)?, now_ms)?;
    take(&mut core, &b[1_050], now_ms);
    assert!(core.failed.is_some());
    drop(core);
    let store = ChainStore::open(RocksEngine::open(folder.path())?, &config.params)?;
    let journal = store.journal()?.expect("it was under way");
    assert_eq!((journal.origin, journal.target), (a[1_049].id(), b[1_050].id()));
    assert_eq!(store.tip()?.1, 1_050 - 100 * u64::from(journal.steps), "at the end of a step");
    drop(store);
    let core = rocks(folder.path(), &config, now_ms);
    assert_eq!(core.tip(), b[1_050].id());
    assert_eq!(core.store().journal()?, None);
    assert_eq!(core.store().state_hash()?, replay(&config, &b));
    let (_, report) = core.store().reorgs()?.pop().unwrap();
    assert_eq!((report.depth(), report.steps), (1_050, 22));
    Ok(())
}
