//! Blocks on their way out: to every peer in the form that it understands, and with the records it may lack.

use super::{NodeCore, Output, Topic, limits};
use medring_protocol::block::VerifiedBlock;
use medring_protocol::compact::CompactBlock;
use medring_storage::Engine;
use std::collections::BTreeSet;

impl<E: Engine> NodeCore<E> {
    /// Places of the records of a block that other pools may lack: those not in ours, those that came just now, and those
    /// that nobody was offered since they left a branch. To be asked before the block takes its records out of the pool.
    pub(super) fn likely_lacking(&self, block: &VerifiedBlock) -> BTreeSet<usize> {
        let young_ms = self.now_ms.saturating_sub(limits::RELAY_YOUNG_MS);
        let lacking = |wire| match self.pool.by_wire(wire) {
            Some(pooled) => pooled.offered_ms == 0 || pooled.received_ms > young_ms,
            None => !self.relay.recent.contains(wire),
        };
        let wires = block.wire_ids().iter().enumerate();
        wires.filter(|(_, wire)| lacking(wire)).map(|(place, _)| place).collect()
    }

    /// Gossips a block of our best chain on every topic somebody listens to but the one it was heard on, where gossip
    /// itself forwards it. Whole blocks go out only while a peer of wire version 1 is linked.
    pub(super) fn announce(&mut self, block: &VerifiedBlock, lacking: &BTreeSet<usize>, heard: Option<Topic>) {
        let compact = self.config.wire_version > 1;
        if compact && heard != Some(Topic::CompactBlocks) {
            let compact = CompactBlock::new(block.block(), block.wire_ids(), |place| lacking.contains(&place));
            self.out(Output::Publish { topic: Topic::CompactBlocks, bytes: compact.encode() });
        }
        let whole = !compact || self.peers.values().any(|state| state.wants_whole_blocks());
        if whole && heard != Some(Topic::Blocks) {
            self.out(Output::Publish { topic: Topic::Blocks, bytes: block.block().encode() });
        }
    }
}
