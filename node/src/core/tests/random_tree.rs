//! Property: blocks of a random tree, some of them bad, in any order, with duplicates and altered copies, to a node that takes
//! even small reorganisations in steps: one tip, and the state that a replay of its branch gives.
//!
//! Which tip, exactly: of the blocks on whose branch no block breaks a rule, those with most work; of these, the one whose branch
//! was complete first. A block is complete once it and all below it have been stored; of several that waited for one block, the one
//! that came first. After a death the order of what was not stored yet is lost: then any of most work is right.

use super::*;
use medring_protocol::pow::{CompactTarget, Work};
use medring_storage::FailPoint;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Its keys cost more than all the rest of a case.
static KIT: LazyLock<Kit> = LazyLock::new(|| Kit::new(95));

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A record of the root again: shows when it is tried.
    Duplicate,
    /// A signature that does not verify: shows before it is stored.
    Signature,
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![8 => Just(Flaw::None), 1 => Just(Flaw::Duplicate), 1 => Just(Flaw::Signature)]
}

/// A block of the plan: on which, how heavy, with what flaw.
type Planned = (prop::sample::Index, u32, Flaw);

/// All blocks of a plan, parents before children; the first is the root, which enrols everyone.
struct Tree {
    kit: &'static Kit,
    config: CoreConfig,
    blocks: Vec<Block>,
    flaws: Vec<Flaw>,
}

impl Tree {
    fn new(plan: &[Planned]) -> Self {
        let kit: &Kit = &KIT;
        let rules = CoreConfig::new(kit.params.clone()).rules.without("R-TARGET");
        let config = CoreConfig { rules, reorg_step_blocks: 2, ..CoreConfig::new(kit.params.clone()) };
        let root = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
        let mut tree = Self { kit, config, blocks: vec![root], flaws: vec![Flaw::None] };
        for (number, (parent, weight, flaw)) in plan.iter().enumerate() {
            let parent = tree.blocks[parent.index(tree.blocks.len())].header;
            let number = u64::try_from(number).unwrap();
            let mut records = vec![tree.kit.record(Kind::Ehr, number, 1)];
            match flaw {
                Flaw::None => {}
                Flaw::Duplicate => records.push(tree.kit.enrol_all(1)),
                Flaw::Signature => records[0].signature.0[3] ^= 1,
            }
            let edit = |header: &mut Header| {
                header.miner_tag[..8].copy_from_slice(&number.to_be_bytes());
                header.target = CompactTarget(0x2000_0000 | (0x007f_ffff >> (2 * weight)));
            };
            let block = tree.kit.forge(&parent, records, edit);
            tree.blocks.push(block);
            tree.flaws.push(*flaw);
        }
        tree
    }

    fn parent(&self, at: usize) -> Option<usize> {
        self.blocks.iter().position(|block| block.id() == self.blocks[at].header.prev)
    }

    /// From the root up to a block.
    fn line(&self, at: usize) -> Vec<usize> {
        let mut line = vec![at];
        while let Some(parent) = self.parent(line[line.len() - 1]) {
            line.push(parent);
        }
        line.reverse();
        line
    }

    fn is_good(&self, at: usize) -> bool {
        self.line(at).iter().all(|at| self.flaws[*at] == Flaw::None)
    }

    fn work(&self, at: usize) -> Work {
        let own = |at: &usize| self.blocks[*at].header.target.decode().unwrap().work();
        self.line(at).iter().map(own).fold(Work::zero(), |sum, own| sum.plus(&own))
    }

    /// The same header over another body.
    fn altered(&self, at: usize) -> Block {
        let mut block = self.blocks[at].clone();
        block.records.push(self.kit.record(Kind::Phr, 7_000 + u64::try_from(at).unwrap(), 1));
        block
    }

    fn end_ms(&self) -> u64 {
        self.blocks.iter().map(|block| block.header.time_ms).max().unwrap()
    }

    /// When each block became complete, given the order of deliveries, as the rule says it in words.
    fn completed(&self, deliveries: &[usize]) -> BTreeMap<usize, usize> {
        let (mut when, mut held) = (BTreeMap::new(), Vec::<usize>::new());
        for at in deliveries {
            let mut queue = VecDeque::from([*at]);
            while let Some(at) = queue.pop_front() {
                if when.contains_key(&at) || held.contains(&at) || !self.is_good(at) {
                    continue;
                }
                if self.parent(at).is_some_and(|parent| !when.contains_key(&parent)) {
                    held.push(at);
                    continue;
                }
                when.insert(at, when.len());
                let (freed, rest) = held.into_iter().partition(|child| self.parent(*child) == Some(at));
                held = rest;
                queue.extend::<Vec<usize>>(freed);
            }
        }
        when
    }

