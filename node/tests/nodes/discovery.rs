//! Finding others: one address is enough, also after a restart without any; and who is banned stays out.

use crate::common::*;
use medring_node::core::Snapshot;
use medring_node::driver::{Node, NodeHandle, Shutdown, now_ms};
use medring_node::net::{Ban, Target};

/// A node that looks for others.
async fn open(world: &World, name: &str, bootstrap: &[String]) -> NodeHandle {
    let mut config = world.config(name, bootstrap);
    config.network.discovery = true;
    Node::start(config, Shutdown::new()).await.unwrap()
}

/// Whether so many peers have said where they stand.
fn met(count: usize) -> impl Fn(&Snapshot) -> bool {
    move |s| s.peers.iter().filter(|p| p.status.is_some()).count() == count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_given_one_address_discovers_and_links_the_others() {
    let world = World::new(51);
    let alice = open(&world, "alice", &[]).await;
    let others = ["bob", "carol", "dave"];
    let mut nodes = Vec::new();
    for name in others {
        nodes.push(open(&world, name, &[address(&alice)]).await);
    }
    for (name, node) in others.iter().zip(&nodes) {
        until(node, &format!("{name} to be linked to all three others"), met(3)).await;
    }
    until(&alice, "alice to be linked to all", met(3)).await;
    let dave = nodes.remove(2);
    stop(dave).await;
    until(&alice, "dave to be gone", met(2)).await;
    // Nobody tells dave anything now: he knows them from before.
    let dave = open(&world, "dave", &[]).await;
    until(&dave, "dave to return to whom he knew", met(3)).await;
    for node in nodes.into_iter().chain([alice, dave]) {
        stop(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_two_networks_on_one_machine_do_not_take_up_each_other() {
    let (ours, theirs) = (World::new(52), World::new(53));
    let alice = open(&ours, "alice", &[]).await;
    let bob = open(&ours, "bob", &[address(&alice)]).await;
    let mallory = open(&theirs, "mallory", &[address(&alice), address(&bob)]).await;
    let carol = open(&ours, "carol", &[address(&alice)]).await;
    until(&carol, "carol to be linked to both", met(2)).await;
    let known = carol.known_peers().await.unwrap();
    assert!(known.iter().all(|k| k.peer_id != mallory.info().peer_id), "{known:?}");
    let known = alice.known_peers().await.unwrap();
    assert!(known.iter().all(|k| k.peer_id != mallory.info().peer_id), "{known:?}");
    for node in [alice, bob, carol, mallory] {
        stop(node).await;
    }
}

fn ban_of(target: Target) -> Ban {
    let since_ms = now_ms();
    Ban { target, since_ms, until_ms: since_ms + 3_600_000, reason: "a test".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_the_link_outlasts_a_restart_and_can_be_ended() {
    let world = World::new(54);
    let alice = world.start("alice", &[]).await;
    let listen = alice.info().listen[0].clone();
    let bob = world.start("bob", &[address(&alice)]).await;
    until(&alice, "bob to be linked", met(1)).await;
    let target = Target::Peer(bob.info().peer_id);
    alice.ban(ban_of(target)).await.unwrap();
    until(&alice, "bob to be gone", met(0)).await;
    stop(alice).await;

    let mut config = world.config("alice", &[]);
    config.network.listen = vec![listen.iter().take(2).collect()];
    let alice = Node::start(config, Shutdown::new()).await.unwrap();
    assert_eq!(alice.bans().await.unwrap().iter().map(|ban| ban.target).collect::<Vec<_>>(), [target]);
    let problem = alice.connect(address(&bob).parse().unwrap()).await.unwrap_err().to_string();
    assert!(problem.contains("banned here"), "{problem}");
    // Bob dials all the time, and does not get in.
    assert!(met(0)(&alice.snapshot()) && alice.links().is_empty());
    assert!(alice.unban(target).await.unwrap() && !alice.unban(target).await.unwrap());
    until(&alice, "bob to be linked again", met(1)).await;
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_peers_file_costs_memories_and_not_the_start() {
    let world = World::new(55);
    let alice = world.start("alice", &[]).await;
    let target: Target = "192.0.2.1".parse().unwrap();
    alice.ban(ban_of(target)).await.unwrap();
    stop(alice).await;
    let path = world.data("alice").join("peers.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    let alice = world.start("alice", &[]).await;
    assert!(alice.bans().await.unwrap().is_empty());
    assert!(path.with_extension("json.damaged").exists());
    stop(alice).await;
}
