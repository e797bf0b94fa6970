//! A node's folder: one process at a time, one chain, and nothing lost over a restart.

use crate::common::*;
use medring_node::driver::{NodeFile, StartError};
use medring_protocol::record::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_one_folder_is_refused() {
    let world = World::new(11);
    let alice = world.start("alice", &[]).await;
    let error = world.fails(world.config("alice", &[])).await;
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    assert_eq!(error.exit_code(), 73);
    stop(alice).await;
    stop(world.start("alice", &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_chain_pool_and_identity() {
    let world = World::new(12);
    let alice = world.start("alice", &[]).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    alice.mine_blocks(3).await.unwrap();
    alice.submit(world.kit.record(Kind::Ehr, 1, 4)).await.unwrap();
    let (before, peer_id) = (alice.snapshot(), alice.info().peer_id);
    let token = std::fs::read_to_string(world.data("alice").join("api.token")).unwrap();
    stop(alice).await;
    let again = world.start("alice", &[]).await;
    let after = again.snapshot();
    assert_eq!((after.tip, after.height, after.pool_records), (before.tip, 3, 1));
    assert_eq!(again.info().peer_id, peer_id);
    assert_ne!(std::fs::read_to_string(world.data("alice").join("api.token")).unwrap(), token, "a token lives one run");
    again.mine_blocks(1).await.unwrap();
    assert_eq!(again.snapshot().pool_records, 0);
    stop(again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_json_stands_while_the_node_runs() {
    let world = World::new(13);
    let alice = world.start("alice", &[]).await;
    let path = world.data("alice").join(NodeFile::NAME);
    let file: NodeFile = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(file.pid, std::process::id());
    assert_eq!(file.listen[0], address(&alice));
    assert!(file.listen[1].contains("/quic-v1/p2p/"), "{:?}", file.listen);
    assert_eq!(file.api, format!("http://{}", alice.info().api));
    assert_eq!(file.chain_id, world.kit.chain);
    stop(alice).await;
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_chain_is_refused_and_both_chains_are_named() {
    let (ours, theirs) = (World::new(14), World::new(15));
    stop(ours.start("alice", &[]).await).await;
    let error = ours.fails(config(&ours.data("alice"), &theirs.genesis(), &[])).await;
    let text = error.to_string();
    assert!(text.contains(&ours.kit.chain.to_string()) && text.contains(&theirs.kit.chain.to_string()), "{text}");
    assert_eq!(error.exit_code(), 76);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_ports_and_missing_or_damaged_genesis_files_are_refused() {
    let world = World::new(16);
    let alice = world.start("alice", &[]).await;
    let mut busy = world.config("bob", &[]);
    busy.network.listen = vec![alice.info().listen[0].iter().take(2).collect()];
    let error = world.fails(busy).await;
    assert!(error.to_string().contains("another process listens"), "{error}");
    assert_eq!(error.exit_code(), 73);
    let mut busy = world.config("bob", &[]);
    busy.api.listen = alice.info().api;
    let error = world.fails(busy).await;
    assert!(error.to_string().contains("for the API"), "{error}");
    stop(alice).await;

    let mut missing = world.config("bob", &[]);
    missing.genesis = world.data("nothing.json");
    assert_eq!(world.fails(missing.clone()).await.exit_code(), 66);
    std::fs::write(&missing.genesis, "{}").unwrap();
    assert_eq!(world.fails(missing).await.exit_code(), 65);
    stop(world.start("bob", &[]).await).await;
}
