//! What people expect of the command: little to name, times they can read, waiting with progress, and a page that is true.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../cli_common/mod.rs"]
mod cli_common;
mod folder;
mod group;
mod mended;
mod page;
mod submit;
