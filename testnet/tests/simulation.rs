//! Networks of cores on virtual time: agreement, durability, repeatability. A failure prints its seed.
#![allow(clippy::unwrap_used, reason = "a test")]

mod sim_common;

use medring_testnet::sim::{Broken, Deed, Fault, SimConfig, SimReport, Simulation, hunt, search};
use sim_common::{hunting, told};

fn run(config: SimConfig) -> SimReport {
    Simulation::new(config).and_then(Simulation::run).unwrap_or_else(|failure| panic!("{failure}"))
}

/// 20 nodes, delays, one partition and crashes: one tip, no admitted record lost.
#[test]
fn twenty_nodes_agree_after_a_partition_and_crashes() {
    let report = run(SimConfig::new(1, 20).with_partition(8).with_crashes(9));
    println!("{report}");
    assert!(report.reorgs.deepest >= 2, "the partition made a fork worth the name");
    assert!(report.crashes >= 6 && report.records.confirmed >= 50 && report.records.dropped > 0);
}

/// Every kind of fault at once.
fn troubled(seed: u64) -> SimConfig {
    let mut config = SimConfig { busy_ms: 60_000, ..SimConfig::new(seed, 12) }.with_crashes(3);
    let faults =
        ["cut:0-3@10s-30s", "cut:2-7@20s-40s", "clock:5/+9s/-300ppm@5s-40s", "loss:8%@10s-50s", "slow:4x@30s-40s"];
    config.faults.extend(faults.iter().map(|text| text.parse::<Fault>().unwrap()));
    config.faults.push(Fault::Evil { node: 10, deed: Deed::Liar });
    config
}

#[test]
fn one_seed_gives_one_log_byte_for_byte() {
    let (first, again, other) = (run(troubled(3)), run(troubled(3)), run(troubled(4)));
    assert_eq!(first, again, "every figure, and the hash over all events");
    assert_ne!(first.log_hash, other.log_hash);
    assert!(first.crashes >= 3 && first.retransmitted > 0, "{first}");
}

/// Thirty seeds of random faults; the soak takes a thousand.
#[test]
fn thirty_seeds_of_random_faults_pass_every_check() {
    if let Some(found) = hunt(&hunting(None, 1, 30), &|_| {}) {
        panic!("{}", told(&found));
    }
}

/// How the first of 200 seeds fails when this rule is broken.
fn caught(broken: Broken) -> String {
    search(&hunting(Some(broken), 1, 200), &|_| {}).expect("a broken rule is caught").problem
}

#[test]
fn a_record_that_stands_twice_is_seen() {
    assert!(caught(Broken::Duplicates).contains("stands twice"));
}

#[test]
fn an_acknowledged_record_that_is_lost_is_seen() {
    assert!(caught(Broken::LeftRecords).contains("is lost"));
}

#[test]
fn what_a_power_cut_takes_from_a_disk_that_lies_is_seen() {
    assert!(caught(Broken::Unsynced).contains("is lost"));
}
