//! A list of faults drawn from a seed: what `--faults random` and the hunt use.

use super::fault::{Death, Deed, Fault, Span};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Most faults of a list.
const FAULTS_MAX: u64 = 14;

/// Draws faults for a network of `nodes` over `busy_ms`. At most a quarter of the nodes are malicious, and node 0 never is.
pub fn random_faults(seed: u64, nodes: usize, busy_ms: u64) -> Vec<Fault> {
    // A stream of its own: what a run draws does not depend on how many faults there are.
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let mut draw = Draw { rng, nodes: u64::try_from(nodes).unwrap_or(u64::MAX), busy_ms };
    if nodes < 2 || busy_ms < 10_000 {
        return Vec::new();
    }
    let count = draw.number(2, FAULTS_MAX);
    let mut evil = std::collections::BTreeSet::new();
    let mut faults = Vec::new();
    for _ in 0..count {
        let fault = match draw.number(0, 99) {
            0..=19 => draw.cut(),
            20..=54 => draw.crash(),
            55..=67 => draw.clock(),
            68..=75 => Fault::Loss { percent: draw.small(1, 20), time: draw.span() },
            76..=81 => Fault::Slow { factor: draw.number(2, 20), time: draw.span() },
            _ => {
                let node = draw.place(1, draw.nodes - 1);
                if evil.contains(&node) || (evil.len() + 1) * 4 > nodes {
                    continue;
                }
                evil.insert(node);
                Fault::Evil { node, deed: Deed::ALL[draw.place(0, Deed::ALL.len() as u64 - 1)] }
            }
        };
        faults.push(fault);
    }
    faults
}

struct Draw {
    rng: ChaCha12Rng,
    nodes: u64,
    busy_ms: u64,
}

impl Draw {
    fn number(&mut self, least: u64, most: u64) -> u64 {
        self.rng.random_range(least..=most)
    }

    fn place(&mut self, least: u64, most: u64) -> usize {
        usize::try_from(self.number(least, most)).unwrap_or(0)
    }

    fn small(&mut self, least: u8, most: u8) -> u8 {
        self.rng.random_range(least..=most)
    }

    fn node(&mut self) -> usize {
        self.place(0, self.nodes - 1)
    }

    /// A twentieth to half of the busy time, somewhere in it.
    fn span(&mut self) -> Span {
        let length_ms = self.number(self.busy_ms / 20, self.busy_ms / 2);
        let from_ms = self.number(1_000, self.busy_ms - length_ms);
        Span { from_ms, until_ms: from_ms + length_ms }
    }

    fn cut(&mut self) -> Fault {
        let most = (self.nodes / 2).max(1);
        let count = self.number(1, most);
        let side: std::collections::BTreeSet<usize> = (0..count).map(|_| self.node()).collect();
        Fault::Cut { side: side.into_iter().collect(), time: self.span() }
    }

    fn crash(&mut self) -> Fault {
        let death = match self.number(0, 2) {
            0 => Death::Kill,
            1 => Death::AtWrite(self.number(1, 20)),
            _ => Death::Torn(self.small(0, 100)),
        };
        let down_ms = self.number(500, 30_000);
        Fault::Crash { node: self.node(), death, at_ms: self.number(1_000, self.busy_ms), down_ms }
    }

    /// Within the future limit of the test chain (7.2 s) and well beyond it, ahead and behind.
    fn clock(&mut self) -> Fault {
        let most_ms = if self.number(0, 1) == 0 { 6_000 } else { 40_000 };
        let size = i64::try_from(self.number(100, most_ms)).unwrap_or(0);
        let offset_ms = if self.number(0, 1) == 0 { size } else { -size };
        let drift_ppm = i64::try_from(self.number(0, 2_000)).unwrap_or(0) - 1_000;
        Fault::Clock { node: self.node(), offset_ms, drift_ppm, time: self.span() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_faults_and_seeds_draw_all_kinds() {
        assert_eq!(random_faults(3, 12, 60_000), random_faults(3, 12, 60_000));
        let all: String = (0..100).flat_map(|seed| random_faults(seed, 12, 60_000)).map(|f| format!("{f} ")).collect();
        for kind in ["cut:", "crash:", "/write=", "/torn=", "clock:", "loss:", "slow:"] {
            assert!(all.contains(kind), "{kind}");
        }
        assert!(Deed::ALL.iter().all(|deed| all.contains(deed.name())));
        assert!(!all.contains("evil:0/"), "one node to compare the others with is honest");
    }

    #[test]
    fn faults_stay_within_the_network_and_its_busy_time() {
        for seed in 0..200 {
            let nodes = 2 + usize::try_from(seed % 9).unwrap();
            let faults = random_faults(seed, nodes, 60_000);
            let evil = faults.iter().filter(|fault| matches!(fault, Fault::Evil { .. })).count();
            assert!(evil * 4 <= nodes, "seed {seed}");
            for fault in &faults {
                assert!(fault.nodes().iter().all(|node| *node < nodes), "seed {seed}: {fault}");
                assert_eq!(fault.to_string().parse::<Fault>().as_ref(), Ok(fault), "seed {seed}");
            }
        }
    }
}
