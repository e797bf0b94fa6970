//! Blocks that cannot be judged yet: their parent is missing, or their time has not come. Bounded.

use super::blocks::Origin;
use super::{OrphanBlock, limits};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, CheckedBlock, Header};
use std::collections::{BTreeMap, BTreeSet};

/// How far a block has come.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// It was read.
    Read(Block),
    /// Its structure is checked.
    Checked(CheckedBlock),
    /// Its signatures are verified, too.
    Verified(CheckedBlock),
}

/// A block and how it came.
#[derive(Clone, Debug)]
pub(super) struct HeldBlock {
    pub(super) stage: Stage,
    pub(super) origin: Origin,
    bytes: usize,
}

impl HeldBlock {
    pub(super) fn new(stage: Stage, origin: Origin) -> Self {
        let mut held = Self { stage, origin, bytes: 0 };
        held.bytes = held.block().records_len() + Header::LEN;
        held
    }

    pub(super) fn block(&self) -> &Block {
        match &self.stage {
            Stage::Read(block) => block,
            Stage::Checked(checked) | Stage::Verified(checked) => checked.block(),
        }
    }
}

/// Both kinds of waiting blocks.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By order of arrival, so that the oldest goes first when there are too many.
    waiting: BTreeMap<u64, HeldBlock>,
    ids: BTreeMap<BlockId, u64>,
    by_parent: BTreeMap<BlockId, BTreeSet<u64>>,
    orphan_bytes: usize,
    orphans: usize,
    /// By time stamp.
    future: BTreeMap<(u64, BlockId), HeldBlock>,
    arrivals: u64,
}

impl Held {
    /// Keeps a block until its parent is stored. Unasked ones may push older unasked ones out.
    pub(super) fn wait_for_parent(&mut self, id: BlockId, stage: Stage, origin: Origin) {
        if let Some(at) = self.ids.get(&id).copied() {
            // What is known to be the block's own body takes the place of what is not.
            let unchecked = |held: &HeldBlock| matches!(held.stage, Stage::Read(_));
            if matches!(stage, Stage::Read(_)) || !self.waiting.get(&at).is_some_and(unchecked) {
                return;
            }
            self.remove(at);
        }
        let held = HeldBlock::new(stage, origin);
        if !origin.asked() {
            self.orphans += 1;
            self.orphan_bytes += held.bytes;
        }
        self.by_parent.entry(held.block().header.prev).or_default().insert(self.arrivals);
        self.ids.insert(id, self.arrivals);
        self.waiting.insert(self.arrivals, held);
        self.arrivals += 1;
        while self.orphans > limits::ORPHANS_MAX || self.orphan_bytes > limits::ORPHAN_BYTES_MAX {
            let oldest = self.waiting.iter().find(|(_, held)| !held.origin.asked()).map(|(at, _)| *at);
            let Some(oldest) = oldest else { break };
            self.remove(oldest);
        }
    }

    fn remove(&mut self, at: u64) -> Option<HeldBlock> {
        let held = self.waiting.remove(&at)?;
        let header = held.block().header;
        self.ids.remove(&header.id());
        if let Some(siblings) = self.by_parent.get_mut(&header.prev) {
            siblings.remove(&at);
            if siblings.is_empty() {
                self.by_parent.remove(&header.prev);
            }
        }
        if !held.origin.asked() {
            self.orphans -= 1;
            self.orphan_bytes -= held.bytes;
        }
        Some(held)
    }

    /// The blocks that waited for `parent`, in order of arrival.
    pub(super) fn take_children(&mut self, parent: &BlockId) -> Vec<HeldBlock> {
        let children = self.by_parent.get(parent).cloned().unwrap_or_default();
        children.into_iter().filter_map(|at| self.remove(at)).collect()
    }

    /// Forgets the blocks that were asked for, but those for which `keep(height, id)` holds.
    pub(super) fn drop_asked(&mut self, keep: impl Fn(u64, &BlockId) -> bool) {
        let gone: Vec<u64> = (self.waiting.iter().filter(|(_, held)| held.origin.asked()))
            .filter(|(_, held)| !keep(held.block().header.height, &held.block().id()))
            .map(|(at, _)| *at)
            .collect();
        for at in gone {
            self.remove(at);
        }
    }

    /// Whether this block waits for its parent.
    pub(super) fn is_waiting(&self, id: &BlockId) -> bool {
        self.ids.contains_key(id)
    }

    /// Whether this block waits for its time.
    pub(super) fn is_early(&self, id: &BlockId) -> bool {
        self.future.keys().any(|(_, early)| early == id)
    }

    /// Blocks that were asked for and wait: id, height and bytes.
    pub(super) fn waiting_asked(&self) -> impl Iterator<Item = (BlockId, u64, usize)> {
        let asked = self.waiting.values().filter(|held| held.origin.asked());
        asked.map(|held| (held.block().id(), held.block().header.height, held.bytes))
    }

    /// Every block that waits for a parent, in order of arrival.
    pub(super) fn orphans(&self) -> impl Iterator<Item = OrphanBlock> {
        let orphan = |held: &HeldBlock| {
            let header = &held.block().header;
            OrphanBlock { id: header.id(), prev: header.prev, height: header.height }
        };
        self.waiting.values().map(orphan)
    }

    /// Blocks that wait for a parent, asked for or not.
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Keeps a block until its time comes. When there are too many, the one furthest ahead goes.
    pub(super) fn wait_for_time(&mut self, id: BlockId, block: Block, origin: Origin) {
        self.future.insert((block.header.time_ms, id), HeldBlock::new(Stage::Read(block), origin));
        if self.future.len() > limits::FUTURE_BLOCKS_MAX {
            self.future.pop_last();
        }
    }

    /// The earliest stamp of a block kept for its time.
    pub(super) fn next_stamp_ms(&self) -> Option<u64> {
        self.future.first_key_value().map(|((stamp, _), _)| *stamp)
    }

    /// Blocks stamped `most_ms` or earlier.
    pub(super) fn take_due(&mut self, most_ms: u64) -> Vec<HeldBlock> {
        let mut due = Vec::new();
        while self.next_stamp_ms().is_some_and(|stamp| stamp <= most_ms) {
            due.extend(self.future.pop_first().map(|(_, held)| held));
        }
        due
    }

    /// Blocks kept for their time.
    pub(super) fn future_len(&self) -> usize {
        self.future.len()
    }
}
