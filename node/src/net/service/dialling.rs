//! Opening links: to bootstrap addresses, on request, and what to tell people when that fails.

use super::super::ConnectError;
use super::super::address::peer_of;
use super::{Service, now};
use crate::core::Event;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

impl Service {
    pub(super) fn redial(&mut self) {
        for address in self.bootstrap.due(now()) {
            match self.dial(&address) {
                Ok(connection) => self.bootstrap.dialling(&address, connection),
                Err(error) => {
                    self.bootstrap.failed_to_dial(&address, now());
                    self.say_once(&address, &describe(&error, &address));
                }
            }
        }
    }

    fn dial(&mut self, address: &Multiaddr) -> Result<ConnectionId, DialError> {
        // A fresh local port: a link that was just closed would block the old pair of ports for a minute.
        let opts = match peer_of(address) {
            Some(peer_id) => DialOpts::peer_id(peer_id)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(vec![address.clone()])
                .allocate_new_port()
                .build(),
            None => DialOpts::unknown_peer_id().address(address.clone()).allocate_new_port().build(),
        };
        let connection = opts.connection_id();
        self.swarm.behaviour_mut().gate.want(connection);
        self.swarm.dial(opts).map(|()| connection)
    }

    pub(super) fn connect(&mut self, address: Multiaddr, reply: oneshot::Sender<Result<PeerId, ConnectError>>) {
        // A second link from the same port to the same address cannot even be dialled.
        let linked = match peer_of(&address) {
            Some(peer_id) => Some(peer_id).filter(|id| self.swarm.is_connected(id)),
            None => self.peers.at(&address),
        };
        if let Some(peer_id) = linked {
            let _ = reply.send(Ok(peer_id));
            return;
        }
        match self.dial(&address) {
            Ok(connection) => drop(self.connects.insert(connection, (address, reply))),
            Err(error) => drop(reply.send(Err(ConnectError(describe(&error, &address))))),
        }
    }

    /// Answers once a link to `peer_id` stands or cannot be made. The dial is pinned to that peer: Noise refuses another.
    pub(super) fn reach(
        &mut self,
        peer_id: PeerId,
        addresses: Vec<Multiaddr>,
        reply: oneshot::Sender<Result<(), ConnectError>>,
    ) {
        if self.peers.open(&peer_id).is_some() {
            let _ = reply.send(Ok(()));
            return;
        }
        let Some(reply) = self.reaches.join(&peer_id, reply) else { return };
        let Some(first) = addresses.first().cloned() else {
            let _ = reply.send(Err(ConnectError(format!("{peer_id} is not linked, and no address of it is known"))));
            return;
        };
        // A fresh local port, and no regard for a bootstrap dial under way, whose address may be an old one.
        let opts = DialOpts::peer_id(peer_id)
            .condition(PeerCondition::Disconnected)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        let connection = opts.connection_id();
        self.swarm.behaviour_mut().gate.want(connection);
        match self.swarm.dial(opts) {
            Ok(()) => self.reaches.dialling(peer_id, connection, first, reply),
            Err(error) => drop(reply.send(Err(ConnectError(describe(&error, &first))))),
        }
    }

    pub(super) fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        self.reaches.failed(connection, |address| ConnectError(describe(error, address)));
        if let Some((address, reply)) = self.connects.remove(&connection) {
            let _ = reply.send(Err(ConnectError(describe(error, &address))));
        }
        if let Some(peer_id) = self.trials.remove(&connection) {
            self.book.failed(&peer_id, (self.now_ms)());
        }
        let own = matches!(error, DialError::LocalPeerId { .. });
        if let Some(address) = self.bootstrap.failed(connection, own, now()) {
            self.say_once(&address, &describe(error, &address));
        }
    }

    /// Tells the operator what is wrong with a bootstrap address, and again only when something else is.
    fn say_once(&mut self, address: &Multiaddr, problem: &str) {
        if self.failures.get(address).is_none_or(|last| last != problem) {
            self.failures.insert(address.clone(), problem.into());
            let _ = self.events.send(Event::Warning(format!("bootstrap: {problem}")));
        }
    }
}

/// What to tell an operator about an address that did not work.
fn describe(error: &DialError, address: &Multiaddr) -> String {
    match error {
        DialError::WrongPeerId { obtained, .. } => {
            let expected = peer_of(address).map_or_else(|| "another".into(), |id| id.to_string());
            format!(
                "{address} names peer {expected}, and the node there is {obtained}; ask its operator which is right"
            )
        }
        DialError::LocalPeerId { .. } => format!("{address} is this node itself"),
        DialError::Denied { cause } => format!("{address}: {}", root(cause)),
        DialError::DialPeerConditionFalse(_) => format!("{address}: this peer is linked or being dialled already"),
        DialError::Transport(errors) => {
            let why = errors.first().map(|(_, error)| root(error)).unwrap_or_default();
            format!("nothing answers at {address} ({why}); is that node up, and its port right?")
        }
        other => format!("{address}: {other}"),
    }
}

/// The innermost error: the outer ones say no more than "transport error".
fn root(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(next) = at.source() {
        at = next;
    }
    at.to_string()
}
