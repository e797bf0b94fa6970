//! H under every tag, and its framing.

use crate::{rng, settle};
use medring_protocol::hash::{Tag, h};
use rand::Rng;
use serde_json::{Value, json};

fn case(name: &str, tag: Tag, fields: &[&[u8]]) -> Value {
    let hex_fields: Vec<String> = fields.iter().map(hex::encode).collect();
    json!({ "name": name, "tag": tag.text(), "fields": hex_fields, "h": hex::encode(h(tag, fields)) })
}

#[test]
fn the_committed_file_is_what_the_code_computes() {
    let mut long = [0; 1000];
    rng(10).fill_bytes(&mut long);
    let mut cases = vec![
        case("no fields", Tag::Commit, &[]),
        case("one empty field", Tag::Commit, &[b""]),
        case("fields ab, c", Tag::Commit, &[b"ab", b"c"]),
        case("fields a, bc", Tag::Commit, &[b"a", b"bc"]),
        case("a field of 1,000 bytes", Tag::Public, &[&long]),
    ];
    for (i, tag) in Tag::ALL.iter().enumerate() {
        let fields: [&[u8]; 2] = [&[1], &long[i..i + 32]];
        cases.push(case("each tag", *tag, &fields));
    }
    settle("hash.json", "h = H(tag, fields…) = SHA-256(LP(\"medring/1\") ‖ LP(tag) ‖ LP(field)…).", cases);
}
