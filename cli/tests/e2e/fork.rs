//! Two parts of a network that lost each other, and found each other again.

use super::harness::{Net, SOON};
use super::records::Maker;
use medring_storage::{ChainStore, RocksEngine};
use medring_testnet::procs::until;
use serde_json::Value;

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
        let (on_0, on_1) = (record(0, id).unwrap(), record(1, id).unwrap());
        assert_eq!(on_0, on_1);
        assert_eq!(on_0["state"], if id == a.id(&chain) { "settled" } else { "confirmed" }, "{on_0}");
    }
    let branches = net.get(1, "/v1/chain/tips");
    assert!(branches.to_string().contains(&light[1]), "node 1 remembers the branch it left: {branches}");

    net.end();
    let params = net.genesis().unwrap().params;
    let state = |i: usize| {
        let engine = RocksEngine::open(net.node(i).unwrap().data_dir().join("chain")).unwrap();
        ChainStore::open(engine, &params).unwrap().state_hash().unwrap()
    };
    assert_eq!(state(0), state(1), "byte for byte the same state");
}
