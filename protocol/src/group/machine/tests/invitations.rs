//! The bound on invitations counts those that are open.

use super::super::*;
use super::town::Town;
use crate::group::Change;
use std::cell::RefCell;
use std::rc::Rc;

/// More invitations of the owner, until one is refused.
fn until_refused(town: &mut Town) -> usize {
    let expires_ms = town.now_ms + 600_000;
    let invite = |town: &mut Town| town.command(0, Command::Invite { name: "more".into(), expires_ms });
    let mut count = 0;
    while invite(town).is_ok() {
        count += 1;
    }
    count
}

#[test]
fn an_invitation_that_was_used_is_not_open_any_more() {
    let mut town = Town::new(4);
    (1..4).for_each(|who| town.invite(who));
    assert_eq!(town.machine(0).status().candidates.len(), 3);
    assert_eq!(until_refused(&mut town), 64, "three used ones are not among them");
}

#[test]
fn a_member_whose_token_is_forgotten_may_say_join_again_and_nobody_else() {
    let mut town = Town::new(4);
    let joins = Rc::new(RefCell::new(Vec::new()));
    let tape = joins.clone();
    town.filter = Box::new(move |from, _, message| {
        if let Message::Join(join) = message {
            tape.borrow_mut().push((from, join.clone()));
        }
        true
    });
    town.form(3);
    town.invite(3);
    let held = |town: &Town| town.machine(0).state.owning.as_ref().unwrap().invitations.len();
    assert_eq!(held(&town), 1, "those of members are gone, that of the candidate is kept");
    let joins = joins.borrow().clone();
    let say = |town: &mut Town, who: usize, join| {
        let peer = town.people[who].me.endpoint.peer_id.clone();
        town.say(0, peer, Message::Join(join))
    };
    for (who, join) in joins.clone() {
        assert_eq!(say(&mut town, who, join), Answer::Taken, "{who}");
    }
    let mut forged = joins[0].1.clone();
    forged.token[0] ^= 1;
    assert_eq!(say(&mut town, joins[0].0, forged), Answer::Refused(Refusal::BadSignature));
    // Once it is out, its old Join brings it nowhere.
    town.change(&[Change::Remove], &[2]);
    town.pass(10_000);
    town.finalise();
    let (who, join) = joins.iter().find(|(who, _)| *who == 2).unwrap().clone();
    assert_eq!(say(&mut town, who, join), Answer::Refused(Refusal::Invitation));
    assert!(town.machine(0).status().candidates.iter().all(|c| c.member != town.people[2].id));
}

/// After an old copy of its folder a node that was invited may know nothing of it any more: the others do not wait for it.
#[test]
fn who_was_invited_and_has_forgotten_it_holds_nobody_up() {
    let mut town = Town::new(4);
    town.form(3);
    town.invite(3);
    town.answers = Box::new(|to, message, answer| match message {
        Message::Probe if to == 3 => Answer::Refused(Refusal::UnknownGroup),
        _ => answer,
    });
    town.change(&[Change::Join], &[3]);
    town.change(&[Change::Suspend], &[2]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1], 1);
    let gone = town.people[3].id;
    assert!(town.saw(0, |event| matches!(event, Event::Left { member, .. } if *member == gone)), "its owner is told");
}
