//! Messages that overtake the descriptor of their epoch: nobody is asked for what is on its way anyway.

use super::super::*;
use super::town::Town;
use crate::group::Change;
use std::cell::RefCell;
use std::rc::Rc;

/// A group of eight in which member 3 hears the owner's proposal only from the `first`-th time on; how often descriptors were
/// sent to member 3, and asked for by it, until the epoch was in force.
fn descriptors_of_a_late_member(first: usize) -> (usize, usize) {
    let mut town = Town::group_of(8);
    let counts = Rc::new(RefCell::new((0, 0)));
    let tape = counts.clone();
    let mut by_owner = 0;
    town.filter = Box::new(move |from, to, message| {
        let mut counts = tape.borrow_mut();
        match message {
            Message::Propose(_) if to == 3 => {
                counts.0 += 1;
                by_owner += usize::from(from == 0);
                from != 0 || by_owner >= first
            }
            Message::WantProposal { .. } if from == 3 => {
                counts.1 += 1;
                true
            }
            _ => true,
        }
    });
    town.change(&[Change::Update], &[6]);
    town.pass(10_000);
    town.finalise();
    town.agree(&[0, 1, 2, 3, 4, 5, 6, 7], 1);
    *counts.borrow()
}

#[test]
fn what_overtakes_a_descriptor_by_a_moment_asks_for_it_nowhere() {
    assert_eq!(descriptors_of_a_late_member(1), (1, 0));
    assert_eq!(descriptors_of_a_late_member(2), (2, 0), "the owner says it again as soon as the others do");
}

#[test]
fn a_descriptor_that_does_not_come_is_asked_of_one_member_at_a_time() {
    assert_eq!(
        descriptors_of_a_late_member(4),
        (5, 1),
        "four by the owner, of which three got lost, one by who was asked"
    );
}
