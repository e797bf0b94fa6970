//! `medring testnet demo` as a newcomer runs it.

use super::harness::{BINARY, Foreground, medring, processes_of};
use std::process::Command;

#[test]
fn the_demo_passes_and_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo");
    let ran = medring([
        "testnet",
        "demo",
        "--tamper",
        "--seed",
        "11",
        "--block-time",
        "1s",
        "--json",
        "--dir",
        dir.to_str().unwrap(),
    ]);
    let summary = ran.ok().json();
    let kinds: Vec<_> = summary["records"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    for kind in ["ehr", "emr", "phr"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    for record in summary["records"].as_array().unwrap() {
        assert!(record["checks"].as_array().is_some_and(|checks| checks.len() >= 4), "{record}");
        assert!(record["confirmations"].as_u64() >= Some(3), "{record}");
    }
    let mined: u64 = summary["chain"]["mined"].as_array().unwrap().iter().filter_map(|m| m["blocks"].as_u64()).sum();
    assert_eq!(
        Some(mined),
        summary["chain"]["height"].as_u64(),
        "every block was mined by one of the seven: {summary}"
    );
    let epochs = summary["groups"][0]["epochs"].as_array().unwrap();
    let ring = |epoch: usize| epochs[epoch]["ring"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let rings: [Vec<&str>; 3] = [ring(0), ring(1), ring(2)];
    assert_eq!(rings[0], ["patient", "doctor", "daughter", "carer"]);
    assert_eq!(rings[1], ["patient", "doctor", "daughter", "carer", "nurse"]);
    assert_eq!(rings[2], ["patient", "doctor", "daughter", "nurse"]);
    for epoch in epochs {
        for reader in epoch["readers"].as_array().unwrap() {
            assert!(reader["verified"].as_u64() >= Some(3), "{reader} of {epoch}");
        }
    }
    assert_eq!(summary["groups"][0]["shut_out"], serde_json::json!(["carer", "outsider"]));
    let verdicts: Vec<_> =
        summary["tampered"].as_array().unwrap().iter().map(|t| t["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["altered", "missing", "not-this-patient", "stale"]);
    assert_eq!(processes_of(&dir), Vec::<String>::new());
    for node in ["healthcenter", "doctor", "patient", "daughter", "carer", "nurse", "outsider"] {
        assert!(dir.join(node).join("node.log").exists(), "{node} logged");
    }
}

#[test]
fn the_demo_takes_a_pulse_wave_and_says_when_columns_are_not_what_they_were_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let wave = concat!(env!("CARGO_MANIFEST_DIR"), "/../testnet/samples/vitals/ppg_heartpy_100hz.csv");
    let args = |dir: &str, more: &[&str]| {
        let dir = folder.path().join(dir);
        let line =
            ["testnet", "demo", "--block-time", "1s", "--json", "--dir", dir.to_str().unwrap(), "--vitals", wave];
        medring(line.iter().chain(more).copied())
    };
    args("icu", &[]).fails(65, &["ppg_heartpy_100hz.csv"]);
    let summary = args("wave", &["--columns", "ppg@100Hz"]).ok().json();
    let phr = summary["records"].as_array().unwrap().iter().find(|r| r["kind"] == "phr").unwrap();
    assert!(phr["plain_bytes"].as_u64() > Some(5_000), "the whole wave is in it: {phr}");
}

#[test]
fn a_demo_that_is_interrupted_ends_every_process_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("demo");
    let mut command = Command::new(BINARY);
    // Blocks so far apart that it waits for one for certain.
    command.args(["testnet", "demo", "--block-time", "1h", "--dir"]).arg(&dir);
    let mut demo = Foreground::start(command);
    demo.prints("the authority enrols");
    demo.interrupt();
    demo.ended().fails(1, &["interrupted while waiting for", "Nothing runs"]);
    assert_eq!(processes_of(&dir), Vec::<String>::new());
}

#[test]
fn the_demo_names_a_file_that_is_no_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let (file, dir) = (folder.path().join("letter.json"), folder.path().join("demo"));
    std::fs::write(&file, b"Dear doctor,").unwrap();
    let args = |bundle: &str| medring(["testnet", "demo", "--bundle", bundle, "--dir", dir.to_str().unwrap()]);
    args(file.to_str().unwrap()).fails(65, &["letter"]);
    args(folder.path().join("none.json").to_str().unwrap()).fails(66, &["none.json"]);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    args(folder.path().join("empty").to_str().unwrap()).fails(66, &["--bundle"]);
}
