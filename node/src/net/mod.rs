//! Links to other nodes over TCP (Noise, Yamux) and QUIC. Knows no consensus: turns what happens on the swarm into the core's
//! inputs and the core's outputs into commands to the swarm.
//!
//! Nothing here waits while holding something another waits for: commands are always taken, and swarm events are taken
//! only while the core's input queue has room, so a busy core slows the peers down through TCP and not through memory.

pub mod address;
mod behaviour;
mod capture;
mod codec;
mod dial;
mod gate;
mod peers;
mod reach;
mod requests;
pub mod ring;
mod service;

pub use capture::Capture;
pub use peers::{Direction, Link};

use crate::core::{Event, Input, Output};
use address::{Parts, Transport};
use behaviour::Topics;
use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, identity};
use medring_protocol::ChainId;
use ring::{Incoming, RingStreams};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for the event loop; it takes them all the time, so senders hardly ever wait.
const COMMANDS_MAX: usize = 64;
/// Until a listening address is reported.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What the network is told at the start.
pub struct NetConfig {
    /// This node's libp2p key; not a participant's.
    pub key: identity::Keypair,
    /// The chain: names topics and protocols.
    pub chain: ChainId,
    /// Software and version, told to peers.
    pub agent: String,
    /// Addresses to listen on.
    pub listen: Vec<Multiaddr>,
    /// Addresses to stay linked to.
    pub bootstrap: Vec<Multiaddr>,
    /// Most links.
    pub max_peers: u32,
    /// Where payloads are copied to before they are encrypted.
    pub capture: Capture,
    /// Where gossip is counted.
    pub metrics: std::sync::Arc<crate::telemetry::Metrics>,
    /// The driver's clock, ms since 1970.
    pub now_ms: fn() -> u64,
}

impl std::fmt::Debug for NetConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key: _, chain, agent, listen, bootstrap, max_peers, capture: _, metrics: _, now_ms: _ } = self;
        let shown = (chain, agent, listen, bootstrap, max_peers);
        f.debug_tuple("NetConfig").field(&shown).finish_non_exhaustive()
    }
}

/// What the event loop is asked to do.
#[derive(Debug)]
pub enum Command {
    /// One of the core's network outputs: status, question, answer, verdict, gossip or disconnection.
    Core(Output),
    /// Dial an address once.
    Connect {
        /// Where.
        address: Multiaddr,
        /// The peer found there.
        reply: oneshot::Sender<Result<PeerId, ConnectError>>,
    },
    /// Make sure that a link to this peer, and to no other, stands.
    Reach {
        /// Whom.
        peer_id: PeerId,
        /// Where it may be, if no link stands.
        addresses: Vec<Multiaddr>,
        /// Told when a link stands or none could be made.
        reply: oneshot::Sender<Result<(), ConnectError>>,
    },
    /// A peer broke the rules on a stream of its own: say so and drop it.
    Fault {
        /// Who.
        peer_id: PeerId,
        /// How.
        reason: String,
    },
    /// Shut or open the door to all links (test networks only).
    Isolate {
        /// Shut it.
        on: bool,
        /// Told when no link is left, or at once when opened.
        reply: oneshot::Sender<()>,
    },
}

/// Why an address could not be reached, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(pub String);

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// Which.
        address: Multiaddr,
        /// Why, and what to do.
        problem: String,
    },
    /// Our own settings are wrong.
    #[error("network settings: {0}; this is a bug in medring, please report it")]
    Settings(String),
}

/// A running network.
#[derive(Debug)]
pub struct Net {
    /// The event loop's ear.
    pub commands: mpsc::Sender<Command>,
    /// Linked peers.
    pub links: watch::Receiver<Vec<Link>>,
    /// This node's id.
    pub peer_id: PeerId,
    /// Addresses listened on, in the order of the configuration, each with `/p2p/` and this node's id.
    pub listen: Vec<Multiaddr>,
    /// Direct streams to members of groups.
    pub ring: RingStreams,
    /// What members of groups say to this node. Dropped: their streams are reset.
    pub ring_incoming: mpsc::Receiver<Incoming>,
    /// The event loop; ends when `stop` is cancelled.
    pub task: tokio::task::JoinHandle<()>,
}

/// Listens, and starts the event loop. Fails if an address cannot be listened on.
pub async fn start(
    config: NetConfig,
    inputs: mpsc::Sender<Input>,
    events: broadcast::Sender<Event>,
    stop: CancellationToken,
) -> Result<Net, NetError> {
    let topics = Topics::new(&config.chain);
    let (inlet, ring_streams) = ring::inlet(&config).map_err(NetError::Settings)?;
    let mut swarm = behaviour::swarm(&config, &topics, inlet).map_err(NetError::Settings)?;
    let mut listeners = Vec::new();
    for address in &config.listen {
        probe(address)?;
        let id = swarm.listen_on(address.clone()).map_err(|error| NetError::Listen {
            address: address.clone(),
            problem: match error {
                TransportError::Other(io) => io.to_string(),
                TransportError::MultiaddrNotSupported(_) => "this kind of address is not supported".into(),
            },
        })?;
        listeners.push(id);
    }
    let peer_id = *swarm.local_peer_id();
    let (commands, commands_rx) = mpsc::channel(COMMANDS_MAX);
    let control = swarm.behaviour().ring.new_control();
    let (ring, ring_incoming) =
        ring::start(control, ring_streams, &config, &commands, &stop).map_err(NetError::Settings)?;
    let (links_tx, links) = watch::channel(Vec::new());
    let (ready_tx, ready) = oneshot::channel();
    let service = service::Service::new(swarm, topics, &config, inputs, events, links_tx, (listeners, ready_tx));
    let task = tokio::spawn(service.run(commands_rx, stop));
    let listen = match tokio::time::timeout(LISTEN_TIMEOUT, ready).await {
        Ok(Ok(addresses)) => addresses,
        _ => {
            task.abort();
            let address = config.listen.first().cloned().unwrap_or_else(Multiaddr::empty);
            let problem = format!("no address was reported within {} s", LISTEN_TIMEOUT.as_secs());
            return Err(NetError::Listen { address, problem });
        }
    };
    let listen = listen.into_iter().map(|address| address.with(Protocol::P2p(peer_id))).collect();
    Ok(Net { commands, links, peer_id, listen, ring, ring_incoming, task })
}

/// Fails if a port is taken. The transport itself would not notice: it shares ports (SO_REUSEPORT) with other processes of
/// the same user, and each would get every second link.
fn probe(address: &Multiaddr) -> Result<(), NetError> {
    let Some(Parts { socket, transport, .. }) = address::parts(address).filter(|parts| parts.socket.port() != 0) else {
        return Ok(());
    };
    let bound = match transport {
        Transport::Tcp => TcpListener::bind(socket).map(drop),
        Transport::Quic => UdpSocket::bind(socket).map(drop),
    };
    bound.map_err(|error| NetError::Listen {
        address: address.clone(),
        problem: match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another process listens there; stop it, or choose another port (0 takes any free one)".into()
            }
            _ => format!("{error}; choose an address of this machine"),
        },
    })
}
