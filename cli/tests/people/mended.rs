//! What goes wrong in a family's group and is set right by the commands alone: a member suspended and taken back, a change given
//! up, an owner that has only its keys left.

use crate::cli_common::Desk;
use crate::folder::Net;
use crate::group::{PATIENT, fingerprint, invite, on, until};
use std::fs;

#[test]
fn a_member_comes_back_a_change_is_given_up_and_a_lost_group_is_recovered() {
    let desk = Desk::new();
    let _net = Net::up(&desk, "--nodes 6 --block-time 500ms");
    on(&desk, PATIENT, "group create family").expect(0, "group invite NAME");
    for (node, name) in [(1, "doc"), (3, "daughter"), (4, "carer")] {
        invite(&desk, node, name);
    }
    on(&desk, PATIENT, "group add doc daughter carer --yes --wait").expect(0, "epoch        0, final");
    on(&desk, 4, "group return").expect(65, "you are not suspended");
    on(&desk, PATIENT, "group retry").expect(65, "nothing waits to be tried again");

    // Suspended, the carer keeps its place at the door, and comes back by asking.
    on(&desk, PATIENT, "group suspend carer --wait").expect(0, "epoch        1, final");
    until(&desk, 4, "group status", "the carer to know", |status| status["standing"] == "suspended");
    on(&desk, 4, "group status").expect(0, "`medring group return` asks to come back");
    on(&desk, PATIENT, "group status").expect(0, "suspended");
    on(&desk, 4, "group return --wait").expect(0, "epoch        2, final");
    until(&desk, PATIENT, "group status", "the carer in epoch 2", |status| {
        status["active"]["epoch"] == 2
            && status["active"]["is_final"] == true
            && status["suspended"] == serde_json::json!([])
    });
    assert_eq!(fingerprint(&desk, PATIENT), fingerprint(&desk, 4));

    // A removal waits for a node that is away. Meanwhile nothing is sealed; given up, records are sealed again.
    desk.run("testnet kill 1 --dir net").expect(0, "");
    on(&desk, PATIENT, "group remove carer").expect(0, "");
    let waits = until(&desk, PATIENT, "group status", "the doctor to be missed", |status| {
        status["waiting_for"].as_array().is_some_and(|missing| missing.len() == 1)
    });
    assert_eq!(waits["active"]["sealing"], false, "{waits}");
    on(&desk, PATIENT, "group status").expect(0, "doc, whose node does not answer");
    on(&desk, 3, "group cancel").expect(65, "only the group's owner");
    on(&desk, PATIENT, "group cancel").expect(0, "");
    let given_up = on(&desk, PATIENT, "group status --json").expect(0, "").json();
    assert_eq!(given_up["active"]["sealing"], true, "{given_up}");
    assert_eq!((&given_up["pending"], &given_up["waiting_for"]), (&serde_json::json!([]), &serde_json::json!([])));
    desk.run("testnet restart 1 --dir net").expect(0, "");

    // The owner's folder of groups is lost; a member gives the last epoch back, and everybody is paired anew.
    let group = given_up["group"].as_str().unwrap();
    desk.run("testnet kill 2 --dir net").expect(0, "");
    fs::remove_dir_all(desk.path("net/node2/data/groups")).unwrap();
    desk.run("testnet restart 2 --dir net").expect(0, "");
    on(&desk, PATIENT, "group status").expect(1, "group create NAME");
    on(&desk, PATIENT, "group recover --from /ip4/127.0.0.1/tcp/4001").expect(2, "lacks the peer id");
    let member = on(&desk, 3, "node status --json").expect(0, "").json();
    let address = member["listen"][0].as_str().unwrap();
    on(&desk, PATIENT, &format!("group recover --from {address}")).expect(0, group);
    let again = until(&desk, PATIENT, "group status", "an epoch after the recall", |status| {
        status["active"]["epoch"] == 3 && status["active"]["is_final"] == true
    });
    assert_eq!(again["active"]["ring"].as_array().unwrap().len(), 4, "{again}");
    for node in [1, 3, 4] {
        until(&desk, node, "group status", "the new epoch", |status| {
            status["active"]["gid"] == again["active"]["gid"] && status["active"]["is_final"] == true
        });
        assert_eq!(fingerprint(&desk, PATIENT), fingerprint(&desk, node), "node {node}");
    }
}
