//! What a scenario makes of a network and of each of its nodes, beside what a simulation knows of them.

use super::figures::Figures;
use crate::scenario::NodeSettings;
use crate::sim::events::What;
use crate::sim::network::Parcel;
use medring_node::core::Ticket;
use medring_node::faults::{Behaviour, Hearing};
use std::collections::{BTreeMap, BTreeSet};

/// Most links of a node that says nothing else: the default of real nodes.
const LINKS_MAX: u32 = 64;
/// The first ban, twice as long each further time, up to a day: as real nodes ban, ms.
const BAN_MS: u64 = 10 * 60 * 1000;
/// The longest one, ms.
const BAN_MAX_MS: u64 = 24 * 3600 * 1000;

/// A network that a scenario is played on.
#[derive(Debug, Default)]
pub(in crate::sim) struct Scene {
    pub(in crate::sim) cast: Vec<Cast>,
    /// Whether the nodes mine all the time.
    pub(in crate::sim) mines: bool,
    /// In which part of a partition each node is; empty: there is none.
    pub(in crate::sim) parts: Vec<usize>,
    /// Links that their first end dials until they stand.
    pub(in crate::sim) kept: BTreeSet<usize>,
    /// When each link that is down is dialled next.
    pub(in crate::sim) dials: BTreeMap<usize, u64>,
    /// How long those waited that were dialled in vain, ms.
    pub(in crate::sim) waits: BTreeMap<usize, u64>,
    /// What came of submissions and operators' words.
    pub(in crate::sim) answers: BTreeMap<Ticket, Result<(), String>>,
}

/// What a scenario makes of a node.
#[derive(Debug)]
pub(in crate::sim) struct Cast {
    /// How it treats others.
    pub(in crate::sim) behaviour: Behaviour,
    /// Most links at one time.
    links_max: usize,
    /// So many ordinary miners.
    pub(in crate::sim) share: u64,
    /// Stopped where it stands: what happens to it waits.
    pub(in crate::sim) paused: bool,
    pub(in crate::sim) waiting: Vec<What>,
    /// Who is heard late or not at all, by the number of the speaker.
    pub(in crate::sim) hearing: Vec<Hearing>,
    /// What is heard late: when, and in which order it was said.
    pub(in crate::sim) late: BTreeMap<(u64, u64), Late>,
    pub(in crate::sim) said: u64,
    /// Whom it refuses.
    bans: BTreeMap<usize, Ban>,
    /// Counted since it started.
    pub(in crate::sim) figures: Figures,
}

/// A message that waits at the ear of a node.
#[derive(Debug)]
pub(in crate::sim) struct Late {
    pub(in crate::sim) link: usize,
    pub(in crate::sim) epoch: u64,
    pub(in crate::sim) to: usize,
    pub(in crate::sim) parcel: Parcel,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    until_ms: u64,
    times: u32,
}

impl Scene {
    /// Whether a partition lies between two nodes.
    pub(in crate::sim) fn apart(&self, a: usize, b: usize) -> bool {
        self.parts.get(a) != self.parts.get(b)
    }
}

impl Cast {
    pub(super) fn new(settings: &NodeSettings) -> Self {
        let count = |most: u32| usize::try_from(most).unwrap_or(usize::MAX);
        Self {
            // Whoever is no honest node becomes so when the scenario begins.
            behaviour: Behaviour::Honest,
            links_max: count(settings.max_peers.unwrap_or(LINKS_MAX)),
            share: if settings.later { 0 } else { settings.hash_share.unwrap_or(1).into() },
            paused: false,
            waiting: Vec::new(),
            hearing: Vec::new(),
            late: BTreeMap::new(),
            said: 0,
            bans: BTreeMap::new(),
            figures: Figures::default(),
        }
    }

    /// Its process is gone, and what was under way in it.
    pub(in crate::sim) fn end(&mut self) {
        self.paused = false;
        self.waiting.clear();
        self.late.clear();
        self.figures = Figures::default();
    }

    /// Whether one link more has room beside `links`, of which others dialled `inbound`. `from_others`: so they do this one. A
    /// quarter is kept for those that the node dials.
    pub(in crate::sim) fn has_room(&self, links: usize, inbound: usize, from_others: bool) -> bool {
        let inbound_max = (self.links_max - self.links_max / 4).max(1);
        links < self.links_max && (!from_others || inbound < inbound_max)
    }

    /// How much later a message of `from` is heard, ms, and with which chance not at all, percent.
    pub(in crate::sim) fn hears(&self, from: usize) -> (u64, u8) {
        if self.hearing.is_empty() {
            return (0, 0);
        }
        let from = from.to_string();
        let fits = |rule: &&Hearing| rule.from.as_ref().is_none_or(|whose| *whose == from);
        self.hearing.iter().rev().find(fits).map_or((0, 0), |rule| (rule.delay_ms, rule.loss_percent))
    }

    /// It refuses a node from now on.
    pub(in crate::sim) fn ban(&mut self, whom: usize, now_ms: u64) {
        let ban = self.bans.entry(whom).or_insert(Ban { until_ms: 0, times: 0 });
        let lasts_ms = (BAN_MS << ban.times.min(16)).min(BAN_MAX_MS);
        (ban.until_ms, ban.times) = (now_ms.saturating_add(lasts_ms), ban.times.saturating_add(1));
        self.figures.bans += 1;
    }

    /// Whether it refuses a node.
    pub(in crate::sim) fn bans(&self, whom: usize, now_ms: u64) -> bool {
        self.bans.get(&whom).is_some_and(|ban| ban.until_ms > now_ms)
    }
}
