//! Many [`NodeCore`](medring_node::core::NodeCore)s on virtual time: a network that runs in one thread, from one seed.
//!
//! What is simulated is the driver, the links, the disks and the clocks; what runs is the very core a real node runs, with
//! real signatures (verified once, then remembered) and real blocks at a target that every second nonce meets. Blocks come
//! at times drawn from the seed. [`Simulation::run`] submits records, lets the [`Fault`]s of its list happen, ends all of
//! them and then judges (see [`checks`]): one tip, equal states, no admitted record lost, none twice, no table beyond its
//! bound, no honest node blamed, and a restart that changes nothing. [`hunt()`] does so with random faults, seed after seed,
//! and makes the list of one that fails as short as it gets.
//!
//! Two runs of one configuration give the same log, byte for byte: [`SimReport::log_hash`]. [`SimWorld`] plays scenario files
//! on such a network.
//!
//! ```
//! use medring_testnet::sim::{SimConfig, Simulation};
//!
//! let mut config = SimConfig::new(7, 4).with_partition(2).with_crashes(1);
//! config.busy_ms = 60_000;
//! let report = Simulation::new(config)?.run()?;
//! assert!(report.records.confirmed > 0);
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod broken;
pub mod checks;
mod clock;
mod config;
mod disk;
mod essence;
mod events;
mod evil;
mod fault;
mod fault_text;
mod hunt;
mod log;
mod misfortune;
mod network;
mod node;
mod outputs;
mod report;
mod run;
mod scene;
mod shrink;
mod stats;
mod theory;
mod traffic;
mod trouble;
mod twin;
mod work;

pub use broken::Broken;
pub use config::{Latency, SimConfig};
pub use fault::{Death, Deed, Fault, Span};
pub use fault_text::FaultError;
pub use hunt::{Found, Hunt, hunt, run_one, search};
pub use misfortune::random_faults;
pub use network::REGION_DELAYS_MS;
pub use report::{RecordCounts, Reorgs, SimFailure, SimReport, Stale};
pub use scene::SimWorld;
pub use shrink::shrink;
pub use stats::{Delays, Sent};

use events::{Queue, What};
use log::Log;
use medring_node::core::{CoreConfig, Input, PoolLimits};
use medring_protocol::block::Header;
use medring_protocol::testkit::{self, Actor, Kit};
use medring_protocol::{RecordId, record::Record};
use network::Link;
use node::SimNode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

/// Anything that goes wrong below the simulation: a store that does not open.
pub(crate) type DynError = Box<dyn std::error::Error + Send + Sync>;

/// A network on virtual time.
pub struct Simulation {
    config: SimConfig,
    kit: Kit,
    /// Nobody enrolled it.
    stranger: Actor,
    rng: ChaCha12Rng,
    start_ms: u64,
    now_ms: u64,
    queue: Queue,
    nodes: Vec<SimNode>,
    links: Vec<Link>,
    /// The links of each node.
    links_of: Vec<Vec<usize>>,
    /// Of a hundred segments so many are lost now, and delays are so many times their own.
    loss_percent: u64,
    slowness: u64,
    /// Some fault of the list is a clock's.
    clocks_off: bool,
    log: Log,
    /// Signature checks done before, by the hash of key, message and signature.
    verified: HashMap<[u8; 32], bool>,
    /// Every record submitted, and when first: for the checkers.
    records: BTreeMap<RecordId, (Record, u64)>,
    /// By ticket: the last height at which what was submitted may be mined.
    expiries: Vec<u64>,
    submitted: u64,
    refused: u64,
    /// What spammers serve.
    little_work: Vec<Header>,
    /// Blocks mined and submissions go on until then.
    busy_until_ms: u64,
    stats: stats::Stats,
    /// What a scenario makes of all this, where one is played.
    scene: Option<scene::Scene>,
    /// The first thing that went wrong.
    problem: Option<String>,
}

impl Simulation {
    /// The network at its start: every node up, every link about to come up.
    ///
    /// # Errors
    /// A fault names a node that is not there. (A store that cannot be opened does not happen in memory.)
    pub fn new(config: SimConfig) -> Result<Self, SimFailure> {
        let kit = Kit::new(config.seed);
        let mut sim = Self::empty(config, kit)?;
        for node in 0..sim.nodes.len() {
            sim.start_node(node, u64::MAX).map_err(|e| sim.failure(e.to_string()))?;
        }
        sim.lay_links();
        sim.schedule_faults();
        sim.schedule_block(1);
        sim.queue.push(sim.start_ms + 1_000, What::Submit);
        Ok(sim)
    }

