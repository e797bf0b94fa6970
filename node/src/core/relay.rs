//! Compact blocks on their way in: put together from the records at hand, the rest asked for (docs/adr/0007).
//!
//! ```text
//! gossip ─▶ header good? ─▶ all records at hand ──────────────────────────────▶ as a whole block
//!                        ─▶ some missing ─▶ asked of the forwarder ─▶ root fits ─▶
//!                                             │ none, or another root: the whole block, of the same peer
//!                                             │ no answer: the next peer that gossiped it
//!                                             ▼ nobody left: ignored; sync fetches it
//! ```
//! A short id proves nothing, so a root that does not fit says nothing about the header, and blames nobody before the whole
//! block is there and shows that the message was a lie. Gossip awaits its verdict meanwhile.

use super::blocks::{Origin, Source, Standing};
use super::relay_recent::Recent;
use super::{MessageId, NodeCore, Output, Peer, RequestError, RequestId, Verdict, limits};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, VerifiedBlock};
use medring_protocol::compact::{Assembly, CompactBlock};
use medring_protocol::wire::{Request, Response};
use medring_storage::{Engine, StorageError};
use std::collections::{BTreeMap, VecDeque};

/// Compact blocks that lack records, and the records that lately left the pool.
#[derive(Debug, Default)]
pub(super) struct Relay {
    pending: BTreeMap<BlockId, Pending>,
    pub(super) recent: Recent,
}

/// A block of which records are missing.
#[derive(Debug)]
struct Pending {
    compact: CompactBlock,
    assembly: Assembly,
    origin: Origin,
    since_ms: u64,
    asked: Asked,
    /// Others who gossiped it, at most [`limits::RELAY_GIVERS_MAX`], and whether in the same words. Who told another content
    /// is not asked by the places of this one: an honest peer would take the question for a fault.
    others: VecDeque<(Peer, bool)>,
}

/// The question under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: Peer,
    id: RequestId,
    /// The whole block, not some of its records.
    whole: bool,
    deadline_ms: u64,
}

impl Relay {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether records of this block are being fetched.
    pub(super) fn is_under_way(&self, id: &BlockId) -> bool {
        self.pending.contains_key(id)
    }

