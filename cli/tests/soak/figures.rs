//! What a node needs, measured from outside.

use super::harness::{BINARY, Net, SOON, bundles, samples, seed};
use super::records::{Maker, now_ms};
use super::short_or_long;
use medring_node::wallet::Moment;
use medring_protocol::record::Kind;
use medring_protocol::vitals::Layout;
use medring_testnet::client::ClientError;
use medring_testnet::demo::{self, DemoOptions};

/// What a node may have in memory with a chain of 10,000 records, MiB.
const MEMORY_MIB_MAX: u64 = 150;

/// Memory of a process as the system counts it: now, and at its height, MiB.
pub(super) fn memory_mib(pid: u32) -> [u64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    [field("VmRSS:"), field("VmHWM:")]
}

#[test]
fn a_node_with_a_long_chain_stays_small() {
    let records = short_or_long(300, 10_000);
    let mut net = Net::up(1, |options| options.quota_bytes = 4096 << 20);
    let mut maker = Maker::new(&net);
    let client = net.client(0).unwrap();
    for made in 1..=records {
        let record = maker.record(Kind::Ehr, "node0", Moment { now_ms: now_ms(), tip_height: 1 }, 64);
        match client.submit(&record) {
            Err(ClientError::Refused(problem)) if problem.status == 429 => {
                net.mine(0, 1).unwrap();
                client.submit(&record).unwrap();
            }
            submitted => drop(submitted.unwrap()),
        }
        if made % 100 == 0 || made == records {
            net.mine(0, 1).unwrap();
        }
    }
    let pid = |net: &Net| net.node(0).unwrap().process.unwrap().pid;
    let while_growing = memory_mib(pid(&net));
    net.stop(0).unwrap();
    net.start(0).unwrap();
    net.wait_height(1, SOON).unwrap();
    let restarted = memory_mib(pid(&net));
    println!("{records} records: {while_growing:?} MiB (now, most) while it grew, {restarted:?} MiB after a restart");
    for [now, most] in [while_growing, restarted] {
        assert!(now < MEMORY_MIB_MAX && most < 2 * MEMORY_MIB_MAX, "{now} MiB, at its height {most} MiB");
    }
}

#[test]
fn the_demo_of_many_patients_passes() {
    let folder = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        folder: folder.path().join("net"),
        binary: BINARY.into(),
        seed: seed(),
        block_time_ms: 2000,
        bundle: Some(short_or_long(None, bundles()).unwrap_or_else(samples)),
        vitals: None,
        columns: Layout::default(),
        tamper: false,
        keep_running: false,
        capture: false,
    };
    let summary = demo::run(&options, &mut |_| {}).unwrap();
    println!("{} patients, {} records in {:.0} s", summary.patients, summary.records.len(), summary.seconds);
    assert!(summary.patients >= 4 && summary.records.len() >= 3 * summary.patients);
}
