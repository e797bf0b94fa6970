//! Peers that do not keep to the rules: what they prove costs them the link and a ban, and honest peers keep theirs.

use crate::common::*;
use medring_node::core::{Input, Output, Peer, Topic};
use medring_node::driver::{Node, NodeHandle, Shutdown, now_ms};
use medring_node::net::{self, Command, Net, NetConfig, Target};
use medring_protocol::record::Kind;
use medring_protocol::wire::Status;
use medring_protocol::{BlockId, ChainId};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The network of a node with the test in the core's place: it says what it likes.
struct Hostile {
    net: Net,
    inputs: mpsc::Receiver<Input>,
    stop: CancellationToken,
}

impl Hostile {
    async fn on(chain: ChainId) -> Self {
        let (inputs_tx, inputs) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let config = NetConfig::new(libp2p::identity::Keypair::generate_ed25519(), chain, now_ms);
        let net = net::start(config, inputs_tx, broadcast::channel(16).0, stop.clone()).await.unwrap();
        Self { net, inputs, stop }
    }

    async fn say(&self, output: Output) {
        self.net.commands.send(Command::Core(output)).await.unwrap();
    }

    async fn dial(&mut self, victim: &NodeHandle) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let address = victim.info().listen[0].clone();
        self.net.commands.send(Command::Connect { address, reply }).await.unwrap();
        let dialled = tokio::time::timeout(PATIENCE, answer).await.expect("awaited the outcome of dialling");
        dialled.unwrap().map(drop).map_err(|e| e.to_string())
    }

    /// Links, and says that it stands at genesis as the victim does.
    async fn meet(&mut self, victim: &NodeHandle) -> Peer {
        self.dial(victim).await.unwrap();
        let meeting = async {
            loop {
                match self.inputs.recv().await.unwrap() {
                    Input::Status { peer, status } => return (peer, status),
                    _ => continue,
                }
            }
        };
        let (peer, status) = tokio::time::timeout(PATIENCE, meeting).await.expect("awaited the victim's status");
        let status = Status { height: 0, tip: BlockId(status.chain.0), clock_ms: now_ms(), ..status };
        self.say(Output::SendStatus { peer, status }).await;
        peer
    }

    /// Publishes until the victim has cut the link.
    async fn publish_until_cut(&mut self, bytes: &dyn Fn(u32) -> Vec<u8>) {
        let mut links = self.net.links.clone();
        let cut = async {
            let mut n = 0;
            while !links.borrow_and_update().is_empty() {
                self.say(Output::Publish { topic: Topic::Records, bytes: bytes(n) }).await;
                n += 1;
                // Gossip needs a subscription to have come across; the link may also end meanwhile.
                let _ = tokio::time::timeout(Duration::from_millis(20), links.changed()).await;
            }
        };
        tokio::time::timeout(PATIENCE, cut).await.expect("awaited the victim to cut the link");
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn is_banned(bans: &[medring_node::net::Ban], peer: libp2p::PeerId) -> bool {
    bans.iter().any(|ban| ban.target == Target::Peer(peer))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gossips_garbage_is_banned_by_its_key_and_its_neighbours_on_this_machine_are_not() {
    let world = World::new(61);
    let alice = world.start("alice", &[]).await;
    let bob = world.start("bob", &[address(&alice)]).await;
    until(&alice, "bob to be linked", |s| s.peers.iter().any(|p| p.status.is_some())).await;
    let mut mallory = Hostile::on(world.kit.chain).await;
    mallory.meet(&alice).await;
    mallory.publish_until_cut(&|n| n.to_be_bytes().to_vec()).await;
    let bans = alice.bans().await.unwrap();
    assert!(is_banned(&bans, mallory.net.peer_id) && bans.len() == 1, "{bans:?}");
    assert!(bans[0].reason.contains("cannot be read"), "{bans:?}");
    // It comes back, and may see a link for a moment; alice does not.
    let _ = mallory.dial(&alice).await;
    assert!(alice.links().iter().all(|link| link.peer_id != mallory.net.peer_id));
    // Bob shares its address, and works on.
    bob.submit(world.kit.enrol_all(1)).await.unwrap();
    until(&alice, "bob's record", |s| s.pool_records == 1).await;
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_stranger_a_stale_stamp_and_a_known_record_ban_nobody() {
    let world = World::new(62);
    let alice = world.start("alice", &[]).await;
    let mut peer = Hostile::on(world.kit.chain).await;
    peer.meet(&alice).await;
    // Nobody is enrolled yet: these are of strangers, and every one is well-formed and signed.
    let records: Vec<_> = (0..5).map(|n| world.kit.record(Kind::Phr, n, 1).encode()).collect();
    let ignored = "medring_gossip_messages_total{verdict=\"ignore\"}";
    let sent = async {
        for record in records.iter().cycle() {
            peer.say(Output::Publish { topic: Topic::Records, bytes: record.clone() }).await;
            let _ = tokio::time::timeout(Duration::from_millis(20), peer.inputs.recv()).await;
            let count =
                alice.metrics().render().lines().find_map(|l| l.strip_prefix(ignored)?.trim().parse::<u64>().ok());
            if count.is_some_and(|count| count >= 5) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, sent).await.expect("awaited five records to be ignored");
    assert!(alice.bans().await.unwrap().is_empty());
    assert!(alice.links().iter().any(|link| link.peer_id == peer.net.peer_id));
    stop(alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_take_no_place_from_those_who_were_there_first() {
    let world = World::new(63);
    let mut config = world.config("alice", &[]);
    // Twelve places for others.
    config.network.max_peers = 16;
    let alice = Node::start(config, Shutdown::new()).await.unwrap();
    let dave = world.start("dave", &[]).await;
    alice.connect(address(&dave).parse().unwrap()).await.unwrap();
    let mut honest = Vec::new();
    for _ in 0..6 {
        let mut peer = Hostile::on(world.kit.chain).await;
        peer.meet(&alice).await;
        honest.push(peer);
    }
    until(&alice, "seven links", |s| s.peers.iter().filter(|p| p.status.is_some()).count() == 7).await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut one = Hostile::on(world.kit.chain).await;
        // Some are told that there is no place.
        let _ = one.dial(&alice).await;
        crowd.push(one);
    }
    let links = alice.links();
    for peer in &honest {
        assert!(links.iter().any(|link| link.peer_id == peer.net.peer_id), "one who was there first is gone");
    }
    assert!(links.iter().any(|link| link.peer_id == dave.info().peer_id), "the link of our own is gone");
    assert!(links.len() <= 16, "{} links", links.len());
    stop(alice).await;
    stop(dave).await;
}
