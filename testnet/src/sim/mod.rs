//! Many [`NodeCore`](medring_node::core::NodeCore)s on virtual time: a network that runs in one thread, from one seed.
//!
//! What is simulated is the driver, the links and the disks; what runs is the very core a real node runs, with real
//! signatures (verified once, then remembered) and real blocks at a target that every second nonce meets. Blocks come at
//! times drawn from the seed. [`Simulation::run`] submits records, cuts the network, kills nodes, heals everything and then
//! judges (see [`checks`]): one tip, equal states, no admitted record lost, none twice, no table beyond its bound.
//!
//! Two runs of one configuration give the same log, byte for byte: [`SimReport::log_hash`].
//!
//! ```
//! use medring_testnet::sim::{SimConfig, Simulation};
//!
//! let mut config = SimConfig::new(7, 4).with_partition(2).with_crashes(1);
//! config.busy_ms = 60_000;
//! let report = Simulation::new(config)?.run()?;
//! assert!(report.confirmed > 0);
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod checks;
mod config;
mod events;
mod log;
mod network;
mod node;
mod outputs;
mod report;
mod run;
mod work;

pub use config::{Crash, Partition, SimConfig};
pub use report::{SimFailure, SimReport};

use events::{Queue, What};
use log::Log;
use medring_node::core::{CoreConfig, Input, PoolLimits};
use medring_protocol::testkit::{self, Kit};
use medring_protocol::{RecordId, record::Record};
use network::Link;
use node::SimNode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Anything that goes wrong below the simulation: a store that does not open.
pub(crate) type DynError = Box<dyn std::error::Error + Send + Sync>;

/// A network on virtual time.
pub struct Simulation {
    config: SimConfig,
    kit: Kit,
    rng: ChaCha12Rng,
    now_ms: u64,
    queue: Queue,
    nodes: Vec<SimNode>,
    links: Vec<Link>,
    log: Log,
    /// Signature checks done before, by the hash of key, message and signature.
    verified: BTreeMap<[u8; 32], bool>,
    /// Every record submitted, for the checkers.
    records: BTreeMap<RecordId, Record>,
    submitted: u64,
    refused: u64,
    /// Blocks mined and submissions go on until then.
    busy_until_ms: u64,
    stats: report::Stats,
    /// The first thing that went wrong.
    problem: Option<String>,
}

impl Simulation {
    /// The network at its start: every node up, every link about to come up.
    ///
    /// # Errors
    /// A store cannot be opened, which in memory does not happen.
    pub fn new(config: SimConfig) -> Result<Self, SimFailure> {
        let kit = Kit::new(config.seed);
        let start_ms = testkit::GENESIS_TIME_MS + 1_000;
        let mut sim = Self {
            rng: ChaCha12Rng::seed_from_u64(config.seed),
            now_ms: start_ms,
            queue: Queue::default(),
            nodes: Vec::new(),
            links: Vec::new(),
            log: Log::new(config.keep_log),
            verified: BTreeMap::new(),
            records: BTreeMap::new(),
            submitted: 0,
            refused: 0,
            busy_until_ms: start_ms + config.busy_ms,
            stats: report::Stats::default(),
            problem: None,
            kit,
            config,
        };
        for i in 0..sim.config.nodes {
            let node = SimNode::new(sim.core_config(i));
            sim.nodes.push(node);
            sim.start_node(i, u64::MAX).map_err(|e| sim.failure(e.to_string()))?;
        }
        sim.lay_links();
        sim.schedule_all();
        Ok(sim)
    }

    fn core_config(&self, node: usize) -> CoreConfig {
        let mut miner_tag = [0; 16];
        miner_tag[8..].copy_from_slice(&(node as u64).to_be_bytes());
        CoreConfig {
            miner_tag,
            agent: format!("sim node {node}"),
            mine: true,
            pool: PoolLimits::default(),
            seed: self.config.seed.wrapping_add(node as u64),
            ..CoreConfig::new(self.kit.params.clone())
        }
    }

    /// A ring, so that nobody is left out, and links drawn from the seed.
    fn lay_links(&mut self) {
        let count = self.config.nodes;
        let mut pairs = std::collections::BTreeSet::new();
        for a in 0..count {
            let drawn: Vec<usize> = (0..self.config.links_per_node).map(|_| self.rng.random_range(0..count)).collect();
            for b in drawn.into_iter().chain([(a + 1) % count]) {
                if a != b {
                    pairs.insert((a.min(b), a.max(b)));
                }
            }
        }
        for (a, b) in pairs {
            let latency_ms = self.draw(self.config.latency_ms.clone());
            self.links.push(Link::new(a, b, latency_ms));
        }
        for link in 0..self.links.len() {
            let at_ms = self.now_ms + self.draw(0..=500);
            self.queue.push(at_ms, What::LinkUp { link });
        }
    }

    fn schedule_all(&mut self) {
        let start_ms = self.now_ms;
        for (index, cut) in self.config.partitions.clone().into_iter().enumerate() {
            self.queue.push(start_ms + cut.from_ms, What::Cut { index });
            self.queue.push(start_ms + cut.until_ms, What::Heal { index });
        }
        for (index, crash) in self.config.crashes.clone().into_iter().enumerate() {
            self.queue.push(start_ms + crash.at_ms, What::Crash { index });
        }
        self.schedule_block(1);
        self.queue.push(start_ms + 1_000, What::Submit);
    }

    pub(crate) fn draw(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.rng.random_range(range)
    }

    /// A waiting time with this mean: 1 to 20 means, in whole ms.
    pub(crate) fn draw_wait_ms(&mut self, mean_ms: u64) -> u64 {
        // −ln(u) by halving: the number of leading zeros of a random word is its integer part in base 2, and the rest of
        // the word its fraction. Integers only, so that every machine draws the same.
        let word: u64 = self.rng.random();
        let halvings = u64::from(word.leading_zeros());
        let fraction = (word << (halvings + 1).min(63)) >> 48;
        // ln 2 · mean · (halvings + 1 − fraction); linear between the halvings.
        let parts = (halvings + 1) * 65_536 - fraction;
        (mean_ms * parts / 65_536 * 693 / 1_000).clamp(1, mean_ms * 20)
    }

    /// Feeds an input to a node, if it lives, and carries out what comes of it.
    fn input(&mut self, node: usize, input: Input) {
        let Some(core) = self.nodes[node].core.as_mut() else { return };
        core.handle(self.now_ms, input);
        self.carry_out(node);
    }
}
