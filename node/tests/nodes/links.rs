//! The network alone, with the test in the core's place.

use crate::common::PATIENCE;
use medring_node::core::{Event, Input, Output, Peer, RequestError, RequestId, Topic};
use medring_node::driver::now_ms;
use medring_node::net::{self, Command, Net, NetConfig};
use medring_node::telemetry::Metrics;
use medring_protocol::pow::Work;
use medring_protocol::wire::{Request, Status};
use medring_protocol::{BlockId, ChainId};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub(crate) struct Link {
    pub(crate) net: Net,
    inputs_tx: mpsc::Sender<Input>,
    inputs: mpsc::Receiver<Input>,
    pub(crate) stop: CancellationToken,
    pub(crate) events: broadcast::Receiver<Event>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The chain that all of these are on.
pub(crate) const CHAIN: ChainId = ChainId([7; 32]);

/// A network whose core takes at most `room` inputs before the test does.
pub(crate) async fn start(room: usize) -> Link {
    start_with(room, net::Capture::default()).await
}

/// The same with a copy of all that it sends.
pub(crate) async fn start_with(room: usize, capture: net::Capture) -> Link {
    let (inputs_tx, inputs) = mpsc::channel(room);
    let (events_tx, events) = broadcast::channel(16);
    let metrics = Arc::new(Metrics::new());
    let key = libp2p::identity::Keypair::generate_ed25519();
    let config = NetConfig { max_peers: 8, metrics: metrics.clone(), capture, ..NetConfig::new(key, CHAIN, now_ms) };
    let stop = CancellationToken::new();
    let net = net::start(config, inputs_tx.clone(), events_tx, stop.clone()).await.unwrap();
    Link { net, inputs_tx, inputs, stop, events, metrics }
}

impl Link {
    async fn next(&mut self, what: &str) -> Input {
        let next = tokio::time::timeout(PATIENCE, self.inputs.recv()).await;
        next.unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}")).expect("the event loop runs")
    }

    async fn say(&self, output: Output) {
        self.net.commands.send(Command::Core(output)).await.unwrap();
    }

    pub(crate) async fn dial(&self, other: &Link) -> Result<libp2p::PeerId, net::ConnectError> {
        let (reply, answer) = oneshot::channel();
        self.net.commands.send(Command::Connect { address: other.net.listen[0].clone(), reply }).await.unwrap();
        tokio::time::timeout(PATIENCE, answer).await.expect("awaited the outcome of dialling").unwrap()
    }

    async fn connected(&mut self) -> Peer {
        match self.next("a link").await {
            Input::Connected { peer } => peer,
            other => panic!("awaited a link, got {other:?}"),
        }
    }

    pub(crate) async fn isolate(&self, on: bool) {
        let (reply, answer) = oneshot::channel();
        self.net.commands.send(Command::Isolate { on, reply }).await.unwrap();
        tokio::time::timeout(PATIENCE, answer).await.expect("awaited the end of all links").unwrap();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn status(height: u64) -> Status {
    let (chain, tip, work) = (CHAIN, BlockId([1; 32]), Work::zero());
    Status {
        version: 1,
        agent: "medring/test".into(),
        chain,
        chain_name: "test".into(),
        tip,
        height,
        work,
        clock_ms: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_disconnected_reads_our_status_first() {
    let (mut alice, mut bob) = (start(8).await, start(8).await);
    alice.dial(&bob).await.unwrap();
    let peer = alice.connected().await;
    bob.connected().await;
    alice.say(Output::SendStatus { peer, status: status(5) }).await;
    alice.say(Output::Disconnect { peer, reason: "another network".into(), fault: false }).await;
    let said = bob.next("alice's status").await;
    assert!(matches!(said, Input::Status { status: Status { height: 5, .. }, .. }), "{said:?}");
    assert!(matches!(bob.next("the end of the link").await, Input::Disconnected { .. }));
    assert!(matches!(alice.next("the end of the link").await, Input::Disconnected { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_cap_are_refused_and_those_under_way_end_with_the_link() {
    let (mut alice, mut bob) = (start(32).await, start(32).await);
    alice.dial(&bob).await.unwrap();
    let peer = alice.connected().await;
    bob.connected().await;
    for id in 1..=9 {
        alice.say(Output::Ask { peer, id: RequestId(id), request: Request::Pool }).await;
    }
    let refused = loop {
        if let Input::Response { id: RequestId(9), response, .. } = alice.next("the ninth to be refused").await {
            break response;
        }
    };
    assert!(matches!(refused, Err(RequestError::Link(ref why)) if why.contains("too many")), "{refused:?}");
    for _ in 0..8 {
        assert!(matches!(bob.next("a request").await, Input::Request { request: Request::Pool, .. }));
    }
    alice.say(Output::Disconnect { peer, reason: "test".into(), fault: false }).await;
    while !matches!(alice.next("the end of the link").await, Input::Disconnected { .. }) {}
    let after = bob.next("the end of the link, and no ninth request").await;
    assert!(matches!(after, Input::Disconnected { .. }), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_door_is_shut_nobody_gets_in_or_out() {
    let (mut alice, bob) = (start(32).await, start(32).await);
    alice.dial(&bob).await.unwrap();
    alice.connected().await;
    alice.isolate(true).await;
    assert!(matches!(alice.next("the end of the link").await, Input::Disconnected { .. }));
    let out = alice.dial(&bob).await.unwrap_err().to_string();
    assert!(out.contains("cut off"), "{out}");
    let (mut carol, address) = (start(32).await, alice.net.listen[0].clone());
    let (reply, answer) = oneshot::channel();
    carol.net.commands.send(Command::Connect { address, reply }).await.unwrap();
    // Carol may see the link stand for a moment, until alice's refusal arrives; alice never does.
    if answer.await.unwrap().is_ok() {
        carol.connected().await;
        assert!(matches!(carol.next("the end of the link").await, Input::Disconnected { .. }));
    }
    assert!(alice.net.links.borrow().is_empty());
    alice.isolate(false).await;
    alice.dial(&bob).await.unwrap();
    alice.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_takes_no_input_is_still_obeyed() {
    let (mut alice, mut bob) = (start(32).await, start(1).await);
    bob.inputs_tx.try_send(Input::Tick).expect("one place is free, and now none is");
    alice.dial(&bob).await.unwrap();
    alice.connected().await;
    let linked = bob.net.links.wait_for(|links| !links.is_empty());
    drop(tokio::time::timeout(PATIENCE, linked).await.expect("awaited the link at bob's side").unwrap());
    // Now bob's event loop has an input that it cannot hand over. It takes more commands than fit into its queue all the same.
    let commands = async {
        for _ in 0..200 {
            bob.say(Output::Publish { topic: Topic::Records, bytes: vec![1] }).await;
        }
    };
    tokio::time::timeout(PATIENCE, commands).await.expect("awaited 200 commands to be taken");
    assert!(matches!(bob.next("the first input").await, Input::Tick));
    bob.connected().await;
}
