//! `medring record` without a node: sealing into a file, and every bad input.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::{Desk, names};
use medring_node::wallet::{Keystore, Passphrase};
use medring_protocol::ChainId;
use medring_protocol::fhir::Bundle;
use medring_protocol::record::{Kind, Record};
use medring_protocol::seal;
use std::fs;

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
  {"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","birthDate":"1970-05-05","name":[{"family":"Verylongname"}]}},
  {"resource":{"resourceType":"Condition","code":{"text":"asthma"},"subject":{"reference":"urn:uuid:p"}}}]}"#;

const SEAL: &str = "record seal --genesis genesis.json --keystore hospital.key --passphrase-file hospital.pass \
                    --tip-height 5 --out out.rec --to patient.card";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.network("demo");
    desk.participant("hospital");
    desk.participant("patient");
    desk.write("bundle.json", BUNDLE);
    desk
}

fn opened(desk: &Desk, record: &Record) -> Bundle {
    let shown = desk.run("genesis show genesis.json --json").json();
    let chain: ChainId = serde_json::from_value(shown["chain_id"].clone()).unwrap();
    let passphrase = Passphrase::from_file(&desk.path("patient.pass")).unwrap();
    let patient = Keystore::open(&desk.path("patient.key"), &passphrase).unwrap();
    let secret = patient.identity().chebyshev();
    let opened = seal::open_as(&chain, &record.content, &patient.participant(), secret).unwrap().unwrap();
    Bundle::parse(&opened.plain.bytes).unwrap()
}

