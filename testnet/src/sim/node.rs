//! One simulated node: a core over its disk, and what the sim keeps of it across its deaths.

use super::clock::Clock;
use super::disk::{Disk, DiskFlaws};
use super::essence::Essence;
use super::fault::Deed;
use super::network::Gossip;
use super::{DynError, evil};
use medring_node::core::{CoreConfig, Event, MessageId, NodeCore, Peer};
use medring_protocol::block::Header;
use medring_protocol::pow::Work;
use medring_protocol::wire::Status;
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, Engine, FailPoint, FaultyEngine};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How long gossip remembers a message, ms.
const SEEN_MS: u64 = 600_000;
/// Messages remembered before those forgotten are swept out.
const SEEN_SWEEP: usize = 8_192;

pub(super) type SimCore = NodeCore<FaultyEngine<Disk>>;

pub(super) struct SimNode {
    /// `None`: dead.
    pub(super) core: Option<SimCore>,
    pub(super) config: CoreConfig,
    pub(super) disk: Disk,
    /// Counts its lives: what was under way for an earlier one is void.
    pub(super) life: u64,
    /// When its next tick is scheduled.
    pub(super) tick_ms: Option<u64>,
    /// What it takes for the time.
    pub(super) clock: Clock,
    /// The template to mine on.
    pub(super) template: Option<Header>,
    /// Which link each of its peers is on.
    pub(super) links: BTreeMap<Peer, usize>,
    /// Which node each peer it ever had was.
    faces: Vec<usize>,
    next_message: u64,
    /// Gossip awaiting a verdict, and the link it came by; no link: it made it up itself.
    pub(super) judging: BTreeMap<MessageId, (Arc<Gossip>, Option<usize>)>,
    seen: HashMap<[u8; 32], u64>,
    /// The status it sent last, with its length and name.
    pub(super) last_status: Option<(Arc<Status>, usize, u32)>,
    /// What it can send, kbit/s, and when all it has sent is on its way, µs.
    pub(super) uplink_kbps: u64,
    pub(super) uplink_free_us: u64,
    /// Records it acknowledged, and the last height at which each may be mined.
    pub(super) admitted: BTreeMap<RecordId, u64>,
    /// Records it reported as dropped.
    pub(super) dropped: BTreeMap<RecordId, String>,
    /// The last tip it reported, and its work.
    told: Option<(BlockId, Work)>,
    /// Its disk is going to fail, and then it stays away so long.
    pub(super) doomed_ms: Option<u64>,
    /// What it was when it was killed between two writes: it comes back as the same.
    pub(super) before: Option<Essence>,
    /// `None`: honest.
    pub(super) evil: Option<evil::Evil>,
    /// A malicious node after the busy time: it is gone for good.
    pub(super) retired: bool,
    /// Played something else than an honest node in a scenario, if only once.
    pub(super) dishonest: bool,
}

impl SimNode {
    pub(super) fn new(config: CoreConfig, flaws: DiskFlaws, deed: Option<Deed>, uplink_kbps: u64) -> Self {
        Self {
            core: None,
            config,
            disk: Disk::new(flaws),
            life: 0,
            tick_ms: None,
            clock: Clock::default(),
            template: None,
            links: BTreeMap::new(),
            faces: Vec::new(),
            next_message: 0,
            judging: BTreeMap::new(),
            seen: HashMap::new(),
            last_status: None,
            uplink_kbps,
            uplink_free_us: 0,
            admitted: BTreeMap::new(),
            dropped: BTreeMap::new(),
            told: None,
            doomed_ms: None,
            before: None,
            evil: deed.map(evil::Evil::new),
            retired: false,
            dishonest: false,
        }
    }

    pub(super) fn is_honest(&self) -> bool {
        self.evil.is_none() && !self.dishonest
    }

