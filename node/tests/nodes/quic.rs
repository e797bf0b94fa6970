//! Links over QUIC: a node joins by such an address alone, and a wrong one is explained as over TCP.

use crate::common::*;
use medring_protocol::record::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_by_a_quic_address_alone() {
    let world = World::new(41);
    let alice = world.start("alice", &[]).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    alice.mine_blocks(20).await.unwrap();
    let bob = world.start("bob", &[quic_address(&alice)]).await;
    let tip = alice.snapshot().tip;
    until(&bob, "alice's chain, over QUIC", |s| s.tip == tip).await;
    let links = bob.links();
    assert!(links.len() == 1 && links[0].address.to_string().contains("/quic-v1"), "{links:?}");
    bob.submit(world.kit.record(Kind::Phr, 1, 2)).await.unwrap();
    until(&alice, "bob's record by gossip, over QUIC", |s| s.pool_records == 1).await;
    let block = alice.mine_blocks(1).await.unwrap()[0];
    until(&bob, "the block that holds it", |s| s.tip == block).await;
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_peer_id_in_a_quic_address_is_named_with_the_right_one() {
    let world = World::new(42);
    let alice = world.start("alice", &[]).await;
    let (right, wrong) = (alice.info().peer_id, libp2p::PeerId::random());
    let misnamed = quic_address(&alice).replace(&right.to_string(), &wrong.to_string());
    let bob = world.start("bob", &[]).await;
    let problem = bob.connect(misnamed.parse().unwrap()).await.unwrap_err().to_string();
    assert!(problem.contains(&right.to_string()) && problem.contains(&wrong.to_string()), "{problem}");
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_quic_port_is_named_before_anything_listens_there() {
    let world = World::new(43);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = world.config("alice", &[]);
    config.network.listen = vec![format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap()];
    let problem = world.fails(config).await.to_string();
    assert!(problem.contains("another process listens there") && problem.contains("quic-v1"), "{problem}");
}
