//! A participant lives on a node: its wallet finds and opens what is sealed to it, over a real chain and the API.

use crate::common::*;
use medring_node::api::types::*;
use medring_node::driver::{Node, NodeHandle, Shutdown};
use medring_protocol::record::Kind;

/// Asks until the wallet has scanned up to `height`.
async fn scanned(node: &NodeHandle, height: u64) -> WalletResponse {
    let wallet = node.wallet().unwrap();
    let scanned = async {
        while wallet.status().scanned_height < Some(height) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, scanned).await.expect("awaited the wallet's scan");
    serde_json::from_slice(&get(node, "/v1/wallet").await.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_patients_node_opens_and_checks_its_record_and_an_outsiders_opens_nothing() {
    let world = World::new(31);
    let bundle = r#"{"resourceType":"Bundle","type":"collection","entry":[]}"#;
    let alice = world.start("alice", &[]).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    alice.mine_blocks(1).await.unwrap();
    let record = world.kit.sealed_record(Kind::Ehr, bundle, &world.kit.patient, 1, 2);
    let id = alice.submit(record).await.unwrap();
    let tip = alice.mine_blocks(2).await.unwrap()[1];

    let patient = with_wallet(&world, "patient", &world.kit.patient, &[address(&alice)]).await;
    let outsider = with_wallet(&world, "outsider", &world.kit.caregiver, &[address(&alice)]).await;
    for node in [&patient, &outsider] {
        until(node, "alice's tip", |s| s.tip == tip).await;
    }
    let status = scanned(&patient, 3).await;
    assert_eq!((status.participant, status.role, status.records), (world.kit.patient.id, world.kit.patient.role, 1));
    let list: WalletRecordsResponse = serde_json::from_slice(&get(&patient, "/v1/wallet/records").await.body).unwrap();
    assert_eq!((list.records[0].record_id, list.records[0].height, list.records[0].confirmations), (id, Some(2), 2));
    let answer = get(&patient, &format!("/v1/wallet/records/{id}")).await;
    assert!(answer.head.to_lowercase().contains("cache-control: no-store"), "{}", answer.head);
    let opened: OpenedResponse = serde_json::from_slice(&answer.body).unwrap();
    assert!(opened.passed, "{:?}", opened.checks);
    assert_eq!((opened.content.get(), opened.recipient), (bundle, world.kit.patient.id));

    assert_eq!(scanned(&outsider, 3).await.records, 0);
    assert_eq!(get(&outsider, &format!("/v1/wallet/records/{id}")).await.status, 404);
    assert_eq!(get(&alice, "/v1/wallet").await.status, 404, "no wallet is configured there");
    for node in [alice, patient, outsider] {
        stop(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_keystore_keeps_its_own_key_there_and_a_wrong_passphrase_stops_it() {
    let world = World::new(32);
    let node = with_wallet(&world, "patient", &world.kit.patient, &[]).await;
    let (peer_id, mut config) = (node.info().peer_id, world.config("patient", &[]));
    stop(node).await;
    assert!(!world.data("patient").join("node.key").exists(), "no key lies around unencrypted");
    config.wallet.keystore = Some(world.data("patient.keystore"));
    config.wallet.passphrase_file = Some(world.data("patient.passphrase"));
    let again = Node::start(config.clone(), Shutdown::new()).await.unwrap();
    assert_eq!(again.info().peer_id, peer_id);
    stop(again).await;
    std::fs::write(world.data("patient.passphrase"), "not the passphrase").unwrap();
    let error = world.fails(config).await;
    assert_eq!(error.exit_code(), 77, "{error}");
    assert!(!error.to_string().contains("not the passphrase"), "{error}");
}
