//! A medring node: a sans-IO core, and the driver, network, miner, wallet and HTTP API around it.
#![forbid(unsafe_code)]

pub mod aphr;
pub mod api;
pub mod config;
pub mod core;
pub mod driver;
pub mod faults;
pub mod group;
pub mod miner;
pub mod monitor;
pub mod net;
pub mod telemetry;
pub mod wallet;
