//! Rules on a header: its own proof of work, and its place after its parent.

use super::{HeaderRule, Verdict};
use crate::block::Header;
use crate::chain::HeaderNode;
use crate::hash::BlockId;
use crate::params::Params;
use crate::pow;

/// A header and its parent.
#[derive(Debug)]
pub struct HeaderContext<'a> {
    /// The chain's parameters.
    pub params: &'a Params,
    /// The header.
    pub header: &'a Header,
    /// Its parent, already accepted.
    pub parent: &'a HeaderNode,
}

pub(crate) const RULES: &[HeaderRule] =
    &[("R-PREV", prev), ("R-VERSION", version), ("R-HEIGHT", height), ("R-TARGET", target), ("R-TIME", time)];

/// R-POW: "Block id = SHA-256(header), read as a big-endian integer ≤ the decoded target."
pub(crate) fn pow(header: &Header, id: &BlockId) -> Verdict {
    match header.target.decode() {
        None => Err(format!("{:?} is not a canonical compact target", header.target).into()),
        Some(target) if !target.is_met_by(id) => Err(format!("block {id} does not meet its target {target}").into()),
        Some(_) => Ok(()),
    }
}

/// R-PREV: prev_id is the id of the block before; that of block 0 is the chain id. (A tree finds the parent by it.)
fn prev(c: &HeaderContext<'_>) -> Verdict {
    let due = c.parent.header.id();
    if c.header.prev == due { Ok(()) } else { Err(format!("follows {}, due is {due}", c.header.prev).into()) }
}

/// R-VERSION: the version is "MR" ‖ 1.
fn version(c: &HeaderContext<'_>) -> Verdict {
    match c.header.version {
        Header::VERSION => Ok(()),
        other => Err(format!("version {other:#010x}, this chain has {:#010x}", Header::VERSION).into()),
    }
}

/// R-HEIGHT: one above the parent's.
fn height(c: &HeaderContext<'_>) -> Verdict {
    let due = c.parent.header.height.saturating_add(1);
    if c.header.height == due { Ok(()) } else { Err(format!("height {}, due is {due}", c.header.height).into()) }
}

/// R-TARGET: "the field must equal the canonical compact encoding of the computed target."
fn target(c: &HeaderContext<'_>) -> Verdict {
    let due = pow::next_target(c.params, c.parent.header.height, c.parent.schedule_ms);
    if c.header.target == due { Ok(()) } else { Err(format!("{:?}, due is {due:?}", c.header.target).into()) }
}

/// R-TIME: "strictly above the parent's". How far ahead of a node's clock is node policy, not consensus.
fn time(c: &HeaderContext<'_>) -> Verdict {
    let (own, parent) = (c.header.time_ms, c.parent.header.time_ms);
    if own > parent { Ok(()) } else { Err(format!("time {own} is not above the parent's {parent}").into()) }
}
