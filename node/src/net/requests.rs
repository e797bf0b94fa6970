//! Requests under way in both directions, and the caps that keep either side from piling them up.

use super::peers::Peers;
use crate::core::{Peer, RequestId};
use libp2p::PeerId;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};
use medring_protocol::wire::Response;
use std::collections::BTreeMap;

/// Our requests to one peer.
const ASKED_PER_PEER_MAX: usize = 8;
/// Our requests to all peers: what their answers may hold in memory, at 4 MiB each.
const ASKED_MAX: usize = 32;
/// A peer's requests to us.
const SERVING_PER_PEER_MAX: usize = 8;
/// All peers' requests to us.
const SERVING_MAX: usize = 32;

/// A peer's question that we still owe something: an answer, or its last byte.
#[derive(Clone, Copy, Debug)]
struct Served {
    peer_id: PeerId,
    peer: Peer,
    id: RequestId,
}

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Requests {
    asked: BTreeMap<OutboundRequestId, (Peer, RequestId)>,
    served: BTreeMap<InboundRequestId, Served>,
    channels: BTreeMap<(Peer, RequestId), ResponseChannel<Response>>,
    last: u64,
}

impl Requests {
    /// Whether one more may be asked of a peer.
    pub(super) fn may_ask(peers: &mut Peers, peer_id: &PeerId) -> bool {
        peers.asked() < ASKED_MAX && peers.get_mut(peer_id).is_some_and(|state| state.asked < ASKED_PER_PEER_MAX)
    }

    /// A question of ours left.
    pub(super) fn asked(
        &mut self,
        peers: &mut Peers,
        peer_id: &PeerId,
        wire: OutboundRequestId,
        peer: Peer,
        id: RequestId,
    ) {
        self.asked.insert(wire, (peer, id));
        if let Some(state) = peers.get_mut(peer_id) {
            state.asked += 1;
        }
    }

    /// A question of ours has its answer, or never will; `None` if its peer is gone.
    pub(super) fn answered(&mut self, peers: &mut Peers, wire: OutboundRequestId) -> Option<(Peer, RequestId)> {
        let (peer, id) = self.asked.remove(&wire)?;
        let peer_id = peers.id(peer)?;
        if let Some(state) = peers.get_mut(&peer_id) {
            state.asked = state.asked.saturating_sub(1);
        }
        Some((peer, id))
    }

    /// A peer asks. `None` if it, or all together, ask too much at once: then the channel is dropped, and with it the
    /// stream.
    pub(super) fn serve(
        &mut self,
        peers: &mut Peers,
        peer_id: PeerId,
        wire: InboundRequestId,
        channel: ResponseChannel<Response>,
    ) -> Option<(Peer, RequestId)> {
        let peer = peers.open(&peer_id)?;
        let all = peers.serving();
        let state = peers.get_mut(&peer_id)?;
        if all >= SERVING_MAX || state.serving >= SERVING_PER_PEER_MAX {
            return None;
        }
        state.serving += 1;
        self.last += 1;
        let id = RequestId(self.last);
        self.served.insert(wire, Served { peer_id, peer, id });
        self.channels.insert((peer, id), channel);
        Some((peer, id))
    }

    /// Where to send the answer; `None` if the peer is gone or its time is up.
    pub(super) fn channel(&mut self, peer: Peer, id: RequestId) -> Option<ResponseChannel<Response>> {
        self.channels.remove(&(peer, id))
    }

    /// An answer's last byte is out, or it will never be.
    pub(super) fn served(&mut self, peers: &mut Peers, wire: InboundRequestId) {
        let Some(served) = self.served.remove(&wire) else { return };
        self.channels.remove(&(served.peer, served.id));
        if let Some(state) = peers.get_mut(&served.peer_id).filter(|state| state.link.peer == served.peer) {
            state.serving = state.serving.saturating_sub(1);
        }
    }

    /// A peer is gone, and everything between us with it.
    pub(super) fn forget(&mut self, peer: Peer) {
        self.asked.retain(|_, (whom, _)| *whom != peer);
        self.served.retain(|_, served| served.peer != peer);
        self.channels.retain(|(whom, _), _| *whom != peer);
    }
}