    /// Begins a life from what the disk holds; its disk fails at the n-th write.
    pub(super) fn start(&mut self, now_ms: u64, fail_at_write: u64) -> Result<(), DynError> {
        // An empty store is written here, so that even the first write counted can fail.
        drop(ChainStore::open(self.disk.clone(), &self.config.params)?);
        self.disk.sync()?;
        let point = if fail_at_write.is_multiple_of(2) { FailPoint::After } else { FailPoint::Before };
        let engine = FaultyEngine::new(self.disk.clone(), fail_at_write).at(point);
        let store = ChainStore::open(engine, &self.config.params)?;
        let core = NodeCore::new(self.config.clone(), store, self.clock.local_ms(now_ms))?;
        if let Some(before) = self.before.take() {
            before.compare(&Essence::of(&core))?;
        }
        self.core = Some(core);
        Ok(())
    }

    /// Ends its life: all that is not on disk is gone.
    pub(super) fn kill(&mut self) {
        self.core = None;
        self.life += 1;
        self.tick_ms = None;
        self.template = None;
        self.links.clear();
        self.judging.clear();
        self.seen.clear();
        self.uplink_free_us = 0;
        if let Some(evil) = &mut self.evil {
            evil.kept.clear();
        }
    }

    /// The power goes: it dies, and what was not synced may be gone.
    pub(super) fn lose_power(&mut self, kept_percent: u8) -> Result<usize, DynError> {
        // A commit that was not synced may be undone, and its work with it.
        self.told = None;
        Ok(self.disk.cut_power(usize::from(kept_percent))?)
    }

    /// The operator may move the tip to a chain of less work.
    pub(super) fn forget_work(&mut self) {
        self.told = None;
    }

    pub(super) fn new_peer(&mut self, link: usize, node: usize) -> Peer {
        let peer = Peer(self.faces.len() as u64);
        self.faces.push(node);
        self.links.insert(peer, link);
        peer
    }

    /// Which node a peer is.
    pub(super) fn face(&self, peer: Peer) -> Option<usize> {
        self.faces.get(usize::try_from(peer.0).ok()?).copied()
    }

    pub(super) fn new_message(&mut self, gossip: Arc<Gossip>, link: Option<usize>) -> MessageId {
        let message = MessageId(self.next_message);
        self.next_message += 1;
        self.judging.insert(message, (gossip, link));
        message
    }

    /// Whether gossip has not seen this lately; from now on it has.
    pub(super) fn is_news(&mut self, id: [u8; 32], now_ms: u64) -> bool {
        if self.seen.len() >= SEEN_SWEEP {
            self.seen.retain(|_, seen_ms| *seen_ms + SEEN_MS > now_ms);
        }
        let news = self.seen.get(&id).is_none_or(|seen_ms| seen_ms + SEEN_MS <= now_ms);
        if news {
            self.seen.insert(id, now_ms);
        }
        news
    }

    /// What the checkers want to know of an honest node's event. `clocks`: some clock is wrong, which may be warned of.
    pub(super) fn note(&mut self, event: &Event, clocks: bool) -> Result<(), String> {
        match event {
            Event::Dropped { record, reason } => {
                self.dropped.insert(*record, reason.clone());
            }
            // A step of a deep reorganisation: work falls on the way, and not at its end.
            Event::Tip { settled: false, .. } => {}
            Event::Tip { connected, .. } => {
                let Some((core, tip)) = self.core.as_ref().zip(connected.last()) else { return Ok(()) };
                let Some(node) = core.tree().get(tip) else { return Err(format!("tip {tip} is in no tree")) };
                let work = node.work.clone();
                if self.told.as_ref().is_some_and(|(_, before)| *before >= work) {
                    return Err(format!("moved to tip {tip}, which has no more work than the one before"));
                }
                self.told = Some((*tip, work));
            }
            Event::WrongNetwork { .. } => return Err("took an honest node for another network's".into()),
            Event::Warning(text) if clocks && text.contains("clock") => {}
            Event::Warning(text) => return Err(format!("warned: {text}")),
            // Whom it blamed is looked up by the caller.
            Event::PeerFault { .. }
            | Event::Pooled { .. }
            | Event::MinedBlock { .. }
            | Event::Reorg { .. }
            | Event::Fatal(_) => {}
        }
        Ok(())
    }
}
