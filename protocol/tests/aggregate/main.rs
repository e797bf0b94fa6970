//! `aggregate/1`: the same bytes from the same sources, duplicates once, conflicts named, nothing lost unsaid.
#![allow(clippy::unwrap_used, missing_docs, clippy::print_stderr, reason = "tests")]

mod common;
mod conflicts;
mod data;
mod document;
mod properties;
mod size;
mod vitals;
