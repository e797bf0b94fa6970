//! A crash at every stored step of set-up, join and removal, at every node, in every way; and of the whole network at once.

use medring_protocol::group::Change;
use medring_protocol::group::machine::Command;
use medring_protocol::testkit::group::{Death, World};

/// A stage of a group's life: how it begins, and how many members it ends with.
struct Stage {
    name: &'static str,
    members: usize,
    begin: fn(&mut World),
}

const STAGES: [Stage; 3] = [
    Stage {
        name: "set-up",
        members: 3,
        begin: |world| {
            world.create();
            world.admit(&[1, 2]);
        },
    },
    Stage { name: "join", members: 4, begin: |world| world.admit(&[3]) },
    Stage {
        name: "removal",
        members: 3,
        begin: |world| {
            let _ = world.insist(0, Command::Change(vec![Change::Remove(world.nodes[1].id)]));
        },
    },
];

fn finish(world: &mut World, stage: &Stage) {
    world.settle(stage.name);
    let active = world.status(0).unwrap().active.unwrap();
    if active.ring.len() != stage.members || world.fingerprints().len() != 1 {
        world.fail("the stage ended with other members than were asked for");
    }
    let attempts = world.ledger.descriptors.get(&active.gid).map_or(1, |ed| ed.attempt + 1);
    if attempts > 2 {
        world.fail(&format!("{attempts} attempts after one crash"));
    }
}

/// Runs a stage once for each stored step of each node, with that node dying there.
fn die_everywhere(base: &World, stage: &Stage, deaths: &[Death]) -> (World, u64) {
    let mut quiet = base.fork();
    (stage.begin)(&mut quiet);
    finish(&mut quiet, stage);
    let mut runs = 0;
    for node in 0..base.nodes.len() {
        for step in base.nodes[node].steps + 1..=quiet.nodes[node].steps {
            for death in deaths {
                let mut world = base.fork();
                world.nodes[node].death = Some((step, *death));
                (stage.begin)(&mut world);
                finish(&mut world, stage);
                runs += 1;
            }
        }
    }
    (quiet, runs)
}

#[test]
fn a_crash_at_any_stored_step_costs_an_attempt_at_most() {
    let mut world = World::new(20, 4);
    for stage in &STAGES {
        let (next, runs) = die_everywhere(&world, stage, &[Death::Before, Death::After(0)]);
        assert!(runs > 30, "{} has too few steps: {runs}", stage.name);
        world = next;
    }
}

#[test]
fn a_power_cut_of_the_whole_network_at_any_time_wedges_nothing() {
    let mut base = World::new(21, 4);
    for stage in &STAGES {
        let mut quiet = base.fork();
        let start = quiet.now_ms;
        (stage.begin)(&mut quiet);
        finish(&mut quiet, stage);
        let span = quiet.now_ms - start;
        for cut in 1..12 {
            let mut world = base.fork();
            (stage.begin)(&mut world);
            let end = start + span * cut / 12;
            while world.now_ms < end {
                world.step();
            }
            (0..world.nodes.len()).for_each(|node| world.kill(node));
            finish(&mut world, stage);
        }
        base = quiet;
    }
}
