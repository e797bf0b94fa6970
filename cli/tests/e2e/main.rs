//! Whole nodes as real processes: what the project promises, tried from outside.
//!
//! Each test has a testnet of its own in a temporary folder, waits on conditions with a deadline that names what it
//! awaited, prints its seed (set `MEDRING_SEED` to repeat one), and leaves no process behind, also when it fails.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on should panic where it stands"
)]

mod bad_input;
mod chain_file;
mod demo;
mod faults;
mod fork;
mod group;
mod harness;
mod leak;
mod live;
mod namespaces;
mod records;
mod refusals;
mod scenarios;
mod testnet;
mod vitals;
