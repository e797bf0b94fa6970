//! A peer that speaks the ring's protocol as it pleases, and ways to look at what a node makes of it.

use crate::common::{PATIENCE, in_time, until_true};
use crate::links::{CHAIN, Link};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use medring_node::net::ring::Incoming;
use medring_protocol::group::message::Endpoint;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

fn protocol() -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/medring/{}/ring/1", hex::encode(&CHAIN.0[..8]))).unwrap()
}

/// A swarm that knows nothing but streams.
pub(crate) struct Rogue {
    control: Control,
    pub(crate) peer_id: PeerId,
    pub(crate) address: Multiaddr,
    swarm: JoinHandle<()>,
}

impl Rogue {
    /// Linked to `node`.
    pub(crate) async fn linked_to(node: &Link) -> Self {
        let target = node.net.listen[0].clone();
        let mut swarm = libp2p::SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(Default::default(), libp2p::noise::Config::new, libp2p::yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .with_swarm_config(|c| c.with_idle_connection_timeout(PATIENCE))
            .build();
        let (control, peer_id) = (swarm.behaviour().new_control(), *swarm.local_peer_id());
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        swarm.dial(target).unwrap();
        let (ready_tx, ready) = oneshot::channel();
        let swarm = tokio::spawn(async move {
            let (mut ready_tx, mut address, mut linked) = (Some(ready_tx), None, false);
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { address: new, .. } => address = Some(new),
                    SwarmEvent::ConnectionEstablished { .. } => linked = true,
                    _ => {}
                }
                if let (Some(address), true) = (&address, linked)
                    && let Some(ready) = ready_tx.take()
                {
                    let _ = ready.send(address.clone());
                }
            }
        });
        let address = in_time("a rogue's link", ready).await.unwrap();
        Self { control, peer_id, address, swarm }
    }

    /// A new stream to a linked node.
    pub(crate) async fn open(&self, node: &Link) -> Stream {
        let opening = self.control.clone();
        let opened = { opening }.open_stream(node.net.peer_id, protocol()).await;
        opened.unwrap()
    }

    /// Takes streams from now on.
    pub(crate) fn accept(&self) -> IncomingStreams {
        self.control.clone().accept(protocol()).unwrap()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { peer_id: self.peer_id.to_bytes(), addresses: vec![self.address.to_string()] }
    }

    /// Ends without a word, its links with it.
    pub(crate) async fn vanish(self) {
        self.swarm.abort();
        let _ = self.swarm.await;
    }
}

/// u32 length ‖ bytes.
pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// All that comes until the stream ends; whether it ended well is the first half.
pub(crate) async fn read_to_end(stream: &mut Stream, what: &str) -> (bool, Vec<u8>) {
    let mut bytes = Vec::new();
    let read = in_time(what, stream.read_to_end(&mut bytes)).await;
    (read.is_ok(), bytes)
}

/// Writes one byte each 20 ms until the far side has had enough.
pub(crate) async fn drip(stream: &mut Stream, what: &str) {
    let dripping = async {
        while stream.write_all(&[0]).await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(what, dripping).await;
}

/// Where a node is, as others are told.
pub(crate) fn endpoint(node: &Link) -> Endpoint {
    Endpoint { peer_id: node.net.peer_id.to_bytes(), addresses: vec![node.net.listen[0].to_string()] }
}

impl Link {
    /// The next message for this node.
    pub(crate) async fn message(&mut self, what: &str) -> Incoming {
        in_time(what, self.net.ring_incoming.recv()).await.expect("the node takes streams")
    }

    /// A counter's value.
    pub(crate) fn count(&self, direction: &str, outcome: &str) -> u64 {
        let name = format!("medring_ring_exchanges_total{{direction=\"{direction}\",outcome=\"{outcome}\"}} ");
        self.metrics.render().lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
    }

    /// Waits until that many exchanges ended so.
    pub(crate) async fn until_count(&self, direction: &str, outcome: &str, least: u64) {
        let what = format!("{least} exchanges {direction} that are {outcome}");
        until_true(&what, || self.count(direction, outcome) >= least).await;
    }
}
