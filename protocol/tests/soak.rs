//! Random histories of a group, crashes at every stored step, and a large ring: few and small for `make test`, many and
//! n = 256 for `make soak` (MEDRING_SOAK=1).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics; a soak prints its figures"
)]

use medring_protocol::chebyshev;
use medring_protocol::group::Change;
use medring_protocol::group::machine::Command;
use medring_protocol::group::message::Wish;
use medring_protocol::testkit::group::{World, history, knowledge};
use std::collections::BTreeMap;

fn soak() -> bool {
    std::env::var_os("MEDRING_SOAK").is_some()
}

#[test]
fn many_random_histories() {
    let seeds = if soak() { 1_000..2_000 } else { 1_000..1_004 };
    let (mut actions, mut epochs, mut checked, mut attempts, mut proposals) = (BTreeMap::new(), 0, 0, 0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let (world, summary) = history::play(seed, 40);
        checked += knowledge::check(&world);
        epochs += summary.epoch + 1;
        attempts = attempts.max(summary.attempts);
        proposals += summary.proposals;
        for (name, times) in summary.actions {
            *actions.entry(name).or_insert(0) += times;
        }
    }
    println!(
        "{count} random histories of a group: {proposals} attempts, {epochs} epochs, knowledge checked in {checked}"
    );
    println!("  attempts at the epoch after the last fault, at most: {attempts}");
    println!("  {actions:?}");
}

/// Members taken in by one epoch: so many invitations may be open at once.
const BATCH: usize = 50;

#[test]
fn a_large_ring() {
    let n = if soak() { 256 } else { 16 };
    let mut world = World::new(60, n);
    world.thorough = false;
    world.config.members_max = n;
    // A simulated node takes no time to compute, so only the number of messages counts against the limits of the steps.
    world.config.step_timeout_ms = 600_000;
    world.invitation_ms = 60_000;
    world.create();
    let all: Vec<usize> = (1..n - 1).collect();
    for batch in all.chunks(BATCH) {
        measured(&mut world, &format!("{} join", batch.len()), |world| world.admit(batch));
        world.run_ms(61_000);
    }
    measured(&mut world, "1 joins", |world| world.admit(&[n - 1]));
    let everyone: Vec<_> = world.nodes[1..].iter().map(|node| Change::Update(node.id)).collect();
    measured(&mut world, "set-up anew of every pair", |world| {
        let _ = world.insist(0, Command::Change(everyone));
    });
    measured(&mut world, "1 leaves", |world| {
        let _ = world.insist(n / 2, Command::Ask(Wish::Leave));
        world.until(10_000, "the owner knows of it", |world| world.status(0).is_some_and(|s| !s.pending.is_empty()));
    });
    assert_eq!(world.status(0).unwrap().active.unwrap().ring.len(), n - 1);
}

/// Runs one change of the group and prints what it took.
#[allow(clippy::disallowed_methods, reason = "what is measured is real time; nothing depends on it")]
fn measured(world: &mut World, name: &str, begin: impl FnOnce(&mut World)) {
    let before = (world.traffic.clone(), chebyshev::ladders(), world.now_ms);
    let started = std::time::Instant::now();
    begin(world);
    world.settle(name);
    world.check_all();
    assert_eq!(world.fingerprints().len(), 1);
    println!(
        "{name}, then n = {}: {} messages, {} KiB, {} ladders, {:.1} s of virtual time, {:.1} s of computing for all members",
        world.status(0).unwrap().active.unwrap().ring.len(),
        world.traffic.count() - before.0.count(),
        (world.traffic.bytes - before.0.bytes) / 1024,
        chebyshev::ladders() - before.1,
        f64::from(u32::try_from(world.now_ms - before.2).unwrap()) / 1e3,
        started.elapsed().as_secs_f64(),
    );
    let since = |kind: &str| before.0.messages.get(kind).copied().unwrap_or_default();
    let kinds = world.traffic.messages.iter().map(|(kind, count)| (*kind, count - since(kind)));
    let kinds: Vec<String> =
        kinds.filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{count} {kind}")).collect();
    println!("  {}", kinds.join(", "));
    let proposed = world.traffic.messages["propose"] - since("propose");
    let ring = u64::try_from(world.status(0).unwrap().active.unwrap().ring.len()).unwrap();
    assert_eq!(proposed, ring - 1, "the longest message goes to each other member once, seed {}", world.seed);
}
