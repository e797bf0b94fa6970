//! header.json: chain ids, genesis blocks, header bytes and ids, targets and work.

use super::settle;
use medring_protocol::block::Header;
use medring_protocol::params::{Params, Purpose};
use medring_protocol::pow::CompactTarget;
use medring_protocol::testkit::Kit;
use serde_json::{Value, json};

fn genesis(name: &str, params: &Params) -> Value {
    json!({ "name": name, "type": "genesis", "params": params, "chain_id": params.chain_id(),
            "header": hex::encode(params.genesis().to_bytes()), "id": params.genesis().id() })
}

fn header(name: &str, header: &Header) -> Value {
    let target = header.target.decode().unwrap();
    json!({
        "name": name,
        "type": "header",
        "prev": header.prev,
        "records_root": hex::encode(header.records_root),
        "version": header.version,
        "target": header.target,
        "height": header.height,
        "time_ms": header.time_ms,
        "miner_tag": hex::encode(header.miner_tag),
        "nonce": header.nonce,
        "bytes": hex::encode(header.to_bytes()),
        "id": header.id(),
        "full_target": target,
        "work": target.work().to_string(),
        "meets_target": target.is_met_by(&header.id()),
    })
}

fn target(compact: u32) -> Value {
    let full = CompactTarget(compact).decode();
    json!({ "name": format!("target {compact:#010x}"), "type": "target", "compact": CompactTarget(compact),
            "full": full, "work": full.map(|t| t.work().to_string()) })
}

#[test]
fn header_json_is_what_this_crate_computes() {
    let kit = Kit::new(102);
    let more = Kit::with_params(102, |params| {
        params.name = "ward-7".into();
        params.purpose = Purpose::Production;
        params.genesis_target = CompactTarget(0x1e00_ffff);
        params.retarget = true;
        params.authorities.push(Kit::new(103).authority.keys);
    });
    let first = kit.block(&kit.params.genesis(), vec![kit.enrol_all(1)], 1).header;
    let hard = kit.forge(&first, vec![], |header| header.target = CompactTarget(0x1f03_ffff)).header;
    let missed = Header { nonce: hard.nonce + 1, ..hard };
    let mut cases = vec![
        genesis("a test network", &kit.params),
        genesis("another, with two authorities", &more.params),
        header("block 1", &first),
        header("block 2, mined", &hard),
        header("block 2 with the next nonce", &missed),
    ];
    let canonical = [0x1d00_ffff, 0x1b04_04cb, 0x207f_ffff, 0x2100_ffff, 0x0101_0000, 0x0200_8000, 0x0312_3456];
    let refused = [0, 0x0012_3456, 0x0112_3456, 0x0492_3456, 0x1e00_00ff, 0x2200_0100, 0xff12_3456];
    cases.extend(canonical.into_iter().chain(refused).map(target));
    settle("header.json", "Chain ids, headers, and compact targets; `full` is null where a target is refused.", cases);
}
