//! What is going to happen, by time and then by the order in which it was scheduled.

use super::network::Message;
use medring_node::core::{JobId, Peer};
use std::collections::BTreeMap;

/// Something that happens at a time.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A message reaches the end `to` (0 or 1) of a link, if that is still the same connection.
    Deliver { link: usize, epoch: u64, to: usize, message: Message },
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
    /// A partition begins.
    Cut { index: usize },
    /// A partition ends.
    Heal { index: usize },
    /// A crash of the list.
    Crash { index: usize },
    /// A dead node comes back.
    Restart { node: usize },
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u64), What>,
    pushed: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at_ms: u64, what: What) {
        self.events.insert((at_ms, self.pushed), what);
        self.pushed += 1;
    }

    /// The next event not later than `until_ms`.
    pub(super) fn pop(&mut self, until_ms: u64) -> Option<(u64, What)> {
        let first = self.events.first_entry().filter(|first| first.key().0 <= until_ms)?;
        let ((at_ms, _), what) = first.remove_entry();
        Some((at_ms, what))
    }
}