    /// The nodes, none of which lives yet, and no links.
    fn empty(config: SimConfig, kit: Kit) -> Result<Self, SimFailure> {
        let start_ms = testkit::GENESIS_TIME_MS + 60_000;
        let mut sim = Self {
            rng: ChaCha12Rng::seed_from_u64(config.seed),
            stranger: kit.extra_patient(u64::MAX),
            start_ms,
            now_ms: start_ms,
            queue: Queue::default(),
            nodes: Vec::new(),
            links: Vec::new(),
            links_of: vec![Vec::new(); config.nodes],
            loss_percent: 0,
            slowness: 1,
            clocks_off: config.faults.iter().any(|fault| matches!(fault, Fault::Clock { .. })),
            log: Log::new(config.keep_log),
            verified: HashMap::new(),
            records: BTreeMap::new(),
            expiries: Vec::new(),
            submitted: 0,
            refused: 0,
            little_work: Vec::new(),
            busy_until_ms: start_ms + config.busy_ms,
            stats: stats::Stats::default(),
            scene: None,
            problem: None,
            kit,
            config,
        };
        sim.check_config().map_err(|problem| sim.failure(problem))?;
        for i in 0..sim.config.nodes {
            let node = sim.make_node(i);
            sim.nodes.push(node);
        }
        Ok(sim)
    }

    fn check_config(&self) -> Result<(), String> {
        let count = self.config.nodes;
        if count == 0 {
            return Err("a network has one node at least".into());
        }
        let mut evil = vec![false; count];
        for fault in &self.config.faults {
            if let Some(node) = fault.nodes().iter().find(|node| **node >= count) {
                return Err(format!("{fault} names node {node}, and there are nodes 0 to {}", count - 1));
            }
            if let Fault::Evil { node, .. } = fault {
                evil[*node] = true;
            }
        }
        if evil.iter().all(|evil| *evil) { Err("one node at least must be honest".into()) } else { Ok(()) }
    }

    fn make_node(&mut self, node: usize) -> SimNode {
        let deed = self.config.faults.iter().find_map(|fault| match fault {
            Fault::Evil { node: evil, deed } if *evil == node => Some(*deed),
            _ => None,
        });
        let mut miner_tag = [0; 16];
        miner_tag[8..].copy_from_slice(&(node as u64).to_be_bytes());
        let mut config = CoreConfig {
            miner_tag,
            agent: format!("sim node {node}"),
            mine: true,
            pool: PoolLimits::default(),
            seed: self.config.seed.wrapping_add(node as u64),
            ..CoreConfig::new(self.kit.params.clone())
        };
        let mut flaws = disk::DiskFlaws::default();
        if let Some(deed) = deed {
            config.rules = evil::rules(deed);
        } else if let Some(broken) = self.config.broken {
            broken.spoil(node, &mut config);
            flaws = broken.disk();
        }
        let uplink_kbps = self.draw(self.config.uplink_kbps.clone());
        SimNode::new(config, flaws, deed, uplink_kbps)
    }

    /// A ring, so that nobody is left out, and links drawn from the seed.
    fn lay_links(&mut self) {
        let count = self.config.nodes;
        let regions: Vec<usize> = (0..count).map(|_| self.rng.random_range(0..REGION_DELAYS_MS.len())).collect();
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
            let latency_ms = match &self.config.latency {
                Latency::Uniform(range) => self.draw(range.clone()),
                Latency::Regions => {
                    let mean_ms = REGION_DELAYS_MS[regions[a]][regions[b]];
                    self.draw(mean_ms * 4 / 5..=mean_ms * 6 / 5)
                }
            };
            let ordered = self.draw(0..=1) == 0;
            self.add_link(Link::new(a, b, latency_ms, ordered));
        }
        for link in 0..self.links.len() {
            let at_ms = self.now_ms + self.draw(0..=500);
            self.queue.push(at_ms, What::LinkUp { link });
        }
    }

    fn add_link(&mut self, link: Link) {
        for end in link.ends {
            self.links_of[end].push(self.links.len());
        }
        self.links.push(link);
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
        let at = &mut self.nodes[node];
        let Some(core) = at.core.as_mut() else { return };
        core.handle(at.clock.local_ms(self.now_ms), input);
        self.carry_out(node);
    }
}

#[cfg(test)]
mod tests;