    /// Blocks whose records are being fetched.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &BlockId> {
        self.pending.keys()
    }

    /// The block whose question this is.
    pub(super) fn awaits(&self, peer: Peer, request: RequestId) -> Option<BlockId> {
        let mut pending = self.pending.iter();
        pending.find(|(_, pending)| (pending.asked.peer, pending.asked.id) == (peer, request)).map(|(id, _)| *id)
    }

    /// When the first question under way is given up.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.pending.values().map(|pending| pending.asked.deadline_ms).min()
    }

    /// The moments kept here.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        self.pending.values_mut().flat_map(|pending| [&mut pending.since_ms, &mut pending.asked.deadline_ms])
    }
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn on_compact_block(
        &mut self,
        peer: Peer,
        message: MessageId,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let origin = Origin { source: Source::Relayed(peer), message: Some(message) };
        if self.config.wire_version < 2 {
            self.verdict(origin.message, Verdict::Ignore);
            return Ok(());
        }
        let compact = match CompactBlock::decode(bytes) {
            Ok(compact) => compact,
            Err(problem) => {
                self.blame(origin, &format!("gossiped a compact block that cannot be read: {problem}"));
                return Ok(());
            }
        };
        let id = compact.header.id();
        let standing = self.place_header(&id, &compact.header, origin)?;
        if matches!(standing, Standing::Done) {
            return Ok(());
        }
        if let Some(pending) = self.relay.pending.get_mut(&id) {
            if pending.others.len() < limits::RELAY_GIVERS_MAX && pending.others.iter().all(|(other, _)| *other != peer)
            {
                pending.others.push_back((peer, pending.compact == compact));
            }
            self.verdict(origin.message, Verdict::Ignore);
            return Ok(());
        }
        if matches!(standing, Standing::Orphan) {
            self.pass_by(origin);
            return Ok(());
        }
        let assembly = Assembly::new(&self.chain, &compact, self.records_at_hand());
        match assembly.finish() {
            Some(block) => self.take_block(block, origin),
            None if matches!(standing, Standing::Early) => self.verdict(origin.message, Verdict::Ignore),
            None => self.fetch_missing(id, compact, assembly, origin),
        }
        Ok(())
    }

    /// Nothing is done about a block; whoever gossiped it is asked for headers.
    fn pass_by(&mut self, origin: Origin) {
        self.verdict(origin.message, Verdict::Ignore);
        self.hint_from(origin);
    }

    /// Asks the forwarder for what is missing, if the block is worth it: more work than ours, on a parent that is here or
    /// under way.
    fn fetch_missing(&mut self, id: BlockId, compact: CompactBlock, assembly: Assembly, origin: Origin) {
        if self.tree.get(&id).is_none_or(|node| node.work <= self.work()) {
            self.verdict(origin.message, Verdict::Ignore);
            return;
        }
        let parent = compact.header.prev;
        let parent_stored = self.tree.get(&parent).is_some_and(|node| node.arrival.is_some());
        let near = parent_stored || self.relay.is_under_way(&parent) || self.verifying.contains_key(&parent);
        let giver = origin.gossiped_by().filter(|peer| self.may_give(*peer));
        let Some(peer) = giver.filter(|_| near && self.relay.len() < limits::RELAY_BLOCKS_MAX) else {
            self.pass_by(origin);
            return;
        };
        // Nothing missing and yet another root: one of our records only looks like one of the block's.
        let whole = assembly.missing().is_empty();
        let asked = Asked { peer, id: RequestId(0), whole, deadline_ms: 0 };
        let pending = Pending { compact, assembly, origin, since_ms: self.now_ms, asked, others: VecDeque::new() };
        self.ask_giver(id, pending, peer, whole);
    }

    fn may_give(&self, peer: Peer) -> bool {
        self.peers.get(&peer).is_some_and(|state| state.is_ready() && !state.wants_whole_blocks())
    }

    fn ask_giver(&mut self, block: BlockId, mut pending: Pending, peer: Peer, whole: bool) {
        let id = self.next_request();
        let (request, timeout_ms) = if whole {
            (Request::Blocks { ids: vec![block] }, limits::RELAY_BLOCK_TIMEOUT_MS)
        } else {
            let indexes = pending.assembly.missing();
            (Request::BlockRecords { block, indexes }, limits::RELAY_RECORDS_TIMEOUT_MS)
        };
        pending.asked = Asked { peer, id, whole, deadline_ms: self.now_ms + timeout_ms };
        self.relay.pending.insert(block, pending);
        self.out(Output::Ask { peer, id, request });
    }

    /// Asks the next peer that gossiped the block; if there is none, or it takes too long, leaves the block to sync.
    fn ask_next_giver(&mut self, block: BlockId, mut pending: Pending) {
        let in_time = self.now_ms < pending.since_ms + limits::RELAY_TIMEOUT_MS;
        while let Some((peer, same)) = pending.others.pop_front().filter(|_| in_time) {
            if self.may_give(peer) {
                let whole = !same || pending.assembly.missing().is_empty();
                return self.ask_giver(block, pending, peer, whole);
            }
        }
        self.note_giver(&block, pending.origin);
        self.pass_by(pending.origin);
    }

    pub(super) fn on_relay_response(&mut self, block: BlockId, peer: Peer, response: Result<Response, RequestError>) {
        let Some(pending) = self.relay.pending.remove(&block) else { return };
        match response {
            Ok(Response::BlockRecords(records)) if !pending.asked.whole => {
                self.take_missing(block, pending, peer, records);
            }
            Ok(Response::Blocks(blocks)) if pending.asked.whole => self.take_whole(block, pending, peer, blocks),
            Ok(_) => {
                self.fault(peer, "answered another question than was asked");
                self.ask_next_giver(block, pending);
            }
            Err(_) => self.ask_next_giver(block, pending),
        }
    }

    fn take_missing(
        &mut self,
        id: BlockId,
        mut pending: Pending,
        peer: Peer,
        records: Vec<medring_protocol::record::Record>,
    ) {
        let (asked, got) = (pending.assembly.missing().len(), records.len());
        if got == 0 {
            // It has left that branch.
            return self.ask_next_giver(id, pending);
        }
        if got != asked {
            self.fault(peer, &format!("sent {got} records of block {id}, and was asked for {asked}"));
            return self.ask_next_giver(id, pending);
        }
        pending.assembly.fill(&self.chain, records);
        match pending.assembly.finish() {
            Some(block) => self.take_block(block, pending.origin),
            None => self.ask_giver(id, pending, peer, true),
        }
    }

    fn take_whole(&mut self, id: BlockId, pending: Pending, peer: Peer, blocks: Vec<Block>) {
        let Some(block) = blocks.into_iter().next() else { return self.ask_next_giver(id, pending) };
        let wires = block.wire_ids(&self.chain);
        let root = medring_protocol::merkle::records_root(&wires);
        if block.header != pending.compact.header || root != block.header.records_root {
            self.fault(peer, &format!("was asked for block {id} and sent another body"));
            return self.ask_next_giver(id, pending);
        }
        let origin = self.judge_message(pending, &block, &wires);
        self.take_block(block, origin);
    }

    /// Now that the block is here: was it what the message said? An honest node never forwards one that is not.
    fn judge_message(&mut self, pending: Pending, block: &Block, wires: &[medring_protocol::WireId]) -> Origin {
        if pending.compact.describes(block, wires) {
            return pending.origin;
        }
        self.blame(pending.origin, &format!("gossiped block {} with short ids of other records", block.id()));
        Origin { message: None, ..pending.origin }
    }

    /// The block came another way while its records were being fetched.
    pub(super) fn settle_relay(&mut self, block: &VerifiedBlock, verdict: Verdict) {
        let Some(pending) = self.relay.pending.remove(&block.id()) else { return };
        let origin = self.judge_message(pending, block.block(), block.wire_ids());
        self.verdict(origin.message, verdict);
    }

    /// The block turned out invalid: its records are not fetched any more.
    pub(super) fn drop_relay(&mut self, block: &BlockId) {
        if let Some(pending) = self.relay.pending.remove(block) {
            self.verdict(pending.origin.message, Verdict::Ignore);
        }
    }

    /// Its link is gone: whatever it was asked for is asked of others.
    pub(super) fn leave_relay_peer(&mut self, peer: Peer) {
        self.turn_to_others(|pending| pending.asked.peer == peer);
    }

    /// Gives up on peers that let us wait.
    pub(super) fn drive_relay(&mut self) {
        let now_ms = self.now_ms;
        self.turn_to_others(|pending| pending.asked.deadline_ms <= now_ms);
    }

    fn turn_to_others(&mut self, late: impl Fn(&Pending) -> bool) {
        let late: Vec<BlockId> = self.relay.pending.iter().filter(|(_, p)| late(p)).map(|(id, _)| *id).collect();
        for id in late {
            if let Some(pending) = self.relay.pending.remove(&id) {
                self.ask_next_giver(id, pending);
            }
        }
    }
}
