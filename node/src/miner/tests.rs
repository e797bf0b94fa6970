//! Real threads on easy targets. Nothing here sleeps: it waits on what the threads send.

use super::*;
use medring_protocol::BlockId;
use medring_protocol::pow::CompactTarget;
use std::sync::mpsc::{Receiver, channel};

const PATIENCE: Duration = Duration::from_secs(20);

fn template(height: u64, target: u32) -> Template {
    let header = Header {
        prev: BlockId([1; 32]),
        records_root: [2; 32],
        version: Header::VERSION,
        target: CompactTarget(target),
        height,
        time_ms: 1,
        miner_tag: [0; 16],
        nonce: 0,
    };
    Template { header, records: 0 }
}

/// One hash in 512 meets it.
const EASY: u32 = 0x1f7f_ffff;
/// Nothing meets it.
const HARD: u32 = 0x0101_0000;

fn miner(enabled: bool, hashes_per_second: Option<u64>) -> (Miner, Receiver<Header>) {
    let (tx, rx) = channel();
    let config = MinerConfig { enabled, threads: 2, hashes_per_second, seed: 7, nice: 0 };
    (Miner::start(config, move |header| tx.send(header).unwrap_or_default()).unwrap(), rx)
}

fn next(rx: &Receiver<Header>, what: &str) -> Header {
    rx.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}"))
}

#[test]
fn a_found_block_meets_its_target_and_its_template_is_not_searched_again() {
    let (miner, rx) = miner(true, None);
    miner.set_template(template(1, EASY));
    let header = next(&rx, "a block");
    assert!(header.target.decode().unwrap().is_met_by(&header.id()));
    miner.set_template(template(2, EASY));
    assert_eq!(next(&rx, "the next block").height, 2);
    miner.stop();
    assert!(rx.try_recv().is_err(), "one block for each template");
}

#[test]
fn a_new_template_replaces_a_hopeless_one_and_stopping_ends_all_threads() {
    let (miner, rx) = miner(true, Some(50));
    miner.set_template(template(1, HARD));
    miner.set_template(template(2, 0x207f_ffff));
    assert_eq!(next(&rx, "a block of the new template").height, 2);
    miner.set_template(template(3, HARD));
    miner.stop();
    assert!(rx.recv_timeout(PATIENCE).is_err(), "every thread is gone, so the channel is closed");
}

#[test]
fn on_demand_it_finds_as_many_as_asked_for_and_no_more() {
    let (miner, rx) = miner(false, Some(1));
    miner.set_template(template(1, EASY));
    miner.demand(2);
    assert_eq!(next(&rx, "the first").height, 1);
    miner.set_template(template(2, EASY));
    assert_eq!(next(&rx, "the second").height, 2);
    assert_eq!(miner.demanded(), 0);
    miner.set_template(template(3, EASY));
    miner.stop();
    assert!(rx.try_recv().is_err());
}

#[test]
fn the_same_seed_starts_at_the_same_nonce_and_threads_start_apart() {
    let header = template(1, EASY).header;
    assert_eq!(start_nonce(1, &header, 0), start_nonce(1, &header, 0));
    assert_ne!(start_nonce(1, &header, 0), start_nonce(1, &header, 1));
    assert_ne!(start_nonce(1, &header, 0), start_nonce(2, &header, 0));
}
