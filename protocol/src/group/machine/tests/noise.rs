//! Whatever comes in: nothing panics, nothing grows without bound, nothing old is taken for new.

use super::super::*;
use super::town::Town;
use crate::codec;
use crate::group::Change;
use crate::group::message::{Ask, Envelope, Message, Wish};
use rand::{Rng, RngExt};
use std::cell::RefCell;
use std::rc::Rc;

/// Everything that was said while a group of four formed, joined one and removed one.
fn recorded() -> (Town, Vec<(usize, usize, Message)>) {
    let mut town = Town::new(4);
    let log = Rc::new(RefCell::new(Vec::new()));
    let tape = log.clone();
    town.filter = Box::new(move |from, to, message| {
        tape.borrow_mut().push((from, to, message.clone()));
        true
    });
    town.form(4);
    town.invite_later(1);
    town.change(&[Change::Join, Change::Remove], &[4, 2]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 3, 4], 1);
    town.filter = Box::new(|_, _, _| true);
    let said = log.borrow().clone();
    (town, said)
}

#[test]
fn what_was_said_before_changes_nothing_when_said_again_by_anyone_to_anyone() {
    let (mut town, said) = recorded();
    let before: Vec<_> = (0..5).map(|who| town.machine(who).status()).collect();
    for (_, _, message) in &said {
        for from in 0..5 {
            for to in (0..5).filter(|to| *to != from) {
                let peer = town.people[from].me.endpoint.peer_id.clone();
                town.say(to, peer, message.clone());
            }
        }
    }
    town.quiet();
    town.pass(120_000);
    for (who, before) in before.into_iter().enumerate() {
        assert_eq!(town.machine(who).status(), before, "{who}");
    }
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 3, 4], 2);
}

#[test]
fn mutated_messages_neither_panic_nor_stop_anybody() {
    let (mut town, said) = recorded();
    for round in 0..4_000 {
        let (from, to, message) = &said[town.rng.random_range(0..said.len())];
        let mut bytes = Envelope { group: GroupUid([9; 32]), message: message.clone() }.encode();
        for _ in 0..town.rng.random_range(1..4) {
            let at = town.rng.random_range(0..bytes.len());
            bytes[at] = town.rng.next_u32().to_le_bytes()[0];
        }
        let Ok(envelope) = Envelope::decode(&bytes) else { continue };
        let peer = town.people[*from].me.endpoint.peer_id.clone();
        town.say(*to, peer, envelope.message);
        if round % 64 == 0 {
            town.pass(1_000);
        }
    }
    for who in 0..5 {
        assert_eq!(town.machine(who).status().stopped, None, "{who}");
        let machine = town.machine(who);
        assert!(machine.state.outbox.len() < 64 && machine.secrets.len() < 8, "{who}");
    }
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    town.finalise();
    assert!(town.machine(0).status().active.is_some_and(|a| a.epoch == 2 && a.is_final));
}

#[test]
fn a_wish_is_good_for_one_epoch() {
    let mut town = Town::group_of(3);
    let asks = Rc::new(RefCell::new(Vec::<Ask>::new()));
    let tape = asks.clone();
    town.filter = Box::new(move |_, _, message| {
        if let Message::Ask(ask) = message {
            tape.borrow_mut().push(ask.clone());
        }
        true
    });
    town.command(1, Command::Ask(Wish::Leave)).unwrap();
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2], 1);
    town.invite(1);
    town.change(&[Change::Join], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2, 1], 2);
    let ask = asks.borrow()[0].clone();
    let peer = town.people[1].me.endpoint.peer_id.clone();
    assert_eq!(town.say(0, peer, Message::Ask(ask)), Answer::Stale);
    assert!(town.machine(0).status().pending.is_empty());
}

#[test]
fn a_ticket_is_good_once_and_not_for_ever() {
    let mut town = Town::new(3);
    let joins = Rc::new(RefCell::new(Vec::new()));
    let tape = joins.clone();
    town.filter = Box::new(move |_, _, message| {
        if let Message::Join(join) = message {
            tape.borrow_mut().push(join.clone());
        }
        true
    });
    town.invite(1);
    let join = joins.borrow()[0].clone();
    let peer = |who: usize| vec![u8::try_from(who).unwrap() + 1; 38];
    assert_eq!(town.say(0, peer(1), Message::Join(join.clone())), Answer::Taken, "the same again");
    assert_eq!(town.say(0, peer(2), Message::Join(join.clone())), Answer::Refused(Refusal::WrongPeer));
    let mut stolen = *join;
    let thief = town.people[2].me.clone();
    let keys = thief.identity.public();
    let hash = crate::group::signing::join_hash(
        &super::town::CHAIN,
        &GroupUid([9; 32]),
        &stolen.token,
        &town.people[0].id,
        &keys.id(),
        &peer(2),
    );
    (stolen.keys, stolen.endpoint, stolen.signature) = (keys, thief.endpoint.clone(), thief.identity.sign(&hash));
    let stolen = Message::Join(Box::new(stolen));
    assert_eq!(town.say(0, peer(2), stolen.clone()), Answer::Refused(Refusal::Invitation), "used up");
    assert_eq!(town.machine(0).status().candidates.len(), 1);
    // Out of date before it is used.
    let mut late = Town::new(3);
    let expires_ms = late.now_ms + 1000;
    let name = "late".to_owned();
    late.command(0, Command::Invite { name, expires_ms }).unwrap();
    late.pass(1001);
    let bytes = codec::encode(&stolen);
    assert_eq!(late.say(0, peer(2), codec::decode(&bytes, 10_000).unwrap()), Answer::Refused(Refusal::Invitation));
    assert!(late.machine(0).status().candidates.is_empty());
}

#[test]
fn equal_runs_give_equal_states() {
    let run = || {
        let town = Town::group_of(5);
        (0..5).map(|who| town.people[who].stored.as_ref().unwrap().public.clone()).collect::<Vec<_>>()
    };
    assert!(run() == run(), "seed 7");
}

#[test]
fn a_state_that_is_another_chains_or_cut_off_is_refused() {
    let town = Town::group_of(2);
    let (me, stored) = (town.people[1].me.clone(), town.people[1].stored.clone().unwrap());
    let restore = |chain, snapshot: &Snapshot| Machine::restore(me.clone(), chain, town.config, snapshot).map(drop);
    assert_eq!(restore(super::town::CHAIN, &stored), Ok(()));
    assert_eq!(restore(crate::ChainId([4; 32]), &stored), Err(RestoreError::Chain));
    let mut cut = stored.clone();
    cut.public.truncate(100);
    assert!(matches!(restore(super::town::CHAIN, &cut), Err(RestoreError::Unreadable(_))));
    let mut newer = stored.clone();
    newer.public[1] = 2;
    assert_eq!(restore(super::town::CHAIN, &newer), Err(RestoreError::Format(2)));
    let mut torn = stored;
    torn.secrets.values_mut().for_each(|bytes| bytes.truncate(20));
    assert!(matches!(restore(super::town::CHAIN, &torn), Err(RestoreError::Unreadable(_))));
}
