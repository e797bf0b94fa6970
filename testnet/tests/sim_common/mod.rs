//! The network that tests hunt in.

use medring_testnet::sim::{Broken, Fault, Found, Hunt, SimConfig};

/// Ten nodes for a minute: small enough for thousands of seeds.
pub(crate) fn hunting(broken: Option<Broken>, first_seed: u64, seeds: u64) -> Hunt {
    let mut network = SimConfig::new(0, 10);
    (network.busy_ms, network.block_interval_ms, network.record_interval_ms) = (60_000, 3_000, 1_000);
    network.events_max = 5_000_000;
    network.broken = broken;
    Hunt { network, first_seed, seeds, threads: std::thread::available_parallelism().map_or(1, usize::from) }
}

/// What was found, and how to see it again.
pub(crate) fn told(found: &Found) -> String {
    let list = |faults: &[Fault]| faults.iter().map(|fault| format!("'{fault}' ")).collect::<String>();
    format!(
        "{}\nall faults: {}\nneeded: {}\nwith them: {}\nlast events:\n  {}",
        found.failure,
        list(&found.faults),
        list(&found.shrunk),
        found.shrunk_failure,
        found.shrunk_failure.log_tail.join("\n  ")
    )
}
