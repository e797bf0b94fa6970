//! What the network's figures should be: the least delays its links allow, and the stale rate that follows from delays.

use super::Simulation;
use super::stats::Delays;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Finders from whom ways are looked for, spread over the network.
const FINDERS_MAX: usize = 64;

/// Blocks that are found while another of the same height is still on its way: 1 − exp(−D/T), with D the mean delay from a
/// block's finding until a node has it, over all nodes, and T the mean time between blocks. (Finds are a Poisson process of
/// rate 1/T, and a node finds a competitor only until it has the block: D/T competitors are expected.)
pub(super) fn stale_rate(mean_delay_ms: f64, interval_ms: f64) -> f64 {
    1.0 - (-mean_delay_ms / interval_ms).exp()
}

impl Simulation {
    /// Delays of a block of `bytes` if it went straight along the fastest way to everyone: each hop costs the link's delay,
    /// the mean jitter, the mean of a signature check, and the sender's uplink once.
    pub(super) fn least_delays(&self, bytes: u64) -> Delays {
        let mean = |range: &std::ops::RangeInclusive<u64>| (range.start() + range.end()) * 500;
        let hop_us = mean(&self.config.jitter_ms) + mean(&self.config.verify_ms);
        let finders = (0..self.nodes.len()).step_by(self.nodes.len().div_ceil(FINDERS_MAX));
        let all_us = finders.flat_map(|finder| self.least_from(finder, bytes, hop_us));
        Delays::of(all_us.map(|us| us / 1_000).collect())
    }

    /// Dijkstra, in µs.
    fn least_from(&self, finder: usize, bytes: u64, hop_us: u64) -> Vec<u64> {
        let mut least = vec![u64::MAX; self.nodes.len()];
        let mut next = BinaryHeap::from([Reverse((0, finder))]);
        least[finder] = 0;
        while let Some(Reverse((us, node))) = next.pop() {
            if us > least[node] {
                continue;
            }
            let send_us = bytes * 8_000 / self.nodes[node].uplink_kbps.max(1);
            for link in self.links_of[node].iter().map(|link| &self.links[*link]) {
                let other = link.ends[1 - link.end_of(node)];
                let there = us + send_us + link.latency_ms * 1_000 + hop_us;
                if there < least[other] {
                    least[other] = there;
                    next.push(Reverse((there, other)));
                }
            }
        }
        least.retain(|us| *us != u64::MAX);
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stale_rate_follows_from_delay_and_interval() {
        assert!(stale_rate(0.0, 5_000.0).abs() < 1e-12);
        assert!((stale_rate(500.0, 5_000.0) - 0.095_16).abs() < 1e-5);
    }
}
