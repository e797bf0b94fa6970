#![no_main]
//! Fuzzes the target `genesis`; what it does stands in `bodies/`.

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run("genesis", data));
