//! Reorganisations, deadlines, and an owner without memory.

use super::super::*;
use super::town::{CHAIN, CONFIRMATIONS, Town};
use crate::group::Change;
use crate::group::message::Phase;

#[test]
fn a_reorganisation_before_finality_takes_the_epoch_back_and_the_same_commit_returns() {
    let mut town = Town::group_of(3);
    town.change(&[Change::Remove], &[1]);
    town.pass(10_000);
    town.block();
    let status = town.machine(2).status();
    let active = status.active.unwrap();
    assert_eq!((active.epoch, active.is_final), (1, false));
    assert!(town.machine(0).sealing().is_some());
    // a ── b(commit)          the block is replaced by two empty ones
    //  └── c ── d
    town.chain.blocks.pop();
    town.chain.blocks.extend([vec![], vec![]]);
    town.chain_changed();
    assert!(town.saw(0, |e| matches!(e, Event::RolledBack { epoch: 1, .. })));
    assert!(town.machine(0).sealing().is_none(), "epoch 0 is not brought back after a removal");
    assert_eq!(town.pool.len(), 1, "the same commit is submitted again");
    town.finalise();
    assert_eq!(town.agree(&[0, 2], 1), active.gid);
}

#[test]
fn a_reorganisation_after_finality_too() {
    let mut town = Town::group_of(3);
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    let gid = town.agree(&[0, 1, 2], 1);
    let at = town.chain.blocks.len() - 4;
    town.chain.blocks.truncate(at);
    town.chain_changed();
    assert!(town.saw(2, |e| matches!(e, Event::RolledBack { epoch: 1, .. })));
    (0..3).for_each(|who| town.restart(who));
    town.finalise();
    assert_eq!(town.agree(&[0, 1, 2], 1), gid);
}

#[test]
fn a_commit_that_no_block_took_in_time_is_made_again_with_every_pair_fresh() {
    let mut town = Town::group_of(3);
    town.config.commit_within_blocks = 5;
    town.restart(0);
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    assert_eq!(town.machine(0).status().attempt.unwrap().phase, Phase::Committing);
    for _ in 0..5 + CONFIRMATIONS {
        town.pool.clear();
        town.block();
    }
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
    let proposal = town.machine(0).last_proposal().unwrap();
    assert_eq!((proposal.ed.attempt, proposal.ed.refresh.len()), (1, 3));
}

#[test]
fn an_epoch_whose_commit_was_lost_for_good_is_made_again_under_its_number() {
    let mut town = Town::group_of(3);
    town.invite_later(1);
    town.config.commit_within_blocks = 5;
    town.restart(0);
    town.change(&[Change::Join, Change::Remove], &[3, 1]);
    town.pass(10_000);
    town.finalise();
    let lost = town.agree(&[0, 2, 3], 1);
    let at = town.chain.blocks.len() - 4;
    town.chain.blocks.truncate(at);
    for _ in 0..6 + CONFIRMATIONS {
        town.pool.clear();
        town.chain.blocks.push(vec![]);
    }
    town.chain_changed();
    assert!(town.machine(0).sealing().is_none());
    town.pass(20_000);
    town.finalise();
    let again = town.agree(&[0, 2, 3], 1);
    assert_ne!(lost, again);
    assert_eq!(town.machine(2).last_proposal().unwrap().ed.refresh.len(), 3);
    assert!(town.machine(2).reading(&lost).is_none());
    // And the next epoch's numbers do not clash with anything.
    town.change(&[Change::Update], &[2]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2, 3], 2);
}

#[test]
fn a_later_attempt_gives_way_when_the_last_epoch_loses_its_commit() {
    let mut town = Town::group_of(3);
    town.filter = Box::new(|_, _, m| !matches!(m, crate::group::message::Message::Share(_)));
    town.change(&[Change::Update], &[1]);
    town.pass(5_000);
    assert!(town.machine(0).status().attempt.is_some());
    town.chain.blocks.clear();
    town.chain_changed();
    assert!(town.machine(0).status().attempt.is_none());
    town.filter = Box::new(|_, _, _| true);
    town.finalise();
    town.pass(60_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
}

#[test]
fn an_owner_that_kept_nothing_but_its_keys_takes_the_group_up_again() {
    let mut town = Town::group_of(4);
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3], 1);
    let proposal = town.machine(3).last_proposal().unwrap().clone();
    let commit = town.machine(3).state.current.as_ref().unwrap().commit.clone();
    let mut me = town.people[0].me.clone();
    me.endpoint.peer_id = vec![99; 38];
    let recall = recall_message(&me, &CHAIN, &mut town.rng);
    let config = town.config;
    let made = Machine::recalled(me.clone(), CHAIN, proposal.clone(), commit.clone(), recall.clone(), 1000, config);
    let stranger = town.people[1].me.clone();
    assert!(Machine::recalled(stranger, CHAIN, proposal, commit, recall, 1000, config).is_err());
    town.people[0].me = me;
    town.people[0].machine = Some(made.unwrap());
    town.people[0].stored = None;
    town.handle(0, Input::Chain);
    assert!(town.machine(0).sealing().is_none());
    town.pass(20_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3], 2);
    let ed = &town.machine(0).last_proposal().unwrap().ed;
    assert_eq!((ed.attempt, ed.refresh.len()), (1001, 4));
}

#[test]
fn an_owner_with_an_old_copy_stops_instead_of_playing_two_games() {
    let mut town = Town::group_of(3);
    let old = town.people[0].stored.clone();
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
    town.people[0].stored = old;
    town.restart(0);
    town.change(&[Change::Update], &[2]);
    town.pass(60_000);
    assert!(town.machine(0).status().stopped.is_some());
}

#[test]
fn a_revoked_member_is_left_out() {
    let mut town = Town::group_of(3);
    let id = town.people[1].id;
    town.chain.standings.get_mut(&id).unwrap().valid = false;
    town.block();
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2], 1);
}

#[test]
fn a_node_with_another_peer_id_is_known_again() {
    for who in [0, 1] {
        let mut town = Town::group_of(3);
        town.people[who].me.endpoint.peer_id = vec![77; 38];
        town.restart(who);
        town.pass(10_000);
        town.finalise();
        town.agree(&[0, 1, 2], 1);
    }
}
