//! What members of a group say to each other, invitations, and what a machine stores.

use super::one_encoding;
use medring_protocol::group::Change;
use medring_protocol::group::machine::{Command, Machine, Snapshot};
use medring_protocol::group::message::{Answer, Envelope};
use medring_protocol::group::ticket::Ticket;
use medring_protocol::testkit::group::{World, kind, peer};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

const PEOPLE: usize = 3;
const STEPS_MAX: usize = 100_000;

static STAGES: LazyLock<Mutex<BTreeMap<&'static str, World>>> = LazyLock::new(|| {
    let (mut world, mut stages) = (World::new(77, PEOPLE), BTreeMap::new());
    world.create();
    (1..PEOPLE).for_each(|who| world.invite(who));
    let joins = (1..PEOPLE).map(|who| Change::Join(world.nodes[who].id)).collect();
    watch(&mut world, &mut stages, |world| world.status(0).is_some_and(|status| status.candidates.len() == PEOPLE - 1));
    world.insist(0, Command::Change(joins));
    watch(&mut world, &mut stages, World::settled);
    stages.insert("settled", world);
    Mutex::new(stages)
});

/// Steps until it is so, and keeps a copy of the world where the first message of each kind arrives.
fn watch(world: &mut World, stages: &mut BTreeMap<&'static str, World>, is_so: impl Fn(&World) -> bool) {
    for _ in 0..STEPS_MAX {
        if is_so(world) {
            return;
        }
        if let Some((_, _, message)) = world.next_arrival() {
            stages.entry(kind(&message)).or_insert_with(|| world.fork());
        }
        world.step();
    }
    panic!("the world of the stages gets nowhere");
}

/// One world for each kind of message, by its name, stopped where the first of it arrives; and one at rest, `settled`.
pub(crate) fn stages() -> MutexGuard<'static, BTreeMap<&'static str, World>> {
    STAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Messages and answers, as they cross the wire.
pub(super) fn envelope(data: &[u8]) {
    one_encoding(data, Envelope::decode, Envelope::encode);
    one_encoding(data, Answer::decode, Answer::encode);
}

/// A ticket's text has many forms (case, spaces); what is read is written as one that reads the same.
pub(super) fn ticket(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(ticket) = text.parse::<Ticket>() else { return };
    assert!(ticket.endpoint.is_well_formed());
    let again: Ticket = ticket.to_string().parse().expect("what was written is read");
    assert_eq!(again.to_string(), ticket.to_string());
}

/// Bytes: stage ‖ to whom ‖ by which peer ‖ envelope. The machine answers, and the world's checkers find nothing.
pub(super) fn machine(data: &[u8]) {
    let Some(([stage, to, from], bytes)) = data.split_first_chunk::<3>() else { return };
    let Ok(envelope) = Envelope::decode(bytes) else { return };
    let mut world = {
        let stages = stages();
        let Some(world) = stages.values().nth(usize::from(*stage) % stages.len()) else { return };
        world.fork()
    };
    let (to, from) = (usize::from(*to) % PEOPLE, peer(usize::from(*from) % (PEOPLE + 1)));
    if world.nodes[to].machine.is_some() {
        assert!(world.hear(to, from, envelope.message).is_some(), "every message has an answer");
    }
    world.check_all();
}

/// What stands in a file: refused, or a machine that stores what makes the same machine again.
pub(super) fn snapshot(data: &[u8]) {
    let stages = stages();
    let world = &stages["settled"];
    let restore = |public: Vec<u8>| {
        let stored = Snapshot { public, secrets: BTreeMap::new() };
        Machine::restore(world.nodes[0].me.clone(), world.chain_id, world.config, &stored)
    };
    let Ok(mut machine) = restore(data.to_vec()) else { return };
    let public = machine.snapshot().public;
    let mut again = restore(public.clone()).expect("what was stored is read");
    assert_eq!(again.snapshot().public, public);
}
