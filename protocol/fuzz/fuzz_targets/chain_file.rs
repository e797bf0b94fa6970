#![no_main]
//! Fuzzes the target `chain_file`; what it does stands in `bodies/`.

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run("chain_file", data));
