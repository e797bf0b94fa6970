//! The event loop: the only owner of the swarm.

use super::address::peer_of;
use super::behaviour::{Behaviour, BehaviourEvent, Topics};
use super::dial::Bootstrap;
use super::peers::{Direction, Link, Peers};
use super::reach::Reaches;
use super::requests::Requests;
use super::{Capture, Command, ConnectError, NetConfig};
use crate::core::{Event, Input, MessageId, Output, Peer, RequestError, RequestId, Topic, Verdict};
use crate::telemetry::Metrics;
use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::gossipsub::{self, MessageAcceptance, PublishError};
use libp2p::request_response::{Event as RequestEvent, InboundFailure, Message, OutboundFailure};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, ping};
use medring_protocol::wire::{Request, Response, Status};
use std::collections::{BTreeMap, VecDeque};
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Gossip messages that may await the core's verdict; more are ignored at once.
const GOSSIP_AWAITED_MAX: usize = 1024;

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
    gossip: BTreeMap<MessageId, (gossipsub::MessageId, PeerId)>,
    gossip_last: u64,
    connects: BTreeMap<ConnectionId, (Multiaddr, oneshot::Sender<Result<PeerId, ConnectError>>)>,
    reaches: Reaches,
    isolated: Vec<oneshot::Sender<()>>,
    /// What went wrong last at an address: said once, not at each attempt.
    failures: BTreeMap<Multiaddr, String>,
    /// Listeners in the order of the configuration, each with the addresses it reported.
    listeners: Vec<(ListenerId, Vec<Multiaddr>)>,
    capture: Capture,
    ready: Option<oneshot::Sender<Vec<Multiaddr>>>,
    metrics: Arc<Metrics>,
    now_ms: fn() -> u64,
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
        inputs: mpsc::Sender<Input>,
        events: broadcast::Sender<Event>,
        links: watch::Sender<Vec<Link>>,
        (listeners, ready): (Vec<ListenerId>, oneshot::Sender<Vec<Multiaddr>>),
    ) -> Self {
        let bootstrap = Bootstrap::new(&config.bootstrap, *swarm.local_peer_id(), now());
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
            failures: BTreeMap::new(),
            listeners: listeners.into_iter().map(|id| (id, Vec::new())).collect(),
            capture: config.capture.clone(),
            ready: Some(ready),
            metrics: config.metrics.clone(),
            now_ms: config.now_ms,
        }
    }

    /// Runs until `stop` is cancelled or the core is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        let inputs = self.inputs.clone();
        loop {
            let redial = self.bootstrap.next();
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
                event = self.swarm.select_next_some(), if self.backlog.is_empty() => self.swarm_event(event),
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Core(output) => self.output(output),
            Command::Connect { address, reply } => self.connect(address, reply),
            Command::Reach { peer_id, addresses, reply } => self.reach(peer_id, addresses, reply),
            Command::Fault { peer_id, reason } => self.fault(peer_id, reason),
            Command::Isolate { on, reply } => {
                self.swarm.behaviour_mut().gate.shut = on;
                self.isolated.push(reply);
                if on {
                    for peer_id in self.peers.ids() {
                        self.drop_links(peer_id);
                    }
                    self.answer_isolated();
                } else {
                    self.bootstrap.hurry(now());
                    self.answer_all_isolated();
                }
            }
        }
    }

    fn answer_isolated(&mut self) {
        if self.peers.ids().is_empty() {
            self.answer_all_isolated();
        }
    }

    fn answer_all_isolated(&mut self) {
        for reply in self.isolated.drain(..) {
            let _ = reply.send(());
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
                let Some((id, source)) = self.gossip.remove(&message) else { return };
                self.report(&id, &source, verdict);
            }
            Output::Publish { topic, bytes } => self.publish(topic, bytes),
            Output::Disconnect { peer, reason } => {
                let Some(peer_id) = self.peers.id(peer) else { return };
                tracing::debug!(%peer_id, reason, "disconnecting");
                let Some(state) = self.peers.get_mut(&peer_id) else { return };
                // It must be able to read our status first: on a wrong network that is how it learns why.
                state.closing = true;
                if state.statuses_unacknowledged == 0 {
                    self.drop_links(peer_id);
                }
            }
            Output::Verify { .. } | Output::Submitted { .. } | Output::Mine(_) | Output::Event(_) => {
                debug_assert!(false, "no business of the network");
            }
        }
    }

    fn drop_links(&mut self, peer_id: PeerId) {
        // Err: the last link is closing already.
        let _ = self.swarm.disconnect_peer_id(peer_id);
    }

    fn ask(&mut self, peer: Peer, id: RequestId, request: Request) {
        // Unknown: `Disconnected` has been said, or is about to be.
        let Some(peer_id) = self.peers.id(peer) else { return };
        if !Requests::may_ask(&mut self.peers, &peer_id) {
            let response = Err(RequestError::Link("too many requests under way".into()));
            self.backlog.push_back(Input::Response { peer, id, response });
            return;
        }
        let wire = self.swarm.behaviour_mut().sync.send_request(&peer_id, request);
        self.requests.asked(&mut self.peers, &peer_id, wire, peer, id);
    }

    fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let length = bytes.len();
        let ident = self.topics.ident(topic).clone();
        self.capture.add(&bytes);
        match self.swarm.behaviour_mut().gossip.publish(ident, bytes) {
            Ok(_) => {}
            Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {
                tracing::debug!(?topic, length, "gossip: seen already, or nobody listens");
            }
            Err(PublishError::AllQueuesFull(peers)) => {
                tracing::debug!(?topic, length, peers, "gossip: every link is busy; peers will ask for it");
            }
            Err(error) => tracing::error!(?topic, length, %error, "gossip: not published"),
        }
    }

    fn report(&mut self, id: &gossipsub::MessageId, source: &PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        self.metrics.gossip(verdict);
        if !self.swarm.behaviour_mut().gossip.report_message_validation_result(id, source, acceptance) {
            tracing::debug!(%id, "gossip: the verdict came after the message had left the cache");
        }
    }

    fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, num_established, .. } => {
                let direction = if endpoint.is_dialer() { Direction::Outbound } else { Direction::Inbound };
                self.bootstrap.linked(peer_id, connection_id);
                self.reaches.linked(&peer_id);
                if let Some((address, reply)) = self.connects.remove(&connection_id) {
                    self.failures.remove(&address);
                    let _ = reply.send(Ok(peer_id));
                }
                if num_established.get() == 1 {
                    let address = endpoint.get_remote_address().clone();
                    tracing::debug!(%peer_id, %address, ?direction, "linked");
                    let peer = self.peers.add(peer_id, address, direction, (self.now_ms)());
                    self.links.send_replace(self.peers.links());
                    self.backlog.push_back(Input::Connected { peer });
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "unlinked");
                self.bootstrap.unlinked(peer_id, now());
                let Some(peer) = self.peers.remove(&peer_id) else { return };
                self.requests.forget(peer);
                self.links.send_replace(self.peers.links());
                self.backlog.push_back(Input::Disconnected { peer });
                self.answer_isolated();
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => self.dial_failed(connection_id, &error),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                tracing::info!(%address, "listening");
                if let Some((_, addresses)) = self.listeners.iter_mut().find(|(id, _)| *id == listener_id) {
                    addresses.push(address);
                }
                if self.listeners.iter().all(|(_, addresses)| !addresses.is_empty())
                    && let Some(ready) = self.ready.take()
                {
                    let _ = ready.send(self.listeners.iter().flat_map(|(_, addresses)| addresses.clone()).collect());
                }
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                let warning = format!("no longer listening on {addresses:?}: {reason:?}; restart the node");
                let _ = self.events.send(Event::Warning(warning));
            }
            _ => {}
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.gossip_message(propagation_source, message_id, message);
            }
            BehaviourEvent::Status(event) => self.status_event(event),
            BehaviourEvent::Sync(event) => self.sync_event(event),
            BehaviourEvent::Ping(ping::Event { result: Err(ping::Failure::Unsupported), .. }) => {}
            BehaviourEvent::Ping(ping::Event { connection, result: Err(_), .. }) => {
                // A dead link; `ConnectionClosed` follows.
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn gossip_message(&mut self, source: PeerId, id: gossipsub::MessageId, message: gossipsub::Message) {
        let (Some(peer), Some(topic)) = (self.peers.open(&source), self.topics.of(&message.topic)) else {
            return self.report(&id, &source, Verdict::Ignore);
        };
        if self.gossip.len() >= GOSSIP_AWAITED_MAX {
            return self.report(&id, &source, Verdict::Ignore);
        }
        self.gossip_last += 1;
        let number = MessageId(self.gossip_last);
        self.gossip.insert(number, (id, source));
        self.backlog.push_back(Input::Gossip { peer, message: number, topic, bytes: message.data });
    }

    fn status_event(&mut self, event: RequestEvent<Status, ()>) {
        match event {
            RequestEvent::Message {
                peer: peer_id, message: Message::Request { request: status, channel, .. }, ..
            } => {
                // A failure means that the peer is gone.
                let _ = self.swarm.behaviour_mut().status.send_response(channel, ());
                if let Some(peer) = self.peers.open(&peer_id) {
                    self.backlog.push_back(Input::Status { peer, status });
                }
            }
            RequestEvent::Message { peer: peer_id, message: Message::Response { .. }, .. } => {
                self.status_settled(peer_id);
            }
            RequestEvent::OutboundFailure { peer: peer_id, error, .. } => {
                tracing::debug!(%peer_id, %error, "our status was not acknowledged");
                self.status_settled(peer_id);
            }
            RequestEvent::InboundFailure { peer: peer_id, error, .. } => self.inbound_failure(peer_id, &error),
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    fn status_settled(&mut self, peer_id: PeerId) {
        let Some(state) = self.peers.get_mut(&peer_id) else { return };
        state.statuses_unacknowledged = state.statuses_unacknowledged.saturating_sub(1);
        if state.closing && state.statuses_unacknowledged == 0 {
            self.drop_links(peer_id);
        }
    }

    fn sync_event(&mut self, event: RequestEvent<Request, Response>) {
        match event {
            RequestEvent::Message {
                peer: peer_id, message: Message::Request { request_id, request, channel }, ..
            } => match self.requests.serve(&mut self.peers, peer_id, request_id, channel) {
                Some((peer, id)) => self.backlog.push_back(Input::Request { peer, id, request }),
                None => tracing::debug!(%peer_id, "too many requests at once: one was dropped"),
            },
            RequestEvent::Message { message: Message::Response { request_id, response }, .. } => {
                if let Some((peer, id)) = self.requests.answered(&mut self.peers, request_id) {
                    self.backlog.push_back(Input::Response { peer, id, response: Ok(response) });
                }
            }
            RequestEvent::OutboundFailure { request_id, error, .. } => {
                if let Some((peer, id)) = self.requests.answered(&mut self.peers, request_id) {
                    self.backlog.push_back(Input::Response { peer, id, response: Err(request_error(error)) });
                }
            }
            RequestEvent::InboundFailure { peer: peer_id, request_id, error, .. } => {
                self.requests.served(&mut self.peers, request_id);
                self.inbound_failure(peer_id, &error);
            }
            RequestEvent::ResponseSent { request_id, .. } => self.requests.served(&mut self.peers, request_id),
        }
    }

    /// A request that could not be read: malformed ones cost the link, all others are bad luck.
    fn inbound_failure(&mut self, peer_id: PeerId, error: &InboundFailure) {
        tracing::debug!(%peer_id, %error, "a peer's request failed");
        let InboundFailure::Io(io) = error else { return };
        if io.kind() == ErrorKind::InvalidData {
            self.fault(peer_id, format!("malformed request: {io}"));
        }
    }

    /// What a peer sent shows that it does not keep to the rules: that costs it the link.
    fn fault(&mut self, peer_id: PeerId, reason: String) {
        let Some(peer) = self.peers.open(&peer_id) else { return };
        let _ = self.events.send(Event::PeerFault { peer, reason });
        self.drop_links(peer_id);
    }

    fn redial(&mut self) {
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
        self.swarm.dial(opts).map(|()| connection)
    }

    fn connect(&mut self, address: Multiaddr, reply: oneshot::Sender<Result<PeerId, ConnectError>>) {
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
    fn reach(&mut self, peer_id: PeerId, addresses: Vec<Multiaddr>, reply: oneshot::Sender<Result<(), ConnectError>>) {
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
        match self.swarm.dial(opts) {
            Ok(()) => self.reaches.dialling(peer_id, connection, first, reply),
            Err(error) => drop(reply.send(Err(ConnectError(describe(&error, &first))))),
        }
    }

    fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        self.reaches.failed(connection, |address| ConnectError(describe(error, address)));
        if let Some((address, reply)) = self.connects.remove(&connection) {
            let _ = reply.send(Err(ConnectError(describe(error, &address))));
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

fn request_error(error: OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::Timeout => RequestError::Timeout,
        OutboundFailure::Io(io) if io.kind() == ErrorKind::InvalidData => RequestError::Malformed(io.to_string()),
        other => RequestError::Link(other.to_string()),
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
