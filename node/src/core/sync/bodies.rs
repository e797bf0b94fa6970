//! Bodies: of the branch with most work that somebody who may be asked is known to have, lowest first, from all who have
//! them.

use super::super::blocks::{Origin, Source};
use super::super::peers::PeerState;
use super::super::{NodeCore, Output, Peer, RequestId, limits};
use super::meter::Meter;
use super::mix;
use super::window::{Place, Window};
use medring_protocol::BlockId;
use medring_protocol::block::Block;
use medring_protocol::limits::RESPONSE_BYTES_MAX;
use medring_protocol::pow::Work;
use medring_protocol::wire::Request;
use medring_storage::Engine;
use std::collections::BTreeMap;

/// The window, and everything that is under way to fill it.
#[derive(Debug)]
pub(super) struct Bodies {
    window: Option<Window>,
    /// When the window was made.
    since_ms: u64,
    asked: BTreeMap<RequestId, Asked>,
    /// Up to which height a peer has the branch: (what it has, the block aimed at, the height).
    reach: BTreeMap<Peer, (BlockId, BlockId, u64)>,
    /// Since when the lowest missing block, asked for in this request, keeps others waiting.
    stalled: Option<(RequestId, u64)>,
    /// For how long it may, at least.
    stall_ms: u64,
    /// How long answers take, as a moving average.
    answer_ms: u64,
    /// Blocks a peer is asked for in one request, where that is less than usual: it was too slow for more.
    batch: BTreeMap<Peer, usize>,
    pub(super) meter: Meter,
}

/// A request for bodies under way.
#[derive(Debug)]
struct Asked {
    peer: Peer,
    sent_ms: u64,
    ids: Vec<BlockId>,
}

impl Asked {
    fn deadline_ms(&self) -> u64 {
        self.sent_ms + limits::REQUEST_TIMEOUT_MS
    }
}

impl Default for Bodies {
    fn default() -> Self {
        let (window, stalled, meter) = (None, None, Meter::default());
        let (asked, reach, batch) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (stall_ms, answer_ms) = (limits::STALL_MS, 0);
        Self { window, since_ms: 0, asked, reach, stalled, stall_ms, answer_ms, batch, meter }
    }
}

impl Bodies {
    pub(super) fn awaits(&self, peer: Peer, request: RequestId) -> bool {
        self.asked.get(&request).is_some_and(|asked| asked.peer == peer)
    }

    /// The block aimed at.
    pub(super) fn target(&self) -> Option<BlockId> {
        self.window.as_ref().and_then(Window::target)
    }

    pub(super) fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Peers that are being asked, and for how many blocks.
    pub(super) fn peers(&self) -> BTreeMap<Peer, usize> {
        let mut count = BTreeMap::new();
        for asked in self.asked.values() {
            *count.entry(asked.peer).or_default() += asked.ids.len();
        }
        count
    }

    /// How long the lowest missing block may keep others waiting.
    fn stall_limit_ms(&self) -> u64 {
        self.stall_ms.max(2 * self.answer_ms).min(limits::STALL_MAX_MS)
    }

    /// Blocks to ask a peer for in one request.
    fn batch_of(&self, peer: Peer) -> usize {
        self.batch.get(&peer).copied().unwrap_or(limits::SYNC_BLOCKS_PER_REQUEST)
    }

    /// What a peer was asked for is free again.
    pub(super) fn forget(&mut self, peer: Peer) {
        let ids: Vec<RequestId> =
            self.asked.iter().filter(|(_, asked)| asked.peer == peer).map(|(id, _)| *id).collect();
        for id in ids {
            self.release(id);
        }
        self.reach.remove(&peer);
        self.batch.remove(&peer);
    }

    /// A request is over: what it has not brought is free.
    fn release(&mut self, id: RequestId) -> Option<Asked> {
        if let Some(window) = &mut self.window {
            window.release(id, limits::SYNC_WINDOW_BLOCKS);
        }
        self.asked.remove(&id)
    }

    /// An answer came after so long: the limits adapt.
    fn answered(&mut self, peer: Peer, took_ms: u64) {
        self.answer_ms = (7 * self.answer_ms + took_ms) / 8;
        self.stall_ms = (self.stall_ms - self.stall_ms / 8).max(limits::STALL_MS);
        self.batch.entry(peer).and_modify(|count| *count *= 2);
        self.batch.retain(|_, count| *count < limits::SYNC_BLOCKS_PER_REQUEST);
    }

