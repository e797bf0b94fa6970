//! Many nodes on virtual time: few for `make test`, a thousand for `make soak` (MEDRING_SOAK=1).

use medring_testnet::sim::{SimConfig, Simulation};

#[test]
fn a_large_network_agrees_after_a_partition_and_crashes() {
    let nodes: u32 = if std::env::var_os("MEDRING_SOAK").is_some() { 1_000 } else { 100 };
    let count = usize::try_from(nodes).unwrap();
    let mut config = SimConfig::new(4, count).with_partition(count / 3).with_crashes(u64::from(nodes / 4));
    config.busy_ms = 120_000;
    let report = Simulation::new(config).and_then(Simulation::run).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{nodes} nodes\n{report}");
    assert!(report.deepest_reorg >= 1 && report.confirmed > 0);
}
