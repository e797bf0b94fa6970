//! Logs and metrics of a running node.

pub mod names;