    fn judge(&self, node: &Alone) -> Result<usize, TestCaseError> {
        let tip = node.tip();
        let at = self.blocks.iter().position(|block| block.id() == tip);
        let at = at.ok_or_else(|| TestCaseError::fail("the tip is no block of the tree"))?;
        let branch: Vec<Block> = self.line(at).into_iter().map(|at| self.blocks[at].clone()).collect();
        let store = node.core.store();
        prop_assert_eq!(
            store.state_hash().unwrap(),
            deep::replay(&self.config, &branch),
            "a replay of the winning branch"
        );
        prop_assert!(!store.records_are_returning().unwrap());
        let most = (0..self.blocks.len()).filter(|at| self.is_good(*at)).map(|at| self.work(at)).max().unwrap();
        prop_assert!(self.is_good(at) && self.work(at) == most, "a good branch with most work");
        Ok(at)
    }
}

fn deliver(node: &mut Alone, block: &Block) {
    let (message, bytes) = (MessageId(1), block.encode());
    node.input(Input::Gossip { peer: EVE, message, topic: Topic::Blocks, bytes });
    node.taken();
}

/// Every block at least once, in an order drawn.
fn deliveries(blocks: usize, rng: &mut impl Rng) -> Vec<usize> {
    let again = rng.random_range(0..blocks);
    let mut order: Vec<usize> = (0..blocks).chain((0..again).map(|_| rng.random_range(0..blocks))).collect();
    order.shuffle(rng);
    order
}

/// Runs a property over random trees and seeds: few and always the same ones, many in the soak.
#[allow(clippy::print_stdout, reason = "the seed")]
fn check(property: impl Fn(&Tree, u64) -> Result<(), TestCaseError>) {
    let soak = std::env::var_os("MEDRING_SOAK").is_some_and(|v| v == "1");
    let seed = std::env::var("MEDRING_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1u8);
    println!("seed {seed} (repeat with MEDRING_SEED={seed})");
    let cases = if soak { 1_500 } else { 30 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let plan = prop::collection::vec((any::<prop::sample::Index>(), 0..2u32, flaw()), 1..16);
    let done = runner.run(&(plan, any::<u64>()), |(plan, order)| property(&Tree::new(&plan), order));
    done.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
}

#[test]
fn a_random_tree_in_any_order_with_duplicates_gives_one_tip_and_its_state() {
    check(|tree, order| {
        let mut rng = rand::rngs::StdRng::seed_from_u64(order);
        let order = deliveries(tree.blocks.len(), &mut rng);
        let mut node = Alone::with(tree.config.clone(), MemoryEngine::new(), u64::MAX, tree.end_ms());
        node.meet(EVE, &tree.kit.params.genesis(), 0);
        let mut seen = BTreeSet::new();
        for at in &order {
            if rng.random_bool(0.2) && seen.insert(*at) {
                deliver(&mut node, &tree.altered(*at));
            }
            deliver(&mut node, &tree.blocks[*at]);
        }
        let at = tree.judge(&node)?;
        let completed = tree.completed(&order);
        let first = completed.iter().max_by_key(|(at, when)| (tree.work(**at), Reverse(**when))).map(|(at, _)| *at);
        prop_assert_eq!(Some(at), first, "of most work, the first complete");
        prop_assert_eq!(tree.judge(&node.restarted())?, at, "a restart changes nothing");
        Ok(())
    });
}

#[test]
fn a_random_tree_with_deaths_at_any_write_gives_a_tip_of_most_work_and_its_state() {
    check(|tree, order| {
        let mut rng = rand::rngs::StdRng::seed_from_u64(order);
        let memory = MemoryEngine::new();
        for _ in 0..3 {
            let point = if rng.random_bool(0.5) { FailPoint::Before } else { FailPoint::After };
            let fail_at = rng.random_range(1..60);
            let mut node = Alone::on(tree.config.clone(), memory.clone(), (fail_at, point), tree.end_ms());
            for at in deliveries(tree.blocks.len(), &mut rng) {
                deliver(&mut node, &tree.blocks[at]);
            }
        }
        let mut node = Alone::with(tree.config.clone(), memory, u64::MAX, tree.end_ms());
        tree.blocks.iter().for_each(|block| deliver(&mut node, block));
        tree.judge(&node).map(drop)
    });
}
