//! Attempts that fail, and who is held responsible.

use super::super::*;
use super::town::Town;
use crate::group::Change;
use crate::group::message::{Message, Phase};
use std::cell::Cell;
use std::rc::Rc;

/// Messages of which nothing gets through.
fn cut(town: &mut Town, gone: impl Fn(usize, usize, &Message) -> bool + 'static) {
    town.filter = Box::new(move |from, to, message| !gone(from, to, message));
}

fn suspended(town: &Town, who: usize) -> bool {
    town.machine(0).status().suspended.contains(&town.people[who].id)
}

#[test]
fn who_is_late_twice_is_left_out_and_nobody_else() {
    let mut town = Town::group_of(5);
    cut(&mut town, |from, _, message| {
        from == 2 && matches!(message, Message::M1(_) | Message::M2(_) | Message::M3(_) | Message::Share(_))
    });
    town.change(&[Change::Update], &[2]);
    town.pass(300_000);
    town.finalise();
    town.agree(&[0, 1, 3, 4], 1);
    assert!(suspended(&town, 2) && !suspended(&town, 1) && !suspended(&town, 3));
}

#[test]
fn a_joiner_that_is_late_twice_stays_a_candidate() {
    let mut town = Town::group_of(3);
    town.invite_later(1);
    cut(&mut town, |from, _, message| from == 3 && matches!(message, Message::Confirm(_)));
    town.change(&[Change::Join, Change::Update], &[3, 1]);
    town.pass(300_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
    assert_eq!(town.machine(0).status().candidates.len(), 1);
}

#[test]
fn a_false_x_is_found_by_disclosures_and_its_maker_left_out() {
    let mut town = Town::group_of(4);
    // The owner gets what does not close the ring. A false X that is signed afresh is another's; so the maker's machine signs.
    let liar = town.people[2].me.identity.clone();
    town.filter = Box::new(move |from, _, message| {
        if let (2, Message::Share(share)) = (from, message) {
            share.x[0] ^= 1;
            share.signature = liar.sign(&crate::group::ring::share_hash(share));
        }
        true
    });
    town.change(&[Change::Update], &[1]);
    town.pass(300_000);
    town.finalise();
    town.agree(&[0, 1, 3], 1);
    assert!(suspended(&town, 2));
    assert_eq!(town.machine(0).status().history[1].changes.len(), 2, "one disclosure round was enough");
}

/// Member 3 gives member 1 alone another share; member 1's proof reaches the owner at once, or after the abort.
fn two_shares_in_the_dark(late: bool) {
    let mut town = Town::group_of(4);
    let liar = town.people[3].me.identity.clone();
    let mut lost = late;
    town.filter = Box::new(move |from, to, message| {
        let Message::Share(share) = &mut *message else { return true };
        if (from, to, share.index) == (3, 1, 3) {
            share.x[0] ^= 1;
            share.signature = liar.sign(&crate::group::ring::share_hash(share));
        }
        // The first try of the proof is lost, so that the abort overtakes it.
        !((from, to, share.index) == (1, 0, 3) && std::mem::take(&mut lost))
    });
    town.change(&[Change::Update], &[2]);
    town.pass(600_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
    assert!(suspended(&town, 3) && !suspended(&town, 1));
}

#[test]
fn a_member_that_gives_one_other_a_false_share_is_convicted_by_it() {
    two_shares_in_the_dark(false);
}

#[test]
fn also_when_the_proof_comes_after_the_abort() {
    two_shares_in_the_dark(true);
}

#[test]
fn two_signed_shares_of_one_member_convict_it() {
    let mut town = Town::group_of(4);
    let liar = town.people[3].me.identity.clone();
    town.filter = Box::new(move |from, to, message| {
        if let (3, 0, Message::Share(share)) = (from, to, &mut *message) {
            share.x[0] ^= 1;
            share.signature = liar.sign(&crate::group::ring::share_hash(share));
        }
        true
    });
    town.change(&[Change::Update], &[1]);
    town.pass(600_000);
    town.finalise();
    assert!(suspended(&town, 3));
}

#[test]
fn a_member_that_fails_to_pair_honestly_is_left_out_at_once() {
    let mut town = Town::group_of(4);
    town.filter = Box::new(|from, _, message| {
        if let (1, Message::M2(m2)) = (from, message) {
            m2.mac[0] ^= 1;
        }
        true
    });
    town.change(&[Change::Update], &[1]);
    town.pass(300_000);
    town.finalise();
    town.agree(&[0, 2, 3], 1);
    assert_eq!(town.machine(0).status().history[1].changes.len(), 1);
}

#[test]
fn after_eight_attempts_the_group_stalls_until_the_owner_tries_again() {
    let mut town = Town::group_of(7);
    let healed = Rc::new(Cell::new(false));
    let cured = healed.clone();
    // In attempts 0 and 1 member 1 hears nothing, in 2 and 3 member 2, and so on: each is left out after its second.
    town.filter = Box::new(move |_, to, message| match message {
        Message::Propose(proposal) if !cured.get() => u32::try_from(to).unwrap() != 1 + proposal.ed.attempt / 2,
        _ => true,
    });
    town.change(&[Change::Update], &[6]);
    town.pass(3_600_000);
    assert!(town.saw(0, |e| matches!(e, Event::Stalled { epoch: 1, attempts: 8 })));
    let status = town.machine(0).status();
    assert!(status.stopped.is_some() && status.attempt.is_none());
    assert_eq!(town.machine(0).next_deadline_ms(), None, "nothing goes on by itself");
    healed.set(true);
    town.command(0, Command::Retry).unwrap();
    town.pass(60_000);
    town.finalise();
    town.agree(&[0, 5, 6], 1);
}

#[test]
fn lost_memory_is_an_excuse_only_once() {
    let mut town = Town::group_of(3);
    // The member takes whatever it gets for a proposal without refreshed pairs: its answers are always the same.
    town.answers = Box::new(|by, message, answer| match message {
        Message::Propose(_) if by == 2 => Answer::Refused(Refusal::LostState),
        _ => answer,
    });
    town.change(&[Change::Update], &[1]);
    town.pass(300_000);
    town.finalise();
    town.agree(&[0, 1], 1);
}

#[test]
fn a_member_without_memory_pairs_anew_and_nothing_old_is_used() {
    let mut town = Town::group_of(4);
    let gid = town.agree(&[0, 1, 2, 3], 0);
    town.people[2].stored.as_mut().unwrap().secrets.clear();
    town.restart(2);
    assert!(town.machine(2).reading(&gid).is_none());
    town.change(&[Change::Remove], &[1]);
    town.pass(60_000);
    town.finalise();
    town.agree(&[0, 2, 3], 1);
    assert!(!suspended(&town, 2));
}

#[test]
fn a_member_with_an_old_copy_pairs_anew() {
    let mut town = Town::group_of(4);
    let old = town.people[2].stored.clone();
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3], 1);
    town.people[2].stored = old;
    town.restart(2);
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3], 2);
}

