//! The API as a client sees it: who is let in, what is refused, and what it says.

use crate::common::*;
use medring_node::api::types::*;
use medring_protocol::params::Purpose;
use medring_protocol::record::{Kind, Record};
use rand::SeedableRng;
use serde_json::json;

fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> T {
    assert!(answer.status < 300, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_or_with_a_foreign_host_nothing_but_health_is_told() {
    let world = World::new(21);
    let node = world.start("alice", &[]).await;
    let api = node.info().api;
    let request = |path: &str, host: &str, token: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")
    };
    let token = std::fs::read_to_string(world.data("alice").join("api.token")).unwrap();
    let token = token.trim();
    let ours = api.to_string();
    for (path, host, token, status) in [
        ("/v1/status", ours.as_str(), token, 200),
        ("/v1/status", &ours, &token[1..], 401),
        ("/v1/status", &ours, "", 401),
        ("/metrics", &ours, "", 401),
        ("/nowhere", &ours, "", 401),
        ("/nowhere", &ours, token, 404),
        ("/v1/status", "evil.example", token, 403),
        ("/health", &ours, "", 200),
        ("/health", "evil.example", "", 403),
    ] {
        let answer = raw_request(&node, request(path, host, token).as_bytes()).await;
        assert_eq!(answer.status, status, "{path} {host}: {answer:?}");
        assert!(!answer.head.to_lowercase().contains("access-control"), "no other origin is let in: {answer:?}");
        if status >= 400 {
            let problem: Problem = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(problem.status, status);
            assert!(!problem.next.is_empty() && answer.head.contains("application/problem+json"), "{answer:?}");
        }
    }
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_truncated_and_trailing_bodies_are_refused_and_the_node_goes_on() {
    let world = World::new(22);
    let node = world.start("alice", &[]).await;
    let send = |body: Vec<u8>| {
        let node = node.clone();
        async move { call(&node, "POST", "/v1/records", "application/octet-stream", &body).await }
    };
    let record = world.kit.enrol_all(1).encode();
    assert_eq!(send(vec![0; 128 * 1024 + 1]).await.status, 413);
    assert_eq!(send(record[..record.len() - 1].to_vec()).await.status, 400);
    assert_eq!(send([record.as_slice(), &[0]].concat()).await.status, 400);
    assert_eq!(send(Vec::new()).await.status, 400);
    let long = format!("{{\"address\":\"{}\"}}", "x".repeat(20_000));
    assert_eq!(call(&node, "POST", "/v1/peers", "application/json", long.as_bytes()).await.status, 413);
    assert_eq!(post(&node, "/v1/peers", json!({"address": "/ip4/1.2.3.4/udp/1"})).await.status, 400);
    assert_eq!(post(&node, "/v1/peers", json!({"adress": "x"})).await.status, 400);
    assert_eq!(get(&node, "/v1/blocks?limit=many").await.status, 400);
    assert_eq!(get(&node, "/v1/records/00").await.status, 400);
    assert_eq!(call(&node, "DELETE", "/v1/status", "text/plain", &[]).await.status, 405);
    assert_eq!(send(record).await.status, 202);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_followed_from_pool_to_settled_with_its_proof() {
    let world = World::new(23);
    let node = world.start("alice", &[]).await;
    let record = world.kit.enrol_all(1);
    let answer = call(&node, "POST", "/v1/records", "application/octet-stream", &record.encode()).await;
    let SubmitResponse { record_id, wire_id } = parsed(&answer);
    assert_eq!((record_id, wire_id), (record.id(&world.kit.chain), record.wire_id(&world.kit.chain)));
    let path = format!("/v1/records/{record_id}");
    assert_eq!(parsed::<RecordSummary>(&get(&node, &path).await).state, RecordState::Pending);
    assert_eq!(parsed::<RecordsResponse>(&get(&node, "/v1/pool").await).records.len(), 1);
    assert_eq!(get(&node, &format!("{path}/proof")).await.status, 404, "no block holds it yet");
    let MineResponse { ids } = parsed(&post(&node, "/v1/chain/mine", json!({"blocks": 1})).await);
    let summary: RecordSummary = parsed(&get(&node, &path).await);
    assert_eq!((summary.state, summary.block_id, summary.confirmations), (RecordState::Confirmed, Some(ids[0]), 1));
    let proof: ProofResponse = parsed(&get(&node, &format!("{path}/proof")).await);
    let header = node.store().header(&proof.block_id).unwrap().unwrap();
    assert_eq!(hex::decode(&proof.header).unwrap(), header.to_bytes());
    assert!(proof.proof.verify(&proof.wire_id, &header.records_root));
    assert_eq!(Record::decode(&get(&node, &format!("{path}/raw")).await.body).unwrap(), record);
    post(&node, "/v1/chain/mine", json!({"blocks": 2})).await;
    assert_eq!(parsed::<RecordSummary>(&get(&node, &path).await).state, RecordState::Settled);
    let unknown = get(&node, &format!("/v1/records/{}", "0".repeat(64))).await;
    assert_eq!(unknown.status, 404);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_is_answered_with_its_rule() {
    let world = World::new(24);
    let node = world.start("alice", &[]).await;
    let unenrolled = world.kit.record(Kind::Ehr, 1, 1);
    let answer = call(&node, "POST", "/v1/records", "application/octet-stream", &unenrolled.encode()).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json()["rule"], "R-UPLOADER", "{answer:?}");
    node.submit(world.kit.enrol_all(1)).await.unwrap();
    let twice = call(&node, "POST", "/v1/records", "application/octet-stream", &world.kit.enrol_all(1).encode()).await;
    assert_eq!(twice.status, 409, "{twice:?}");
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_blocks_tips_people_peers_and_figures_tell_what_is() {
    let world = World::new(25);
    let node = world.start("alice", &[]).await;
    node.submit(world.kit.enrol_all(1)).await.unwrap();
    let ids = node.mine_blocks(2).await.unwrap();
    let peer = world.start("bob", &[address(&node)]).await;
    until(&peer, "the same tip", |s| s.tip == ids[1]).await;
    until(&node, "bob's tip", |s| s.peers.iter().any(|p| p.status.as_ref().is_some_and(|s| s.height == 2))).await;

    let status: StatusResponse = parsed(&get(&node, "/v1/status").await);
    assert_eq!((status.tip.id, status.tip.height, status.peers), (ids[1], 2, 1));
    assert_eq!((status.mining.blocks_found, status.chain_id), (2, world.kit.chain));
    let bare = address(&node).split("/p2p/").next().unwrap().to_owned();
    for known in [bare, address(&node)] {
        let again: ConnectResponse = parsed(&post(&peer, "/v1/peers", json!({"address": known})).await);
        assert_eq!(again.peer_id, node.info().peer_id.to_string(), "{known} is linked already");
    }
    let peers: PeersResponse = parsed(&get(&node, "/v1/peers").await);
    assert_eq!(
        (peers.peers[0].peer_id.clone(), peers.peers[0].direction),
        (peer.info().peer_id.to_string(), Direction::Inbound)
    );
    assert_eq!(peers.peers[0].tip, Some(ids[1]));
    let blocks: BlocksResponse = parsed(&get(&node, "/v1/blocks?from=1&limit=1").await);
    assert_eq!((blocks.blocks.len(), blocks.blocks[0].id, blocks.blocks[0].records), (1, ids[0], 1));
    assert_eq!(blocks.blocks[0].miner_tag, status.miner_tag);
    for place in ["2".to_owned(), ids[1].to_string()] {
        let block: BlockResponse = parsed(&get(&node, &format!("/v1/blocks/{place}")).await);
        assert_eq!((block.summary.id, block.prev, block.active), (ids[1], ids[0], true));
    }
    assert_eq!(get(&node, "/v1/blocks/9").await.status, 404);
    let tips: TipsResponse = parsed(&get(&node, "/v1/chain/tips").await);
    assert_eq!((tips.tips.len(), tips.tips[0].id, tips.tips[0].state), (1, ids[1], BranchState::Active));
    let doctor: ParticipantResponse = parsed(&get(&node, &format!("/v1/participants/{}", world.kit.doctor.id)).await);
    assert_eq!((doctor.role, doctor.enrolled_at), (world.kit.doctor.role, Some(1)));
    let authority: ParticipantResponse =
        parsed(&get(&node, &format!("/v1/participants/{}", world.kit.authority.id)).await);
    assert!(authority.authority);
    let list: RecordsResponse = parsed(&get(&node, "/v1/records?limit=5").await);
    assert_eq!((list.records.len(), list.records[0].kind), (1, Kind::Enrol));
    let text = String::from_utf8(get(&node, "/metrics").await.body).unwrap();
    for line in ["medring_height 2", "medring_peers 1", "medring_blocks_found_total 2"] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    stop(peer).await;
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_chain_verifies_without_a_node() {
    let world = World::new(26);
    let node = world.start("alice", &[]).await;
    node.submit(world.kit.enrol_all(1)).await.unwrap();
    node.mine_blocks(5).await.unwrap();
    let answer = get(&node, "/v1/chain/export").await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    let rules = medring_protocol::chain::rules::RuleSet::standard();
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(26);
    let report = medring_protocol::chain::file::verify(answer.body.as_slice(), &rules, &mut rng, |_| {}).unwrap();
    assert_eq!((report.tip, report.height), (node.snapshot().tip, 5));
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_production_network_refuses_what_only_tests_may_do() {
    let world = World::with_purpose(27, Purpose::Production);
    let node = world.start("alice", &[]).await;
    for (path, body) in [("/v1/chain/mine", json!({"blocks": 1})), ("/v1/testnet/isolate", json!({"on": true}))] {
        let answer = post(&node, path, body).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert!(node.isolate(true).await.is_err());
    let answer = put(&node, "/v1/testnet/faults", json!({"disk_full": true})).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let faults = medring_node::faults::Faults { disk_full: true, ..Default::default() };
    assert!(node.set_faults(faults).await.is_err());
    assert_eq!(node.faults().await, Default::default(), "nothing of it came in");
    stop(node).await;
    let mut faulty = world.config("alice", &[]);
    faulty.testnet.faults = Some("faults.json".into());
    let error = world.fails(faulty).await;
    assert!(error.to_string().contains("testnet.faults"), "{error}");
    let mut capped = world.config("alice", &[]);
    capped.mining.hashes_per_second = Some(1);
    let error = world.fails(capped).await;
    assert!(error.to_string().contains("mining.hashes_per_second"), "{error}");
    assert_eq!(error.exit_code(), 78);
}
