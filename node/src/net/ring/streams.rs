//! Outgoing exchanges over libp2p streams.

use super::super::capture::Capture;
use super::super::{Command, address};
use super::frame::{self, FrameError};
use super::slots::Slots;
use super::{OUTBOUND_MAX, OUTBOUND_PER_PEER_MAX, OUTBOUND_TIMEOUT, Transport, TransportError};
use crate::telemetry::{Metrics, RingOutcome};
use futures::AsyncWriteExt;
use futures::future::BoxFuture;
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use libp2p_stream::{Control, OpenStreamError};
use medring_protocol::group::message::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, ANSWER_BYTES_MAX, Endpoint, MESSAGE_BYTES_MAX,
};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// [`Transport`] over one libp2p stream per message. Clones share places and links.
#[derive(Clone)]
pub struct RingStreams {
    control: Control,
    protocol: StreamProtocol,
    slots: Arc<Slots>,
    /// The event loop: only it may dial.
    commands: mpsc::Sender<Command>,
    capture: Capture,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for RingStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingStreams").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl RingStreams {
    pub(in crate::net) fn new(
        control: Control,
        protocol: StreamProtocol,
        commands: mpsc::Sender<Command>,
        (capture, metrics): (Capture, Arc<Metrics>),
    ) -> Self {
        let slots = Slots::new(OUTBOUND_MAX, OUTBOUND_PER_PEER_MAX);
        Self { control, protocol, slots, commands, capture, metrics }
    }

    async fn exchange(&self, peer: PeerId, addresses: Vec<Multiaddr>, frame: &[u8]) -> Result<Vec<u8>, TransportError> {
        let _slot = self.slots.take(peer).await.ok_or(TransportError::Stopping)?;
        self.reach(peer, addresses).await?;
        let lost = |error: std::io::Error| TransportError::Lost(error.to_string());
        let opened = self.control.clone().open_stream(peer, self.protocol.clone()).await;
        let mut stream = opened.map_err(|error| match error {
            OpenStreamError::UnsupportedProtocol(_) => TransportError::Unsupported,
            OpenStreamError::Io(error) => lost(error),
            other => TransportError::Lost(other.to_string()),
        })?;
        self.capture.add(frame);
        frame::write(&mut stream, frame).await.map_err(lost)?;
        self.metrics.ring_bytes_out(frame.len());
        // Half-closed: the peer sees where the message ends, and its answer still comes.
        stream.close().await.map_err(lost)?;
        match frame::read(&mut stream, ANSWER_BYTES_MAX).await {
            Ok(answer) => {
                self.metrics.ring_bytes_in(answer.len());
                Ok(answer)
            }
            Err(FrameError::Stream(error)) => Err(lost(error)),
            Err(FrameError::Length(why)) => {
                let reason = format!("malformed answer on a ring stream: {why}");
                // Err: the event loop has ended, and with it the link.
                let _ = self.commands.send(Command::Fault { peer_id: peer, reason }).await;
                Err(TransportError::Malformed(why))
            }
        }
    }

    /// Makes sure that a link stands. The event loop dials, so that door and limits on links apply.
    async fn reach(&self, peer_id: PeerId, addresses: Vec<Multiaddr>) -> Result<(), TransportError> {
        let (reply, linked) = oneshot::channel();
        let asked = self.commands.send(Command::Reach { peer_id, addresses, reply }).await;
        asked.map_err(|_| TransportError::Stopping)?;
        let linked = linked.await.map_err(|_| TransportError::Stopping)?;
        linked.map_err(|error| TransportError::Unreachable(error.to_string()))
    }
}

impl Transport for RingStreams {
    fn deliver(&self, to: &Endpoint, frame: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        let target = target(to);
        Box::pin(async move {
            let (peer, addresses) = target?;
            if frame.is_empty() || frame.len() > MESSAGE_BYTES_MAX {
                let why = format!("a frame of {} bytes, allowed are 1 to {MESSAGE_BYTES_MAX}", frame.len());
                return Err(TransportError::Caller(why));
            }
            let done = tokio::time::timeout(OUTBOUND_TIMEOUT, self.exchange(peer, addresses, &frame)).await;
            let done = done.unwrap_or(Err(TransportError::Timeout));
            self.metrics.ring_out(if done.is_ok() { RingOutcome::Done } else { RingOutcome::Failed });
            done
        })
    }
}

/// Whom to reach and where. Hints come from other people: what is no plain address, or names another peer, is left out.
fn target(to: &Endpoint) -> Result<(PeerId, Vec<Multiaddr>), TransportError> {
    let peer = PeerId::from_bytes(&to.peer_id)
        .map_err(|error| TransportError::Caller(format!("the member's peer id is malformed: {error}")))?;
    let hint = |text: &String| {
        let address: Multiaddr = text.parse().ok()?;
        let parts = address::parts(&address)?;
        (parts.peer.is_none() || parts.peer == Some(peer)).then_some(address)
    };
    let short = to.addresses.iter().filter(|text| text.len() <= ADDRESS_BYTES_MAX);
    Ok((peer, short.take(ADDRESSES_MAX).filter_map(hint).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_plain_addresses_that_name_nobody_else() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let good = [format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}"), "/ip6/::1/udp/2/quic-v1".to_owned()];
        let bad = [
            format!("/ip4/127.0.0.1/tcp/1/p2p/{other}"),
            "/dns4/example.org/tcp/1".to_owned(),
            "/ip4/127.0.0.1/udp/1".to_owned(),
            format!("/ip4/127.0.0.1/tcp/1/p2p/{other}/p2p-circuit/p2p/{peer}"),
            "nonsense".to_owned(),
        ];
        let hints = |addresses: &[String]| {
            target(&Endpoint { peer_id: peer.to_bytes(), addresses: addresses.to_vec() }).unwrap().1.len()
        };
        assert_eq!(hints(&good), 2);
        for address in bad {
            assert_eq!(hints(std::slice::from_ref(&address)), 0, "{address}");
        }
        assert_eq!(hints(&vec![good[1].clone(); 9]), ADDRESSES_MAX);
        assert!(matches!(target(&Endpoint::default()), Err(TransportError::Caller(_))));
    }
}
