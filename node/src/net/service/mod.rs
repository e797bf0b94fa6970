//! The event loop: the only owner of the swarm.

mod blame;
mod dialling;
mod discovery;
mod events;
mod exchange;
mod faults;
mod gossip;

use super::behaviour::{Behaviour, inbound_max, protocol};
use super::dial::Bootstrap;
use super::hearing::Ear;
use super::known::{Book, FAULT_POINTS, Writer};
use super::peers::{Link, Peers};
use super::reach::Reaches;
use super::requests::Requests;
use super::topics::Topics;
use super::{Capture, Command, ConnectError, NetConfig};
use crate::core::{Event, Input, MessageId, Output, Topic};
use crate::telemetry::Metrics;
use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, gossipsub};
use medring_protocol::ChainId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The event loop's state.
pub(super) struct Service {
    swarm: Swarm<Behaviour>,
    topics: Topics,
    peers: Peers,
    requests: Requests,
    bootstrap: Bootstrap,
    /// Inputs for which the core had no room yet; swarm events wait until it is empty.
    backlog: VecDeque<Input>,
    inputs: mpsc::Sender<Input>,
    events: broadcast::Sender<Event>,
    links: watch::Sender<Vec<Link>>,
    gossip: BTreeMap<MessageId, (gossipsub::MessageId, PeerId, Topic)>,
    gossip_last: u64,
    connects: BTreeMap<ConnectionId, (Multiaddr, oneshot::Sender<Result<PeerId, ConnectError>>)>,
    reaches: Reaches,
    /// Who waits until no link is left that the gate refuses.
    isolated: Vec<oneshot::Sender<()>>,
    /// What reaches the core late or never.
    ear: Ear,
    /// What went wrong last at an address: said once, not at each attempt.
    failures: BTreeMap<Multiaddr, String>,
    /// Listeners in the order of the configuration, each with the addresses it reported.
    listeners: Vec<(ListenerId, Vec<Multiaddr>)>,
    capture: Capture,
    ready: Option<oneshot::Sender<Vec<Multiaddr>>>,
    metrics: Arc<Metrics>,
    now_ms: fn() -> u64,
    chain: ChainId,
    /// Spoken by nodes of this chain only.
    sync_protocol: StreamProtocol,
    book: Book,
    writer: Writer,
    /// Something in the book, or of the bans, is not on its way to the disk yet.
    dirty: bool,
    saved_ms: u64,
    /// Whether links to peers in the book are opened.
    looks: bool,
    seed: u64,
    /// Most inbound peers, and links of ours.
    inbound_max: usize,
    outbound_max: usize,
    /// Dials of discovery under way.
    trials: BTreeMap<ConnectionId, PeerId>,
    next_tick: Instant,
    asked_ms: u64,
    asks: u64,
}

/// Where the event loop's news go.
pub(super) struct Outlets {
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) links: watch::Sender<Vec<Link>>,
}

#[expect(clippy::disallowed_methods, reason = "redialling is timed by the event loop, outside the core")]
fn now() -> Instant {
    Instant::now()
}

