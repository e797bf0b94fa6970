//! Server-sent events from a running node.

use crate::common::*;
use medring_node::driver::NodeHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A stream that is being listened to, as text.
struct Listening {
    stream: TcpStream,
    heard: String,
}

impl Listening {
    async fn open(node: &NodeHandle, query: &str, headers: &str) -> Self {
        let token = std::fs::read_to_string(node.info().data_dir.join("api.token")).unwrap();
        let (host, token) = (node.info().api, token.trim());
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request =
            format!("GET /v1/events{query} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut listening = Self { stream, heard: String::new() };
        listening.until("the head of an answer", |heard| heard.contains("\r\n\r\n")).await;
        listening
    }

    /// Reads until what was heard is so; false at the stream's end.
    async fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) -> bool {
        in_time(what, async {
            while !is(&self.heard) {
                let mut bytes = [0; 4096];
                let read = self.stream.read(&mut bytes).await.unwrap_or(0);
                if read == 0 {
                    return false;
                }
                self.heard += &String::from_utf8_lossy(&bytes[..read]);
            }
            true
        })
        .await
    }

    /// The last id that was heard.
    fn last_id(&self) -> &str {
        self.heard.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_records_are_told_as_they_come_and_a_listener_that_was_cut_goes_on_where_it_was() {
    let world = World::new(81);
    let node = world.start("alice", &[]).await;
    let mut all = Listening::open(&node, "", "").await;
    let mut blocks = Listening::open(&node, "?topics=blocks", "").await;
    let id = node.submit(world.kit.enrol_all(1)).await.unwrap().to_string();
    let first = node.mine_blocks(1).await.unwrap()[0].to_string();
    assert!(all.until("a record and a block", |heard| heard.contains("event: tip") && heard.contains(&first)).await);
    assert!(all.heard.contains("event: pooled") && all.heard.contains(&id), "{}", all.heard);
    assert!(all.heard.to_lowercase().contains("content-type: text/event-stream"), "{}", all.heard);
    assert!(blocks.until("a block", |heard| heard.contains(&first)).await);
    assert!(!blocks.heard.contains("pooled"), "{}", blocks.heard);

    let last = format!("Last-Event-ID: {}\r\n", blocks.last_id());
    drop(blocks);
    let second = node.mine_blocks(1).await.unwrap()[0].to_string();
    let mut again = Listening::open(&node, "?topics=blocks", &last).await;
    assert!(again.until("the block that came meanwhile", |heard| heard.contains(&second)).await);
    assert!(!again.heard.contains(&first) && !again.heard.contains("event: missed"), "{}", again.heard);
    let mut stranger = Listening::open(&node, "", "Last-Event-ID: 1-1\r\n").await;
    assert!(stranger.until("word of what it missed", |heard| heard.contains("event: missed")).await);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_bounded_and_do_not_keep_a_node_from_stopping() {
    let world = World::new(82);
    let node = world.start("alice", &[]).await;
    let mut listening = Vec::new();
    for _ in 0..16 {
        let one = Listening::open(&node, "", "").await;
        assert!(one.heard.starts_with("HTTP/1.1 200"), "{}", one.heard);
        listening.push(one);
    }
    let one_more = get(&node, "/v1/events").await;
    assert_eq!(
        (one_more.status, one_more.json()["type"].as_str()),
        (429, Some("urn:medring:problem:too-many-streams"))
    );
    assert_eq!(get(&node, "/v1/status").await.status, 200, "they take no place of other requests");
    assert_eq!(get(&node, "/v1/events?topics=weather").await.status, 400);
    listening.pop();
    let mut next = Listening::open(&node, "", "").await;
    while next.heard.starts_with("HTTP/1.1 429") {
        // The node has not noticed yet that one went.
        tokio::task::yield_now().await;
        next = Listening::open(&node, "", "").await;
    }
    // One that reads nothing, and one that reads on.
    let stopped = tokio::time::timeout(Duration::from_secs(20), stop(node));
    let (stopped, told) =
        tokio::join!(stopped, next.until("the last event", |heard| heard.contains("\"why\":\"stopping\"")));
    assert!(stopped.is_ok(), "sixteen listeners kept the node from stopping");
    assert!(told, "{}", next.heard);
}