#[test]
fn a_sealed_bundle_opens_for_the_patient_and_shows_nothing_to_others() {
    let desk = desk();
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr")).expect(0, "record submit out.rec");
    let bytes = fs::read(desk.path("out.rec")).unwrap();
    let record = Record::decode(&bytes).unwrap();
    assert_eq!(record.content.kind, Kind::Ehr);
    assert_eq!(record.content.public, br#"{"kind":"EHR","v":1}"#);
    assert_eq!(opened(&desk, &record).entries().len(), 2);
    let everything = desk.everything_said();
    for word in ["Verylongname", "1970-05-05", "asthma"] {
        assert!(!bytes.windows(word.len()).any(|w| w == word.as_bytes()) && !everything.contains(word), "{word}");
    }
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr")).expect(73, "not overwritten");
}

#[test]
fn a_recording_becomes_its_makers_own_phr() {
    let desk = desk();
    desk.write("vitals.csv", "minute,heart_rate_bpm\n0,61.5\n2,63\n");
    let line = "record seal --genesis genesis.json --keystore patient.key --passphrase-file patient.pass --tip-height 5 \
                --out out.rec --vitals vitals.csv --start 1600000000000 --columns @minute=60s,heart_rate_bpm=8867-4:/min";
    desk.run(&format!("{line} --to hospital.card")).expect(2, "leave --to out");
    desk.run(line).expect(0, "PHR");
    let record = Record::decode(&fs::read(desk.path("out.rec")).unwrap()).unwrap();
    let text = String::from_utf8(opened(&desk, &record).to_bytes()).unwrap();
    assert!(text.contains("61.5 E 63") && text.contains("2020-09-13T12:26:40.000Z"), "{text}");
}

#[test]
fn each_bad_bundle_is_told_by_what_is_wrong_and_loses_nothing() {
    let desk = desk();
    let before = names(&desk.path(""));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (bytes, word) in [
        (b"".to_vec(), "empty"),
        (b"{\"resourceType\":\"Bundle\"".to_vec(), "line 1"),
        (b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}".to_vec(), "not UTF-8"),
        (b"[1,2]".to_vec(), "not a JSON object"),
        (b"{\"resourceType\":\"Bundle\",\"type\":\"heap\",\"entry\":[]}".to_vec(), "none of"),
        (b"{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[]}".to_vec(), "nothing to carry"),
        (b"{\"resourceType\":\"Dog\"}".to_vec(), "not a resource type"),
        (b"{\"hello\":1}".to_vec(), "not a FHIR resource"),
        (b"{\"resourceType\":\"Patient\",\"id\":\"a\",\"id\":\"b\"}".to_vec(), "line 1"),
        (deep.into_bytes(), "bad.json"),
        (vec![b' '; 16 * 1024 * 1024 + 1], "limit is 16777216"),
        (b"\x1f\x8b\x08\x00 gzip".to_vec(), "not UTF-8"),
    ] {
        desk.write("bad.json", bytes);
        let said = desk.run(&format!("{SEAL} --bundle bad.json --as emr")).expect(65, word);
        assert!(said.stderr.contains("bad.json"), "{said:?}");
        fs::remove_file(desk.path("bad.json")).unwrap();
    }
    desk.run(&format!("{SEAL} --bundle absent.json --as emr")).expect(66, "absent.json");
    desk.run(&format!("{SEAL} --bundle . --as emr")).expect(74, "directory");
    assert_eq!(names(&desk.path("")), before);
}

#[test]
fn each_bad_recording_is_told_by_line_and_column() {
    let desk = desk();
    let line = "record seal --genesis genesis.json --keystore patient.key --passphrase-file patient.pass --tip-height 5 \
                --out out.rec --vitals bad.csv";
    for (text, word) in [
        ("minute,heart_rate_bpm\n", "no row"),
        ("minute,colour\n0,red\n", "column"),
        ("minute,heart_rate_bpm\n0,fast\n", "line 2, column 2"),
    ] {
        desk.write("bad.csv", text);
        desk.run(&format!("{line} --columns @minute=60s,heart_rate_bpm=8867-4:/min")).expect(65, word);
    }
    desk.run(&format!("{line} --columns nonsense")).expect(2, "mapping");
    assert!(!desk.path("out.rec").exists());
}

#[test]
fn the_command_line_says_what_is_missing() {
    let desk = desk();
    desk.run(SEAL).expect(2, "name what to seal");
    desk.run(&format!("{SEAL} --bundle bundle.json")).expect(2, "--as");
    desk.run(&format!("{SEAL} --bundle bundle.json --as enrol")).expect(2, "ehr, emr or phr");
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr --vitals v.csv")).expect(2, "cannot be used with");
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr --public everything")).expect(2, "choose minimal");
    let nobody = SEAL.replace("--to patient.card", "");
    desk.run(&format!("{nobody} --bundle bundle.json --as ehr")).expect(2, "--to");
    desk.run(&format!("{nobody} --to nobody --bundle bundle.json --as ehr")).expect(66, "neither a card");
    desk.run("record seal --bundle bundle.json --as ehr").expect(2, "--out FILE");
    let no_genesis = SEAL.replace("--genesis genesis.json", "");
    desk.run(&format!("{no_genesis} --bundle bundle.json --as ehr")).expect(66, "--genesis FILE");
    assert!(!desk.path("out.rec").exists());
}

#[test]
fn what_is_public_is_bounded_by_policy_and_chain() {
    let desk = desk();
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr --public paper")).expect(0, "WARNING");
    fs::remove_file(desk.path("out.rec")).unwrap();
    fs::remove_file(desk.path("genesis.json")).unwrap();
    let line = "genesis new --name other --purpose testnet --authority authority.card";
    desk.run(line).expect(0, "");
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr --public paper")).expect(65, "demo chains only");
    assert!(!desk.path("out.rec").exists());
}

#[test]
fn without_a_node_the_failure_names_the_folder_and_what_to_do() {
    let desk = desk();
    desk.run(&format!("{SEAL} --bundle bundle.json --as ehr")).expect(0, "");
    for line in [
        "record submit --genesis genesis.json out.rec",
        "record list",
        "chain status",
        "peers list",
        "node status",
        "node stop",
    ] {
        desk.run(&format!("{line} --data-dir nowhere")).expect(69, "medring node run");
    }
    desk.write("garbage.rec", "garbage");
    desk.run("record submit --genesis genesis.json garbage.rec").expect(65, "record seal");
    desk.write("large.rec", vec![0; 200_000]);
    desk.run("record submit --genesis genesis.json large.rec").expect(65, "large.rec");
    desk.run("chain verify garbage.rec").expect(65, "cut short");
    desk.run("chain verify absent.chain").expect(66, "absent.chain");
    desk.run("node init --data-dir d --genesis absent.json").expect(66, "absent.json");
    desk.run("node run --data-dir d --set mining.enabled").expect(2, "KEY=VALUE");
    desk.run("node run --data-dir d --set mining.enable=true").expect(78, "mining.enabled");
}
