//! Dials on demand: one per peer at a time, and everybody who waits for that peer is told how it ended.

use super::ConnectError;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

type Reply = oneshot::Sender<Result<(), ConnectError>>;

/// One dial.
#[derive(Debug)]
struct Dial {
    connection: ConnectionId,
    /// The first of its addresses, to speak of.
    address: Multiaddr,
    waiting: Vec<Reply>,
}

/// All dials on demand. At most as many as ring exchanges may be under way.
#[derive(Debug, Default)]
pub(super) struct Reaches(BTreeMap<PeerId, Dial>);

impl Reaches {
    /// Waits with others for a dial under way; gives `reply` back if there is none.
    pub(super) fn join(&mut self, peer: &PeerId, reply: Reply) -> Option<Reply> {
        let Some(dial) = self.0.get_mut(peer) else { return Some(reply) };
        // Who gave up makes room.
        dial.waiting.retain(|reply| !reply.is_closed());
        dial.waiting.push(reply);
        None
    }

    /// A dial has begun.
    pub(super) fn dialling(&mut self, peer: PeerId, connection: ConnectionId, address: Multiaddr, reply: Reply) {
        self.0.insert(peer, Dial { connection, address, waiting: vec![reply] });
    }

    /// A link stands, whoever opened it.
    pub(super) fn linked(&mut self, peer: &PeerId) {
        self.settle(peer, &Ok(()));
    }

    /// A dial failed; `why` is told of the address.
    pub(super) fn failed(&mut self, connection: ConnectionId, why: impl FnOnce(&Multiaddr) -> ConnectError) {
        let found = self.0.iter().find(|(_, dial)| dial.connection == connection);
        let Some((peer, error)) = found.map(|(peer, dial)| (*peer, why(&dial.address))) else { return };
        self.settle(&peer, &Err(error));
    }

    fn settle(&mut self, peer: &PeerId, how: &Result<(), ConnectError>) {
        for reply in self.0.remove(peer).into_iter().flat_map(|dial| dial.waiting) {
            // Err: its exchange ran out of time.
            let _ = reply.send(how.clone());
        }
    }
}
