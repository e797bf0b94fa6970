//! Blocks, records, what peers say, genesis and chain files.

use super::one_encoding;
use medring_protocol::block::{Block, CheckedBlock, Header};
use medring_protocol::chain::file;
use medring_protocol::chain::rules::{RuleSet, ShapeContext};
use medring_protocol::codec;
use medring_protocol::compact::{Assembly, CompactBlock};
use medring_protocol::identity::{Enrolment, Revocation};
use medring_protocol::limits::{BLOCK_RECORDS_MAX, COMPACT_BYTES_AIM};
use medring_protocol::params::GenesisFile;
use medring_protocol::record::{EpochCommit, Record, SigCheck};
use medring_protocol::testkit::Kit;
use medring_protocol::wire::{Request, Response, Status};
use rand::SeedableRng;
use std::sync::{Arc, LazyLock};

pub(super) static KIT: LazyLock<Kit> = LazyLock::new(|| Kit::new(30));

/// Decoded, then through every check that needs no state; what passes has a well-formed place for each signature.
pub(super) fn block(data: &[u8]) {
    let Some(block) = one_encoding(data, Block::decode, Block::encode) else { return };
    assert_eq!(8 + Header::LEN + block.records_len(), data.len(), "the length is known without encoding");
    let Ok(checked) = CheckedBlock::check(&RuleSet::standard(), &KIT.params, &KIT.chain, block) else { return };
    let wires = checked.wire_ids();
    assert_eq!(wires.len(), checked.block().records.len());
    let keys =
        |who: &_| [&KIT.authority, &KIT.doctor, &KIT.patient].iter().find(|a| a.id == *who).map(|a| a.keys.clone());
    for pending in checked.signatures(&RuleSet::standard(), &KIT.chain, keys).unwrap_or_default() {
        assert!(pending.record < wires.len());
    }
}

pub(super) fn header(data: &[u8]) {
    let read = |bytes: &[u8]| codec::decode::<Header>(bytes, Header::LEN);
    let Some(header) = one_encoding(data, read, |header| header.to_bytes().to_vec()) else { return };
    let good = RuleSet::standard().check_pow(&header, &header.id()).is_ok();
    let met = header.target.decode().is_some_and(|target| target.is_met_by(&header.id()));
    assert!(!good || met, "work that meets no target was accepted");
}

pub(super) fn record(data: &[u8]) {
    let Some(record) = one_encoding(data, Record::decode, Record::encode) else { return };
    assert_eq!(record.encoded_len(), data.len());
    let shape = RuleSet::standard().check_shape(&ShapeContext { params: &KIT.params, record: &record });
    let checks: Option<[SigCheck; 2]> = record.signature_checks(&KIT.chain, &KIT.patient.keys);
    assert!(shape.is_err() || checks.is_some(), "a record of good shape has two signatures to check");
    for check in checks.into_iter().flatten() {
        let _ = check.verify();
    }
}

/// What stands in the public part of Enrol, Revoke and EpochCommit.
pub(super) fn payload(data: &[u8]) {
    one_encoding(data, Enrolment::decode, Enrolment::encode);
    one_encoding(data, Revocation::decode, Revocation::encode);
    one_encoding(data, EpochCommit::decode, EpochCommit::encode);
}

/// Put together from nothing, from itself and from records that are not its own.
pub(super) fn compact_block(data: &[u8]) {
    let Some(compact) = one_encoding(data, CompactBlock::decode, CompactBlock::encode) else { return };
    assert!(compact.records() <= BLOCK_RECORDS_MAX);
    let strangers: Vec<_> = (0..4).map(|n| Arc::new(KIT.record(medring_protocol::record::Kind::Ehr, n, 1))).collect();
    let at_hand = strangers.iter().map(|record| (record.wire_id(&KIT.chain), record));
    let mut assembly = Assembly::new(&KIT.chain, &compact, at_hand);
    let missing = assembly.missing();
    assert!(missing.is_sorted_by(|a, b| a < b) && missing.len() <= compact.records());
    let given = missing.iter().map(|_| Record::clone(&strangers[0])).collect();
    assembly.fill(&KIT.chain, given);
    assert!(assembly.missing().is_empty());
    let Some(block) = assembly.finish() else { return };
    let wires = block.wire_ids(&KIT.chain);
    let again = CompactBlock::new(&block, &wires, |place| place % 2 == 0);
    assert!(again.describes(&block, &wires));
    assert!(block.records.len() > 3_000 || again.encode().len() <= COMPACT_BYTES_AIM);
}

pub(super) fn status(data: &[u8]) {
    let Some(status) = one_encoding(data, Status::decode, codec::encode) else { return };
    assert!(status.agent.len() <= 64 && status.chain_name.len() <= 32);
    assert!(status.agent.bytes().chain(status.chain_name.bytes()).all(|b| (0x20..0x7f).contains(&b)));
}

pub(super) fn request(data: &[u8]) {
    one_encoding(data, Request::decode, codec::encode);
}

pub(super) fn response(data: &[u8]) {
    one_encoding(data, Response::decode, codec::encode);
}

/// A file that is read holds parameters within bounds, and is written as a file that reads the same.
pub(super) fn genesis(data: &[u8]) {
    let Ok(file) = GenesisFile::parse(data) else { return };
    file.params.validate().expect("checked when read");
    let again = GenesisFile::parse(file.to_json().as_bytes()).expect("what was written is read");
    assert_eq!((again.chain_id, again.params.chain_id()), (file.chain_id, file.chain_id));
}

pub(super) fn chain_file(data: &[u8]) {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let Ok(report) = file::verify(data, &RuleSet::standard(), &mut rng, |_| {}) else { return };
    assert_eq!(report.state.hash(), report.state_hash);
}
