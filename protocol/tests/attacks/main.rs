//! Attacks on the group and on records: each runs against the scheme as the paper prints it, where it succeeds, and against
//! ours, where it fails. `docs/threat-model/groups.md` lists every goal with its argument and its test.
//!
//! A failed attack proves nothing if it was botched. So each has a control: the same attack, given what the counter-measure
//! withholds or with the counter-measure taken away, succeeds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod activation;
mod chain;
mod hand;
mod linkability;
mod ours;
mod pair;
mod past;
mod printed;
mod records;
mod ring;
mod table;
