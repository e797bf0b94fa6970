//! Two parts of a network that lost each other, and found each other again.

use super::harness::{Net, Ran, SOON, medring};
use super::records::Maker;
use medring_storage::{ChainStore, RocksEngine};
use medring_testnet::procs::until;
use serde_json::Value;

/// `medring ARGS…` on node `i`.
fn on(net: &Net, i: usize, args: &[&str]) -> Ran {
    let folder = net.node(i).unwrap().data_dir().to_owned();
    medring([&["--data-dir", &folder.to_string_lossy()], args].concat())
}

/// Node 1 left two blocks, and with them a record that was submitted to it.
fn shows_what_the_fork_did(net: &Net, left: &str, record: &str) {
    let tips = on(net, 1, &["chain", "tips"]).ok().out;
    let line =
        tips.lines().find(|line| line.contains(left)).unwrap_or_else(|| panic!("{left} is in no line of {tips}"));
    assert!(line.contains("valid-fork"), "{line}");
    let tree = on(net, 1, &["chain", "tree", "10"]).ok().out;
    let drawn = |id: &str, mark: &str| tree.lines().any(|line| line.contains(id) && line.contains(mark));
    assert!(drawn(left, "○") && tree.contains("best") && tree.contains("●─╯"), "{tree}");
    let reorgs = on(net, 1, &["chain", "reorgs", "--json"]).ok().json();
    let reorg = &reorgs["reorgs"][0];
    assert_eq!(
        (&reorg["depth"], &reorg["returned"], &reorg["from"]["id"]),
        (&2.into(), &2.into(), &left.into()),
        "{reorgs}"
    );
    let shown = on(net, 1, &["record", "show", record]).ok().out;
    for word in [
        "submitted",
        "confirmed in block 2",
        "a fork sent it back to pending (was in block 2",
        "confirmed again in block 5",
    ] {
        assert!(shown.contains(word), "{word:?} is not in {shown}");
    }
    let listed = on(net, 1, &["record", "list"]).ok().out;
    assert!(listed.lines().any(|line| line.contains(record) && line.contains("again, after a fork")), "{listed}");
    // The operator wants the branch back, and then does not.
    let best = net.get(1, "/v1/status")["tip"]["id"].as_str().unwrap().to_owned();
    let fork_child = {
        let block = |height: u64| net.get(1, &format!("/v1/blocks/{height}"))["id"].as_str().unwrap().to_owned();
        block(2)
    };
    let said = on(net, 1, &["chain", "invalidate", &fork_child, "--json"]).ok().json();
    assert_eq!((&said["id"], &said["height"]), (&left.into(), &3.into()));
    assert!(on(net, 1, &["chain", "tips"]).ok().out.contains("invalidated by the operator"));
    let said = on(net, 1, &["chain", "reconsider", &fork_child, "--json"]).ok().json();
    assert_eq!(said["id"], best);
    on(net, 1, &["chain", "prefer", left]).fails(65, &["less work", "/v1/chain/tree"]);
}

/// Two parts that lost each other for 240 blocks: the lighter one is left in steps, and raises an alarm.
#[test]
fn a_branch_of_hundreds_of_blocks_is_left_in_steps_and_alarms() {
    let mut net = Net::up(2, |_| {});
    for i in [0, 1] {
        net.isolate(i, true).unwrap();
    }
    let heavy = net.mine(0, 241).unwrap();
    net.mine(1, 240).unwrap();
    for i in [0, 1] {
        net.isolate(i, false).unwrap();
    }
    let (tip, _) = net.wait_agree(SOON).unwrap();
    assert_eq!(Some(&tip.to_string()), heavy.last());
    let reorgs = net.get(1, "/v1/chain/reorgs");
    let reorg = &reorgs["reorgs"][0];
    assert_eq!(
        (&reorg["depth"], &reorg["deep"], &reorg["to"]["id"]),
        (&240.into(), &true.into(), &tip.to_string().into())
    );
    assert!(reorg["steps"].as_u64().unwrap() >= 5, "at most 100 blocks a step: {reorg}");
    assert_eq!(net.get(1, "/v1/status")["deep_reorg"]["depth"], 240);
    assert!(on(&net, 1, &["node", "status"]).ok().out.contains("240 blocks left the chain in one reorganisation"));
    net.end();
    let params = net.genesis().unwrap().params;
    let state = |i: usize| {
        let engine = RocksEngine::open(net.node(i).unwrap().data_dir().join("chain")).unwrap();
        ChainStore::open(engine, &params).unwrap().state_hash().unwrap()
    };
    assert_eq!(state(0), state(1));
}

