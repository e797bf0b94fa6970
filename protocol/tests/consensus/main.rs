//! Properties of consensus that no single rule states: undoing, choosing, retargeting, encoding, verifying.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

mod asert;
mod codec;
mod compact;
mod genesis;
mod revert;
mod signatures;
mod targets;
mod tree;
mod usage;

use medring_protocol::testkit::Kit;
use std::sync::LazyLock;

/// One network for all tests here; its keys cost some ladders.
static KIT: LazyLock<Kit> = LazyLock::new(|| Kit::new(30));
