//! Every wire type: one encoding per value, nothing but errors for anything else, and never a panic.

use super::KIT;
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::codec::{self, CodecError};
use medring_protocol::compact::CompactBlock;
use medring_protocol::hash::{BlockId, ChainId, Gid, WireId};
use medring_protocol::identity::{Enrolment, Revocation};
use medring_protocol::limits;
use medring_protocol::params::Params;
use medring_protocol::pow::Work;
use medring_protocol::record::{EpochCommit, Kind, Receiver, Record};
use medring_protocol::testkit::TestChain;
use medring_protocol::wire::{Request, Response, Status};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A wire type: its name, bytes of a sample, and "decode, then encode again".
struct Wire {
    name: &'static str,
    bytes: Vec<u8>,
    again: fn(&[u8]) -> Result<Vec<u8>, CodecError>,
}

fn plain<T: Serialize + DeserializeOwned>(name: &'static str, value: &T) -> Wire {
    Wire { name, bytes: codec::encode(value), again: |b| codec::decode::<T>(b, 1 << 20).map(|v| codec::encode(&v)) }
}

fn block() -> Block {
    let mut chain = TestChain::enrolled(&KIT, RuleSet::standard());
    chain.extend(vec![KIT.record(Kind::EpochCommit, 1, 2), KIT.record(Kind::Phr, 1, 2)]).unwrap();
    chain.blocks[1].0.clone()
}

fn samples() -> Vec<Wire> {
    let block = block();
    let (phr, ids) = (block.records[1].clone(), [[1; 32], [2; 32]]);
    let status = Status {
        version: 1,
        agent: "medring/0.1".into(),
        chain: KIT.chain,
        chain_name: "testkit".into(),
        tip: block.id(),
        height: 2,
        work: Work::from_bytes(&[3; 32]),
        clock_ms: 4,
    };
    let request = |r: Request| Wire {
        name: "Request",
        bytes: codec::encode(&r),
        again: |b| Request::decode(b).map(|v| codec::encode(&v)),
    };
    let response = |r: Response| Wire {
        name: "Response",
        bytes: codec::encode(&r),
        again: |b| Response::decode(b).map(|v| codec::encode(&v)),
    };
    let compact = CompactBlock::new(&block, &block.wire_ids(&KIT.chain), |place| place == 1);
    let enrol = Enrolment::decode(&KIT.enrol_all(1).content.public).unwrap();
    let revoke = Revocation::decode(&KIT.record(Kind::Revoke, 1, 1).content.public).unwrap();
    let commit = EpochCommit::decode(&KIT.record(Kind::EpochCommit, 1, 1).content.public).unwrap();
    vec![
        Wire { name: "Status", bytes: codec::encode(&status), again: |b| Status::decode(b).map(|v| codec::encode(&v)) },
        request(Request::Headers { locator: ids.map(BlockId).to_vec() }),
        request(Request::Blocks { ids: ids.map(BlockId).to_vec() }),
        request(Request::Pool),
        request(Request::Records { ids: ids.map(WireId).to_vec() }),
        request(Request::BlockRecords { block: block.id(), indexes: vec![0, 7] }),
        response(Response::Headers(vec![block.header; 2])),
        response(Response::Blocks(vec![block.clone()])),
        response(Response::Pool(ids.map(WireId).to_vec())),
        response(Response::Records(vec![phr.clone()])),
        response(Response::BlockRecords(vec![phr.clone()])),
        Wire { name: "CompactBlock", bytes: compact.encode(), again: |b| CompactBlock::decode(b).map(|v| v.encode()) },
        Wire { name: "Record", bytes: phr.encode(), again: |b| Record::decode(b).map(|v| v.encode()) },
        Wire { name: "Block", bytes: block.encode(), again: |b| Block::decode(b).map(|v| v.encode()) },
        Wire { name: "Enrolment", bytes: enrol.encode(), again: |b| Enrolment::decode(b).map(|v| v.encode()) },
        Wire { name: "Revocation", bytes: revoke.encode(), again: |b| Revocation::decode(b).map(|v| v.encode()) },
        Wire { name: "EpochCommit", bytes: commit.encode(), again: |b| EpochCommit::decode(b).map(|v| v.encode()) },
        plain::<Header>("Header", &block.header),
        plain::<Params>("Params", &KIT.params),
        plain("Proof", &medring_protocol::merkle::prove(&[WireId([1; 32]), WireId([2; 32])], 1).unwrap()),
    ]
}

