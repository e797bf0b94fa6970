//! Who is connected, what each peer said of its chain, and what happens to one that breaks a rule.

use super::exchange::Exchange;
use super::sync::Backoff;
use super::{Event, NodeCore, Output, Peer, RequestError, RequestId, limits};
use medring_protocol::BlockId;
use medring_protocol::pow::Work;
use medring_protocol::wire::{Response, Status};
use medring_storage::{Engine, StorageError};

/// One connected peer.
#[derive(Debug)]
pub(super) struct PeerState {
    connected_ms: u64,
    /// `None`: it has not said yet where it stands, and nothing is asked of it or served to it.
    pub(super) status: Option<Status>,
    /// It is being disconnected: nothing it says counts.
    pub(super) dropped: bool,
    /// It gossiped a block whose parent we do not know.
    pub(super) hint: bool,
    /// The last header it gave of a better branch.
    pub(super) has: Option<BlockId>,
    /// How it does as a giver of headers …
    pub(super) headers: Backoff,
    /// … and of bodies.
    pub(super) bodies: Backoff,
    /// When it last said that it has another tip.
    moved_ms: u64,
    pub(super) exchange: Exchange,
    pub(super) served: Served,
}

/// Requests answered lately.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) window_ms: u64,
    pub(super) count: u32,
}

impl PeerState {
    fn new(now_ms: u64) -> Self {
        Self {
            connected_ms: now_ms,
            status: None,
            dropped: false,
            hint: false,
            has: None,
            headers: Backoff::default(),
            bodies: Backoff::default(),
            moved_ms: now_ms,
            exchange: Exchange::default(),
            served: Served::default(),
        }
    }

    /// Whether it may be asked and served.
    pub(super) fn is_ready(&self) -> bool {
        self.status.is_some() && !self.dropped
    }

    /// Whether it is to hear of whole blocks: it said where it stands, and knows no compact ones.
    pub(super) fn wants_whole_blocks(&self) -> bool {
        !self.dropped && self.status.as_ref().is_some_and(|status| status.version == 1)
    }

    /// When something is due for it.
    pub(super) fn due_ms(&self) -> Option<u64> {
        match (&self.status, self.dropped) {
            (_, true) => None,
            (None, false) => Some(self.connected_ms + limits::STATUS_TIMEOUT_MS),
            (Some(_), false) => Some(self.exchange.due_ms()),
        }
    }

    /// The moments kept here.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        let own = [&mut self.connected_ms, &mut self.moved_ms, &mut self.served.window_ms];
        own.into_iter().chain([self.headers.moment(), self.bodies.moment()]).chain(self.exchange.moments())
    }
}

impl<E: Engine> NodeCore<E> {
    /// Where we stand.
    pub(super) fn own_status(&self) -> Status {
        Status {
            version: self.config.wire_version,
            agent: self.config.agent.clone(),
            chain: self.chain,
            chain_name: self.config.params.name.clone(),
            tip: self.tip(),
            height: self.height(),
            work: self.work(),
            clock_ms: self.now_ms,
        }
    }

    pub(super) fn on_connected(&mut self, peer: Peer) {
        if self.peers.len() >= limits::PEERS_MAX {
            self.out(Output::Disconnect { peer, reason: "too many peers".into(), fault: false });
            return;
        }
        self.peers.insert(peer, PeerState::new(self.now_ms));
        let status = self.own_status();
        self.out(Output::SendStatus { peer, status });
    }

    pub(super) fn on_disconnected(&mut self, peer: Peer) {
        self.peers.remove(&peer);
        self.leave_sync_peer(peer);
        self.leave_relay_peer(peer);
    }