/// ```text
///             ┌─ a a a      node 0, with record A: heavier
///  genesis ─ e
///             └─ b b        node 1, with records B and C
///  joined:    e ─ a a a ─ n  where n holds B and C again
/// ```
#[test]
fn the_lighter_branch_is_left_and_its_records_are_confirmed_on_the_other() {
    let mut net = Net::up(2, |_| {});
    let mut maker = Maker::new(&net);
    let chain = net.state().chain_id;
    let (a, b, c) = (maker.ehr(1), maker.ehr(1), maker.ehr(1));
    for i in [0, 1] {
        net.isolate(i, true).unwrap();
    }
    for i in [0, 1] {
        until("no link between them", SOON, || match net.get(i, "/v1/status")["peers"].as_u64() {
            Some(0) => Ok(()),
            peers => Err(format!("{peers:?} links")),
        })
        .unwrap();
    }
    net.client(0).unwrap().submit(&a).unwrap();
    net.client(1).unwrap().submit(&b).unwrap();
    net.client(1).unwrap().submit(&c).unwrap();
    let heavy = net.mine(0, 3).unwrap();
    let light = net.mine(1, 2).unwrap();
    assert_eq!((heavy.len(), light.len()), (3, 2));
    let record = |i, id| net.client(i).unwrap().find::<Value>(&format!("/v1/records/{id}")).unwrap();
    assert!(record(0, b.id(&chain)).is_none(), "the cut is a cut");
    assert_eq!(record(1, b.id(&chain)).unwrap()["height"], 2);

    for i in [0, 1] {
        net.isolate(i, false).unwrap();
    }
    let (tip, height) = net.wait_agree(SOON).unwrap();
    assert_eq!((tip.to_string(), height), (heavy[2].clone(), 4), "the heavier branch is best");
    // Nobody submits them again: they return from the branch that was left, and travel.
    until("the records of the left branch to wait in node 0's pool", SOON, || {
        let waits = |id| record(0, id).is_some_and(|r| r["state"] == "pending");
        if waits(b.id(&chain)) && waits(c.id(&chain)) { Ok(()) } else { Err(net.get(0, "/v1/pool").to_string()) }
    })
    .unwrap();
    net.mine(0, 1).unwrap();
    let (_, height) = net.wait_agree(SOON).unwrap();
    assert_eq!(height, 5);
    for id in [a.id(&chain), b.id(&chain), c.id(&chain)] {
        let (mut on_0, mut on_1) = (record(0, id).unwrap(), record(1, id).unwrap());
        // What became of it on the way is told where it was submitted.
        for on in [&mut on_0, &mut on_1] {
            ["history", "went_back"].iter().for_each(|field| drop(on.as_object_mut().unwrap().remove(*field)));
        }
        assert_eq!(on_0, on_1);
        assert_eq!(on_0["state"], if id == a.id(&chain) { "settled" } else { "confirmed" }, "{on_0}");
    }
    shows_what_the_fork_did(&net, &light[1], &b.id(&chain).to_string());

    net.end();
    let params = net.genesis().unwrap().params;
    let state = |i: usize| {
        let engine = RocksEngine::open(net.node(i).unwrap().data_dir().join("chain")).unwrap();
        ChainStore::open(engine, &params).unwrap().state_hash().unwrap()
    };
    assert_eq!(state(0), state(1), "byte for byte the same state");
}
