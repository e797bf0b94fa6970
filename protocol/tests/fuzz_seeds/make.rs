//! Small seeds from real encodings, and some that were made to hurt.

use super::replay::Seed;
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::file::Writer;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::codec;
use medring_protocol::compact::CompactBlock;
use medring_protocol::group::message::{Answer, Envelope};
use medring_protocol::group::ticket::Ticket;
use medring_protocol::identity::Signature;
use medring_protocol::params::GenesisFile;
use medring_protocol::pow::Work;
use medring_protocol::record::Kind;
use medring_protocol::seal::{AphrContent, AphrSource, PlainKind, RecordSecret, SensitivePlain};
use medring_protocol::testkit::group::{World, kind};
use medring_protocol::testkit::{Kit, TestChain};
use medring_protocol::vitals::{Channel, Window};
use medring_protocol::wire::{Request, Response, Status};
use medring_protocol::{BlockId, ParticipantId, RecordId, WireId};
use zeroize::Zeroizing;

/// All of them.
pub(crate) fn seeds() -> Vec<Seed> {
    let (mut seeds, kit) = (Vec::new(), Kit::new(30));
    let mut add = |target, name: &str, bytes| seeds.push((target, name.to_owned(), bytes));
    chain(&mut add, &kit);
    wire(&mut add, &kit);
    group(&mut add);
    health(&mut add);
    seeds
}

/// Three blocks: enrolment, two records, none.
fn blocks(kit: &Kit) -> Vec<Block> {
    let mut chain = TestChain::enrolled(kit, RuleSet::standard());
    chain.extend(vec![kit.record(Kind::EpochCommit, 1, 2), kit.record(Kind::Phr, 1, 2)]).unwrap();
    chain.extend(vec![]).unwrap();
    chain.blocks.into_iter().map(|(block, _)| block).collect()
}

