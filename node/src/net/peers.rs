//! Who is linked: libp2p's peer ids and the core's numbers, which are never used twice.

use super::address::bare;
use super::meter::{Bucket, Rate};
use crate::core::Peer;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeMap;

/// Who opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// One linked peer, as seen by the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The core's number.
    pub peer: Peer,
    /// Its libp2p id.
    pub peer_id: PeerId,
    /// The address of its oldest link.
    pub address: Multiaddr,
    /// Who opened that link.
    pub direction: Direction,
    /// When it was opened, ms since 1970.
    pub since_ms: u64,
}

/// What the event loop keeps about a peer besides its [`Link`].
#[derive(Debug)]
pub(super) struct PeerState {
    pub(super) link: Link,
    /// Statuses of ours it has not acknowledged.
    pub(super) statuses_unacknowledged: u32,
    /// It is to be dropped as soon as none is left: it must be able to read why.
    pub(super) closing: bool,
    /// Requests of ours to it under way.
    pub(super) asked: usize,
    /// Its requests to us not yet answered, or their answers not yet sent.
    pub(super) serving: usize,
    /// What it used of us, and was good for.
    pub(super) usage: Usage,
}

/// Gossip of one peer, in bytes: four full blocks a second.
const GOSSIP_BYTES: Rate = Rate { per_second: 4 << 20, burst: 32 << 20 };
/// The same in messages.
const GOSSIP_MESSAGES: Rate = Rate { per_second: 1_000, burst: 10_000 };
/// Questions of one peer.
const REQUESTS: Rate = Rate { per_second: 512, burst: 2_048 };
/// A peer's word on where it stands; ours goes out twice a second at most.
const STATUSES: Rate = Rate { per_second: 4, burst: 32 };

/// A peer's word on where it listens.
const IDENTIFIES: Rate = Rate { per_second: 1, burst: 16 };

/// What one peer used of us, and was good for.
#[derive(Debug)]
pub(super) struct Usage {
    gossip_bytes: Bucket,
    gossip_messages: Bucket,
    requests: Bucket,
    statuses: Bucket,
    identifies: Bucket,
    /// Where it says that it listens, as far as that is of use.
    pub(super) addresses: Vec<Multiaddr>,
    /// When it last exceeded one of these.
    pub(super) excess_ms: Option<u64>,
    /// Its quickest answer to a ping, µs.
    pub(super) ping_us: Option<u64>,
    /// When it last brought a block that we forwarded, ms.
    pub(super) block_ms: Option<u64>,
    /// The same of records.
    pub(super) record_ms: Option<u64>,
}

impl Usage {
    fn new(now_ms: u64) -> Self {
        let full = Bucket::new(now_ms);
        Self {
            gossip_bytes: full,
            gossip_messages: full,
            requests: full,
            statuses: full,
            identifies: full,
            addresses: Vec::new(),
            excess_ms: None,
            ping_us: None,
            block_ms: None,
            record_ms: None,
        }
    }

    /// Whether a message of so many bytes is still within its allowance.
    pub(super) fn may_gossip(&mut self, bytes: u64, now_ms: u64) -> bool {
        self.gossip_messages.take(GOSSIP_MESSAGES, 1, now_ms) && self.gossip_bytes.take(GOSSIP_BYTES, bytes, now_ms)
    }

    /// Whether a question is.
    pub(super) fn may_ask(&mut self, now_ms: u64) -> bool {
        self.requests.take(REQUESTS, 1, now_ms)
    }

    /// Whether a word on where it listens is.
    pub(super) fn may_identify(&mut self, now_ms: u64) -> bool {
        self.identifies.take(IDENTIFIES, 1, now_ms)
    }

    /// Whether a status is.
    pub(super) fn may_say_status(&mut self, now_ms: u64) -> bool {
        self.statuses.take(STATUSES, 1, now_ms)
    }
}

/// All linked peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_id: BTreeMap<PeerId, PeerState>,
    by_number: BTreeMap<Peer, PeerId>,
    last: u64,
}

impl Peers {
    /// A first link to `peer_id` stands.
    pub(super) fn add(&mut self, peer_id: PeerId, address: Multiaddr, direction: Direction, since_ms: u64) -> Peer {
        self.last += 1;
        let peer = Peer(self.last);
        let link = Link { peer, peer_id, address, direction, since_ms };
        let usage = Usage::new(since_ms);
        let state = PeerState { link, statuses_unacknowledged: 0, closing: false, asked: 0, serving: 0, usage };
        self.by_id.insert(peer_id, state);
        self.by_number.insert(peer, peer_id);
        peer
    }

    /// Its last link is gone.
    pub(super) fn remove(&mut self, peer_id: &PeerId) -> Option<Peer> {
        let state = self.by_id.remove(peer_id)?;
        self.by_number.remove(&state.link.peer);
        Some(state.link.peer)
    }

    pub(super) fn id(&self, peer: Peer) -> Option<PeerId> {
        self.by_number.get(&peer).copied()
    }

    pub(super) fn get_mut(&mut self, peer_id: &PeerId) -> Option<&mut PeerState> {
        self.by_id.get_mut(peer_id)
    }

    /// The core's number of a peer that is not about to be dropped.
    pub(super) fn open(&self, peer_id: &PeerId) -> Option<Peer> {
        self.by_id.get(peer_id).filter(|state| !state.closing).map(|state| state.link.peer)
    }

    /// The peer linked from or to this address, which names no peer.
    pub(super) fn at(&self, address: &Multiaddr) -> Option<PeerId> {
        self.by_id
            .values()
            .map(|state| &state.link)
            .find(|link| bare(&link.address) == *address)
            .map(|link| link.peer_id)
    }

    pub(super) fn states(&self) -> impl Iterator<Item = &PeerState> {
        self.by_id.values()
    }

    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.by_id.keys().copied().collect()
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.by_number.values().filter_map(|id| self.by_id.get(id)).map(|state| state.link.clone()).collect()
    }

    /// Requests of ours under way, to all peers.
    pub(super) fn asked(&self) -> usize {
        self.by_id.values().map(|state| state.asked).sum()
    }

    /// Requests of others under way, by all peers.
    pub(super) fn serving(&self) -> usize {
        self.by_id.values().map(|state| state.serving).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_gossips_more_than_it_may_is_not_listened_to() {
        let small = |usage: &mut Usage, n: u64| (0..n).filter(|_| usage.may_gossip(100, 0)).count();
        assert_eq!(small(&mut Usage::new(0), 20_000), 10_000, "messages");
        let mut usage = Usage::new(0);
        let large = (0..100).filter(|_| usage.may_gossip(1 << 20, 0)).count();
        assert_eq!(large, 32, "bytes");
        assert!(!usage.may_gossip(1 << 20, 200) && usage.may_gossip(1 << 20, 450), "refilled by 4 MiB a second");
        assert_eq!((0..100).filter(|_| usage.may_say_status(0)).count(), 32);
        assert_eq!((0..10_000).filter(|_| usage.may_ask(0)).count(), 2_048);
    }
}
