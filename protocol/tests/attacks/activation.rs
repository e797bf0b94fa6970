//! The goal "no activation without all confirms": whatever stands on the chain, an epoch comes into force at nobody before every
//! member has confirmed it. Seen failing with a machine that makes up the one confirmation that it lacks.

use crate::printed::ring::{Ring, agree, xor};
use medring_protocol::group::Change;
use medring_protocol::group::machine::{ChainView, Command};
use medring_protocol::group::message::Phase;
use medring_protocol::hash::{Gid, RecordId};
use medring_protocol::testkit::group::World;

const SEED: u64 = 90;
/// Of three members, the one whose confirmation is withheld.
const SILENT: usize = 2;

/// The epoch in force at a node, and its commit.
fn in_force(world: &World, node: usize) -> (Gid, RecordId) {
    let active = world.status(node).unwrap().active.unwrap();
    (active.gid, active.commit)
}

fn phase(world: &World, node: usize) -> Option<Phase> {
    world.status(node).unwrap().attempt.map(|attempt| attempt.phase)
}

#[test]
fn no_activation_without_all_confirms() {
    // The paper: whoever has all X has the key, though another member was given other X and has none, or another.
    let group = Ring::set_up(&["patient", "daughter", "carer"]);
    let (bs, xs) = (group.bs(), group.xs());
    let mut others = xs.clone();
    others[0] = xor(&others[0], &[1; 32]);
    assert_eq!((agree(0, &bs[0], &xs), agree(2, &bs[2], &others)), (Some(group.key()), None));

    // Ours. What an undisturbed copy of the world comes to tells the commit beforehand: it follows from the epoch alone.
    let base = World::with_group(SEED, 3, 3);
    let (old, _) = in_force(&base, 0);
    let change = |world: &mut World| world.insist(0, Command::Change(vec![Change::Update(world.nodes[1].id)]));
    let mut undisturbed = base.fork();
    change(&mut undisturbed);
    undisturbed.settle("the epoch that will be disturbed");
    let (gid, commit) = in_force(&undisturbed, 0);
    assert_ne!(gid, old);

    // One member falls silent once its share is out; the others have all shares, and confirm.
    let mut world = base.fork();
    change(&mut world);
    world.until(60_000, "the silent member shares", |world| phase(world, SILENT) == Some(Phase::Sharing));
    world.nodes[SILENT].online = false;
    world.until(10_000, "the others confirm", |world| {
        [0, 1].iter().all(|node| phase(world, *node) == Some(Phase::Confirming))
    });
    // An insider, who knows the key and so all MACs, even has the commit mined.
    world.chain.submit(commit, 0, u64::MAX);
    world.run_ms(15_000);
    assert!(world.nodes[0].view.height_of(&commit).is_some() && world.nodes[1].view.height_of(&commit).is_some());
    for node in 0..3 {
        assert_eq!(in_force(&world, node).0, old, "seed {SEED}: node {node} needs the confirmation of node {SILENT}");
    }
    // Control: it lacked nothing but that.
    world.nodes[SILENT].online = true;
    world.settle("the silent member confirms");
    for node in 0..3 {
        assert_eq!(in_force(&world, node), (gid, commit));
    }
}
