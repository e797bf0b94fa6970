//! The commands that talk to a node, against a real one: from the bundle to the opened, verified record and the chain file.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::{Desk, Said, start};
use serde_json::Value;
use std::time::{Duration, Instant};

fn enrol(desk: &Desk, names_and_roles: [(&str, &str); 3]) {
    let office = "--genesis genesis.json --keystore authority.key --passphrase-file authority.pass";
    let mut requests = String::new();
    for (name, role) in names_and_roles {
        desk.run(&format!("authority challenge {office} --card {name}.card --role {role} --out {name}.challenge"))
            .expect(0, "");
        desk.run(&format!(
            "authority answer --genesis genesis.json --keystore {name}.key --passphrase-file {name}.pass \
             --challenge {name}.challenge --out {name}.request"
        ))
        .expect(0, "");
        requests += &format!(" {name}.request");
    }
    desk.run(&format!("authority enrol {office} --data-dir node{requests}")).expect(0, "ENROL");
    desk.run("chain mine --data-dir node").expect(0, "mined");
}

/// The wallet's list once it has `count` records, in time.
fn mine(desk: &Desk, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let said = desk.run("record list --mine --data-dir node --json").expect(0, "");
        let records = said.json()["records"].as_array().unwrap().clone();
        if records.len() == count {
            return records;
        }
        assert!(Instant::now() < deadline, "{count} records in the wallet; there are {}", records.len());
    }
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.network("demo");
    for name in ["hospital", "doctor", "patient"] {
        desk.participant(name);
    }
    desk.run("node init --data-dir node --genesis genesis.json --keystore patient.key --passphrase-file patient.pass")
        .expect(0, "medring node run");
    desk
}

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
  {"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","name":[{"family":"Verylongname"}]}},
  {"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50},
   "category":[{"coding":[{"code":"laboratory"}]}],"subject":{"reference":"urn:uuid:p"}}}]}"#;

#[test]
fn a_bundle_and_a_recording_arrive_on_the_patients_node_and_everyone_can_check_the_chain() {
    let desk = desk();
    let mut node = start(&desk);
    desk.write("bundle.json", BUNDLE);
    desk.write("vitals.csv", "minute,heart_rate_bpm\n0,61.5\n1,63\n");
    enrol(&desk, [("hospital", "healthcare-center"), ("doctor", "doctor"), ("patient", "patient")]);
    let patient = desk.run("key show --keystore patient.key --json").json()["participant"].as_str().unwrap().to_owned();
    let submit = |name: &str, rest: &str| -> Said {
        let keys = format!("--keystore {name}.key --passphrase-file {name}.pass");
        desk.run(&format!("record submit --data-dir node --genesis genesis.json {keys} {rest}"))
    };
    submit("hospital", "--bundle bundle.json --as ehr --to patient.card").expect(0, "EHR");
    submit("doctor", &format!("--bundle bundle.json --as emr --to {patient}")).expect(0, "EMR");
    submit("patient", "--vitals vitals.csv --columns @minute=60s,heart_rate_bpm=8867-4:/min").expect(0, "PHR");
    submit("doctor", "--bundle bundle.json --as ehr --to patient.card").expect(65, "R-ROLE");
    submit("authority", "--bundle bundle.json --as emr --to patient.card").expect(65, "R-ROLE");
    assert_eq!(desk.run("record list --pool --data-dir node --json").json()["records"].as_array().unwrap().len(), 3);
    desk.run("chain mine 1 --data-dir node").expect(0, "mined");

    for record in mine(&desk, 3) {
        let id = record["record_id"].as_str().unwrap();
        let verify = format!("record verify {id} --data-dir node --genesis genesis.json");
        desk.run(&verify).expect(1, "FAILED  it lies 1 blocks deep; 6 are asked for");
        let checks = desk.run(&format!("{verify} --depth 1 --json")).expect(0, "").json();
        assert_eq!((&checks["verified"], checks["checks"].as_array().unwrap().len()), (&true.into(), 9));
        desk.run(&format!("record show {id} --data-dir node")).expect(0, "confirmed, 1 confirmations");
        let opened = desk.run(&format!("record open {id} --data-dir node --json")).expect(0, "\"passed\": true");
        let word = if record["kind"] == "phr" { "61.5 63" } else { "1.50" };
        assert!(opened.stdout.contains(word), "as it was written: {opened:?}");
        desk.run(&format!("record open {id} --data-dir node --out {id}.json")).expect(0, "Content written");
        desk.run(&format!("record open {id} --data-dir node --out {id}.json")).expect(73, "not overwritten");
    }
    let nobody = "ab".repeat(32);
    desk.run(&format!("record open {nobody} --data-dir node")).expect(1, "not in this node's wallet");
    desk.run(&format!("record verify {nobody} --data-dir node --genesis genesis.json")).expect(1, "in no block");
    desk.run(&format!("record show {nobody} --data-dir node")).expect(1, "neither on");

    let tip = desk.run("chain status --data-dir node --json").json()["tip"].as_str().unwrap().to_owned();
    desk.run("chain export --data-dir node --out chain.bin").expect(0, "medring chain verify");
    desk.run("chain export --data-dir node --out chain.bin").expect(73, "not overwritten");
    desk.run(&format!("chain verify chain.bin --genesis genesis.json --tip {tip}")).expect(0, "Every rule holds");
    desk.run(&format!("chain verify chain.bin --tip {nobody}")).expect(1, "it ends in");
    desk.run("chain block 2 --data-dir node").expect(0, "records       3");
    desk.run("chain block 99 --data-dir node").expect(1, "is not on this node");
    desk.run("peers list --data-dir node").expect(0, "No peers");
    desk.run("peers isolate on --data-dir node").expect(0, "alone");
    desk.run("node status --data-dir node").expect(0, "(patient)");

    desk.run("node run --data-dir node").expect(73, "in use");
    desk.run("node stop --data-dir node").expect(0, "has stopped");
    assert!(node.0.wait().unwrap().success());
    desk.run("node status --data-dir node").expect(69, "no node is running");
    let everything = desk.everything_said();
    assert!(!everything.contains("the pass phrase of"));
}

#[test]
fn a_genesis_file_of_another_network_is_told_from_the_nodes() {
    let desk = desk();
    let _node = start(&desk);
    desk.write("bundle.json", BUNDLE);
    desk.run("genesis new --name other --authority authority.card --out other.json").expect(0, "");
    desk.run(
        "record submit --data-dir node --genesis other.json --keystore hospital.key --passphrase-file hospital.pass \
         --bundle bundle.json --as ehr --to patient.card",
    )
    .expect(76, "give the genesis file of the node's network");
    desk.run("node init --data-dir node --genesis other.json").expect(73, "choose another --data-dir");
}
