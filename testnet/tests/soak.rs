//! Many nodes and many seeds on virtual time: few for `make test`, many for `make soak` (MEDRING_SOAK=1).
#![allow(clippy::unwrap_used, reason = "a test")]

mod sim_common;

use medring_testnet::sim::{Broken, SimConfig, hunt, run_one, search};
use sim_common::{hunting, told};
use std::time::Instant;

fn soaks() -> bool {
    std::env::var_os("MEDRING_SOAK").is_some()
}

#[test]
fn a_large_network_agrees_after_a_partition_and_crashes() {
    // Seeds under which both sides of the partition mine, so that one has to give way.
    let (nodes, seed): (u32, u64) = if soaks() { (1_000, 5) } else { (100, 4) };
    let count = usize::try_from(nodes).unwrap();
    let config = SimConfig { busy_ms: 120_000, ..SimConfig::new(seed, count) };
    let config = config.with_partition(count / 3).with_crashes(u64::from(nodes / 4));
    let start = Instant::now();
    let report = run_one(config).unwrap_or_else(|failure| panic!("{failure}"));
    let (took_s, hours) = (start.elapsed().as_secs_f64(), report.virtual_ms as f64 / 3_600_000.0);
    println!(
        "{report}\n{nodes} nodes in {took_s:.1} s: {:.1} node hours a minute",
        f64::from(nodes) * hours * 60.0 / took_s
    );
    assert!(report.reorgs.deepest >= 1 && report.records.confirmed > 0);
}

/// A hunt that finds nothing says something only if it finds what is there.
#[test]
fn each_rule_broken_on_purpose_is_caught_within_200_seeds() {
    for broken in Broken::ALL {
        let failure = search(&hunting(Some(broken), 1, 200), &|_| {});
        let failure = failure.unwrap_or_else(|| panic!("200 seeds did not catch {}", broken.name()));
        println!("{:<14} seed {:>3}: {}", broken.name(), failure.seed, failure.problem);
    }
}

#[test]
fn a_thousand_seeds_of_random_faults_pass_every_check() {
    let (first, seeds) = if soaks() { (31, 1_000) } else { (31, 2) };
    let start = Instant::now();
    if let Some(found) = hunt(&hunting(None, first, seeds), &|_| {}) {
        panic!("{}", told(&found));
    }
    println!("{seeds} seeds in {:.1} s", start.elapsed().as_secs_f64());
}
