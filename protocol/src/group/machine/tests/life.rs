//! The life of a group when nobody misbehaves.

use super::super::*;
use super::town::Town;
use crate::group::Change;
use crate::group::message::{Message, Wish};
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn a_group_of_one_to_six_comes_to_one_key() {
    for n in 1..=6 {
        let town = Town::group_of(n);
        assert_eq!(town.machine(0).status().history.len(), 1, "{n}");
    }
}

#[test]
fn members_join_leave_are_removed_and_old_secrets_go() {
    let mut town = Town::group_of(3);
    let first = town.agree(&[0, 1, 2], 0);
    town.invite_later(2);
    town.change(&[Change::Join, Change::Join], &[3, 4]);
    town.pass(10_000);
    town.finalise();
    let second = town.agree(&[0, 1, 2, 3, 4], 1);
    assert!(town.machine(1).reading(&first).is_none(), "epoch 0 was wiped at finality of epoch 1");
    assert!(town.saw(1, |e| matches!(e, Event::Wiped { gid } if *gid == first)));
    assert!(!town.people[1].stored.as_ref().unwrap().secrets.contains_key(&first));

    town.command(3, Command::Ask(Wish::Leave)).unwrap();
    town.change(&[Change::Remove], &[1]);
    town.pass(10_000);
    assert!(town.machine(0).sealing().is_none(), "nothing is sealed once somebody is to leave");
    town.block();
    assert_eq!(town.machine(3).status().standing, MyStanding::Left);
    assert!(town.machine(0).sealing().is_none(), "… and the removal waits for the epoch after");
    town.finalise();
    town.pass(10_000);
    town.finalise();
    let last = town.agree(&[0, 2, 4], 3);
    assert!(town.machine(0).sealing().is_some_and(|access| access.gid == last));
    assert_eq!(town.machine(1).status().standing, MyStanding::Removed);
    assert!(town.machine(1).reading(&last).is_none());
    assert!(town.machine(3).reading(&second).is_some(), "what it could read it can still read");
}

#[test]
fn every_machine_may_forget_all_but_what_it_stored_at_every_step() {
    let mut town = Town::new(4);
    town.amnesia = true;
    town.form(4);
    town.change(&[Change::Remove, Change::Update], &[2, 1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 3], 1);
}

#[test]
fn the_change_waits_for_who_is_away_and_says_for_whom() {
    let mut town = Town::group_of(3);
    town.people[2].online = false;
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    let missing = vec![town.people[2].id];
    assert_eq!(town.machine(0).status().waiting_for, missing);
    assert!(town.saw(0, |e| *e == Event::Waiting { missing: missing.clone() }));
    assert!(town.machine(0).status().attempt.is_none(), "no attempt is used up");
    town.people[2].online = true;
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
}

/// A group of three, of which person 1 was suspended while it was away.
fn without_person_1() -> Town {
    let mut town = Town::group_of(3);
    town.people[1].online = false;
    town.change(&[Change::Suspend], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2], 1);
    town
}

#[test]
fn a_suspended_member_comes_back() {
    let mut town = without_person_1();
    town.people[1].online = true;
    town.pass(3_600_000);
    assert_eq!(town.machine(1).status().standing, MyStanding::Suspended);
    town.command(1, Command::Ask(Wish::Return)).unwrap();
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 2, 1], 2);
}

/// The word that it is suspended is on its way for so long that the member hears first of the epoch that brings it back.
#[test]
fn late_word_of_a_suspension_does_not_keep_a_member_from_returning() {
    for steps in 0..60 {
        let mut town = without_person_1();
        let held = Rc::new(RefCell::new(None));
        let tape = held.clone();
        town.filter = Box::new(move |_, to, message| {
            let is_word = to == 1 && matches!(message, Message::Notice(_));
            if is_word {
                *tape.borrow_mut() = Some(message.clone());
            }
            !is_word
        });
        town.people[1].online = true;
        town.pass(3_600_000);
        town.change(&[Change::Return], &[1]);
        // So many messages of the attempt are delivered before it.
        for _ in 0..steps {
            town.deliver_one();
        }
        let word = held.borrow_mut().take().unwrap();
        let owner = town.people[0].me.endpoint.peer_id.clone();
        town.say(1, owner, word);
        town.pass(10_000);
        town.finalise();
        town.agree(&[0, 2, 1], 2);
        assert_eq!(town.machine(1).status().standing, MyStanding::Member, "after {steps} messages");
    }
}
