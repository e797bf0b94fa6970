//! Whole nodes in one process: real sockets on 127.0.0.1, real folders, the HTTP API as a client sees it.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod aphr;
mod api;
mod common;
mod discovery;
mod folder;
mod groups;
mod hostile;
mod links;
mod network;
mod quic;
mod relay;
mod ring;
mod ring_peers;
mod seized;
mod wallet;
