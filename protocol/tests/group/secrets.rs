//! Who can compute which key, and what a thief of the disks can.

use medring_protocol::group::Change;
use medring_protocol::group::machine::Command;
use medring_protocol::testkit::group::World;
use medring_protocol::testkit::group::knowledge::{self, Analysis, Memory};

/// Epochs of a world in which members leave, return and come anew, with attempts that died on the way.
fn eventful(seed: u64) -> World {
    let mut world = World::with_group(seed, 6, 4);
    let change = |world: &mut World, change: Change| {
        world.insist(0, Command::Change(vec![change]));
        world.settle(&format!("{change:?}"));
    };
    world.admit(&[4]);
    world.settle("a join");
    let id = |world: &World, node: usize| world.nodes[node].id;
    let gone = Change::Remove(id(&world, 2));
    change(&mut world, gone);
    let away = Change::Suspend(id(&world, 3));
    change(&mut world, away);
    // An attempt that dies half-way leaves secrets of a dead GID behind, with somebody who is not in the next one.
    world.admit(&[5]);
    world.until(600_000, "an attempt is under way", |world| world.status(0).unwrap().attempt.is_some());
    world.run_ms(15);
    world.insist(0, Command::Cancel);
    world.run_ms(60_000);
    let back = Change::Return(id(&world, 3));
    change(&mut world, back);
    world.admit(&[2]);
    world.settle("the removed is invited again");
    world
}

#[test]
fn nobody_outside_an_epoch_can_compute_its_key() {
    let world = eventful(40);
    let looked_at = knowledge::check(&world);
    assert!(looked_at >= 6, "{looked_at} epochs");
}

#[test]
fn stolen_disks_and_all_long_term_keys_open_no_epoch_before_the_last_final_one() {
    let mut world = World::with_group(41, 4, 3);
    let disks = |world: &World| -> Vec<Memory> {
        world.nodes.iter().filter_map(|node| node.disk.as_ref()).map(Memory::of).collect()
    };
    let first = world.status(0).unwrap().active.unwrap().gid;
    let before = disks(&world);
    world.admit(&[3]);
    world.until(600_000, "the next epoch is in force, not final", |world| {
        world.status(0).unwrap().active.is_some_and(|a| a.gid != first)
    });
    let between = disks(&world);
    world.settle("a join");
    let second = world.status(0).unwrap().active.unwrap().gid;
    let after = disks(&world);
    world.insist(0, Command::Change(vec![Change::Update(world.nodes[1].id)]));
    world.settle("an update");
    let last = disks(&world);

    let analysis = Analysis::new(&world);
    let epochs = analysis.epochs();
    let opens = |gid, stolen: &[Memory]| {
        let epoch = epochs.iter().find(|epoch| epoch.gid == gid).unwrap();
        analysis.way_to(epoch, &stolen.iter().collect::<Vec<_>>(), &[], true)
    };
    assert!(opens(first, &before).is_some(), "a disk stolen in time opens its epoch: the check can see");
    assert!(opens(first, &between).is_some(), "until the next is final, the last is kept");
    assert_eq!(opens(first, &after), None);
    assert!(opens(second, &after).is_some());
    assert_eq!(opens(second, &last), None);
    assert_eq!(opens(first, &last), None);
}

#[test]
fn a_member_whose_disk_was_stolen_is_healed_by_an_update_of_both_its_pairs_and_not_before() {
    let mut world = World::with_group(42, 5, 4);
    let victim = world.index(&world.status(0).unwrap().active.unwrap().ring[1]).unwrap();
    let stolen = Memory::of(world.nodes[victim].disk.as_ref().unwrap());
    let opposite = world.status(0).unwrap().active.unwrap().ring[3];
    world.insist(0, Command::Change(vec![Change::Update(opposite)]));
    world.settle("an update of somebody else");
    let exposed = world.status(0).unwrap().active.unwrap().gid;
    world.insist(0, Command::Change(vec![Change::Update(world.nodes[victim].id)]));
    world.settle("an update of the victim");
    let healed = world.status(0).unwrap().active.unwrap().gid;

    let analysis = Analysis::new(&world);
    let epochs = analysis.epochs();
    let opens = |gid| analysis.way_to(epochs.iter().find(|epoch| epoch.gid == gid).unwrap(), &[&stolen], &[], true);
    assert!(opens(exposed).is_some(), "a kept pair ratchets on, for the thief too: the check can see");
    assert_eq!(opens(healed), None);
}
