//! Faults that are given to real nodes by the commands: each is seen to bite, and to end.

use super::harness::{Foreground, Net, Ran, SOON, medring};
use super::records::Maker;
use medring_node::faults::Faults;
use medring_testnet::client::Client;
use medring_testnet::procs::until;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// `medring testnet ARGS… --dir FOLDER --json`.
fn testnet(net: &Net, args: &[&str]) -> Ran {
    let folder = net.folder().to_str().unwrap();
    medring([&["testnet"], args, &["--dir", folder, "--json"]].concat())
}

fn peers(net: &Net, i: usize) -> Option<u64> {
    net.get(i, "/v1/status")["peers"].as_u64()
}

#[track_caller]
fn linked(net: &Net, wanted: &[u64]) {
    until(&format!("{wanted:?} links"), SOON, || {
        let now: Vec<_> = (0..wanted.len()).map(|i| peers(net, i)).collect();
        if now.iter().zip(wanted).all(|(now, wanted)| *now == Some(*wanted)) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .unwrap();
}

#[test]
fn a_partition_cuts_links_lets_none_stand_and_heals_at_once() {
    let mut net = Net::up(4, |_| {});
    linked(&net, &[3, 3, 3, 3]);
    let done = testnet(&net, &["partition", "0,1|2,3"]).ok().json();
    assert!(done["undo"].as_str().unwrap().contains("testnet heal"), "{done}");
    // The command returns once it is so.
    assert_eq!([0, 1, 2, 3].map(|i| peers(&net, i)), [Some(1); 4]);
    let across = net.connect(0, 2).unwrap_err().to_string();
    assert!(across.contains("cut off"), "{across}");
    net.connect(0, 1).unwrap();
    // A node that dies and comes back finds nobody beyond the cut either.
    net.restart(2).unwrap();
    linked(&net, &[1, 1, 1, 1]);
    net.mine(0, 2).unwrap();
    net.mine(3, 1).unwrap();
    until("each half on a tip of its own", SOON, || {
        let tips: Vec<_> = net.status().iter().map(|node| node.tip()).collect();
        if tips[0] == tips[1] && tips[2] == tips[3] && tips[0] != tips[2] { Ok(()) } else { Err(format!("{tips:?}")) }
    })
    .unwrap();
    let faults = testnet(&net, &["faults"]).ok().json();
    assert_eq!(faults["nodes"][0]["faults"]["cut"].as_array().map(Vec::len), Some(2), "{faults}");

    testnet(&net, &["heal"]).ok();
    let healed = Instant::now();
    linked(&net, &[3, 3, 3, 3]);
    assert!(healed.elapsed() < Duration::from_secs(20), "linked again after {:?}", healed.elapsed());
    net.wait_agree(SOON).unwrap();
}

#[test]
fn a_paused_node_keeps_its_links_and_goes_on_where_it_stood() {
    let net = Net::up(2, |_| {});
    linked(&net, &[1, 1]);
    testnet(&net, &["pause", "1"]).ok();
    let status = testnet(&net, &["status"]).ok().json();
    assert_eq!((&status["nodes"][1]["paused"], peers(&net, 0)), (&json!(true), Some(1)), "{status}");
    net.mine(0, 1).unwrap();
    testnet(&net, &["resume", "1"]).ok();
    testnet(&net, &["resume", "1"]).fails(1, &["not paused"]);
    net.wait_agree(SOON).unwrap();
}

#[test]
fn what_is_late_comes_late_and_what_is_lost_is_found_in_the_end() {
    let net = Net::up(2, |_| {});
    linked(&net, &[1, 1]);
    testnet(&net, &["delay", "1", "1500ms"]).ok();
    let before = Instant::now();
    net.mine(0, 1).unwrap();
    net.wait_agree(SOON).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(1500), "heard after {:?}", before.elapsed());
    testnet(&net, &["delay", "1", "0s"]).ok();
    // All that node 0 says is lost: node 1 stays behind until that ends.
    testnet(&net, &["loss", "1", "100%", "--from", "0"]).ok();
    net.mine(0, 1).unwrap();
    // Node 1 hears nothing of it, while node 0 hears node 1's own block.
    net.mine(1, 2).unwrap();
    let (_, height) = net.wait_agree(SOON).unwrap();
    assert_eq!(height, 4, "node 0 left its branch for node 1's");
    assert_eq!(net.get(1, "/v1/chain/tips")["tips"].as_array().map(Vec::len), Some(1), "node 1 never heard of it");
    testnet(&net, &["heal"]).ok();
    net.mine(0, 1).unwrap();
    net.wait_agree(SOON).unwrap();
}

#[test]
fn a_clock_that_is_off_stamps_its_blocks_so() {
    let net = Net::up(1, |_| {});
    let clock = || net.get(0, "/v1/status")["clock_ms"].as_u64().unwrap();
    let stamp = |id: &str| net.get(0, &format!("/v1/blocks/{id}"))["time_ms"].as_u64().unwrap();
    testnet(&net, &["clock-skew", "0", "+1h"]).ok();
    let block = net.mine(0, 1).unwrap();
    let (ahead, stamped) = (clock(), stamp(&block[0]));
    testnet(&net, &["clock-skew", "0", "0s"]).ok();
    assert!(ahead - clock() > 3_500_000, "{ahead}");
    assert!(ahead - stamped < 60_000, "{stamped} is by the same clock as {ahead}");
    testnet(&net, &["clock-skew", "0", "25h"]).fails(2, &["24h"]);
}

#[test]
fn a_filled_disk_stops_the_node_and_what_it_acknowledged_is_kept() {
    let mut net = Net::up(1, |_| {});
    net.end();
    let mut node = Foreground::node(&net.node(0).unwrap().config());
    node.prints("medring node ready");
    let mut maker = Maker::new(&net);
    let client = Client::from_data_dir(&net.node(0).unwrap().data_dir()).unwrap();
    let kept = client.submit(&maker.ehr(1)).unwrap();
    let full = Faults { disk_full: true, ..Faults::default() };
    let _answer: Value = client.put("/v1/testnet/faults", &full).unwrap();
    let refused = client.submit(&maker.ehr(1));
    assert!(refused.is_err(), "{refused:?} was acknowledged on a full disk");
    node.ended().fails(74, &["make room"]);

    // As long as the disk is full it does not come up; with room it has what it acknowledged.
    testnet(&net, &["disk-full", "0"]).ok();
    let started = net.start(0).unwrap_err().to_string();
    assert!(started.contains("ended instead"), "{started}");
    testnet(&net, &["disk-full", "0", "--off"]).ok();
    net.start(0).unwrap();
    assert_eq!(net.get(0, &format!("/v1/records/{kept}"))["state"], "pending");
}
