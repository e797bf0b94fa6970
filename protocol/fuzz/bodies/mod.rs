//! What each fuzz target does with its bytes. The targets (`fuzz_targets/`, with cargo-fuzz) and the replay of the seeds
//! (`tests/fuzz_seeds.rs`, on stable Rust) include this folder, so both do the same.
//!
//! A body panics if a property is broken: what is read is written as the same bytes, and nothing else happens than an
//! error.

mod chain;
mod group;
mod health;

#[cfg(test)]
pub(crate) use group::stages;

/// What a target does with its bytes.
type Body = fn(&[u8]);

/// Name and body of every target. Each name is a file of `fuzz_targets/` and a folder of `seeds/`.
pub(crate) const TARGETS: &[(&str, Body)] = &[
    ("block", chain::block),
    ("header", chain::header),
    ("record", chain::record),
    ("payload", chain::payload),
    ("compact_block", chain::compact_block),
    ("status", chain::status),
    ("request", chain::request),
    ("response", chain::response),
    ("genesis", chain::genesis),
    ("chain_file", chain::chain_file),
    ("envelope", group::envelope),
    ("ticket", group::ticket),
    ("machine", group::machine),
    ("snapshot", group::snapshot),
    ("aphr", health::aphr),
    ("sealed_plain", health::sealed_plain),
    ("fhir", health::fhir),
    ("vitals", health::vitals),
];

/// Runs the target of this name.
pub(crate) fn run(name: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target of the table");
    body(data);
}

/// If `data` is read at all, then the value's one encoding is `data`.
fn one_encoding<T, E>(data: &[u8], read: impl Fn(&[u8]) -> Result<T, E>, write: impl Fn(&T) -> Vec<u8>) -> Option<T> {
    let value = read(data).ok()?;
    assert_eq!(write(&value), data, "another encoding of the same value was read");
    Some(value)
}
