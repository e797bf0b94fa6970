//! Links between simulated nodes: delay, order, loss and cuts; and what travels on them.

use medring_node::core::{Peer, RequestId, Topic};
use medring_protocol::wire::{Request, Response, Status};
use std::sync::Arc;

/// Mean one-way delays between five regions, ms: western Europe, eastern America, western America, eastern Asia, Australia.
pub const REGION_DELAYS_MS: [[u64; 5]; 5] = [
    [12, 40, 70, 110, 140],
    [40, 12, 32, 85, 100],
    [70, 32, 12, 55, 75],
    [110, 85, 55, 20, 60],
    [140, 100, 75, 60, 12],
];

/// A gossip message: made once, held by all.
#[derive(Debug)]
pub(super) struct Gossip {
    pub(super) topic: Topic,
    pub(super) bytes: Vec<u8>,
    /// SHA-256 of the bytes, by which duplicates are known.
    pub(super) id: [u8; 32],
}

/// What one node sends another.
#[derive(Debug)]
pub(super) enum Message {
    Status(Arc<Status>),
    Request(RequestId, Box<Request>),
    Response(RequestId, Box<Response>),
    Gossip(Arc<Gossip>),
}

impl Message {
    /// For the log and the table of what was sent.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Request(_, request) => match &**request {
                Request::Headers { .. } => "ask headers",
                Request::Blocks { .. } => "ask blocks",
                Request::Pool => "ask pool",
                Request::Records { .. } => "ask records",
                Request::BlockRecords { .. } => "ask block records",
            },
            Self::Response(_, response) => match &**response {
                Response::Headers(_) => "headers",
                Response::Blocks(_) => "blocks",
                Response::Pool(_) => "pool",
                Response::Records(_) => "records",
                Response::BlockRecords(_) => "block records",
            },
            Self::Gossip(gossip) => match gossip.topic {
                Topic::Blocks => "gossiped whole blocks",
                Topic::CompactBlocks => "gossiped compact blocks",
                Topic::Records => "gossiped records",
            },
        }
    }
}

/// A message on its way, with its length on the wire and a short name of its content for the log.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) message: Message,
    pub(super) bytes: usize,
    pub(super) mark: u32,
}

/// A link between two nodes. It is reliable while it stands, as TCP and QUIC are: what a cut holds up arrives after it.
#[derive(Debug)]
pub(super) struct Link {
    /// Its two ends.
    pub(super) ends: [usize; 2],
    /// The number under which each end knows the other; `None`: down.
    pub(super) peers: Option<[Peer; 2]>,
    /// One-way delay, ms.
    pub(super) latency_ms: u64,
    /// What is sent first arrives first, as on TCP. On the others streams overtake each other, as on QUIC.
    pub(super) ordered: bool,
    /// Cuts it lies across.
    pub(super) cuts: u32,
    /// Counts how often it came up: what was under way before is lost.
    pub(super) epoch: u64,
    /// For each end: when the last message sent to it arrives.
    pub(super) busy_until_ms: [u64; 2],
    /// What a cut holds up, with the end it goes to.
    pub(super) held: Vec<(usize, Parcel)>,
}

impl Link {
    pub(super) fn new(a: usize, b: usize, latency_ms: u64, ordered: bool) -> Self {
        let (peers, held) = (None, Vec::new());
        Self { ends: [a, b], peers, latency_ms, ordered, cuts: 0, epoch: 0, busy_until_ms: [0; 2], held }
    }

    /// Which end (0 or 1) a node is.
    pub(super) fn end_of(&self, node: usize) -> usize {
        usize::from(self.ends[1] == node)
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    /// Whether it joins one of `side` (ascending) to another.
    pub(super) fn crosses(&self, side: &[usize]) -> bool {
        let [a, b] = self.ends.map(|end| side.binary_search(&end).is_ok());
        a != b
    }

    /// Comes up, or goes down if there are no `peers`: whatever was under way is lost.
    pub(super) fn renew(&mut self, peers: Option<[Peer; 2]>) {
        self.peers = peers;
        self.epoch += 1;
        self.busy_until_ms = [0; 2];
        self.held.clear();
    }
}
