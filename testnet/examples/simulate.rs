//! Runs simulated networks seed after seed until one fails: `cargo run -p medring-testnet --example simulate -- NODES FROM TO`.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use medring_testnet::sim::{SimConfig, Simulation};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<Vec<u64>, _>>()?;
    let [nodes, from, to] = args[..] else { return Err("usage: simulate NODES FROM_SEED TO_SEED".into()) };
    for seed in from..to {
        let nodes = usize::try_from(nodes)?;
        let mut config = SimConfig::new(seed, nodes).with_partition(nodes * 2 / 5).with_crashes(nodes as u64);
        // Every third network is slow, every fifth one busy.
        if seed % 3 == 0 {
            (config.latency_ms, config.jitter_ms) = (200..=3_000, 0..=2_000);
        }
        if seed % 5 == 0 {
            (config.block_interval_ms, config.record_interval_ms) = (1_500, 300);
        }
        println!("{}\n", Simulation::new(config)?.run()?);
    }
    Ok(())
}
