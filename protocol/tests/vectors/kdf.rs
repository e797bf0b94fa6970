//! KDF with and without salt, for several lengths.

use crate::{rng, settle};
use medring_protocol::kdf::{Suite, kdf};
use rand::Rng;
use serde_json::{Value, json};

fn case<const N: usize>(salt: Option<&[u8; 32]>, secrets: &[&[u8]], label: &str, fields: &[&[u8]]) -> Value {
    let list = |parts: &[&[u8]]| parts.iter().map(hex::encode).collect::<Vec<_>>();
    json!({
        "name": format!("{label}, {N} bytes"), "suite": Suite::T2Aes.id(), "salt": salt.map(hex::encode),
        "secrets": list(secrets), "label": label, "fields": list(fields), "length": N,
        "out": hex::encode(*kdf::<N>(Suite::T2Aes, salt, secrets, label, fields)),
    })
}

#[test]
fn the_committed_file_is_what_the_code_computes() {
    let mut noise = [0; 400];
    rng(20).fill_bytes(&mut noise);
    let (salt, rest) = noise.split_first_chunk::<32>().unwrap();
    let (a, b) = rest.split_at(256);
    let cases = vec![
        case::<32>(None, &[a], "record key", &[&[1], &b[..32]]),
        case::<60>(None, &[a, b], "seal", &[&b[..32], &[2]]),
        case::<44>(Some(salt), &[a], "group seal", &[b]),
        case::<16>(Some(salt), &[], "no secrets, no fields", &[]),
        case::<32>(Some(&[0; 32]), &[b"", b"x"], "the zero salt is the absent salt", &[b""]),
        case::<32>(None, &[b"", b"x"], "the zero salt is the absent salt", &[b""]),
        case::<200>(None, &[b"secret"], "seven blocks of HKDF", &[]),
    ];
    settle("kdf.json", "out = KDF(salt; secrets…; label, fields…; length): HKDF-SHA-256 as in encoding.md.", cases);
}
