//! Long lists in pages, and requests that are sent again.

use crate::common::*;
use medring_node::api::types::*;
use medring_node::driver::NodeHandle;
use medring_protocol::record::Kind;
use serde_json::Value;

/// Every page of a list, from the first to the last: the items' ids.
async fn pages(node: &NodeHandle, path: &str, items: &str, id: &str, limit: usize) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let answer = get(node, &format!("{path}?limit={limit}{next}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page: Value = answer.json();
        let items = page[items].as_array().unwrap();
        assert!(items.len() <= limit, "{page}");
        found.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next"].as_str() else { return found };
        next = format!("&cursor={cursor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_whole_list_each_item_once_and_in_order() {
    let world = World::new(71);
    let node = world.start("alice", &[]).await;
    node.submit(world.kit.enrol_all(1)).await.unwrap();
    node.mine_blocks(1).await.unwrap();
    for number in 1..=7 {
        node.submit(world.kit.record(Kind::Ehr, number, 1)).await.unwrap();
        if number % 3 == 0 {
            node.mine_blocks(1).await.unwrap();
        }
    }
    node.mine_blocks(1).await.unwrap();
    for number in 8..=12 {
        node.submit(world.kit.record(Kind::Ehr, number, 1)).await.unwrap();
    }
    let whole = get(&node, "/v1/records?limit=200").await.json();
    assert!(whole.get("next").is_none(), "{whole}");
    let whole: Vec<_> = whole["records"].as_array().unwrap().iter().map(|r| r["record_id"].as_str().unwrap()).collect();
    assert_eq!(whole.len(), 8);
    for limit in [1, 2, 3, 8, 200] {
        assert_eq!(pages(&node, "/v1/records", "records", "record_id", limit).await, whole, "{limit} at a time");
    }
    let waiting = pages(&node, "/v1/pool", "records", "record_id", 200).await;
    assert_eq!((waiting.len(), pages(&node, "/v1/pool", "records", "record_id", 2).await), (5, waiting));
    let blocks: BlocksResponse = serde_json::from_slice(&get(&node, "/v1/blocks?from=0&limit=2").await.body).unwrap();
    let (mut heights, mut next) = (vec![0, 1], blocks.next);
    while let Some(cursor) = next {
        let page = get(&node, &format!("/v1/blocks?limit=2&cursor={cursor}")).await;
        let page: BlocksResponse = serde_json::from_slice(&page.body).unwrap();
        heights.extend(page.blocks.iter().map(|block| block.height));
        next = page.next;
    }
    assert_eq!(heights, (0..=node.snapshot().height).collect::<Vec<_>>());
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_leads_nowhere_after_its_block_left_the_chain_and_a_strange_one_is_refused() {
    let world = World::new(72);
    let node = world.start("alice", &[]).await;
    let ids = node.mine_blocks(4).await.unwrap();
    let page = get(&node, "/v1/blocks?from=1&limit=2").await.json();
    let cursor = page["next"].as_str().unwrap();
    assert_eq!(get(&node, &format!("/v1/blocks?cursor={cursor}")).await.status, 200);
    let invalid = serde_json::json!({"id": ids[1]});
    assert_eq!(post(&node, "/v1/chain/invalidate", invalid).await.status, 200);
    let gone = get(&node, &format!("/v1/blocks?cursor={cursor}")).await;
    assert_eq!((gone.status, gone.json()["type"].as_str()), (409, Some("urn:medring:problem:cursor")), "{gone:?}");
    for path in [
        format!("/v1/records?cursor={cursor}"),
        format!("/v1/blocks?from=1&cursor={cursor}"),
        "/v1/pool?cursor=00".into(),
        "/v1/pool?limit=0".into(),
        "/v1/records?limit=201".into(),
        "/v1/blocks?limit=-1".into(),
        "/v1/pool?before=1".into(),
    ] {
        assert_eq!(get(&node, &path).await.status, 400, "{path}");
    }
    stop(node).await;
}

/// Submits bytes under a key.
async fn keyed(node: &NodeHandle, key: &str, body: &[u8]) -> Answer {
    let token = std::fs::read_to_string(node.info().data_dir.join("api.token")).unwrap();
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        node.info().api,
        token.trim(),
        body.len()
    );
    let answer = raw_request(node, &[head.as_bytes(), body].concat()).await;
    crate::contract::hold("POST", "/v1/records", &answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_under_its_key_gets_the_same_answer_and_is_carried_out_once() {
    let world = World::new(73);
    let node = world.start("alice", &[]).await;
    let record = world.kit.enrol_all(1).encode();
    let first = keyed(&node, "k-1", &record).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = keyed(&node, "k-1", &record).await;
    assert_eq!((again.status, &again.body), (202, &first.body), "without the key it would be 409");
    assert!(again.head.to_lowercase().contains("idempotency-replayed: true"), "{again:?}");
    assert_eq!(keyed(&node, "k-2", &record).await.status, 409, "another key is another request");
    let other = keyed(&node, "k-1", &record[1..]).await;
    let kind = other.json()["type"].clone();
    assert_eq!((other.status, kind.as_str()), (422, Some("urn:medring:problem:idempotency-key")), "{other:?}");
    assert_eq!(keyed(&node, &"x".repeat(65), &record).await.status, 400);
    let bad = keyed(&node, "k-3", b"no record").await;
    assert_eq!((bad.status, keyed(&node, "k-3", b"no record").await.body), (400, bad.body));
    assert_eq!(node.snapshot().pool_records, 1);
    stop(node).await;
}
