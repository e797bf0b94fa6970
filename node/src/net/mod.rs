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
mod hearing;
mod known;
mod meter;
mod peers;
mod reach;
mod requests;
pub mod ring;
mod scoring;
mod service;
mod slots;
mod topics;

pub use capture::Capture;
pub use known::{Ban, Known, Target};
pub use peers::{Direction, Link};

use crate::core::{Event, Input, Output};
use crate::faults::Faults;
use address::{Parts, Transport};
use known::{Bans, Book, Contents};
use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, identity};
use medring_protocol::ChainId;
use ring::{Incoming, RingStreams};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use topics::Topics;

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
    /// Addresses others reach this node at besides those it listens on.
    pub announce: Vec<Multiaddr>,
    /// Most links.
    pub max_peers: u32,
    /// Whether other nodes are looked for, beyond the bootstrap addresses.
    pub discovery: bool,
    /// Whether they are also looked for on the local network.
    pub mdns: bool,
    /// Where known peers and bans are kept; `None`: nowhere.
    pub peers_file: Option<PathBuf>,
    /// What orders choices between peers so that nobody foresees them.
    pub seed: u64,
    /// Where payloads are copied to before they are encrypted.
    pub capture: Capture,
    /// The wire version spoken: the newest, or 1 on test networks that want an older node.
    pub wire_version: u16,
    /// Where gossip is counted.
    pub metrics: std::sync::Arc<crate::telemetry::Metrics>,
    /// The driver's clock, ms since 1970.
    pub now_ms: fn() -> u64,
}

impl std::fmt::Debug for NetConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chain, agent, listen, bootstrap, max_peers, discovery, .. } = self;
        let shown = (chain, agent, listen, bootstrap, max_peers, discovery);
        f.debug_tuple("NetConfig").field(&shown).finish_non_exhaustive()
    }
}

impl NetConfig {
    /// A network of `chain` that listens on a free port of 127.0.0.1, knows nobody, looks for nobody and remembers nothing.
    pub fn new(key: identity::Keypair, chain: ChainId, now_ms: fn() -> u64) -> Self {
        Self {
            key,
            chain,
            agent: concat!("medring/", env!("CARGO_PKG_VERSION")).into(),
            listen: vec![Multiaddr::from(std::net::Ipv4Addr::LOCALHOST).with(Protocol::Tcp(0))],
            bootstrap: Vec::new(),
            announce: Vec::new(),
            max_peers: 64,
            discovery: false,
            mdns: false,
            peers_file: None,
            seed: 0,
            capture: Capture::default(),
            wire_version: medring_protocol::wire::VERSION,
            metrics: std::sync::Arc::default(),
            now_ms,
        }
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
    /// Tell which peers are remembered.
    Known {
        /// All of them, by id.
        reply: oneshot::Sender<Vec<Known>>,
    },
    /// Tell who is banned.
    Bans {
        /// Those that end first in front.
        reply: oneshot::Sender<Vec<Ban>>,
    },
    /// Ban somebody.
    Ban {
        /// Whom, until when, why.
        ban: Ban,
        /// Told when it is on disk; dropped if it cannot be stored.
        written: oneshot::Sender<()>,
    },
    /// End a ban.
    Unban {
        /// Whose.
        target: Target,
        /// Told at once whether there was one.
        reply: oneshot::Sender<bool>,
        /// Told when that is on disk; dropped if it cannot be stored.
        written: oneshot::Sender<()>,
    },
    /// Shut or open the door to all links (test networks only).
    Isolate {
        /// Shut it.
        on: bool,
        /// Told when no link is left, or at once when opened.
        reply: oneshot::Sender<()>,
    },
    /// From now on these peers are cut off, and what others say is late or lost so (test networks only).
    Faults {
        /// All of them; those before are over.
        faults: Box<Faults>,
        /// Told when no link to a peer that is cut off is left.
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
    let topics = Topics::new(&config.chain, config.wire_version);
    let (inlet, ring_streams) = ring::inlet(&config).map_err(NetError::Settings)?;
    let (book, bans) = remembered(&config, &events).await;
    let mut swarm = behaviour::swarm(&config, &topics, inlet, bans).map_err(NetError::Settings)?;
    config.announce.iter().for_each(|address| swarm.add_external_address(address.clone()));
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
    let outlets = service::Outlets { inputs, events, links: links_tx };
    let service = service::Service::new(swarm, topics, &config, outlets, book, (listeners, ready_tx));
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

/// What earlier runs knew of others.
async fn remembered(config: &NetConfig, events: &broadcast::Sender<Event>) -> (Book, Bans) {
    let Some(path) = config.peers_file.clone() else { return Default::default() };
    let chain = config.chain;
    let read = tokio::task::spawn_blocking(move || Contents::read(&path, chain)).await;
    // Err: it panicked, and that has been said.
    let (book, bans, problem) = read.unwrap_or_default();
    if let Some(problem) = problem {
        let _ = events.send(Event::Warning(problem));
    }
    (book, bans)
}

/// Fails if a port is taken. The transport itself would not notice: it shares ports (SO_REUSEPORT) with other processes of
/// the same user, and each would get every second link.
pub(crate) fn probe(address: &Multiaddr) -> Result<(), NetError> {
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