fn chain(add: &mut dyn FnMut(&'static str, &str, Vec<u8>), kit: &Kit) {
    let blocks = blocks(kit);
    for (name, block) in ["enrolment", "two-records", "empty"].into_iter().zip(&blocks) {
        add("block", name, block.encode());
        add("header", name, block.header.to_bytes().to_vec());
    }
    let mut lie = blocks[1].encode();
    lie[Header::LEN..Header::LEN + 8].copy_from_slice(&u64::MAX.to_be_bytes());
    add("block", "lying-count", lie);
    add(
        "header",
        "target-too-large",
        Header { target: medring_protocol::pow::CompactTarget(0xff7f_ffff), ..blocks[0].header }.to_bytes().to_vec(),
    );
    for (name, kind) in
        [("ehr", Kind::Ehr), ("aphr", Kind::Aphr), ("epoch-commit", Kind::EpochCommit), ("revoke", Kind::Revoke)]
    {
        add("record", name, kit.record(kind, 1, 2).encode());
    }
    for (name, record) in [
        ("enrolment", kit.enrol_all(1)),
        ("revocation", kit.record(Kind::Revoke, 1, 1)),
        ("epoch-commit", kit.record(Kind::EpochCommit, 1, 1)),
    ] {
        add("payload", name, record.content.public);
    }
    let block = &blocks[1];
    let wires = block.wire_ids(&kit.chain);
    for (name, along) in [("short-ids", 0), ("one-sent-along", 1), ("all-sent-along", 2)] {
        add("compact_block", name, CompactBlock::new(block, &wires, |place| place < along).encode());
    }
    add("compact_block", "three-byte-ids", CompactBlock::with_id_length(block, &wires, |_| false, 3).encode());
    add("compact_block", "empty", CompactBlock::new(&blocks[2], &[], |_| false).encode());
    let genesis = GenesisFile::new(kit.params.clone());
    add("genesis", "testnet", genesis.to_json().into_bytes());
    add("genesis", "wrong-format", genesis.to_json().replace("medring-genesis/1", "medring-genesis/9").into_bytes());
    let mut writer = Writer::new(Vec::new(), &kit.params).unwrap();
    for block in &blocks {
        writer.block(block).unwrap();
    }
    let whole = writer.finish().unwrap();
    add("chain_file", "cut", whole[..whole.len() - 7].to_vec());
    add("chain_file", "whole", whole);
}

fn wire(add: &mut dyn FnMut(&'static str, &str, Vec<u8>), kit: &Kit) {
    let block = blocks(kit).remove(1);
    let ids = [[1; 32], [2; 32]];
    let status = Status {
        version: 2,
        agent: "medring/0.1".into(),
        chain: kit.chain,
        chain_name: "testkit".into(),
        tip: block.id(),
        height: 2,
        work: Work::from_bytes(&[3; 32]),
        clock_ms: 4,
    };
    add("status", "usual", codec::encode(&status));
    add("status", "longest", codec::encode(&Status { agent: "x".repeat(64), chain_name: "y".repeat(32), ..status }));
    for (name, request) in [
        ("headers", Request::Headers { locator: ids.map(BlockId).to_vec() }),
        ("blocks", Request::Blocks { ids: ids.map(BlockId).to_vec() }),
        ("pool", Request::Pool),
        ("records", Request::Records { ids: ids.map(WireId).to_vec() }),
        ("block-records", Request::BlockRecords { block: block.id(), indexes: vec![0, 7, 4095] }),
    ] {
        add("request", name, codec::encode(&request));
    }
    for (name, response) in [
        ("headers", Response::Headers(vec![block.header; 2])),
        ("blocks", Response::Blocks(vec![block.clone()])),
        ("pool", Response::Pool(ids.map(WireId).to_vec())),
        ("records", Response::Records(block.records.clone())),
        ("block-records", Response::BlockRecords(vec![block.records[0].clone()])),
    ] {
        add("response", name, codec::encode(&response));
    }
    let lie = [1_u32.to_be_bytes().as_slice(), &u64::MAX.to_be_bytes()].concat();
    add("response", "lying-count", lie);
}

fn group(add: &mut dyn FnMut(&'static str, &str, Vec<u8>)) {
    add("envelope", "answer-taken", Answer::Taken.encode());
    let stages = super::bodies::stages();
    for (number, (stage, world)) in (0_u8..).zip(stages.iter()) {
        let Some((to, from, message)) = world.next_arrival() else { continue };
        let envelope = Envelope { group: world.group, message: message.clone() }.encode();
        assert_eq!(kind(&message), *stage);
        add("envelope", stage, envelope.clone());
        let place = [number, u8::try_from(to).unwrap(), from[7]];
        add("machine", stage, [place.as_slice(), &envelope].concat());
    }
    let settled: &World = &stages["settled"];
    add("snapshot", "owner", settled.nodes[0].disk.as_ref().unwrap().public.clone());
    add("snapshot", "member", settled.nodes[1].disk.as_ref().unwrap().public.clone());
    let ticket = Ticket {
        chain: settled.chain_id,
        group: settled.group,
        owner: settled.nodes[0].id,
        token: [7; 16],
        expires_ms: 1_700_000_000_000,
        endpoint: settled.nodes[0].me.endpoint.clone(),
    };
    add("ticket", "usual", ticket.to_string().into_bytes());
    add("ticket", "spaced", ticket.to_string().to_lowercase().replace('A', " a").into_bytes());
}

fn health(add: &mut dyn FnMut(&'static str, &str, Vec<u8>)) {
    let source = |i: u8| AphrSource {
        record: RecordId([i; 32]),
        r: RecordSecret::from_bytes(&[i; 32]),
        signature: Signature([i; 64]),
    };
    let aphr = AphrContent { sources: vec![source(1), source(2)], aggregate: Zeroizing::new(b"{}".to_vec()) };
    add("aphr", "two-sources", aphr.encode().unwrap().to_vec());
    let plain = SensitivePlain::new(ParticipantId([5; 32]), PlainKind::FhirBundle, PATIENT.as_bytes().to_vec());
    let packed = plain.encode(1024).unwrap().to_vec();
    let mut bomb = packed.clone();
    // The frame's own statement of its size (after magic and descriptor) says 2 GiB.
    bomb[42..46].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    add("sealed_plain", "bundle", packed);
    add("sealed_plain", "bomb", bomb);
    add("fhir", "patient", PATIENT.as_bytes().to_vec());
    add("fhir", "bundle", BUNDLE.as_bytes().to_vec());
    add(
        "fhir",
        "deep",
        format!("{{\"resourceType\":\"Patient\",\"x\":{}{}}}", "[".repeat(80), "]".repeat(80)).into_bytes(),
    );
    add("fhir", "twice", br#"{"resourceType":"Patient","id":"a","id":"b"}"#.to_vec());
    add("fhir", "number", br#"{"resourceType":"Patient","x":1e999,"y":-0.0,"z":12345678901234567890123}"#.to_vec());
    add("fhir", "window", window());
    add("vitals", "minutes", MINUTES.as_bytes().to_vec());
    add("vitals", "pulse-wave", b"0.51\n0.52\n0.49\n0.50\n".to_vec());
    add("vitals", "odd", b"\xef\xbb\xbfminute;heart_rate_bpm\r\n0;NaN\r\n1;\r\n".to_vec());
}

/// A window of a live stream: a grid with a gap, and samples that lie on none.
fn window() -> Vec<u8> {
    let (heart, spo2) = (Channel::loinc("heart", "8867-4", "/min"), Channel::loinc("spo2", "59408-5", "%"));
    let value = |text: &str| text.parse().unwrap();
    let samples = [
        (&heart, 0, value("62.80")),
        (&heart, 60_000, value("-5")),
        (&heart, 180_000, value("63")),
        (&spo2, 7, value("97")),
        (&spo2, 7, value("98")),
        (&spo2, 9_999_999, value("99.0")),
    ];
    Window::new("bed-3", 17, samples).unwrap().to_fhir("Patient/1").unwrap().to_bytes()
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1","birthDate":"1950-02-03","gender":"female"}"#;

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[
{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"1","gender":"male"}},
{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","id":"2","status":"final","subject":{"reference":"urn:uuid:1"},
"code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"valueQuantity":{"value":72,"unit":"/min"}}},
{"resource":{"resourceType":"Condition","id":"3","subject":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"code":"active"}]}}},
{"resource":{"resourceType":"Provenance","id":"4","target":[{"reference":"Observation/2"}]}},
{"request":{"method":"DELETE","url":"Patient/9"}}]}"#;

const MINUTES: &str =
    "minute,heart_rate_bpm,pulse_bpm,resp_per_min,spo2_percent,nibp_sys_mmHg,nibp_dia_mmHg,nibp_mean_mmHg
0,80,81,16,98,120,80,93
1,82,82,,97,,,
2,79.5,80,15,99,118,79,92
";
