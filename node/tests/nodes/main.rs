//! Whole nodes in one process: real sockets on 127.0.0.1, real folders, the HTTP API as a client sees it.

mod api;
mod common;
mod folder;
mod network;
mod wallet;