    pub(super) fn on_status(&mut self, peer: Peer, status: Status) {
        let height = self.height();
        let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.dropped) else { return };
        if status.chain != self.chain {
            state.dropped = true;
            let reason = format!(
                "wrong network: our chain is {} ({}), theirs {} ({})",
                self.chain, self.config.params.name, status.chain, status.chain_name
            );
            self.event(Event::WrongNetwork { peer, theirs: status });
            self.out(Output::Disconnect { peer, reason, fault: false });
            return;
        }
        if status.version == 0 {
            self.fault(peer, "speaks sync version 0, which does not exist");
            return;
        }
        let first = state.status.is_none();
        let (skew_ms, agent) = (self.now_ms.abs_diff(status.clock_ms), status.agent.clone());
        let on_its_way = !first && status.height <= height + limits::GOSSIP_AHEAD_BLOCKS;
        if state.status.as_ref().is_none_or(|old| old.tip != status.tip) {
            state.headers.hurry(self.now_ms);
            state.bodies.hurry(self.now_ms);
            state.moved_ms = self.now_ms;
            if on_its_way {
                state.headers.wait_until(self.now_ms + limits::GOSSIP_GRACE_MS);
                state.bodies.wait_until(self.now_ms + limits::GOSSIP_GRACE_MS);
            }
        }
        state.status = Some(status);
        if first && skew_ms > limits::CLOCK_SKEW_WARN_MS {
            self.event(Event::Warning(format!(
                "the clock of peer {} ({agent}) and ours differ by {skew_ms} ms; blocks and records may be refused. Check both clocks",
                peer.0
            )));
        }
    }

    /// A rule was broken that no honest node breaks.
    pub(super) fn fault(&mut self, peer: Peer, reason: &str) {
        let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.dropped) else { return };
        state.dropped = true;
        self.leave_sync_peer(peer);
        self.event(Event::PeerFault { peer, reason: reason.to_owned() });
        self.out(Output::Disconnect { peer, reason: reason.to_owned(), fault: true });
    }

    /// A link is of no use, and nobody is to blame for certain.
    fn leave(&mut self, peer: Peer, reason: &str) {
        let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.dropped) else { return };
        state.dropped = true;
        self.leave_sync_peer(peer);
        self.out(Output::Disconnect { peer, reason: reason.to_owned(), fault: false });
    }

    /// The answer to a question of ours. One to a question given up long ago is nobody's.
    pub(super) fn on_response(
        &mut self,
        peer: Peer,
        id: RequestId,
        response: Result<Response, RequestError>,
    ) -> Result<(), StorageError> {
        if self.peers.get(&peer).is_none_or(|state| state.dropped) {
            return Ok(());
        }
        if let Err(RequestError::Malformed(problem)) = &response {
            self.fault(peer, &format!("malformed answer: {problem}"));
            return Ok(());
        }
        if let Some(block) = self.relay.awaits(peer, id) {
            self.on_relay_response(block, peer, response);
            return Ok(());
        }
        if self.sync.awaits(peer, id) {
            return self.on_sync_response(peer, id, response);
        }
        self.on_exchange_response(peer, id, response)
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        id
    }

    /// Peers that never said where they stand are dropped; the others are told where we stand.
    pub(super) fn drive_peers(&mut self) {
        let now_ms = self.now_ms;
        let mute = |state: &PeerState| {
            state.status.is_none() && !state.dropped && state.connected_ms + limits::STATUS_TIMEOUT_MS <= now_ms
        };
        let mute: Vec<Peer> = self.peers.iter().filter(|(_, state)| mute(state)).map(|(peer, _)| *peer).collect();
        for peer in mute {
            self.leave(peer, "did not say where it stands in time");
        }
        if now_ms < self.timers.status_ms {
            return;
        }
        self.timers.status_ms = now_ms + limits::STATUS_INTERVAL_MS;
        self.timers.status_sent_ms = now_ms;
        self.drop_laggards();
        let status = self.own_status();
        let ready: Vec<Peer> = self.peers.iter().filter(|(_, state)| !state.dropped).map(|(peer, _)| *peer).collect();
        for peer in ready {
            self.out(Output::SendStatus { peer, status: status.clone() });
        }
    }

    /// A peer that stays behind us for long makes room for another, if there is one that does not. It is no fault.
    fn drop_laggards(&mut self) {
        let (now_ms, own) = (self.now_ms, self.work());
        let behind = |state: &PeerState| state.status.as_ref().is_some_and(|status| self.work_of(status) < own);
        if !self.peers.values().any(|state| state.is_ready() && !behind(state)) {
            return;
        }
        let late = |state: &PeerState| state.is_ready() && behind(state) && state.moved_ms + limits::LAG_MS <= now_ms;
        let late: Vec<Peer> = self.peers.iter().filter(|(_, state)| late(state)).map(|(peer, _)| *peer).collect();
        for peer in late {
            self.leave(peer, "has stayed behind our chain");
        }
    }

    /// The work a peer's chain has as far as we can tell: by our tree if we know its tip, else by its word.
    pub(super) fn work_of(&self, status: &Status) -> Work {
        self.tree.get(&status.tip).map_or_else(|| status.work.clone(), |node| node.work.clone())
    }
}
