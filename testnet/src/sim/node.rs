//! One simulated node: a core over a store in memory, and what the sim keeps of it across its deaths.

use super::DynError;
use medring_node::core::{CoreConfig, Event, MessageId, NodeCore, Peer, Topic};
use medring_protocol::block::Header;
use medring_protocol::pow::Work;
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, FailPoint, FaultyEngine, MemoryEngine};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long gossip remembers a message, ms.
const SEEN_MS: u64 = 600_000;

pub(super) type SimCore = NodeCore<FaultyEngine<MemoryEngine>>;

pub(super) struct SimNode {
    /// `None`: dead.
    pub(super) core: Option<SimCore>,
    config: CoreConfig,
    /// What the disk holds.
    memory: MemoryEngine,
    /// Counts its lives: what was under way for an earlier one is void.
    pub(super) life: u64,
    /// When its next tick is scheduled.
    pub(super) tick_ms: Option<u64>,
    /// The template to mine on.
    pub(super) template: Option<Header>,
    /// Which link each of its peers is on.
    pub(super) links: BTreeMap<Peer, usize>,
    next_peer: u64,
    next_message: u64,
    /// Gossip awaiting a verdict: what, and the link it came by.
    pub(super) judging: BTreeMap<MessageId, (Topic, Arc<Vec<u8>>, usize)>,
    seen: BTreeMap<[u8; 32], u64>,
    /// Records it acknowledged.
    pub(super) admitted: BTreeSet<RecordId>,
    /// Records it reported as dropped.
    pub(super) dropped: BTreeMap<RecordId, String>,
    /// The last tip it reported, and its work.
    pub(super) told: Option<(BlockId, Work)>,
    /// How long it stays away when its disk fails.
    pub(super) doomed_ms: u64,
}

impl SimNode {
    pub(super) fn new(config: CoreConfig) -> Self {
        Self {
            core: None,
            config,
            memory: MemoryEngine::new(),
            life: 0,
            tick_ms: None,
            template: None,
            links: BTreeMap::new(),
            next_peer: 0,
            next_message: 0,
            judging: BTreeMap::new(),
            seen: BTreeMap::new(),
            admitted: BTreeSet::new(),
            dropped: BTreeMap::new(),
            told: None,
            doomed_ms: 0,
        }
    }

    /// Begins a life from what the disk holds; its disk fails at the n-th write.
    pub(super) fn start(&mut self, now_ms: u64, fail_at_write: u64) -> Result<(), DynError> {
        // An empty store is written here, so that even the first write counted can fail.
        drop(ChainStore::open(self.memory.clone(), &self.config.params)?);
        let point = if fail_at_write.is_multiple_of(2) { FailPoint::After } else { FailPoint::Before };
        let engine = FaultyEngine::new(self.memory.clone(), fail_at_write).at(point);
        let store = ChainStore::open(engine, &self.config.params)?;
        self.core = Some(NodeCore::new(self.config.clone(), store, now_ms)?);
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
    }

    pub(super) fn new_peer(&mut self, link: usize) -> Peer {
        let peer = Peer(self.next_peer);
        self.next_peer += 1;
        self.links.insert(peer, link);
        peer
    }

    pub(super) fn new_message(&mut self, topic: Topic, bytes: Arc<Vec<u8>>, link: usize) -> MessageId {
        let message = MessageId(self.next_message);
        self.next_message += 1;
        self.judging.insert(message, (topic, bytes, link));
        message
    }

    /// Whether gossip has not seen these bytes lately; from now on it has.
    pub(super) fn is_news(&mut self, hash: [u8; 32], now_ms: u64) -> bool {
        let news = self.seen.get(&hash).is_none_or(|seen_ms| seen_ms + SEEN_MS <= now_ms);
        if news {
            self.seen.insert(hash, now_ms);
        }
        news
    }

    /// What the checkers want to know of an event.
    pub(super) fn note(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Dropped { record, reason } => {
                self.dropped.insert(*record, reason.clone());
            }
            Event::Tip { connected, .. } => {
                let Some((core, tip)) = self.core.as_ref().zip(connected.last()) else { return Ok(()) };
                let Some(node) = core.tree().get(tip) else { return Err(format!("tip {tip} is in no tree")) };
                let work = node.work.clone();
                if self.told.as_ref().is_some_and(|(_, before)| *before >= work) {
                    return Err(format!("moved to tip {tip}, which has no more work than the one before"));
                }
                self.told = Some((*tip, work));
            }
            Event::PeerFault { reason, .. } => return Err(format!("blamed an honest node: {reason}")),
            Event::WrongNetwork { .. } => return Err("took an honest node for another network's".into()),
            Event::Warning(text) => return Err(format!("warned: {text}")),
            Event::Pooled { .. } | Event::MinedBlock { .. } | Event::Fatal(_) => {}
        }
        Ok(())
    }
}
