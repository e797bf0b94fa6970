//! Nodes with real sockets: gossip, sync, wrong networks, wrong addresses, partitions.

use crate::common::*;
use medring_node::core::Event;
use medring_protocol::chain::StateRead;
use medring_protocol::record::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_and_a_block_reach_a_node_two_links_away() {
    let world = World::new(1);
    let alice = world.start("alice", &[]).await;
    let bob = world.start("bob", &[address(&alice)]).await;
    let carol = world.start("carol", &[address(&bob)]).await;
    until(&bob, "bob to be linked to both", |s| s.peers.iter().filter(|p| p.status.is_some()).count() == 2).await;
    until(&carol, "carol to be linked", |s| s.peers.iter().any(|p| p.status.is_some())).await;
    let record = world.kit.enrol_all(1);
    let id = carol.submit(record).await.unwrap();
    until(&alice, "carol's record in alice's pool", |s| s.pool_records == 1).await;
    let blocks = alice.mine_blocks(1).await.unwrap();
    for node in [&bob, &carol] {
        until(node, "alice's block", |s| s.tip == blocks[0] && s.pool_records == 0).await;
        assert_eq!(node.store().location(&id).unwrap().unwrap().height, 1);
    }
    let doctor = world.kit.record(Kind::Emr, 1, 2);
    let id = bob.submit(doctor).await.unwrap();
    until(&carol, "the doctor's record in carol's pool", |s| s.pool_records == 1).await;
    let block = carol.mine_blocks(1).await.unwrap()[0];
    until(&alice, "carol's block", |s| s.tip == block).await;
    assert_eq!(alice.store().location(&id).unwrap().unwrap().height, 2);
    for node in [alice, bob, carol] {
        stop(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_reaches_the_same_tip_and_state() {
    let world = World::new(2);
    let alice = world.start("alice", &[]).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    alice.mine_blocks(1).await.unwrap();
    for number in 0..5 {
        alice.submit(world.kit.record(Kind::Ehr, number, 2)).await.unwrap();
    }
    alice.mine_blocks(60).await.unwrap();
    let bob = world.start("bob", &[address(&alice)]).await;
    let tip = alice.snapshot().tip;
    until(&bob, "the tip at height 61", |s| s.tip == tip && s.height == 61).await;
    assert_eq!(alice.store().state_hash().unwrap(), bob.store().state_hash().unwrap());
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_two_networks_each_learn_the_others_chain_and_part() {
    let (ours, theirs) = (World::new(3), World::new(4));
    let alice = ours.start("alice", &[]).await;
    let mut at_alice = alice.subscribe();
    let bob = theirs.start("bob", &[]).await;
    let mut at_bob = bob.subscribe();
    bob.connect(address(&alice).parse().unwrap()).await.unwrap();
    let chain = |event| if let Event::WrongNetwork { theirs, .. } = event { Some(theirs.chain) } else { None };
    assert_eq!(event(&mut at_alice, "alice to learn of bob's chain", chain).await, theirs.kit.chain);
    assert_eq!(event(&mut at_bob, "bob to learn of alice's chain", chain).await, ours.kit.chain);
    until(&alice, "the link to end", |s| s.peers.is_empty()).await;
    until(&bob, "the link to end", |s| s.peers.is_empty()).await;
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_peer_id_in_an_address_is_named_with_the_right_one() {
    let world = World::new(5);
    let alice = world.start("alice", &[]).await;
    let (right, wrong) = (alice.info().peer_id, libp2p::PeerId::random());
    let misnamed = address(&alice).replace(&right.to_string(), &wrong.to_string());
    let bob = world.start("bob", &[]).await;
    let problem = bob.connect(misnamed.parse().unwrap()).await.unwrap_err().to_string();
    assert!(problem.contains(&right.to_string()) && problem.contains(&wrong.to_string()), "{problem}");
    let own = address(&bob).parse().unwrap();
    let problem = bob.connect(own).await.unwrap_err().to_string();
    assert!(problem.contains("this node itself") || problem.contains("itself"), "{problem}");
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_nobody_told_of_others_catches_up_with_whoever_dials_it() {
    let world = World::new(8);
    let alice = world.start("alice", &[]).await;
    let tip = *alice.mine_blocks(20).await.unwrap().last().unwrap();
    let empty = world.start("bob", &[]).await;
    alice.connect(address(&empty).parse().unwrap()).await.unwrap();
    until(&empty, "the chain of the one peer, who dialled", |s| s.tip == tip).await;
    stop(alice).await;
    stop(empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_partition_the_lighter_branch_is_left_and_its_record_confirmed_again() {
    let world = World::new(6);
    let alice = world.start("alice", &[]).await;
    let bob = world.start("bob", &[address(&alice)]).await;
    let linked = |s: &medring_node::core::Snapshot| s.peers.iter().any(|p| p.status.is_some());
    until(&alice, "a link", linked).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    let first = alice.mine_blocks(1).await.unwrap()[0];
    until(&bob, "the first block", |s| s.tip == first).await;

    bob.isolate(true).await.unwrap();
    until(&alice, "bob to be gone", |s| s.peers.is_empty()).await;
    let record = bob.submit(world.kit.record(Kind::Phr, 1, 2)).await.unwrap();
    bob.mine_blocks(2).await.unwrap();
    alice.mine_blocks(3).await.unwrap();
    assert_ne!(alice.snapshot().tip, bob.snapshot().tip);

    let mut at_bob = bob.subscribe();
    bob.isolate(false).await.unwrap();
    let heavier = alice.snapshot().tip;
    until(&bob, "alice's heavier branch", |s| s.tip == heavier).await;
    let left = event(&mut at_bob, "bob's reorganisation", |event| match event {
        Event::Tip { disconnected, .. } if !disconnected.is_empty() => Some(disconnected.len()),
        _ => None,
    });
    assert_eq!(left.await, 2);
    until(&alice, "the record of the branch that was left in alice's pool", |s| s.pool_records == 1).await;
    let block = alice.mine_blocks(1).await.unwrap()[0];
    until(&bob, "the block that confirms it again", |s| s.tip == block).await;
    assert_eq!(bob.store().location(&record).unwrap().unwrap().height, 5);
    assert_eq!(alice.store().state_hash().unwrap(), bob.store().state_hash().unwrap());
    stop(alice).await;
    stop(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_address_is_redialled_until_somebody_answers() {
    let world = World::new(7);
    let alice = world.start("alice", &[]).await;
    let listen = alice.info().listen[0].clone();
    stop(alice).await;
    let bob = world.start("bob", &[listen.to_string()]).await;
    let mut at_bob = bob.subscribe();
    drop(at_bob.try_recv());
    let mut config = world.config("alice", &[]);
    config.network.listen = vec![listen.iter().take(2).collect()];
    let alice = medring_node::driver::Node::start(config, Default::default()).await.unwrap();
    until(&bob, "a link to alice, who came back", |s| s.peers.iter().any(|p| p.status.is_some())).await;
    stop(alice).await;
    stop(bob).await;
}
