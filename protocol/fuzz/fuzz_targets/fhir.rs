#![no_main]
//! Fuzzes the target `fhir`; what it does stands in `bodies/`.

#[path = "../bodies/mod.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run("fhir", data));
