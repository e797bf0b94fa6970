//! Catching up: headers first, from one peer at a time, then the bodies of the best branch, lowest first.
//!
//! ```text
//! Idle ──a peer has more work──► Headers ──batch full──► Headers
//!   ▲                               │ its chain is known
//!   │                               ▼
//!   └──complete, or no answer──── Blocks ──16 at a time──► Blocks
//! ```
//! No answer, an empty one or a dead link is nobody's fault for certain: the peer is left alone for a while and the next
//! one is asked. Nothing is lost by it, as headers and bodies are stored as they come.

use super::blocks::{Origin, Source};
use super::{NodeCore, Output, Peer, RequestError, RequestId, limits};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::HeaderError;
use medring_protocol::limits::{BLOCKS_PER_REQUEST_MAX, HEADERS_PER_MESSAGE_MAX};
use medring_protocol::pow::Work;
use medring_protocol::wire::{Request, Response, Status};
use medring_storage::{Engine, StorageError};
use std::collections::VecDeque;

/// What sync is doing.
#[derive(Debug, Default)]
pub(super) enum SyncState {
    /// Nobody is known to have more work than we.
    #[default]
    Idle,
    /// A batch of headers is awaited.
    Headers {
        peer: Peer,
        id: RequestId,
        deadline_ms: u64,
        /// The last header of the batch before.
        after: Option<BlockId>,
    },
    /// Bodies up to `target` are fetched.
    Blocks {
        peer: Peer,
        target: BlockId,
        /// Height of the tip when it began.
        from: u64,
        /// Still to be asked for, lowest first.
        window: VecDeque<BlockId>,
        asked: Option<AskedBlocks>,
    },
}

/// A request for bodies under way.
#[derive(Debug)]
pub(super) struct AskedBlocks {
    id: RequestId,
    deadline_ms: u64,
    ids: Vec<BlockId>,
}

impl SyncState {
    /// Whether this is the question whose answer is awaited.
    pub(super) fn awaits(&self, from: Peer, request: RequestId) -> bool {
        match self {
            SyncState::Idle => false,
            SyncState::Headers { peer, id, .. } => (*peer, *id) == (from, request),
            SyncState::Blocks { peer, asked, .. } => {
                *peer == from && asked.as_ref().is_some_and(|asked| asked.id == request)
            }
        }
    }

    fn peer(&self) -> Option<Peer> {
        match self {
            SyncState::Idle => None,
            SyncState::Headers { peer, .. } | SyncState::Blocks { peer, .. } => Some(*peer),
        }
    }

    fn deadline_ms(&self) -> Option<u64> {
        match self {
            SyncState::Idle => None,
            SyncState::Headers { deadline_ms, .. } => Some(*deadline_ms),
            SyncState::Blocks { asked, .. } => asked.as_ref().map(|asked| asked.deadline_ms),
        }
    }

    /// The moment kept here.
    pub(super) fn deadline_mut(&mut self) -> Option<&mut u64> {
        match self {
            SyncState::Idle => None,
            SyncState::Headers { deadline_ms, .. } => Some(deadline_ms),
            SyncState::Blocks { asked, .. } => asked.as_mut().map(|asked| &mut asked.deadline_ms),
        }
    }
}

impl<E: Engine> NodeCore<E> {
    /// One step: gives up what takes too long, asks for what can be asked for.
    pub(super) fn drive_sync(&mut self) -> Result<(), StorageError> {
        if self.sync.deadline_ms().is_some_and(|deadline| deadline <= self.now_ms) {
            self.sync_failed(limits::TIMEOUT_FAILURES);
        }
        if matches!(self.sync, SyncState::Idle) {
            self.start_sync();
        }
        self.ask_for_blocks();
        self.process_ready_blocks()
    }

    /// When sync has something to do: a time limit, or the end of a peer's back-off.
    pub(super) fn sync_due_ms(&self) -> Option<u64> {
        match &self.sync {
            SyncState::Idle => {
                let waits =
                    self.peers.values().filter(|state| self.has_more(state)).map(|state| state.backoff_until_ms);
                waits.filter(|until| *until > self.now_ms).min()
            }
            under_way => under_way.deadline_ms(),
        }
    }

    /// More than a few blocks are known to be missing: no time for mining or for the pool.
    pub(super) fn is_behind(&self) -> bool {
        match &self.sync {
            SyncState::Blocks { target, .. } => {
                self.tree.get(target).is_some_and(|node| node.header.height > self.height() + 2)
            }
            _ => false,
        }
    }

    fn has_more(&self, state: &super::peers::PeerState) -> bool {
        let more = |status: &Status| self.work_of(status) > self.work();
        state.is_ready() && (state.hint || state.status.as_ref().is_some_and(more))
    }

