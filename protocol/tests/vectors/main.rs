//! The test vectors of `docs/spec/vectors`: made by this crate, committed, and recomputed by `check.py` without it.
//!
//! Each test computes its file anew and compares. `MEDRING_WRITE_VECTORS=1 cargo test -p medring-protocol --test vectors`
//! writes the files instead; a difference in a committed file is a change of the scheme and needs a new domain string.
// Clippy excuses only `#[test]` functions, not their helpers.
#![allow(clippy::unwrap_used)]

mod aggregate;
mod asert;
mod chebyshev;
mod compact;
mod enrol;
mod group;
mod handshake;
mod hash;
mod header;
mod kdf;
mod merkle;
mod record;
mod ring;
mod seal;
mod spec;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The folder of the specification.
fn spec_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/spec")
}

/// Reads a committed vector file.
fn committed(file: &str) -> Value {
    let path = spec_dir().join("vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Compares `cases` with the committed file, or writes it if MEDRING_WRITE_VECTORS is set. All bytes are hex.
fn settle(file: &str, about: &str, cases: Vec<Value>) {
    let computed = json!({ "about": about, "cases": cases });
    if std::env::var_os("MEDRING_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&computed).unwrap() + "\n";
        std::fs::write(spec_dir().join("vectors").join(file), text).unwrap();
        return;
    }
    let committed = committed(file);
    let (old, new) = (committed["cases"].as_array().unwrap(), computed["cases"].as_array().unwrap());
    for (i, (old, new)) in old.iter().zip(new).enumerate() {
        assert_eq!(old, new, "{file}, case {i}: {}", new["name"]);
    }
    assert_eq!(old.len(), new.len(), "{file}: number of cases");
    assert_eq!(committed["about"], computed["about"], "{file}");
}

/// The generator of a case: its seed is one byte, 32 times.
fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// Bytes of a hex field of a case.
fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let text = case[field].as_str().unwrap_or_else(|| panic!("{}: no text field {field}", case["name"]));
    hex::decode(text).unwrap_or_else(|e| panic!("{}: {field}: {e}", case["name"]))
}