impl Service {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        topics: Topics,
        config: &NetConfig,
        Outlets { inputs, events, links }: Outlets,
        book: Book,
        (listeners, ready): (Vec<ListenerId>, oneshot::Sender<Vec<Multiaddr>>),
    ) -> Self {
        let bootstrap = Bootstrap::new(&config.bootstrap, *swarm.local_peer_id(), now());
        let count = |links: u32| usize::try_from(links).unwrap_or(usize::MAX);
        Self {
            swarm,
            topics,
            peers: Peers::default(),
            requests: Requests::default(),
            bootstrap,
            backlog: VecDeque::new(),
            inputs,
            events,
            links,
            gossip: BTreeMap::new(),
            gossip_last: 0,
            connects: BTreeMap::new(),
            reaches: Reaches::default(),
            isolated: Vec::new(),
            ear: Ear::default(),
            failures: BTreeMap::new(),
            listeners: listeners.into_iter().map(|id| (id, Vec::new())).collect(),
            capture: config.capture.clone(),
            ready: Some(ready),
            metrics: config.metrics.clone(),
            now_ms: config.now_ms,
            chain: config.chain,
            // The swarm could not have been made with a malformed one.
            sync_protocol: protocol(&config.chain, "sync").unwrap_or(StreamProtocol::new("/medring")),
            book,
            writer: Writer::start(config.peers_file.clone()),
            dirty: false,
            saved_ms: 0,
            looks: config.discovery || config.mdns,
            seed: config.seed,
            inbound_max: count(inbound_max(config.max_peers)),
            outbound_max: count((config.max_peers / 4).max(1)),
            trials: BTreeMap::new(),
            next_tick: now(),
            asked_ms: 0,
            asks: 0,
        }
    }

    /// Runs until `stop` is cancelled or the core is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        let inputs = self.inputs.clone();
        loop {
            let (redial, late) = (self.bootstrap.next(), self.ear.next());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                permit = inputs.reserve(), if !self.backlog.is_empty() => match permit {
                    Ok(permit) => if let Some(input) = self.backlog.pop_front() { permit.send(input) },
                    Err(_) => break,
                },
                () = tokio::time::sleep_until(redial.unwrap_or_else(now)), if redial.is_some() => self.redial(),
                () = tokio::time::sleep_until(self.next_tick) => self.tick(),
                () = tokio::time::sleep_until(late.unwrap_or_else(now)), if late.is_some() && self.backlog.is_empty() => {
                    self.backlog.extend(self.ear.due(now()));
                }
                event = self.swarm.select_next_some(), if self.backlog.is_empty() && !self.ear.is_full() => {
                    self.swarm_event(event);
                }
            }
        }
        self.save(None);
        self.writer.finish().await;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Core(output) => self.output(output),
            Command::Connect { address, reply } => self.connect(address, reply),
            Command::Reach { peer_id, addresses, reply } => self.reach(peer_id, addresses, reply),
            Command::Fault { peer_id, reason } => self.fault(peer_id, reason),
            Command::Known { reply } => drop(reply.send(self.book.list())),
            Command::Bans { reply } => {
                drop(reply.send(self.swarm.behaviour().gate.bans.list((self.now_ms)())));
            }
            Command::Ban { ban, written } => self.ban(ban, written),
            Command::Unban { target, reply, written } => drop(reply.send(self.unban(&target, written))),
            Command::Isolate { on, reply } => self.isolate(on, reply),
            Command::Faults { faults, reply } => self.set_faults(*faults, reply),
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::SendStatus { peer, status } => {
                let Some(peer_id) = self.peers.id(peer) else { return };
                self.swarm.behaviour_mut().status.send_request(&peer_id, status);
                if let Some(state) = self.peers.get_mut(&peer_id) {
                    state.statuses_unacknowledged += 1;
                }
            }
            Output::Ask { peer, id, request } => self.ask(peer, id, request),
            Output::Respond { peer, id, response } => {
                let Some(channel) = self.requests.channel(peer, id) else { return };
                // A failure means that the peer is gone; its InboundFailure frees the slot.
                let _ = self.swarm.behaviour_mut().sync.send_response(channel, response);
            }
            Output::Verdict { message, verdict } => {
                let Some((id, source, topic)) = self.gossip.remove(&message) else { return };
                self.useful(&source, topic, verdict);
                self.report(&id, &source, verdict);
            }
            Output::Publish { topic, bytes } => self.publish(topic, bytes),
            Output::Disconnect { peer, reason, fault } => {
                let Some(peer_id) = self.peers.id(peer) else { return };
                tracing::debug!(%peer_id, reason, fault, "disconnecting");
                if fault {
                    self.blame(peer_id, FAULT_POINTS, &reason);
                    return self.drop_links(peer_id);
                }
                let Some(state) = self.peers.get_mut(&peer_id) else { return };
                // It must be able to read our status first: on a wrong network that is how it learns why.
                state.closing = true;
                if state.statuses_unacknowledged == 0 {
                    self.drop_links(peer_id);
                }
            }
            Output::Verify { .. }
            | Output::Submitted { .. }
            | Output::Operated { .. }
            | Output::Mine(_)
            | Output::Event(_) => {
                debug_assert!(false, "no business of the network");
            }
        }
    }

    fn drop_links(&mut self, peer_id: PeerId) {
        // Err: the last link is closing already.
        let _ = self.swarm.disconnect_peer_id(peer_id);
    }
}