    /// Chooses the peer with most work; among equals the seed decides, so that not all nodes ask the same one.
    fn start_sync(&mut self) {
        let candidates = self.peers.iter().filter(|(_, s)| s.backoff_until_ms <= self.now_ms && self.has_more(s));
        let rank = |peer: &Peer, state: &super::peers::PeerState| {
            let work = state.status.as_ref().map_or_else(Work::default, |status| self.work_of(status));
            (work, mix(self.config.seed ^ peer.0))
        };
        let best = candidates.max_by_key(|(peer, state)| rank(peer, state)).map(|(peer, _)| *peer);
        let Some(peer) = best else { return };
        let Some(status) = self.peers.get(&peer).and_then(|state| state.status.clone()) else { return };
        match self.tree.get(&status.tip) {
            // The operator does not want that chain: its peer is asked again later.
            Some(node) if node.vetoed => self.leave_alone(peer),
            Some(node) if node.invalid => self.fault(peer, &format!("is on block {}, which is invalid", status.tip)),
            Some(node) if node.work > self.work() => self.start_blocks(peer, status.tip),
            _ => self.ask_for_headers(peer, None),
        }
    }

    /// Asks for headers after `from`, a header it gave us, or after whatever we share.
    fn ask_for_headers(&mut self, peer: Peer, after: Option<BlockId>) {
        let locator = self.tree.locator(&after.unwrap_or_else(|| self.tree.best_header()));
        let id = self.next_request();
        self.sync = SyncState::Headers { peer, id, deadline_ms: self.now_ms + limits::REQUEST_TIMEOUT_MS, after };
        self.out(Output::Ask { peer, id, request: Request::Headers { locator } });
    }

    fn start_blocks(&mut self, peer: Peer, target: BlockId) {
        let (from, window) = (self.height(), VecDeque::new());
        self.sync = SyncState::Blocks { peer, target, from, window, asked: None };
    }

    fn leave_alone(&mut self, peer: Peer) {
        let now_ms = self.now_ms;
        if let Some(state) = self.peers.get_mut(&peer) {
            state.back_off(now_ms);
        }
    }

    /// The peer under way did not answer, or had nothing: the next one's turn. What it gave is kept. It counts as having
    /// failed at least `failures_min` times, so that one that lets us wait is not asked again soon.
    fn sync_failed(&mut self, failures_min: u32) {
        let now_ms = self.now_ms;
        if let Some(state) = self.sync.peer().and_then(|peer| self.peers.get_mut(&peer)) {
            state.hint = false;
            state.failures = state.failures.max(failures_min);
            state.back_off(now_ms);
        }
        self.sync = SyncState::Idle;
    }

    fn sync_succeeded(&mut self) {
        if let Some(state) = self.sync.peer().and_then(|peer| self.peers.get_mut(&peer)) {
            state.hint = false;
            state.failures = 0;
        }
        self.sync = SyncState::Idle;
    }

    /// Its link is gone, or it is being dropped: what it was asked for is free again.
    pub(super) fn leave_sync_peer(&mut self, peer: Peer) {
        if self.sync.peer() == Some(peer) {
            self.sync = SyncState::Idle;
        }
    }

    /// Blocks turned out invalid: no more of them is fetched.
    pub(super) fn stop_sync_to(&mut self, lost: &[BlockId]) {
        if let SyncState::Blocks { target, .. } = &self.sync
            && lost.contains(target)
        {
            self.sync = SyncState::Idle;
            self.held.drop_asked();
        }
    }

    /// Someone gossiped a block whose parent is unknown: it is asked for headers.
    pub(super) fn hint_from(&mut self, origin: Origin) {
        if let Some(peer) = origin.gossiped_by()
            && let Some(state) = self.peers.get_mut(&peer)
        {
            state.hint = true;
        }
    }

    pub(super) fn on_sync_response(
        &mut self,
        peer: Peer,
        response: Result<Response, RequestError>,
    ) -> Result<(), StorageError> {
        match (response, &mut self.sync) {
            (Err(_), _) => self.sync_failed(limits::TIMEOUT_FAILURES),
            (Ok(Response::Headers(headers)), SyncState::Headers { .. }) => return self.take_headers(peer, &headers),
            (Ok(Response::Blocks(blocks)), SyncState::Blocks { asked, .. }) => {
                let ids = asked.take().map(|asked| asked.ids).unwrap_or_default();
                self.take_blocks(peer, &ids, blocks);
            }
            (Ok(_), _) => self.fault(peer, "answered another question than was asked"),
        }
        Ok(())
    }

