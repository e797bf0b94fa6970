//! Rules on a block's records together.

use super::{Bad, Fixture, NEXT};
use medring_protocol::limits::BLOCK_BYTES_MAX;
use medring_protocol::record::{Kind, Record};

#[test]
fn a_root_of_other_records_is_refused() {
    let f = Fixture::new();
    let spoiled = f.kit.forge(&f.chain.tip(), vec![f.record(Kind::Ehr)], |header| header.records_root[31] ^= 1);
    f.broken_only("R-ROOT", &Bad::Next(spoiled));
}

/// A mutated copy of a good block (same id, altered body) is told apart from a bad block.
#[test]
fn an_altered_copy_of_the_body_condemns_no_header() {
    let f = Fixture::new();
    let good = f.chain.next_block(vec![f.record(Kind::Ehr), f.record(Kind::Emr)]);
    f.accepted(&Bad::Next(good.clone()));
    let mut copies = vec![good.clone(); 5];
    copies[0].records.swap(0, 1);
    copies[1].records.truncate(1);
    copies[2].records.push(good.records[1].clone());
    copies[3].records[0].envelope.auth.proof[0] ^= 1;
    copies[4].records = (0..20).map(|i| f.kit.record_of(Kind::Ehr, i, NEXT, 65_536)).collect(); // too large, too
    for copy in copies {
        assert_eq!(copy.id(), good.id());
        let violation = f.judge(Default::default(), &Bad::Next(copy)).unwrap_err();
        assert_eq!(violation.rule, "R-ROOT");
        assert!(!violation.condemns_header());
    }
}

#[test]
fn more_than_a_mebibyte_of_records_is_refused() {
    let f = Fixture::new();
    let mut records: Vec<Record> = (0..16).map(|i| f.kit.record_of(Kind::Ehr, 100 + i, NEXT, 65_536)).collect();
    let all: usize = records.iter().map(Record::encoded_len).sum();
    assert!(all > BLOCK_BYTES_MAX);
    f.broken_only("R-BLOCK-SIZE", &f.block(records.clone()));
    records.pop();
    // Filled up to the last byte by the public part of one more.
    let room = BLOCK_BYTES_MAX - records.iter().map(Record::encoded_len).sum::<usize>();
    let small = f.record(Kind::Ehr).encoded_len();
    records.push(f.edited(Kind::Ehr, |content| content.public = vec![b'x'; room - small]));
    f.accepted(&f.block(records.clone()));
    records.pop();
    records.push(f.edited(Kind::Ehr, |content| content.public = vec![b'x'; room - small + 1]));
    f.broken_only("R-BLOCK-SIZE", &f.block(records));
}

#[test]
fn records_in_block_zero_are_refused() {
    let f = Fixture::new();
    let block = f.kit.forge(&f.chain.tip(), vec![f.record(Kind::Ehr)], |header| header.height = 0);
    f.broken_only("R-GENESIS-EMPTY", &Bad::Alone(block));
}
