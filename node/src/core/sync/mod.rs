//! Catching up: the headers of the branch with most work first, then its bodies, from several peers at once.
//!
//! ```text
//! a peer has more work ──► headers, 2,000 at a time ──► what it has is known ──► bodies: a window of 1,024 blocks,
//!        (status, orphan)     one peer at first          (PeerState::has)          16 in flight per peer, lowest first
//!                             too little work: weighed twice, stored never
//! ```
//! No answer, an empty one or a dead link is nobody's fault for certain: the peer is left alone for a while, twice as long
//! each time, and others are asked. Nothing is lost by it, as headers and bodies are stored as they come.

mod backoff;
mod bodies;
mod headers;
mod intake;
mod meter;
mod window;

pub(super) use backoff::Backoff;

use super::blocks::Origin;
use super::{NodeCore, Peer, RequestError, RequestId, SyncPhase, SyncSnapshot};
use medring_protocol::BlockId;
use medring_protocol::wire::Response;
use medring_storage::{Engine, StorageError};
use std::collections::BTreeSet;

/// What sync is doing.
#[derive(Debug, Default)]
pub(super) struct Sync {
    headers: headers::HeaderRuns,
    bodies: bodies::Bodies,
}

impl Sync {
    /// Whether this is a question whose answer is awaited.
    pub(super) fn awaits(&self, peer: Peer, request: RequestId) -> bool {
        self.headers.awaits(peer, request) || self.bodies.awaits(peer, request)
    }

    /// The moments kept here.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        self.headers.moments().chain(self.bodies.moments())
    }
}

impl<E: Engine> NodeCore<E> {
    /// One step: gives up what takes too long, asks for what can be asked for.
    pub(super) fn drive_sync(&mut self) -> Result<(), StorageError> {
        self.drive_headers();
        self.drive_bodies();
        self.process_ready_blocks()
    }

    /// When sync has something to do: a time limit, or the end of a peer's back-off.
    pub(super) fn sync_due_ms(&self) -> Option<u64> {
        self.headers_due_ms().into_iter().chain(self.bodies_due_ms()).min()
    }

    /// Its link is gone, or it is being dropped: what it was asked for is free again.
    pub(super) fn leave_sync_peer(&mut self, peer: Peer) {
        self.sync.headers.forget(peer);
        self.sync.bodies.forget(peer);
    }

    /// Blocks turned out invalid: no more of them is fetched.
    pub(super) fn stop_sync_to(&mut self, lost: &[BlockId]) {
        if self.sync.bodies.target().is_some_and(|target| lost.contains(&target)) {
            self.leave_window();
        }
    }

    pub(super) fn sync_snapshot(&self) -> SyncSnapshot {
        let Sync { headers, bodies } = &self.sync;
        let height = self.height();
        let idle = SyncSnapshot {
            phase: if headers.is_busy() { SyncPhase::Headers } else { SyncPhase::Idle },
            peers: headers.peers().count(),
            bodies: 0,
            bodies_total: 0,
            to: height,
            blocks_per_second: 0,
            left_ms: None,
        };
        let Some(window) = bodies.window() else { return idle };
        let left = (window.top() + 1).saturating_sub(window.base());
        let peers: BTreeSet<Peer> = headers.peers().chain(bodies.peers().into_keys()).collect();
        SyncSnapshot {
            phase: SyncPhase::Bodies,
            peers: peers.len(),
            bodies: (window.base() - 1).saturating_sub(window.from()),
            bodies_total: window.top().saturating_sub(window.from()),
            to: window.top(),
            blocks_per_second: bodies.meter.per_second(self.now_ms),
            left_ms: bodies.meter.left_ms(self.now_ms, left).filter(|_| left > 0),
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

    /// Whoever gossiped a block has it.
    pub(super) fn note_giver(&mut self, id: &BlockId, origin: Origin) {
        if self.tree.get(id).is_some_and(|node| node.work > self.work())
            && let Some(state) = origin.gossiped_by().and_then(|peer| self.peers.get_mut(&peer))
        {
            state.has = Some(*id);
        }
    }

    pub(super) fn on_sync_response(
        &mut self,
        peer: Peer,
        id: RequestId,
        response: Result<Response, RequestError>,
    ) -> Result<(), StorageError> {
        let headers = self.sync.headers.awaits(peer, id);
        match response {
            Err(_) if headers => self.headers_timed_out(peer),
            Err(_) => self.bodies_timed_out(id),
            Ok(Response::Headers(batch)) if headers => return self.take_headers(peer, &batch),
            Ok(Response::Blocks(blocks)) if !headers => self.take_bodies(id, blocks),
            Ok(_) => self.fault(peer, "answered another question than was asked"),
        }
        Ok(())
    }
}

/// Spreads the bits of a number (splitmix64): which of equally good peers is asked first differs from node to node.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
