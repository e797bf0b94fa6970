//! What is going to happen, by time and then by the order in which it was scheduled.

use super::network::Parcel;
use medring_node::core::{JobId, Peer, RequestId};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something that happens at a time.
#[derive(Debug)]
pub(super) enum What {
    /// A message reaches the end `to` (0 or 1) of a link, if that is still the same connection.
    Deliver { link: usize, epoch: u64, to: usize, parcel: Parcel },
    /// A link comes up, if both ends live and no cut lies between.
    LinkUp { link: usize },
    /// The ends of a link notice that it is dead, if it still is.
    LinkDown { link: usize, epoch: u64 },
    /// A node notices that a peer is gone.
    Gone { node: usize, life: u64, peer: Peer },
    /// A node's own deadline.
    Tick { node: usize, life: u64 },
    /// A node's signature worker is done.
    Verified { node: usize, life: u64, job: JobId, result: Result<(), usize> },
    /// Somebody finds a block.
    Mine,
    /// Somebody submits a record.
    Submit,
    /// A malicious node floods its peers.
    Spam { node: usize },
    /// A fault of the list begins, or ends.
    Fault { index: usize, begins: bool },
    /// A dead node comes back.
    Restart { node: usize },
    /// In a scenario: something that a node hears late is due.
    Hear { node: usize, life: u64 },
    /// In a scenario: a node learns that a question of its own has no answer.
    Broken { node: usize, life: u64, peer: Peer, id: RequestId },
}

struct Event {
    at_ms: u64,
    number: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    /// The heap's greatest is the next: the earliest, first scheduled.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ms, other.number).cmp(&(self.at_ms, self.number))
    }
}

/// All of it.
#[derive(Default)]
pub(super) struct Queue {
    events: BinaryHeap<Event>,
    pushed: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at_ms: u64, what: What) {
        self.events.push(Event { at_ms, number: self.pushed, what });
        self.pushed += 1;
    }

    /// The next event not later than `until_ms`.
    pub(super) fn pop(&mut self, until_ms: u64) -> Option<(u64, What)> {
        if self.events.peek()?.at_ms > until_ms {
            return None;
        }
        self.events.pop().map(|event| (event.at_ms, event.what))
    }
}
