//! The fuzz targets of `fuzz/` on stable Rust: each committed seed and spoiled forms of it (docs/fuzzing.md).
//!
//! `MEDRING_WRITE_SEEDS=1 cargo test -p medring-node --test fuzz_seeds` writes the seeds anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;
mod make;
#[path = "../../../protocol/fuzz/meter.rs"]
mod meter;
#[path = "../../../protocol/fuzz/replay.rs"]
mod replay;

use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_target_has_a_file_a_binary_and_seeds() {
    replay::compare_names(&fuzz(), bodies::TARGETS);
}

#[test]
fn the_committed_seeds_are_what_the_code_makes() {
    replay::compare_seeds(&fuzz(), make::seeds());
}

/// A life of a node takes longer than a decoder.
#[test]
fn seeds_and_their_spoiled_forms_break_no_property_and_no_bound_of_memory() {
    for (target, _) in bodies::TARGETS {
        replay::replay(&fuzz(), target, bodies::run, if *target == "admission" { 100 } else { 500 });
    }
}
