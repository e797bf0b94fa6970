//! Whole nodes in one process: real sockets on 127.0.0.1, real folders, the HTTP API as a client sees it.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod access;
mod aphr;
mod api;
mod common;
mod contract;
mod discovery;
mod events;
mod fhir;
mod folder;
mod groups;
mod hostile;
mod links;
mod network;
mod openapi;
mod paging;
mod quic;
mod relay;
mod ring;
mod ring_peers;
mod seized;
mod wallet;
