//! Takes peers' ring streams on the tasks of their links. A stream has its place before it is queued, so the queue is never
//! full, and what finds no place is reset at once and counted.

use super::slots::{Slot, Slots};
use super::{INBOUND_MAX, INBOUND_PER_PEER_MAX};
use crate::telemetry::{Metrics, RingOutcome};
use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, Stream,
    StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A peer's stream, with the place it holds.
pub(in crate::net) struct Taken {
    pub(super) peer: PeerId,
    pub(super) stream: Stream,
    pub(super) slot: Slot,
}

/// Offers the protocol on every link.
#[derive(Clone)]
pub(in crate::net) struct Inlet {
    protocol: StreamProtocol,
    slots: Arc<Slots>,
    taken: mpsc::Sender<Taken>,
    metrics: Arc<Metrics>,
}

impl Inlet {
    /// With the far end, where the streams come out.
    pub(super) fn new(protocol: StreamProtocol, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Taken>) {
        let (taken, streams) = mpsc::channel(INBOUND_MAX);
        let slots = Slots::new(INBOUND_MAX, INBOUND_PER_PEER_MAX);
        (Self { protocol, slots, taken, metrics }, streams)
    }

    /// Dropping the stream resets it, which tells the peer to try later.
    fn take(&self, peer: PeerId, stream: Stream) {
        match self.slots.try_take(peer) {
            // Err: nobody takes streams any more, since this node stops.
            Some(slot) => drop(self.taken.try_send(Taken { peer, stream, slot })),
            None => {
                tracing::debug!(%peer, "too many ring streams at once: one was refused");
                self.metrics.ring_in(RingOutcome::Refused);
            }
        }
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler { peer, inlet: self.clone() }
    }
}

impl NetworkBehaviour for Inlet {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// One link's end of it.
pub(in crate::net) struct Handler {
    peer: PeerId,
    inlet: Inlet,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.inlet.protocol.clone()), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) = event {
            self.inlet.take(self.peer, stream);
        }
    }
}
