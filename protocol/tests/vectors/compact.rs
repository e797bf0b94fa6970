//! compact.json: compact blocks, their short ids and their bytes.

use super::settle;
use medring_protocol::compact::CompactBlock;
use medring_protocol::record::Kind;
use medring_protocol::testkit::Kit;
use serde_json::{Value, json};

#[test]
fn compact_json_is_what_this_crate_computes() {
    let kit = Kit::new(105);
    let case = |name: &str, kinds: &[Kind], length: usize, along: &[usize]| -> Value {
        let records = (0..).zip(kinds).map(|(n, kind)| kit.record(*kind, n, 1)).collect();
        let block = kit.block(&kit.params.genesis(), records, 1);
        let wires = block.wire_ids(&kit.chain);
        let compact = CompactBlock::with_id_length(&block, &wires, |place| along.contains(&place), length);
        assert_eq!(CompactBlock::decode(&compact.encode()).unwrap(), compact);
        let sent: Vec<Value> =
            along.iter().map(|i| json!({ "index": i, "record": hex::encode(block.records[*i].encode()) })).collect();
        json!({ "name": name, "header": hex::encode(block.header.to_bytes()), "wire_ids": wires, "id_bytes": length,
                "sent_along": sent, "bytes": hex::encode(compact.encode()) })
    };
    let commits = [Kind::EpochCommit; 4];
    let cases = vec![
        case("no records", &[], 6, &[]),
        case("one record", &commits[..1], 6, &[]),
        case("four records, short ids of three bytes", &commits, 3, &[]),
        case("four records, the second and the fourth sent along", &commits, 6, &[1, 3]),
        case("one record, sent along", &[Kind::Revoke], 6, &[0]),
    ];
    settle("compact.json", "Compact blocks: short ids keyed by the block's id, and the bytes in the codec.", cases);
}
