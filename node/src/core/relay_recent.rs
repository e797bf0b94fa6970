//! Records that left the pool lately: a rival block holds them too, and is put together without asking anyone.

use super::{NodeCore, limits};
use medring_protocol::WireId;
use medring_protocol::record::Record;
use medring_storage::Engine;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The last of them, within a bound of records and of bytes. All were verified when they were admitted.
#[derive(Debug, Default)]
pub(super) struct Recent {
    records: BTreeMap<WireId, Arc<Record>>,
    /// Oldest first, with the length of each in the codec.
    order: VecDeque<(WireId, usize)>,
    bytes: usize,
}

impl Recent {
    /// Keeps a record of `bytes`; the oldest ones go.
    pub(super) fn push(&mut self, wire: WireId, record: Arc<Record>, bytes: usize) {
        if self.records.insert(wire, record).is_some() {
            return;
        }
        self.order.push_back((wire, bytes));
        self.bytes += bytes;
        while self.order.len() > limits::RECENT_RECORDS_MAX || self.bytes > limits::RECENT_BYTES_MAX {
            let Some((oldest, bytes)) = self.order.pop_front() else { break };
            self.records.remove(&oldest);
            self.bytes -= bytes;
        }
    }

    pub(super) fn contains(&self, wire: &WireId) -> bool {
        self.records.contains_key(wire)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// By ascending WireId.
    pub(super) fn iter(&self) -> impl Iterator<Item = (WireId, &Arc<Record>)> {
        self.records.iter().map(|(wire, record)| (*wire, record))
    }
}

impl<E: Engine> NodeCore<E> {
    /// Whether this very record, to the byte, was verified here: it is, or lately was, in the pool.
    pub(super) fn is_verified(&self, wire: &WireId) -> bool {
        self.pool.by_wire(wire).is_some() || self.relay.recent.contains(wire)
    }

    /// Every record at hand from which a block may be put together.
    pub(super) fn records_at_hand(&self) -> impl Iterator<Item = (WireId, &Arc<Record>)> {
        self.pool.iter().map(|pooled| (pooled.wire, &pooled.record)).chain(self.relay.recent.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::record::Kind;
    use medring_protocol::testkit::Kit;

    #[test]
    fn the_oldest_records_go_when_there_are_too_many_or_they_are_too_large() {
        let kit = Kit::new(1);
        let record = Arc::new(kit.record(Kind::EpochCommit, 1, 1));
        let wire = |n: usize| WireId(medring_protocol::testkit::bytes32(1, "wire", n as u64));
        let mut recent = Recent::default();
        for n in 0..limits::RECENT_RECORDS_MAX + 3 {
            recent.push(wire(n), record.clone(), 10);
            recent.push(wire(n), record.clone(), 10);
        }
        assert_eq!((recent.len(), recent.iter().count()), (limits::RECENT_RECORDS_MAX, limits::RECENT_RECORDS_MAX));
        assert!(!recent.contains(&wire(2)) && recent.contains(&wire(3)));
        let mut recent = Recent::default();
        for n in 0..5 {
            recent.push(wire(n), record.clone(), limits::RECENT_BYTES_MAX / 3);
        }
        assert!(recent.len() == 3 && recent.contains(&wire(4)) && !recent.contains(&wire(1)));
    }
}
