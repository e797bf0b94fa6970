//! Compact blocks: what they cost, how blocks are put together from them, and what is refused.

use super::KIT;
use medring_protocol::WireId;
use medring_protocol::block::Block;
use medring_protocol::compact::{Assembly, CompactBlock};
use medring_protocol::limits::{BLOCK_BYTES_MAX, COMPACT_BYTES_AIM, COMPACT_BYTES_MAX, COMPACT_SENT_ALONG_BYTES_AIM};
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit;
use std::sync::Arc;

fn block_of(records: Vec<Record>) -> (Block, Vec<WireId>) {
    let block = KIT.block(&KIT.params.genesis(), records, 1);
    let wires = block.wire_ids(&KIT.chain);
    (block, wires)
}

/// As many records like `record` as a block holds.
fn full(record: impl Fn(u64) -> Record) -> (Block, Vec<WireId>) {
    let count = BLOCK_BYTES_MAX / record(0).encoded_len();
    let (block, wires) = block_of((0..count as u64).map(&record).collect());
    assert!(BLOCK_BYTES_MAX - block.records_len() < record(0).encoded_len(), "the block is full");
    (block, wires)
}

fn at_hand(block: &Block, wires: &[WireId]) -> Vec<(WireId, Arc<Record>)> {
    wires.iter().copied().zip(block.records.iter().cloned().map(Arc::new)).collect()
}

fn assembly(compact: &CompactBlock, known: &[(WireId, Arc<Record>)]) -> Assembly {
    Assembly::new(&KIT.chain, compact, known.iter().map(|(wire, record)| (*wire, record)))
}

/// The smallest sealed record (an APHR), a usual one, the smallest that seals nothing but is no revocation, and a revocation,
/// of which a block holds more than fit.
#[test]
fn a_full_block_of_gossiped_records_takes_less_than_ten_thousand_bytes() {
    type Make = Box<dyn Fn(u64) -> Record>;
    let made: [(&str, Make, usize); 4] = [
        ("smallest sealed", Box::new(|n| KIT.record(Kind::Aphr, n, 1)), COMPACT_BYTES_AIM),
        ("8 KiB sealed", Box::new(|n| KIT.record_of(Kind::Ehr, n, 1, 8 * 1024)), COMPACT_BYTES_AIM),
        ("epoch commit", Box::new(|n| KIT.record(Kind::EpochCommit, n, 1)), COMPACT_BYTES_AIM),
        ("revocation", Box::new(|n| KIT.record(Kind::Revoke, n, 1)), 12_000),
    ];
    for (name, record, most) in made {
        let (block, wires) = full(record);
        let bytes = CompactBlock::new(&block, &wires, |_| false).encode();
        println!("{} records ({name}) of {} bytes: {} bytes", wires.len(), block.records_len(), bytes.len());
        assert!(bytes.len() < most, "{name}: {} bytes", bytes.len());
        let compact = CompactBlock::decode(&bytes).unwrap();
        assert_eq!(assembly(&compact, &at_hand(&block, &wires)).finish().unwrap(), block, "{name}");
    }
}

#[test]
fn a_block_is_put_together_from_what_is_at_hand_what_is_sent_along_and_what_is_asked_for() {
    let (block, wires) = block_of((0..6).map(|n| KIT.record(Kind::Ehr, n, 1)).collect());
    let compact = CompactBlock::new(&block, &wires, |place| place == 0 || place == 4);
    let compact = CompactBlock::decode(&compact.encode()).unwrap();
    assert_eq!(compact.records(), 6);
    let mut known = at_hand(&block, &wires);
    known.reverse();
    assert_eq!(assembly(&compact, &known[..0]).missing(), [1, 2, 3, 5]);
    known.remove(0);
    known.remove(1);
    let mut some = assembly(&compact, &known);
    assert_eq!((some.missing(), some.finish()), (vec![3, 5], None));
    some.fill(&KIT.chain, vec![block.records[3].clone(), block.records[5].clone()]);
    assert_eq!(some.finish().unwrap(), block);
    let mut wrong = assembly(&compact, &known);
    wrong.fill(&KIT.chain, vec![block.records[5].clone(), block.records[3].clone()]);
    assert_eq!((wrong.missing(), wrong.finish()), (vec![], None), "the root does not fit");
}

#[test]
fn records_are_sent_along_only_within_the_aim() {
    let (block, wires) = block_of((0..20).map(|n| KIT.record(Kind::Ehr, n, 1)).collect());
    let compact = CompactBlock::new(&block, &wires, |_| true);
    assert!(compact.encode().len() <= COMPACT_SENT_ALONG_BYTES_AIM);
    let missing = assembly(&compact, &[]).missing();
    assert!((1..20).contains(&missing.len()), "some are, and some are not: {missing:?}");
}