/// A proposal of an earlier epoch, passed on by a member, is newer than anything that an old copy remembers of that epoch.
#[test]
fn a_later_epoch_under_way_is_not_given_up_for_an_earlier_one() {
    let mut town = Town::group_of(3);
    let old = town.people[2].stored.clone();
    town.change(&[Change::Update], &[1]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2], 1);
    let earlier = town.machine(1).last_proposal().unwrap().clone();
    town.people[2].stored = old;
    town.restart(2);
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    assert_eq!(town.machine(2).status().attempt.unwrap().epoch, 2);
    let from = town.people[1].me.endpoint.peer_id.clone();
    assert_eq!(town.say(2, from, Message::Propose(Box::new(earlier))), Answer::Stale);
    town.finalise();
    town.agree(&[0, 1, 2], 2);
}

#[test]
fn two_proposals_under_one_number_stop_everyone_who_learns_of_both() {
    let mut town = Town::group_of(4);
    let owner = town.people[0].me.identity.clone();
    town.filter = Box::new(move |from, to, message| {
        if let (0, 2 | 3, Message::Propose(proposal)) = (from, to, message) {
            proposal.ed.random[0] ^= 1;
            proposal.signature = owner.sign(&proposal.ed.signing_hash());
        }
        true
    });
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    for who in 1..4 {
        assert!(town.saw(who, |e| matches!(e, Event::Equivocation { epoch: 1, attempt: 0 })), "{who}");
        assert!(town.machine(who).status().stopped.is_some(), "{who}");
        assert!(town.machine(who).reading(&town.machine(who).status().active.unwrap().gid).is_some(), "{who}");
    }
}

#[test]
fn a_cancelled_attempt_leaves_the_last_epoch_in_force() {
    let mut town = Town::group_of(3);
    let gid = town.agree(&[0, 1, 2], 0);
    cut(&mut town, |_, _, message| matches!(message, Message::Share(_)));
    town.change(&[Change::Remove], &[1]);
    town.pass(5_000);
    assert_eq!(town.machine(0).status().attempt.unwrap().phase, Phase::Sharing);
    assert!(town.machine(0).sealing().is_none());
    town.command(0, Command::Cancel).unwrap();
    assert!(town.machine(2).status().attempt.is_none());
    assert!(town.machine(0).sealing().is_some_and(|access| access.gid == gid));
    assert!(town.machine(0).status().pending.is_empty());
}

#[test]
fn a_member_that_was_cut_off_while_confirming_catches_up_from_the_owner() {
    let mut town = Town::group_of(4);
    cut(&mut town, |from, to, message| {
        (from, to) == (3, 2) && matches!(message, Message::Share(_) | Message::Confirm(_))
    });
    town.change(&[Change::Update], &[1]);
    town.pass(60_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3], 1);
    assert!(!town.saw(0, |e| matches!(e, Event::Aborted { .. })));
}
