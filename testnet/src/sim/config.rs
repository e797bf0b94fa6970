//! What a simulation is told: everything else follows from the seed.

use super::broken::Broken;
use super::fault::{Death, Fault, Span};
use std::ops::RangeInclusive;

/// One-way delays of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Drawn once for each link, ms.
    Uniform(RangeInclusive<u64>),
    /// By the regions of its ends, which are drawn; see [`super::REGION_DELAYS_MS`].
    Regions,
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
    /// One-way delay of a link.
    pub latency: Latency,
    /// What is added for each message, ms.
    pub jitter_ms: RangeInclusive<u64>,
    /// What a node can send, kbit/s, drawn once for each.
    pub uplink_kbps: RangeInclusive<u64>,
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
    /// Events after which a run that has not ended is taken to be one that never will.
    pub events_max: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What is broken on purpose, to see it caught.
    pub broken: Option<Broken>,
    /// Keep every line of the log, not only its hash.
    pub keep_log: bool,
}

impl SimConfig {
    /// A network of `nodes` without faults, in five regions: a block every 5 s and a record every 2 s, for four minutes; ten
    /// more to agree.
    pub fn new(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            nodes,
            links_per_node: 2,
            latency: Latency::Regions,
            jitter_ms: 0..=20,
            uplink_kbps: 5_000..=100_000,
            verify_ms: 0..=10,
            block_interval_ms: 5_000,
            record_interval_ms: 2_000,
            busy_ms: 240_000,
            settle_ms: 600_000,
            events_max: u64::MAX,
            faults: Vec::new(),
            broken: None,
            keep_log: false,
        }
    }

    /// Adds a cut for the middle third of the busy time, which leaves nodes 0 … `side`−1 on one side.
    #[must_use]
    pub fn with_partition(mut self, side: usize) -> Self {
        let third = self.busy_ms / 3;
        let time = Span { from_ms: third, until_ms: 2 * third };
        self.faults.push(Fault::Cut { side: (0..side).collect(), time });
        self
    }

    /// Adds `count` crashes spread over the busy time, at nodes and writes that follow from the seed: killed, at a write and
    /// by a power cut in turn.
    #[must_use]
    pub fn with_crashes(mut self, count: u64) -> Self {
        let nodes = u64::try_from(self.nodes.max(1)).unwrap_or(u64::MAX);
        for i in 0..count {
            let draw = |label| {
                let bytes = medring_protocol::testkit::bytes(self.seed, label, i, 8);
                bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
            };
            self.faults.push(Fault::Crash {
                node: usize::try_from(draw("crash node") % nodes).unwrap_or(0),
                death: match i % 3 {
                    0 => Death::Kill,
                    1 => Death::AtWrite(1 + draw("crash write") % 20),
                    _ => Death::Torn(u8::try_from(draw("crash kept") % 101).unwrap_or(0)),
                },
                at_ms: (i + 1) * self.busy_ms / (count + 1),
                down_ms: 1_000 + draw("crash down") % 30_000,
            });
        }
        self
    }
}
