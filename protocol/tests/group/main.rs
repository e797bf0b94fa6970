//! The group's machine against a world of faults: one reference life, a crash at every stored step of it, reorganisations,
//! a hostile network, random histories, and who can compute which key. Every failure names its seed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod crashes;
mod histories;
mod life;
mod network;
mod reorgs;
mod secrets;
