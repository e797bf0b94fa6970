//! Blocks between real nodes: what a full one costs a link, in bytes that really pass, and old nodes among new ones.

use crate::common::*;
use medring_node::config::Config;
use medring_node::driver::{Node, NodeHandle, Shutdown};
use medring_protocol::limits::BLOCK_BYTES_MAX;
use medring_protocol::record::Kind;
use medring_protocol::wire::Response;
use medring_protocol::{codec, limits};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes one connection on to `to`, and counts its bytes both ways.
async fn counting_proxy(to: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(pass_on(near_in, far_out, counter.clone()));
            tokio::spawn(pass_on(far_in, near_out, counter.clone()));
        }
    });
    (address, count)
}

async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    count: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(length as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Bytes of the inventories of its pool that a node sent, from its capture: they have nothing to do with blocks.
fn inventories(capture: &Path) -> u64 {
    let bytes = std::fs::read(capture).unwrap();
    let (mut rest, mut sum) = (bytes.as_slice(), 0);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if let Ok(Response::Pool(ids)) = codec::decode(&after[..length], limits::RESPONSE_BYTES_MAX) {
            sum += 32 * ids.len() as u64;
        }
        rest = &after[length..];
    }
    sum
}

fn tcp(node: &NodeHandle) -> (SocketAddr, String) {
    let address = address(node);
    let parts: Vec<&str> = address.split('/').collect();
    (format!("{}:{}", parts[2], parts[4]).parse().unwrap(), parts[6].to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_block_of_gossiped_records_costs_a_real_link_less_than_ten_thousand_bytes() {
    let world = World::new(41);
    let capture = world.data("payloads");
    let mut config = world.config("alice", &[]);
    config.network.capture = Some(capture.clone());
    let alice = Node::start(config, Shutdown::new()).await.unwrap();
    let (socket, peer_id) = tcp(&alice);
    let (proxy, count) = counting_proxy(socket).await;
    let bob = world.start("bob", &[format!("/ip4/127.0.0.1/tcp/{}/p2p/{peer_id}", proxy.port())]).await;
    until(&bob, "a link", |s| s.peers.iter().any(|p| p.status.is_some())).await;
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    alice.mine_blocks(1).await.unwrap();
    until(&bob, "the first block", |s| s.height == 1).await;

    let records = BLOCK_BYTES_MAX / world.kit.record(Kind::Ehr, 0, 2).encoded_len();
    for number in 0..records as u64 {
        alice.submit(world.kit.record(Kind::Ehr, number, 2)).await.unwrap();
    }
    until(&bob, "the records in bob's pool", |s| s.pool_records == records).await;
    let (before, inventory) = (count.load(Ordering::SeqCst), inventories(&capture));
    let block = alice.mine_blocks(1).await.unwrap()[0];
    until(&bob, "the full block", |s| s.tip == block).await;
    assert_eq!((alice.snapshot().pool_records, bob.snapshot().pool_records), (0, 0), "all records are in it");
    let passed = count.load(Ordering::SeqCst) - before - (inventories(&capture) - inventory);
    println!("a block of {records} records: {passed} bytes passed, both ways, frames and keep-alives included");
    assert!(passed < 10_000, "{passed} bytes passed");
    stop(alice).await;
    stop(bob).await;
}

/// ```text
/// new ─ old ─ new
/// ```
#[tokio::test(flavor = "multi_thread")]
async fn an_old_node_between_two_new_ones_takes_and_passes_on_their_blocks() {
    let world = World::new(42);
    let old = |config: Config| {
        let mut config = config;
        config.network.wire_version = Some(1);
        config
    };
    let alice = world.start("alice", &[]).await;
    let bob = Node::start(old(world.config("bob", &[address(&alice)])), Shutdown::new()).await.unwrap();
    let carol = world.start("carol", &[address(&bob)]).await;
    until(&bob, "bob to be linked to both", |s| s.peers.iter().filter(|p| p.status.is_some()).count() == 2).await;
    until(&carol, "carol to be linked", |s| s.peers.iter().any(|p| p.status.is_some())).await;
    let versions = |node: &NodeHandle| {
        node.snapshot().peers.iter().filter_map(|p| p.status.clone()).map(|s| s.version).collect::<Vec<_>>()
    };
    assert_eq!((versions(&alice), versions(&bob)), (vec![1], vec![2, 2]));
    alice.submit(world.kit.enrol_all(1)).await.unwrap();
    for (miner, height) in [(&alice, 1), (&bob, 2), (&carol, 3)] {
        let tip = miner.mine_blocks(1).await.unwrap()[0];
        for node in [&alice, &bob, &carol] {
            until(node, &format!("block {height}"), |s| s.tip == tip).await;
        }
    }
    for node in [alice, bob, carol] {
        stop(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_wire_version_is_refused_outside_test_networks() {
    let world = World::with_purpose(43, medring_protocol::params::Purpose::Production);
    let mut config = world.config("alice", &[]);
    config.network.wire_version = Some(1);
    let refused = world.fails(config).await.to_string();
    assert!(refused.contains("network.wire_version"), "{refused}");
}
