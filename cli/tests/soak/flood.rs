//! A real node under floods: it keeps up with an honest peer, stays within its bound of memory, and bans who can be blamed.

use super::figures::memory_mib;
use super::harness::{Net, SOON};
use super::hostile::{self, Tally, Victim};
use super::records::{Maker, now_ms};
use super::short_or_long;
use super::streams::abuse_streams;
use medring_node::api::types::BansResponse;
use medring_node::core::Topic;
use medring_node::wallet::Moment;
use medring_protocol::block::Block;
use medring_protocol::record::Kind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a flooded node may have in memory, MiB (docs/architecture.md).
const MEMORY_MIB_MAX: u64 = 256;
/// Until a flooded node has an honest peer's block.
const BLOCK_TIME_MAX: Duration = Duration::from_secs(30);

/// What a flood came to.
struct Outcome {
    slowest: Duration,
    blocks: usize,
    before_mib: u64,
    most_mib: u64,
    bans: usize,
    tally: Arc<Tally>,
}

/// Floods node 0 of two for a while by what `attack` starts; node 1 mines meanwhile.
fn flood(name: &str, attack: impl FnOnce(&Victim, &mut JoinSet<()>)) -> Outcome {
    let lasts = Duration::from_secs(short_or_long(5, 60));
    let net = Net::up(2, |_| {});
    net.mine(1, 1).unwrap();
    net.wait_agree(SOON).unwrap();
    let pid = net.node(0).unwrap().process.unwrap().pid;
    let [_, before_mib] = memory_mib(pid);
    let block = net.client(0).unwrap().get_bytes("/v1/blocks/1/raw", 1 << 20).unwrap();
    let mut maker = Maker::new(&net);
    let record = maker.record(Kind::Phr, "node0", Moment { now_ms: now_ms(), tip_height: 1 }, 64).encode();
    let victim = Victim {
        chain: net.state().chain_id,
        address: net.node(0).unwrap().address.as_ref().unwrap().parse().unwrap(),
        header: Block::decode(&block).unwrap().header,
        record: Arc::new(record),
        stop: CancellationToken::new(),
        tally: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut attackers = JoinSet::new();
    runtime.block_on(async { attack(&victim, &mut attackers) });
    let (began, mut slowest, mut blocks) = (Instant::now(), Duration::ZERO, 0);
    while began.elapsed() < lasts {
        let mined = Instant::now();
        net.mine(1, 1).unwrap();
        net.wait_agree(BLOCK_TIME_MAX).unwrap_or_else(|e| panic!("{name}: an honest block did not arrive: {e}"));
        slowest = slowest.max(mined.elapsed());
        blocks += 1;
    }
    victim.stop.cancel();
    drop(attackers);
    runtime.shutdown_timeout(Duration::from_secs(5));
    let [_, most_mib] = memory_mib(pid);
    let bans = net.client(0).unwrap().get::<BansResponse>("/v1/peers/bans").unwrap().bans.len();
    let outcome = Outcome { slowest, blocks, before_mib, most_mib, bans, tally: victim.tally };
    println!(
        "{name}: {} s, {} honest blocks, the slowest after {} ms; at most {} MiB (before: {}); {} bans; {:?}",
        lasts.as_secs(),
        outcome.blocks,
        outcome.slowest.as_millis(),
        outcome.most_mib,
        outcome.before_mib,
        outcome.bans,
        outcome.tally
    );
    assert!(outcome.most_mib <= MEMORY_MIB_MAX, "{name}: {} MiB", outcome.most_mib);
    outcome
}

#[test]
fn a_flood_of_invalid_records_and_junk_is_survived_and_its_senders_are_banned() {
    let outcome = flood("invalid records and junk", |victim, attackers| {
        attackers.spawn(hostile::gossip(victim.clone(), Topic::Records, hostile::bad_record));
        attackers.spawn(hostile::gossip(victim.clone(), Topic::Records, hostile::junk));
        attackers.spawn(hostile::gossip(victim.clone(), Topic::Blocks, hostile::junk));
        attackers.spawn(hostile::gossip(victim.clone(), Topic::CompactBlocks, hostile::junk));
    });
    assert!(outcome.bans > 0, "nobody was banned");
}

#[test]
fn a_flood_of_low_work_headers_and_questions_is_survived_and_its_senders_are_banned() {
    let outcome = flood("headers without work, questions", |victim, attackers| {
        for _ in 0..3 {
            attackers.spawn(hostile::lie(victim.clone()));
        }
    });
    assert!(outcome.bans > 0, "nobody was banned");
}

#[test]
fn a_flood_of_orphans_is_survived() {
    flood("orphans with proof of work", |victim, attackers| {
        for _ in 0..2 {
            attackers.spawn(hostile::gossip(victim.clone(), Topic::Blocks, hostile::orphan));
        }
    });
}

#[test]
fn huge_slow_and_silent_streams_are_survived() {
    let outcome = flood("huge, slow and silent streams", |victim, attackers| {
        for _ in 0..3 {
            attackers.spawn(abuse_streams(victim.clone()));
        }
    });
    assert!(outcome.tally.messages.load(Ordering::Relaxed) > 0, "no stream was opened");
}

#[test]
fn churn_of_connections_is_survived() {
    flood("churn of connections", |victim, attackers| {
        let socket = medring_node::net::address::parts(&victim.address).unwrap().socket;
        for _ in 0..3 {
            attackers.spawn(hostile::churn(victim.clone(), socket));
        }
    });
}
