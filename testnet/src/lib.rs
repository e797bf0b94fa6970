//! Local testnets of real medring processes, and the same core on virtual time.
#![forbid(unsafe_code)]

pub mod checkers;
pub mod client;
pub mod demo;
mod hearing;
pub mod procs;
pub mod ring;
pub mod scenario;
pub mod sim;
