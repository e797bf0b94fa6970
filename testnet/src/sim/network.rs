//! Links with delay between simulated nodes, and what travels on them.

use medring_node::core::{Peer, RequestId, Topic};
use medring_protocol::wire::{Request, Response, Status};
use std::sync::Arc;

/// What one node sends another.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Status(Box<Status>),
    Request(RequestId, Request),
    Response(RequestId, Response),
    Gossip(Topic, Arc<Vec<u8>>),
}

/// A link between two nodes.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Its two ends.
    pub(super) ends: [usize; 2],
    /// The number under which each end knows the other; `None`: down.
    pub(super) peers: Option<[Peer; 2]>,
    /// One-way delay, ms.
    pub(super) latency_ms: u64,
    /// Messages vanish: the link lies across a cut.
    pub(super) cut: bool,
    /// Counts how often it came up: what was under way before is lost.
    pub(super) epoch: u64,
}

impl Link {
    pub(super) fn new(a: usize, b: usize, latency_ms: u64) -> Self {
        Self { ends: [a, b], peers: None, latency_ms, cut: false, epoch: 0 }
    }

    /// Which end (0 or 1) a node is.
    pub(super) fn end_of(&self, node: usize) -> usize {
        usize::from(self.ends[1] == node)
    }

    /// Whether it joins the two sides of a cut.
    pub(super) fn crosses(&self, side: usize) -> bool {
        (self.ends[0] < side) != (self.ends[1] < side)
    }
}