    /// Whether one more answer of the largest size fits.
    fn has_room(&self) -> bool {
        let here = self.window.as_ref().map_or(0, Window::here_bytes);
        here + (self.asked.len() + 1) * RESPONSE_BYTES_MAX <= limits::SYNC_BYTES_MAX
    }

    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        let asked = self.asked.values_mut().map(|asked| &mut asked.sent_ms);
        let stalled = self.stalled.as_mut().map(|(_, since_ms)| since_ms);
        asked.chain(stalled).chain([&mut self.since_ms]).chain(self.meter.moments())
    }
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn drive_bodies(&mut self) {
        let now_ms = self.now_ms;
        let late = |asked: &Asked| asked.deadline_ms() <= now_ms;
        let late: Vec<RequestId> =
            self.sync.bodies.asked.iter().filter(|(_, asked)| late(asked)).map(|(id, _)| *id).collect();
        for id in late {
            self.bodies_timed_out(id);
        }
        self.aim();
        self.refind_front();
        let idle = self.ask_for_bodies();
        self.watch_stall(idle);
    }

    pub(super) fn bodies_due_ms(&self) -> Option<u64> {
        let bodies = &self.sync.bodies;
        let asked = bodies.asked.values().map(Asked::deadline_ms);
        let stalled = bodies.stalled.map(|(_, since_ms)| since_ms + bodies.stall_limit_ms());
        let waits = self.peers.values().filter(|state| self.better_block_of(state).is_some());
        let backoff = waits.filter_map(|state| state.bodies.ends_ms(self.now_ms));
        let first = bodies.window.as_ref().map(|_| bodies.since_ms + limits::HEADERS_FIRST_MS);
        asked.chain(stalled).chain(backoff).chain(first.filter(|due| *due > self.now_ms)).min()
    }

    /// More than a few blocks are known to be missing, and somebody has them: no time for mining or for the pool.
    pub(in crate::core) fn is_behind(&self) -> bool {
        self.sync.bodies.window.as_ref().is_some_and(|window| window.top() > self.height() + 2)
    }

    /// The best block a peer is known to have: its tip by its word, or the last header it gave.
    fn has(&self, state: &PeerState) -> Option<(&Work, BlockId)> {
        let said = state.status.as_ref().filter(|_| state.is_ready()).map(|status| status.tip);
        let known = said.into_iter().chain(state.has).filter_map(|id| Some((self.tree.get(&id)?, id)));
        known.filter(|(node, _)| !node.invalid).map(|(node, id)| (&node.work, id)).max()
    }

    /// That, if it has more work than our tip.
    fn better_block_of(&self, state: &PeerState) -> Option<(&Work, BlockId)> {
        let own = &self.tree.get(&self.tip())?.work;
        self.has(state).filter(|(work, _)| *work > own)
    }

    /// Aims at the branch with most work among those that peers who may be asked are known to have.
    fn aim(&mut self) {
        let now_ms = self.now_ms;
        let may_be_asked = self.peers.values().filter(|state| state.bodies.is_over(now_ms));
        let current = self.sync.bodies.target();
        let rank = |(work, id): &(&Work, BlockId)| ((*work).clone(), Some(*id) == current, *id);
        let best = may_be_asked.filter_map(|state| self.better_block_of(state)).max_by_key(rank);
        match best.map(|(_, id)| id) {
            None => self.leave_window(),
            Some(target) if Some(target) == current => {}
            Some(target) => self.open_window(target),
        }
    }

    /// Nothing is aimed at any more: what was asked for and waits for its parent goes.
    pub(super) fn leave_window(&mut self) {
        let bodies = &mut self.sync.bodies;
        if bodies.window.take().is_some() {
            bodies.meter.reset();
            bodies.stalled = None;
            self.held.drop_asked(|_, _| false);
        }
    }

    /// The window to a block; the one there is goes on if that block follows it.
    fn open_window(&mut self, target: BlockId) {
        let current = self.sync.bodies.target();
        let mut missing = Vec::new();
        let (mut at, mut base) = (target, 0);
        let mut follows = false;
        while let Some(node) = self.tree.get(&at) {
            base = node.header.height + 1;
            follows = Some(at) == current;
            if node.arrival.is_some() || follows {
                break;
            }
            missing.push((at, node.body));
            at = node.header.prev;
        }
        missing.reverse();
        let ids = missing.iter().map(|(id, _)| *id);
        let bodies = &mut self.sync.bodies;
        let mut window = match bodies.window.take() {
            Some(mut window) if follows => {
                window.extend(ids);
                window
            }
            _ => {
                bodies.since_ms = self.now_ms;
                bodies.stalled = None;
                Window::new(base, ids)
            }
        };
        for (height, (id, _)) in (base..).zip(&missing).filter(|(_, (_, body))| *body) {
            window.stored(height, id);
        }
        self.find_under_way(&mut window);
        if !follows {
            self.held.drop_asked(|height, id| window.contains(height, id));
        }
        self.sync.bodies.window = Some(window);
    }

    /// What of its blocks is under way already: for another window, or by gossip.
    fn find_under_way(&self, window: &mut Window) {
        let height = |id: &BlockId| self.tree.get(id).map_or(0, |node| node.header.height);
        for (request, asked) in &self.sync.bodies.asked {
            for id in &asked.ids {
                window.put_free(height(id), id, Place::Asked(*request));
            }
        }
        for (id, at, bytes) in self.held.waiting_asked() {
            window.put_free(at, &id, Place::Here(bytes));
        }
        for id in self.verifying.keys().chain(self.relay.under_way()) {
            window.put_free(height(id), id, Place::Here(0));
        }
    }

    /// The lowest missing block is here, and is not being worked on: it got lost (its body was not its own, a table was
    /// full). It is asked for again.
    fn refind_front(&mut self) {
        let Some((id, Place::Here(_))) = self.sync.bodies.window.as_ref().and_then(Window::front) else { return };
        let held = self.held.is_waiting(&id) || self.held.is_early(&id);
        let under_way = held || self.verifying.contains_key(&id) || self.relay.is_under_way(&id);
        if !under_way && let Some(window) = &mut self.sync.bodies.window {
            window.put(window.base(), &id, Place::Free);
        }
    }

    /// Up to which height a peer has the branch aimed at; its walk is done once for each pair of tips.
    fn reach_of(&mut self, peer: Peer) -> Option<u64> {
        let (_, has) = self.has(self.peers.get(&peer)?)?;
        let target = self.sync.bodies.target()?;
        if let Some((_, _, height)) = self.sync.bodies.reach.get(&peer).filter(|(h, t, _)| (*h, *t) == (has, target)) {
            return Some(*height);
        }
        let window = self.sync.bodies.window.as_ref()?;
        let mut at = has;
        let height = loop {
            let node = self.tree.get(&at)?;
            let height = node.header.height;
            if height < window.base() || window.contains(height, &at) {
                break height;
            }
            at = node.header.prev;
        };
        self.sync.bodies.reach.insert(peer, (has, target, height));
        Some(height)
    }

    /// The peers with a slot: those that may be asked for some block of the window, with how far they reach and how many
    /// blocks they are asked for.
    fn givers(&mut self) -> Vec<(Peer, u64, usize)> {
        let Some(base) = self.sync.bodies.window.as_ref().map(Window::base) else { return Vec::new() };
        let under_way = self.sync.bodies.peers();
        let now_ms = self.now_ms;
        let ready: Vec<Peer> = self
            .peers
            .iter()
            .filter(|(_, state)| state.is_ready() && state.bodies.is_over(now_ms))
            .map(|(peer, _)| *peer)
            .collect();
        let mut givers: Vec<_> = ready
            .into_iter()
            .filter_map(|peer| Some((peer, self.reach_of(peer)?, under_way.get(&peer).copied().unwrap_or_default())))
            .filter(|(_, reach, _)| *reach >= base)
            .collect();
        // Whoever has a slot keeps it; whoever has least under way is asked first.
        givers.sort_by_key(|(peer, _, under_way)| (*under_way == 0, mix(self.config.seed ^ peer.0)));
        givers.truncate(limits::SYNC_PEERS_MAX);
        givers.sort_by_key(|(_, _, under_way)| *under_way);
        givers
    }

    /// Whether bodies wait: somebody may be about to show more work, and much is to be fetched.
    fn waits_for_headers(&self) -> bool {
        let bodies = &self.sync.bodies;
        let Some(window) = &bodies.window else { return true };
        let far = window.top() > self.height() + limits::CATCHING_UP_BLOCKS;
        let work = window.target().and_then(|id| self.tree.get(&id)).map(|node| node.work.clone()).unwrap_or_default();
        far && self.now_ms < bodies.since_ms + limits::HEADERS_FIRST_MS && self.may_have_more_than(&work)
    }

    /// Asks everybody for as much as may be asked. Returns a peer that could give the lowest missing block, is asked for
    /// nothing, and finds nothing to be asked for.
    fn ask_for_bodies(&mut self) -> Option<Peer> {
        if self.waits_for_headers() {
            return None;
        }
        let (mut idle, mut givers) = (None, self.givers());
        loop {
            let mut asked_any = false;
            for (peer, reach, under_way) in &mut givers {
                let most = self.sync.bodies.batch_of(*peer);
                let slow = most < limits::SYNC_BLOCKS_PER_REQUEST;
                if *under_way + most > limits::SYNC_BLOCKS_PER_PEER_MAX || slow && *under_way > 0 {
                    continue;
                }
                let count = self.ask_one(*peer, *reach, most);
                *under_way += count;
                asked_any |= count > 0;
                if *under_way == 0 && idle.is_none() {
                    idle = Some(*peer);
                }
            }
            if !asked_any {
                return idle;
            }
        }
    }

    /// Asks a peer for the lowest free blocks it has. Returns how many those are.
    fn ask_one(&mut self, peer: Peer, reach: u64, most: usize) -> usize {
        let bodies = &mut self.sync.bodies;
        let busy = self.jobs.len() >= limits::JOBS_MAX / 2 || !bodies.has_room();
        let Some(window) = &mut bodies.window else { return 0 };
        // The lowest one frees what waits for it, so there is always room for it.
        if busy && !matches!(window.front(), Some((_, Place::Free))) {
            return 0;
        }
        let id = RequestId(self.next_request);
        let ids = window.take(id, most, reach, limits::SYNC_WINDOW_BLOCKS);
        if ids.is_empty() {
            return 0;
        }
        self.next_request += 1;
        bodies.asked.insert(id, Asked { peer, sent_ms: self.now_ms, ids: ids.clone() });
        let count = ids.len();
        self.out(Output::Ask { peer, id, request: Request::Blocks { ids } });
        count
    }

    /// While the lowest missing block keeps others waiting, its giver's time runs; then it loses its slot.
    fn watch_stall(&mut self, idle: Option<Peer>) {
        let bodies = &mut self.sync.bodies;
        let front = bodies.window.as_ref().and_then(Window::front);
        let (Some(_), Some((_, Place::Asked(request)))) = (idle, front) else {
            bodies.stalled = None;
            return;
        };
        match bodies.stalled {
            Some((id, since_ms)) if id == request => {
                if since_ms + bodies.stall_limit_ms() <= self.now_ms {
                    bodies.stall_ms = (bodies.stall_ms * 2).min(limits::STALL_MAX_MS);
                    bodies.stalled = None;
                    self.bodies_timed_out(request);
                    self.drive_bodies();
                }
            }
            _ => bodies.stalled = Some((request, self.now_ms)),
        }
    }

    /// No answer came in time: the peer loses all that it was asked for.
    pub(super) fn bodies_timed_out(&mut self, request: RequestId) {
        let Some(Asked { peer, .. }) = self.sync.bodies.release(request) else { return };
        let fewer = (self.sync.bodies.batch_of(peer) / 2).max(1);
        self.sync.bodies.forget(peer);
        self.sync.bodies.batch.insert(peer, fewer);
        self.bodies_failed(peer, limits::TIMEOUT_FAILURES);
    }

    pub(super) fn bodies_failed(&mut self, peer: Peer, failures_min: u32) {
        let now_ms = self.now_ms;
        if let Some(state) = self.peers.get_mut(&peer) {
            state.bodies.failed(now_ms, failures_min);
        }
    }

    /// The answer to a request: what it brings is looked at, what it does not bring is free again.
    pub(super) fn take_bodies(&mut self, request: RequestId, blocks: Vec<Block>) {
        let Some(Asked { peer, ids, sent_ms }) = self.sync.bodies.asked.remove(&request) else { return };
        self.sync.bodies.answered(peer, self.now_ms.saturating_sub(sent_ms));
        let (mut rest, mut skipped) = (ids.as_slice(), blocks.is_empty());
        for block in blocks {
            let id = block.id();
            let Some(at) = rest.iter().position(|asked| *asked == id) else {
                self.sync.bodies.release(request);
                return self.fault(peer, &format!("sent block {id}, which was not asked for"));
            };
            skipped |= at > 0;
            rest = &rest[at + 1..];
            self.take_body(peer, id, block);
        }
        self.sync.bodies.release(request);
        match self.peers.get_mut(&peer) {
            // It left this branch, or never had it. Not for ever out of reach: others are asked, and it again later.
            _ if skipped => self.bodies_failed(peer, 0),
            Some(state) => state.bodies.succeeded(),
            None => {}
        }
    }

    fn take_body(&mut self, peer: Peer, id: BlockId, block: Block) {
        let (height, prev) = (block.header.height, block.header.prev);
        let bytes = block.records_len();
        let wanted = match &mut self.sync.bodies.window {
            Some(window) if window.contains(height, &id) => {
                window.put(height, &id, Place::Here(bytes));
                true
            }
            // Of a branch that was left meanwhile: taken if it can be stored at once.
            _ => self.tree.get(&prev).is_some_and(|parent| parent.arrival.is_some()),
        };
        if wanted {
            self.take_block(block, Origin { source: Source::Asked(peer), message: None });
        }
    }

    /// A body was stored.
    pub(in crate::core) fn body_stored(&mut self, height: u64, id: &BlockId) {
        let bodies = &mut self.sync.bodies;
        let Some(window) = &mut bodies.window else { return };
        if !window.contains(height, id) {
            return;
        }
        bodies.meter.count(self.now_ms);
        if window.stored(height, id) {
            bodies.stalled = None;
        }
    }
}