#[test]
fn every_sample_reads_back() {
    for Wire { name, bytes, again } in samples() {
        assert_eq!(again(&bytes).unwrap(), bytes, "{name}");
    }
}

#[test]
fn every_truncation_and_every_longer_form_is_refused() {
    for Wire { name, bytes, again } in samples() {
        for length in 0..bytes.len() {
            assert!(matches!(again(&bytes[..length]), Err(CodecError::Malformed(_))), "{name} cut to {length}");
        }
        for extra in [1, 2, 8] {
            let mut longer = bytes.clone();
            longer.resize(bytes.len() + extra, 0);
            assert_eq!(again(&longer), Err(CodecError::Trailing(extra)), "{name}");
        }
    }
}

/// Wherever a length may stand, a lie about it: an error, or a value whose one encoding these bytes are.
#[test]
fn lying_length_fields_are_refused() {
    for Wire { name, bytes, again } in samples() {
        for place in 0..bytes.len().saturating_sub(7) {
            for lie in [u64::MAX, u64::MAX / 2, 1 << 62, 1 << 40, 1 << 32, 1 << 23, 4096] {
                let mut lying = bytes.clone();
                lying[place..place + 8].copy_from_slice(&lie.to_be_bytes());
                if let Ok(encoded) = again(&lying) {
                    assert_eq!(encoded, lying, "{name}: {lie} at {place}");
                }
            }
        }
    }
}

#[test]
fn what_exceeds_the_limit_of_its_kind_is_not_even_read() {
    let zeros = vec![0; limits::RESPONSE_BYTES_MAX + 1];
    let too_long = |result: Result<(), CodecError>, limit: usize| {
        assert_eq!(result, Err(CodecError::TooLong { got: zeros.len(), limit }));
    };
    too_long(Status::decode(&zeros).map(drop), Status::BYTES_MAX);
    too_long(Request::decode(&zeros).map(drop), limits::REQUEST_BYTES_MAX);
    too_long(Response::decode(&zeros).map(drop), limits::RESPONSE_BYTES_MAX);
    too_long(Record::decode(&zeros).map(drop), limits::RECORD_BYTES_MAX);
    too_long(Block::decode(&zeros).map(drop), limits::GOSSIP_BYTES_MAX);
    too_long(CompactBlock::decode(&zeros).map(drop), limits::COMPACT_BYTES_MAX);
    too_long(Enrolment::decode(&zeros).map(drop), limits::PUBLIC_BYTES_MAX);
    too_long(Revocation::decode(&zeros).map(drop), limits::PUBLIC_BYTES_MAX);
    too_long(EpochCommit::decode(&zeros).map(drop), limits::PUBLIC_BYTES_MAX);
}

