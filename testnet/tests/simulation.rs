//! Networks of cores on virtual time: agreement, durability, repeatability. A failure prints its seed.

use medring_testnet::sim::{SimConfig, SimReport, Simulation};

fn run(config: SimConfig) -> SimReport {
    Simulation::new(config).and_then(Simulation::run).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Issue 2: 20 nodes, delays, one partition and crashes: one tip, no admitted record lost, byte-for-byte repeatable.
#[test]
fn twenty_nodes_agree_after_a_partition_and_crashes_and_repeat_byte_for_byte() {
    let config = |seed| SimConfig::new(seed, 20).with_partition(8).with_crashes(8);
    let first = run(config(1));
    println!("{first}");
    assert!(first.deepest_reorg >= 2, "the partition made a fork worth the name");
    assert!(first.crashes >= 6 && first.confirmed >= 50 && first.dropped > 0);
    let again = run(config(1));
    assert_eq!(first.log_hash, again.log_hash, "one seed, one log");
    let other = run(config(2));
    assert_ne!(first.log_hash, other.log_hash);
}
