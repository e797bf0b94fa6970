//! Reorganisations that take an EpochCommit away, before and after it was final, for a while and for good.

use medring_protocol::group::Change;
use medring_protocol::group::machine::{Command, Event};
use medring_protocol::testkit::group::{Removed, World, happened};

/// A group of three whose third epoch removes somebody and has just come into force.
fn removal_in_force(seed: u64, finally: bool) -> World {
    let mut world = World::with_group(seed, 4, 4);
    world.insist(0, Command::Change(vec![Change::Remove(world.nodes[2].id)]));
    world.until(600_000, "the removal is in force everywhere", |world| {
        [0, 1, 3].iter().all(|node| {
            let active = world.status(*node).unwrap().active.unwrap();
            active.epoch == 1 && (active.is_final || !finally)
        })
    });
    world
}

fn away_and_back(mut world: World, fate: Removed, depth: usize) {
    let before = world.fingerprints();
    let gid = world.status(0).unwrap().active.unwrap().gid;
    world.reorganise(depth, fate);
    world.until(60_000, "every member sees that the commit is gone", |world| {
        [0, 1, 3].iter().all(|n| happened(world, *n, |e| matches!(e, Event::RolledBack { gid: g, .. } if *g == gid)))
    });
    // The checkers see to it that nobody seals under the epoch before, or has it in force.
    world.settle("the same commit is mined again");
    assert_eq!(world.status(0).unwrap().active.unwrap().gid, gid, "no second agreement is needed");
    assert_eq!(world.fingerprints(), before);
}

#[test]
fn a_commit_that_is_taken_away_before_it_is_final_comes_back() {
    for (seed, fate) in [(30, Removed::Again), (31, Removed::Gone)] {
        let world = removal_in_force(seed, false);
        away_and_back(world, fate, 2);
    }
}

#[test]
fn a_commit_that_is_taken_away_after_it_was_final_comes_back() {
    for (seed, fate) in [(32, Removed::Again), (33, Removed::Gone)] {
        let world = removal_in_force(seed, true);
        let depth = usize::try_from(world.config.confirmations).unwrap() + 3;
        away_and_back(world, fate, depth);
    }
}

#[test]
fn a_commit_that_can_never_be_mined_again_is_followed_by_a_new_agreement_of_all_pairs() {
    let mut world = World::new(34, 4);
    world.config.commit_within_blocks = 12;
    world.create();
    world.admit(&[1, 2, 3]);
    world.settle("the first epoch");
    world.insist(0, Command::Change(vec![Change::Remove(world.nodes[2].id)]));
    world.until(600_000, "the removal is final", |world| {
        [0, 1, 3].iter().all(|node| world.status(*node).unwrap().active.is_some_and(|a| a.epoch == 1 && a.is_final))
    });
    let lost = world.status(0).unwrap().active.unwrap();
    // The new branch is longer than the deadline, without the commit.
    let depth = usize::try_from(lost.height.unwrap()).unwrap() + 8;
    world.reorganise(depth, Removed::Gone);
    (0..20).for_each(|_| {
        world.chain.pool.clear();
        world.mine(vec![]);
    });
    world.until(1_200_000, "the epoch is proposed anew and stands", |world| {
        world.settled() && world.status(0).unwrap().active.unwrap().gid != lost.gid
    });
    let anew = world.status(0).unwrap().active.unwrap();
    let ed = &world.ledger.descriptors[&anew.gid];
    assert_eq!((ed.epoch, ed.refresh.len()), (1, 3), "the same epoch, every pair agreed anew");
    assert!(ed.attempt > world.ledger.descriptors[&lost.gid].attempt);
    assert_eq!(world.fingerprints().len(), 1);
}

#[test]
fn a_reorganisation_under_way_of_an_attempt_changes_nothing() {
    for blocks in 1..6 {
        let mut world = World::with_group(35 + blocks, 4, 3);
        world.admit(&[3]);
        world.run_ms(blocks * 2_000);
        world.reorganise(usize::try_from(blocks).unwrap(), Removed::Gone);
        world.settle("the join");
        assert_eq!(world.status(0).unwrap().active.unwrap().ring.len(), 4);
    }
}