#[test]
fn messages_with_too_many_entries_are_refused_and_full_ones_are_not() {
    let (block, wire, header) = (BlockId([1; 32]), WireId([1; 32]), KIT.params.genesis());
    let request = |r: Request| Request::decode(&codec::encode(&r)).is_ok();
    let response = |r: Response| Response::decode(&codec::encode(&r)).is_ok();
    for (extra, expected) in [(0, true), (1, false)] {
        assert_eq!(request(Request::Headers { locator: vec![block; limits::LOCATOR_ENTRIES_MAX + extra] }), expected);
        assert_eq!(request(Request::Blocks { ids: vec![block; limits::BLOCKS_PER_REQUEST_MAX + extra] }), expected);
        assert_eq!(request(Request::Records { ids: vec![wire; Request::RECORDS_MAX + extra] }), expected);
        let indexes = (0..).take(limits::BLOCK_RECORDS_MAX + extra).collect();
        assert_eq!(request(Request::BlockRecords { block, indexes }), expected);
        assert_eq!(response(Response::Headers(vec![header; limits::HEADERS_PER_MESSAGE_MAX + extra])), expected);
        assert_eq!(response(Response::Pool(vec![wire; Request::POOL_IDS_MAX + extra])), expected);
        let empty = Block { header, records: vec![] };
        assert_eq!(response(Response::Blocks(vec![empty; limits::BLOCKS_PER_REQUEST_MAX + extra])), expected);
        let record = KIT.record(Kind::EpochCommit, 1, 1);
        assert_eq!(response(Response::Records(vec![record.clone(); Request::RECORDS_MAX + extra])), expected);
        assert_eq!(response(Response::BlockRecords(vec![record; limits::BLOCK_RECORDS_MAX + extra])), expected);
    }
    for indexes in [vec![1, 1], vec![2, 1]] {
        assert!(!request(Request::BlockRecords { block, indexes }), "places ascend");
    }
    // A full block fits into a gossip message and into an answer.
    const { assert!(8 + Header::LEN + limits::BLOCK_BYTES_MAX <= limits::GOSSIP_BYTES_MAX) };
}

#[test]
fn a_status_with_texts_that_are_long_or_not_printable_is_refused() {
    let good = Status::decode(&samples()[0].bytes).unwrap();
    for (agent, chain_name) in [
        ("x".repeat(65), String::new()),
        (String::new(), "y".repeat(33)),
        ("a\nb".into(), String::new()),
        ("ä".into(), String::new()),
        ("\u{1b}[2J".into(), String::new()),
    ] {
        let status = Status { agent, chain_name, ..good.clone() };
        assert!(matches!(Status::decode(&codec::encode(&status)), Err(CodecError::Malformed(_))), "{status:?}");
    }
    let longest = Status { agent: "x".repeat(64), chain_name: "y".repeat(32), chain: ChainId([9; 32]), ..good };
    assert_eq!(Status::decode(&codec::encode(&longest)).unwrap(), longest);
    let not_text = [&samples()[0].bytes[..10], &[0xff], &samples()[0].bytes[11..]].concat();
    assert!(matches!(Status::decode(&not_text), Err(CodecError::Malformed(_))), "agent that is not UTF-8");
}

#[test]
fn the_length_of_a_record_is_known_without_encoding_it() {
    for kind in Kind::ALL {
        for receiver in
            [Receiver::None, Receiver::Tag([1; 16]), Receiver::Group(Gid([2; 32])), Receiver::GroupOwner(Gid([3; 32]))]
        {
            let mut record = KIT.record(kind, 1, 1);
            record.content.receiver = receiver;
            for public in [0, 1, 300] {
                record.content.public = vec![7; public];
                record.envelope.auth.proof.truncate(64 - public.min(64));
                assert_eq!(record.encoded_len(), record.encode().len(), "{kind} to {receiver:?}");
            }
        }
    }
    let block = block();
    assert_eq!(8 + Header::LEN + block.records_len(), block.encode().len());
    assert_eq!(codec::encoded_len(&block), block.encode().len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_is_refused_or_is_the_one_encoding_of_a_value(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        for Wire { name, again, .. } in samples() {
            if let Ok(encoded) = again(&noise) {
                prop_assert_eq!(&encoded, &noise, "{}", name);
            }
        }
    }

    #[test]
    fn spoiled_samples_are_refused_or_are_the_one_encoding_of_a_value(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for Wire { name, mut bytes, again } in samples() {
            for (place, value) in &flips {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
            if let Ok(encoded) = again(&bytes) {
                prop_assert_eq!(&encoded, &bytes, "{}", name);
            }
        }
    }
}