/// 3,000 tiny records have short ids of three bytes, and 100,000 others in the pool look like some of them.
#[test]
fn a_short_id_that_fits_two_records_is_asked_for_and_a_false_one_does_not_make_the_root() {
    let (block, wires) = full(|n| KIT.record(Kind::EpochCommit, n, 1));
    let compact = CompactBlock::new(&block, &wires, |_| false);
    let mut known = at_hand(&block, &wires);
    let other = Arc::new(KIT.record(Kind::Ehr, 1, 1));
    known.extend((0..100_000).map(|n| (WireId(testkit::bytes32(1, "lookalike", n)), other.clone())));
    let mut both = assembly(&compact, &known);
    let alike = both.missing();
    assert!((3..100).contains(&alike.len()), "{} of {} look alike", alike.len(), wires.len());
    both.fill(&KIT.chain, alike.iter().map(|place| block.records[usize::from(*place)].clone()).collect());
    assert_eq!(both.finish().unwrap(), block);

    // Without the real one, its lookalike takes its place.
    known.remove(usize::from(alike[0]));
    let mut one = assembly(&compact, &known);
    assert_eq!(one.missing(), alike[1..]);
    one.fill(&KIT.chain, alike[1..].iter().map(|place| block.records[usize::from(*place)].clone()).collect());
    assert!(one.missing().is_empty() && one.finish().is_none());
    assert!(compact.describes(&block, &wires), "and yet the message told the truth");
}

#[test]
fn a_short_id_that_stands_twice_in_a_message_is_asked_for_in_both_places() {
    let record = KIT.record(Kind::Ehr, 1, 1);
    let (block, wires) = block_of(vec![record.clone(), KIT.record(Kind::Ehr, 2, 1), record]);
    let compact = CompactBlock::new(&block, &wires, |_| false);
    assert_eq!(assembly(&compact, &at_hand(&block, &wires)).missing(), [0, 2]);
}

#[test]
fn a_short_id_depends_on_the_block_so_that_no_collision_can_be_made_beforehand() {
    let records: Vec<Record> = (0..3).map(|n| KIT.record(Kind::Ehr, n, 1)).collect();
    let (one, wires) = block_of(records.clone());
    let other = KIT.block(&KIT.params.genesis(), records, 2);
    let tail = |block: &Block| CompactBlock::new(block, &wires, |_| false).encode().split_off(112);
    assert_eq!(tail(&one), tail(&one), "whoever gossips a block says the same");
    assert_ne!(tail(&one), tail(&other));
}

#[test]
fn what_a_message_says_of_another_block_is_told_apart() {
    let (block, wires) = block_of((0..3).map(|n| KIT.record(Kind::Ehr, n, 1)).collect());
    let lies = [vec![wires[1], wires[0], wires[2]], vec![wires[0], wires[1], WireId([7; 32])]];
    let compact = |wires: &[WireId]| CompactBlock::new(&block, wires, |place| place == 0);
    assert!(compact(&wires).describes(&block, &wires));
    for lie in &lies[1..] {
        assert!(!compact(lie).describes(&block, &wires));
    }
    assert!(!CompactBlock::new(&block, &lies[0], |_| false).describes(&block, &wires));
    let mut swapped = block.clone();
    swapped.records.swap(0, 1);
    assert!(!CompactBlock::new(&swapped, &wires, |place| place == 0).describes(&block, &wires));
    let mut shorter = block.clone();
    shorter.records.pop();
    assert!(!CompactBlock::new(&shorter, &wires[..2], |_| false).describes(&block, &wires));
}

/// Offsets: header 112, id length 1, length of the ids 8, the ids, number of records sent along 8, then place 2 ‖ record.
#[test]
fn a_message_with_wrong_places_counts_or_lengths_is_refused() {
    let (block, wires) = block_of((0..4).map(|n| KIT.record(Kind::EpochCommit, n, 1)).collect());
    let good = CompactBlock::new(&block, &wires, |place| place > 1).encode();
    let (first, record) = (112 + 1 + 8 + 12 + 8, block.records[0].encoded_len());
    let second = first + 2 + record;
    let spoil = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        CompactBlock::decode(&bytes).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(spoil(second, &[0, 3]), Ok(()), "as it was");
    for (at, value, why) in [
        (112, [0, 0], "short ids of"),
        (112, [2, 0], "short ids of"),
        (112, [7, 0], "short ids of"),
        (112, [5, 0], "5 bytes each"),
        (second, [0, 4], "below 4"),
        (second, [0, 2], "ascending"),
        (first, [0, 3], "ascending"),
        (first, [0xff, 0xff], "ascending"),
    ] {
        let value = if at == 112 { &value[..1] } else { &value[..] };
        let refused = spoil(at, value).unwrap_err();
        assert!(refused.contains(why), "{value:?} at {at}: {refused}");
    }
    let header = &good[..112];
    let many = |count: usize| {
        let length = (count as u64 * 3).to_be_bytes();
        let bytes = [header, &[3], &length, &vec![0; count * 3], &[0; 8]].concat();
        CompactBlock::decode(&bytes).is_ok()
    };
    assert!(many(4096) && !many(4097));
    assert!(CompactBlock::decode(&vec![0; COMPACT_BYTES_MAX + 1]).is_err());
}