    fn take_headers(&mut self, peer: Peer, headers: &[Header]) -> Result<(), StorageError> {
        if headers.len() > HEADERS_PER_MESSAGE_MAX {
            self.fault(peer, &format!("sent {} headers at once", headers.len()));
            return Ok(());
        }
        let mut last = None;
        for header in headers {
            if last.is_some_and(|last| last != header.prev) {
                self.fault(peer, "sent headers that do not follow each other");
                return Ok(());
            }
            let id = header.id();
            let side = self.tree.len() as u64 > self.best_header_height() + limits::SIDE_HEADERS_MAX as u64;
            let flood = side && self.tree.get(&id).is_none() && header.prev != self.tree.best_header();
            // Beyond the future limit its time may come; a flood of side branches is not stored.
            if header.time_ms > self.latest_stamp_ms() || flood {
                break;
            }
            match self.insert_header(header)? {
                Ok(()) => last = Some(id),
                Err(HeaderError::VetoedParent(_)) => break,
                Err(HeaderError::Orphan(_)) if last.is_none() => {
                    self.fault(peer, "sent headers that follow nothing we asked about");
                    return Ok(());
                }
                Err(error) => {
                    self.fault(peer, &format!("sent header {id}: {error}"));
                    return Ok(());
                }
            }
        }
        self.headers_taken(peer, last, headers.len());
        Ok(())
    }

    pub(super) fn best_header_height(&self) -> u64 {
        self.tree.get(&self.tree.best_header()).map_or(0, |node| node.header.height)
    }

    /// On to the next batch, to the bodies, or to another peer.
    fn headers_taken(&mut self, peer: Peer, last: Option<BlockId>, count: usize) {
        let Some(last) = last else { return self.sync_failed(0) };
        let height = |id: &BlockId| self.tree.get(id).map_or(0, |node| node.header.height);
        if let SyncState::Headers { after: Some(after), .. } = &self.sync
            && height(&last) <= height(after)
        {
            // It left that branch, or leads us in circles.
            return self.sync_failed(0);
        }
        if count == HEADERS_PER_MESSAGE_MAX {
            return self.ask_for_headers(peer, Some(last));
        }
        let work = self.tree.get(&last).filter(|node| !node.invalid).map(|node| node.work.clone()).unwrap_or_default();
        if work > self.work() { self.start_blocks(peer, last) } else { self.sync_failed(0) }
    }

    /// Asks for the next bodies if none are under way and there is room for them.
    fn ask_for_blocks(&mut self) {
        self.refill_window();
        let room = limits::SYNC_HELD_BLOCKS_MAX.saturating_sub(self.held.asked_len() + self.verifying.len());
        let (now_ms, id) = (self.now_ms, RequestId(self.next_request));
        let SyncState::Blocks { peer, window, asked, .. } = &mut self.sync else { return };
        if asked.is_some() || window.is_empty() || room < BLOCKS_PER_REQUEST_MAX {
            return;
        }
        let ids: Vec<BlockId> = window.drain(..window.len().min(BLOCKS_PER_REQUEST_MAX)).collect();
        let peer = *peer;
        *asked = Some(AskedBlocks { id, deadline_ms: now_ms + limits::REQUEST_TIMEOUT_MS, ids: ids.clone() });
        self.next_request += 1;
        self.out(Output::Ask { peer, id, request: Request::Blocks { ids } });
    }

    /// Looks up what is missing next; ends the phase if nothing is.
    fn refill_window(&mut self) {
        let SyncState::Blocks { target, window, asked, .. } = &self.sync else { return };
        if asked.is_some() || !window.is_empty() {
            return;
        }
        let target = *target;
        if self.tree.get(&target).is_none_or(|node| node.invalid) {
            self.sync = SyncState::Idle;
            return;
        }
        let missing = self.tree.missing_bodies(&target, limits::SYNC_WINDOW_BLOCKS);
        let queued = |id: &BlockId| self.ready.iter().any(|held| held.block.id() == *id);
        let relayed = |id: &BlockId| self.relay.is_under_way(id);
        let under_way =
            |id: &BlockId| self.held.is_waiting(id) || self.verifying.contains_key(id) || queued(id) || relayed(id);
        // One whose time has not come (our clock was set back) is here already, and its turn may be far off.
        let next: VecDeque<BlockId> =
            missing.iter().copied().filter(|id| !under_way(id) && !self.held.is_early(id)).collect();
        if missing.is_empty() {
            self.sync_succeeded();
        } else if next.is_empty() && !missing.iter().any(under_way) {
            self.sync_failed(0);
        } else if let SyncState::Blocks { window, .. } = &mut self.sync {
            *window = next;
        }
    }

    fn take_blocks(&mut self, peer: Peer, asked: &[BlockId], blocks: Vec<Block>) {
        if blocks.is_empty() {
            // It left this branch, or never had it. Not for ever out of reach: others are asked, and it again later.
            return self.sync_failed(0);
        }
        let mut rest = asked;
        for block in blocks {
            let id = block.id();
            let Some(at) = rest.iter().position(|asked| *asked == id) else {
                return self.fault(peer, &format!("sent block {id}, which was not asked for"));
            };
            rest = &rest[at + 1..];
            self.take_block(block, Origin { source: Source::Asked(peer), message: None });
        }
        if let SyncState::Blocks { window, .. } = &mut self.sync {
            for id in rest.iter().rev() {
                window.push_front(*id);
            }
        }
    }
}

/// Spreads the bits of a number (splitmix64).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
