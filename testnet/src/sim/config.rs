//! What a simulation is told: everything else follows from the seed.

use std::ops::RangeInclusive;

/// A cut through the network: the first `side` of the nodes on one side, the others on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// When messages between the sides begin to vanish, ms from the start.
    pub from_ms: u64,
    /// When they pass again, ms from the start.
    pub until_ms: u64,
    /// Nodes 0 … side−1 are on one side.
    pub side: usize,
}

/// A node dies without warning and comes back with what its last commit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Which node.
    pub node: usize,
    /// When, ms from the start.
    pub at_ms: u64,
    /// How long it stays away, ms.
    pub down_ms: u64,
    /// `None`: killed at that moment. `Some(n)`: its disk fails at the n-th write after that moment, and it dies of it.
    pub at_write: Option<u64>,
}

/// A network, its work and its misfortunes. Times are virtual milliseconds.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// Nodes, all mining.
    pub nodes: usize,
    /// Links each node opens to others, besides one to its neighbour that keeps the network connected.
    pub links_per_node: usize,
    /// One-way delay of a link, drawn once for each, ms.
    pub latency_ms: RangeInclusive<u64>,
    /// What is added for each message, ms. More than zero lets messages overtake each other.
    pub jitter_ms: RangeInclusive<u64>,
    /// How long a batch of signatures takes, ms.
    pub verify_ms: RangeInclusive<u64>,
    /// Mean time between two blocks of the whole network, ms.
    pub block_interval_ms: u64,
    /// Mean time between two submissions, ms.
    pub record_interval_ms: u64,
    /// How long records are submitted and faults injected, ms.
    pub busy_ms: u64,
    /// How long after that the network may take to agree, ms.
    pub settle_ms: u64,
    /// Cuts.
    pub partitions: Vec<Partition>,
    /// Deaths.
    pub crashes: Vec<Crash>,
    /// Keep every line of the log, not only its hash.
    pub keep_log: bool,
}

impl SimConfig {
    /// A network of `nodes` without faults: 20 to 200 ms between them, a block every 5 s and a record every 2 s, for four
    /// minutes; ten more to agree.
    pub fn new(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            links_per_node: 2,
            latency_ms: 20..=200,
            jitter_ms: 0..=50,
            verify_ms: 0..=10,
            block_interval_ms: 5_000,
            record_interval_ms: 2_000,
            busy_ms: 240_000,
            settle_ms: 600_000,
            partitions: Vec::new(),
            crashes: Vec::new(),
            keep_log: false,
        }
    }

    /// Adds a cut for the middle third of the busy time, which leaves `side` nodes on one side.
    #[must_use]
    pub fn with_partition(mut self, side: usize) -> Self {
        let third = self.busy_ms / 3;
        self.partitions.push(Partition { from_ms: third, until_ms: 2 * third, side });
        self
    }

    /// Adds `count` crashes spread over the busy time, at nodes and writes that follow from the seed; every second one at a
    /// write.
    #[must_use]
    pub fn with_crashes(mut self, count: u64) -> Self {
        let nodes = u64::try_from(self.nodes.max(1)).unwrap_or(u64::MAX);
        for i in 0..count {
            let draw = |label| {
                let bytes = medring_protocol::testkit::bytes(self.seed, label, i, 8);
                bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
            };
            self.crashes.push(Crash {
                node: usize::try_from(draw("crash node") % nodes).unwrap_or(0),
                at_ms: (i + 1) * self.busy_ms / (count + 1),
                down_ms: 1_000 + draw("crash down") % 30_000,
                at_write: (i % 2 == 1).then(|| 1 + draw("crash write") % 20),
            });
        }
        self
    }
}
