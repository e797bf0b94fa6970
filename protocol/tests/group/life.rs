//! One life of a group in which nothing goes wrong, and what it costs; members that are away; an owner that cheats.

use medring_protocol::chebyshev;
use medring_protocol::group::Change;
use medring_protocol::group::machine::{Command, Event, MyStanding};
use medring_protocol::group::message::{Left, Message, Wish};
use medring_protocol::testkit::group::{Faults, World, happened, peer};

fn ring_of(world: &World) -> Vec<usize> {
    let active = world.status(0).unwrap().active.unwrap();
    active.ring.iter().map(|id| world.index(id).unwrap()).collect()
}

fn standing(world: &World, node: usize) -> MyStanding {
    world.status(node).unwrap().standing
}

fn change(world: &mut World, change: Change) {
    world.insist(0, Command::Change(vec![change]));
    world.settle(&format!("{change:?}"));
    assert_eq!(world.fingerprints().len(), 1);
}

#[test]
fn set_up_join_leave_removal_suspension_return_and_update() {
    let mut world = World::with_group(1, 5, 3);
    assert_eq!(world.status(0).unwrap().active.unwrap().epoch, 0);
    let mut ring = ring_of(&world);
    ring.sort_unstable();
    assert_eq!(ring, [0, 1, 2]);
    let id = |world: &World, node: usize| world.nodes[node].id;

    world.admit(&[3, 4]);
    world.settle("two join");
    assert_eq!(ring_of(&world).len(), 5);
    assert_eq!(world.status(0).unwrap().active.unwrap().epoch, 1, "several changes are one epoch");

    let gone = Change::Remove(id(&world, 1));
    change(&mut world, gone);
    assert!(!ring_of(&world).contains(&1));
    world.until(60_000, "the removed is told", |world| standing(world, 1) == MyStanding::Removed);

    world.command(2, Command::Ask(Wish::Leave)).unwrap().unwrap();
    world.until(600_000, "the owner takes it out", |world| {
        world.settled() && !ring_of(world).contains(&2) && standing(world, 2) == MyStanding::Left
    });

    let away = Change::Suspend(id(&world, 3));
    change(&mut world, away);
    world.until(60_000, "the suspended is told", |world| standing(world, 3) == MyStanding::Suspended);
    assert_eq!(world.status(0).unwrap().suspended, [id(&world, 3)]);
    world.command(3, Command::Ask(Wish::Return)).unwrap().unwrap();
    world.until(600_000, "the suspended is back", |world| world.settled() && ring_of(world).contains(&3));
    assert_eq!(standing(&world, 3), MyStanding::Member);

    let before = world.fingerprints();
    world.command(4, Command::Ask(Wish::Update)).unwrap().unwrap();
    world.until(600_000, "both pairs are new", |world| world.settled() && world.fingerprints() != before);
    assert!(happened(&world, 0, |event| matches!(event, Event::Left { why: Left::Removed, .. })));

    // Who was out may be invited again.
    world.admit(&[1]);
    world.settle("the removed is back");
    assert_eq!(ring_of(&world).len(), 4);
}

#[test]
fn a_group_of_one_takes_in_others_later() {
    let mut world = World::new(2, 3);
    world.create();
    world.insist(0, Command::StartAlone);
    world.settle("alone");
    assert_eq!(ring_of(&world), [0]);
    world.admit(&[1]);
    world.settle("two");
    world.admit(&[2]);
    world.settle("three");
    let gone = Change::Remove(world.nodes[1].id);
    change(&mut world, gone);
    let gone = Change::Remove(world.nodes[2].id);
    change(&mut world, gone);
    assert_eq!(ring_of(&world), [0]);
}

#[test]
fn members_away_from_the_cut_climb_no_ladder() {
    let mut world = World::with_group(3, 6, 5);
    // All nodes live in this thread, one after the other: what each spends is counted around its own inputs.
    let before = chebyshev::ladders();
    world.insist(0, Command::Change(vec![Change::Remove(world.nodes[2].id)]));
    world.settle("a removal");
    let removal = chebyshev::ladders() - before;
    assert_eq!(removal, 10, "one new pair: five ladders at each end");
    let before = chebyshev::ladders();
    world.admit(&[5]);
    world.settle("a join");
    assert_eq!(chebyshev::ladders() - before, 20, "two new pairs");
}

