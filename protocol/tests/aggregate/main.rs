//! `aggregate/1`: the same bytes from the same sources, duplicates once, conflicts named, nothing lost unsaid.
#![allow(clippy::unwrap_used, missing_docs, clippy::print_stderr, reason = "tests")]

mod common;
mod conflicts;
#[path = "../health/data.rs"]
#[allow(dead_code, reason = "shared with the health tests, which use the rest")]
mod data;
mod document;
mod patients;
mod properties;
mod size;
mod vitals;
