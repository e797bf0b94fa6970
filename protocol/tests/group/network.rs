//! Every field of every message of a life spoiled, and every message from the wrong peer, before the true one comes.

use medring_protocol::group::Change;
use medring_protocol::group::machine::Command;
use medring_protocol::group::message::{Answer, Message, Wish};
use medring_protocol::testkit::group::{World, is_blamed_on_its_sender, kind, mutations, peer};
use std::collections::BTreeMap;

/// Fields that are hints, or that ask for nothing but what anyone of the ring may have.
const HARMLESS: &[&str] = &["/endpoints", "/addresses", "/want-proposal", "/want-disclosure"];

/// Spoils whatever arrives, then lets the true message arrive, until it is so.
fn spoil_all(world: &mut World, counts: &mut BTreeMap<&'static str, u64>, done: impl Fn(&World) -> bool) {
    let end = world.now_ms + 600_000;
    while !done(world) {
        if world.now_ms > end {
            world.fail("spoiled messages stop the group");
        }
        if let Some((to, from, message)) = world.next_arrival() {
            let blamed = is_blamed_on_its_sender(&message);
            for (path, spoiled) in mutations(&message) {
                let path = format!("/{}{path}", kind(&message));
                let taken = if blamed {
                    hear_on_a_copy(world, to, &from, spoiled)
                } else {
                    world.hear(to, from.clone(), spoiled) == Some(Answer::Taken)
                };
                if taken && !HARMLESS.iter().any(|hint| path.contains(hint)) {
                    world.fail(&format!("n{to} takes {path} spoiled"));
                }
                *counts.entry(kind(&message)).or_default() += 1;
            }
            let agreement = blamed && !matches!(message, Message::Confirm(_));
            for other in (0..=world.nodes.len()).map(peer).filter(|other| agreement && *other != from) {
                if world.hear(to, other, message.clone()) == Some(Answer::Taken) {
                    world.fail(&format!("n{to} takes {} from a peer that is not its sender", kind(&message)));
                }
            }
        }
        world.step();
    }
}

/// Whether a message is taken that its sender is blamed for: a false one ends the attempt, so it is tried on a copy of the
/// world. A confirmation that comes before the key is known is kept unseen; what counts is that without the true one its epoch
/// does not come about.
fn hear_on_a_copy(world: &World, to: usize, from: &[u8], message: Message) -> bool {
    let mut copy = world.fork();
    let gid = match &message {
        Message::Confirm(confirm) => Some(confirm.gid),
        _ => None,
    };
    copy.silence(from);
    let taken = copy.hear(to, from.to_vec(), message) == Some(Answer::Taken);
    let Some(gid) = gid.filter(|_| taken) else { return taken };
    // Blocks come, and the owner is not yet asked for what is missing.
    copy.run_ms(14_000);
    if copy.status(to).unwrap().active.is_some_and(|active| active.gid == gid) {
        copy.fail(&format!("n{to} activates {gid:?} with a spoiled confirmation"));
    }
    false
}

#[test]
fn no_field_of_any_message_can_be_changed() {
    let mut counts = BTreeMap::new();
    let mut world = World::new(50, 4);
    world.create();
    (1..4).for_each(|who| world.invite(who));
    spoil_all(&mut world, &mut counts, |world| world.status(0).unwrap().candidates.len() == 3);
    let ids: Vec<_> = world.nodes[1..].iter().map(|node| Change::Join(node.id)).collect();
    world.insist(0, Command::Change(ids));
    spoil_all(&mut world, &mut counts, World::settled);
    let active = world.status(0).unwrap().active.unwrap();
    assert_eq!((active.epoch, world.ledger.descriptors[&active.gid].attempt), (0, 0), "no attempt was lost");

    world.command(1, Command::Ask(Wish::Leave)).unwrap().unwrap();
    let out = world.nodes[1].id;
    spoil_all(&mut world, &mut counts, |w| w.settled() && !w.status(0).unwrap().active.unwrap().ring.contains(&out));
    let active = world.status(0).unwrap().active.unwrap();
    assert_eq!((active.epoch, world.ledger.descriptors[&active.gid].attempt), (1, 0), "no attempt was lost");

    for kind in ["join", "propose", "m1", "m2", "m3", "share", "confirm", "ask", "notice"] {
        assert!(counts.get(kind).is_some_and(|count| *count >= 4), "{kind} was never spoiled: {counts:?}");
    }
}