#[test]
fn a_change_waits_for_a_member_that_is_away_and_says_for_whom() {
    let mut world = World::with_group(4, 4, 3);
    let away = world.nodes[2].id;
    world.nodes[2].online = false;
    world.insist(0, Command::Change(vec![Change::Update(world.nodes[1].id)]));
    let told = |world: &World| happened(world, 0, |e| matches!(e, Event::Waiting { missing } if *missing == [away]));
    world.until(60_000, "the owner says for whom it waits", told);
    world.run_ms(600_000);
    let status = world.status(0).unwrap();
    assert_eq!(status.waiting_for, [away]);
    assert_eq!((status.attempt, status.active.unwrap().epoch), (None, 0), "no attempt is spent on waiting");

    // The owner may go on without it, and it comes back later.
    world.insist(0, Command::Change(vec![Change::Suspend(away)]));
    world.until(600_000, "the others go on", |w| w.status(0).unwrap().active.unwrap().epoch == 1 && w.settled());
    world.nodes[2].online = true;
    world.mine(vec![]);
    world.until(600_000, "it learns that it is left out", |world| standing(world, 2) == MyStanding::Suspended);
    world.command(2, Command::Ask(Wish::Return)).unwrap().unwrap();
    world.until(600_000, "it is back", |world| world.settled() && ring_of(world).contains(&2));
}

#[test]
fn a_member_that_goes_away_in_the_middle_is_suspended_after_it_was_late_twice() {
    let mut world = World::with_group(5, 4, 4);
    let late = world.nodes[3].id;
    world.insist(0, Command::Change(vec![Change::Update(late)]));
    // Alive to every probe, and dead to everything after it.
    for _ in 0..40 {
        world.until(600_000, "an attempt is under way, or the late one is out", |world| {
            world.status(0).is_some_and(|s| s.attempt.is_some() || s.suspended == [late])
        });
        if world.status(0).unwrap().suspended == [late] {
            break;
        }
        world.nodes[3].online = false;
        world.until(600_000, "the attempt ends", |world| world.status(0).unwrap().attempt.is_none());
        world.nodes[3].online = true;
        world.mine(vec![]);
    }
    world.until(600_000, "the others stand", |world| world.settled() && !ring_of(world).contains(&3));
    assert_eq!(world.status(0).unwrap().suspended, [late]);
}

#[test]
fn an_owner_that_plays_two_games_is_found_out() {
    let world = World::with_group(6, 4, 4);
    // Two copies of the owner's node propose two different epochs under one number; each reaches only half of the others.
    let propose = |label: u64| {
        let mut world = world.fork();
        world.mine(vec![]);
        world.run_ms(label);
        world.insist(0, Command::Change(vec![Change::Update(world.nodes[usize::try_from(label).unwrap()].id)]));
        world.until(60_000, "a proposal", |world| world.status(0).unwrap().attempt.is_some());
        world.traffic.packets.into_iter().rev().find_map(|packet| match packet.message {
            Message::Propose(proposal) => Some(proposal),
            _ => None,
        })
    };
    let (one, other) = (propose(1).unwrap(), propose(2).unwrap());
    assert_ne!(one.ed.gid(), other.ed.gid());
    assert_eq!((one.ed.epoch, one.ed.attempt), (other.ed.epoch, other.ed.attempt));

    let mut world = world;
    world.cheating_owner = true;
    world.nodes[0].online = false;
    for (node, proposal) in [(1, &one), (2, &one), (3, &other)] {
        world.hear(node, peer(0), Message::Propose(proposal.clone()));
    }
    world.until(120_000, "somebody sees both descriptors", |world| {
        (1..4).any(|node| happened(world, node, |e| matches!(e, Event::Equivocation { epoch: 1, attempt: 0 })))
    });
    assert!((1..4).any(|node| world.status(node).unwrap().stopped.is_some()));
    assert!((1..4).all(|node| world.status(node).unwrap().active.unwrap().epoch == 0), "nobody activates either");
}

#[test]
fn a_bad_network_delays_and_nothing_else() {
    for seed in 0..3 {
        let mut world = World::new(70 + seed, 4);
        world.faults = Faults::BAD;
        world.create();
        world.admit(&[1, 2, 3]);
        world.until(3_600_000, "the first epoch is in force", |world| {
            world.status(0).is_some_and(|s| s.active.is_some())
        });
        world.faults = Faults::NONE;
        world.settle("the first epoch");
        assert_eq!(world.fingerprints().len(), 1);
    }
}
