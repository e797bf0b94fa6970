//! The two-party agreement: who may finish it, and what is refused under which name.

use super::pair::{Initiator, Pair, PairContext, PairError, Responder};
use crate::chebyshev::ladders;
use crate::hash::Gid;
use crate::testkit::Kit;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn context(kit: &Kit) -> PairContext<'_> {
    PairContext { gid: Gid([7; 32]), index: 1, initiator: &kit.patient.keys, responder: &kit.doctor.keys }
}

#[test]
fn both_ends_hold_one_pair_after_three_messages_and_five_ladders_each() {
    let kit = Kit::new(1);
    let ctx = context(&kit);
    let before = ladders();
    let (initiator, m1) = Initiator::start(&ctx, &kit.patient.secret, &mut rng(1)).unwrap();
    assert_eq!(ladders() - before, 3);
    let (responder, m2) = Responder::respond(&ctx, &kit.doctor.secret, &m1, &mut rng(2)).unwrap();
    assert_eq!(ladders() - before, 8);
    let (ours, m3) = initiator.finish(&ctx, &kit.patient.secret, &m2).unwrap();
    assert_eq!(ladders() - before, 10);
    let theirs = responder.accept(&ctx, &m3).unwrap();
    assert_eq!(ladders() - before, 10);
    assert_eq!(*ours.to_bytes(), *theirs.to_bytes());
    assert_eq!(Pair::from_bytes(ours.to_bytes().as_slice()).unwrap().to_bytes(), ours.to_bytes());
}

#[test]
fn both_ends_survive_being_stored_between_their_steps() {
    let kit = Kit::new(1);
    let ctx = context(&kit);
    let (initiator, m1) = Initiator::start(&ctx, &kit.patient.secret, &mut rng(1)).unwrap();
    let before = ladders();
    let again = Initiator::from_bytes(&initiator.to_bytes()).unwrap();
    assert_eq!((ladders(), again.m1()), (before, &m1));
    let (responder, m2) = Responder::respond(&ctx, &kit.doctor.secret, &m1, &mut rng(2)).unwrap();
    let responder = Responder::from_bytes(&responder.to_bytes()).unwrap();
    assert!(responder.answered(&m1) && *responder.m2() == m2);
    let (ours, m3) = again.finish(&ctx, &kit.patient.secret, &m2).unwrap();
    assert_eq!(*ours.to_bytes(), *responder.accept(&ctx, &m3).unwrap().to_bytes());
    for cut in [0, 31, 300] {
        assert!(Initiator::from_bytes(&initiator.to_bytes()[cut + 1..]).is_err());
        assert!(Responder::from_bytes(&responder.to_bytes()[cut + 1..]).is_err());
    }
}

#[test]
fn wrong_ends_are_refused_before_a_ladder() {
    let kit = Kit::new(1);
    let ctx = context(&kit);
    let before = ladders();
    let start = Initiator::start(&ctx, &kit.doctor.secret, &mut rng(1));
    assert_eq!(start.err(), Some(PairError::Key));
    assert_eq!(ladders(), before);
}
