//! Checks that judge a testnet from outside, whatever ran it.

pub mod folder;
pub mod leak;
