//! asert.json: targets along chains of time stamps.

use super::settle;
use medring_protocol::params::Params;
use medring_protocol::pow::{CompactTarget, next_target, schedule_step};
use medring_protocol::testkit::{self, Kit};
use serde_json::{Value, json};

/// The targets of blocks 1, 2, … whose parents carry the stamps of blocks 0, 1, …
fn walk(name: &str, params: &Params, gaps_ms: impl IntoIterator<Item = u64>) -> Value {
    let (mut stamps, mut targets, mut schedule_ms) = (vec![1_000_000u64], vec![next_target(params, 0, 0)], 0);
    for (gap, height) in gaps_ms.into_iter().zip(1..) {
        schedule_ms = schedule_step(params, schedule_ms, height, gap);
        stamps.push(stamps.last().unwrap() + gap);
        targets.push(next_target(params, height, schedule_ms));
    }
    json!({ "name": name, "target_spacing_ms": params.target_spacing_ms, "genesis_target": params.genesis_target,
            "limit_target": params.limit_target, "retarget": params.retarget, "stamps_ms": stamps, "targets": targets })
}

/// Gaps that follow from a seed, up to twice `mean_ms`.
fn random_gaps(seed: u64, count: usize, mean_ms: u64) -> Vec<u64> {
    let bytes = testkit::bytes(seed, "gaps", 0, 4 * count);
    let numbers = bytes.chunks(4).map(|b| u64::from(u32::from_be_bytes(b.try_into().unwrap())));
    numbers.map(|n| 1 + n % (2 * mean_ms)).collect()
}

#[test]
fn asert_json_is_what_this_crate_computes() {
    let params = |genesis, limit| Params {
        target_spacing_ms: 60_000,
        genesis_target: CompactTarget(genesis),
        limit_target: CompactTarget(limit),
        retarget: true,
        ..Kit::new(105).params
    };
    let p = params(0x1e00_ffff, 0x207f_ffff);
    let two_days = 172_800_000;
    let asleep = [vec![60_000; 5], vec![two_days], vec![60_000; 5]].concat();
    let fixed = Params { retarget: false, ..p.clone() };
    let cases = vec![
        walk("on schedule", &p, vec![60_000; 10]),
        walk("ten times too slow", &p, vec![600_000; 40]),
        walk("ten times too fast", &p, vec![6_000; 40]),
        walk("as fast as stamps allow", &p, vec![1; 200]),
        walk("a gap of two days counts as τ", &p, asleep),
        walk("random gaps", &p, random_gaps(1, 100, 60_000)),
        walk("random gaps, slow", &p, random_gaps(2, 100, 300_000)),
        walk("clamped to the limit", &params(0x1f00_ffff, 0x1f01_ffff), vec![4_000_000; 20]),
        walk("clamped to 1", &params(0x0110_0000, 0x1f01_ffff), vec![1; 400]),
        walk("a fixed target", &fixed, vec![600_000; 3]),
    ];
    let about = "targets[i] is the target of block i + 1, computed from the stamps of blocks 0 … i.";
    settle("asert.json", about, cases);
}
