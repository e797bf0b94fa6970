//! Nothing that identifies a patient leaves the sealed part: not into a store, a log, a wallet's file or a payload.

use super::harness::{BINARY, Net, SOON, bundles, samples};
use super::records::Maker;
use medring_protocol::deid::identifying_strings;
use medring_protocol::fhir::Bundle;
use medring_protocol::record::Record;
use medring_protocol::vitals::Layout;
use medring_testnet::checkers::folder;
use medring_testnet::checkers::leak::Detector;
use medring_testnet::demo::{self, DemoOptions};
use std::collections::BTreeSet;
use std::path::Path;

/// Every identifying string of every bundle of a folder.
fn needles(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bundles = files.filter(|p| p.extension().is_some_and(|e| e == "json") && !p.ends_with("INDEX.json"));
    bundles.flat_map(|p| identifying_strings(&Bundle::parse(&std::fs::read(p).unwrap()).unwrap())).collect()
}

#[test]
fn no_identifying_string_is_found_anywhere_and_a_planted_one_is() {
    let scratch = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        folder: scratch.path().join("net"),
        binary: BINARY.into(),
        seed: super::harness::seed(),
        block_time_ms: 1000,
        bundle: Some(bundles().unwrap_or_else(samples)),
        vitals: None,
        columns: Layout::default(),
        tamper: false,
        keep_running: false,
        capture: true,
    };
    let summary = demo::run(&options, &mut |_| {}).unwrap();
    let mut net = Net::of_folder(scratch);
    let needles = needles(options.bundle.as_deref().unwrap());
    let detector = Detector::new(needles.iter().map(String::as_str));
    assert!(detector.len() > 300, "{} strings to look for", detector.len());

    let clean = folder::search(&detector, &net).unwrap();
    println!("{} strings, {} values, {} files, {} bytes", detector.len(), clean.values, clean.files, clean.bytes);
    assert_eq!(clean.leaks, []);
    let sealed: usize = summary.records.iter().map(|r| r.record_bytes).sum();
    assert!(clean.bytes > 7 * sealed as u64, "seven chains of {sealed} bytes were looked through: {clean:?}");

    // The same pipeline finds what is planted: in a record's public part, and so on every chain and every wire …
    let name = needles.iter().max_by_key(|needle| needle.len()).unwrap();
    let record = with_public(&net, &format!("{{\"name\":{name:?}}}"));
    for i in 0..7 {
        net.start(i).unwrap();
    }
    net.client(0).unwrap().submit(&record).unwrap();
    net.wait_record(6, &record.id(&net.state().chain_id), 1, SOON).unwrap();
    net.end();
    let found = folder::search(&detector, &net).unwrap().leaks;
    for place in ["outsider: column bodies", "doctor: column bodies", "healthcenter: payloads"] {
        assert!(found.iter().any(|leak| leak.place == place && leak.needle == *name), "{place} in {found:?}");
    }
    // … and in a log.
    let word = needles.iter().min().unwrap();
    let log = net.node(6).unwrap().log();
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{text}INFO opened a record of {word}\n")).unwrap();
    let found = folder::search(&detector, &net).unwrap().leaks;
    assert!(found.iter().any(|leak| leak.place == "outsider: node.log" && leak.needle == *word), "{found:?}");
}

/// A record whose public part passed no filter, as a careless program might sign it.
fn with_public(net: &Net, public: &str) -> Record {
    let mut maker = Maker::new(net);
    let at = medring_node::wallet::Moment { now_ms: super::records::now_ms(), tip_height: 1 };
    let careful = maker.record(medring_protocol::record::Kind::Ehr, "healthcenter", at, 64);
    let mut content = careful.content;
    content.public = public.as_bytes().to_vec();
    let envelope = careful.envelope;
    let by = maker.identity("healthcenter");
    Record::sign(&net.state().chain_id, content, envelope.stamp_ms, envelope.expiry_height, &by)
}
