//! Branches that lost: how much of them is kept. By a rule that depends on nothing but the tree, so equal trees are cut alike:
//!
//! 1. a branch whose highest block lies [`SideLimits::keep_blocks`] or more below the tip is forgotten, header and body;
//! 2. while more blocks or bytes than the bounds are off the best chain, the end of the branch with least work is.
//!
//! Not touched: the best chain, what has more work than the tip and may still win, what the operator invalidated (to be
//! reconsidered), and branches whose records have not all returned. What is forgotten can be fetched again.

use super::config::SideLimits;
use super::{NodeCore, limits};
use medring_protocol::BlockId;
use medring_protocol::chain::HeaderNode;
use medring_protocol::pow::Work;
use medring_storage::{Engine, StorageError};
use std::collections::{BTreeMap, BTreeSet};

/// Bodies stored off the best chain, with their lengths.
#[derive(Debug, Default)]
pub(super) struct SideBodies {
    lengths: BTreeMap<BlockId, usize>,
    bytes: usize,
}

impl SideBodies {
    pub(super) fn add(&mut self, id: BlockId, bytes: usize) {
        self.remove(&id);
        self.lengths.insert(id, bytes);
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, id: &BlockId) {
        self.bytes -= self.lengths.remove(id).unwrap_or(0);
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<E: Engine> NodeCore<E> {
    /// Notes what a step took off the best chain and put on it.
    pub(super) fn note_side(&mut self, left: &[BlockId], joined: &[BlockId]) -> Result<(), StorageError> {
        for id in left {
            let bytes = self.store.body_raw(id)?.map_or(0, |body| body.len());
            self.side.add(*id, bytes);
        }
        joined.iter().for_each(|id| self.side.remove(id));
        Ok(())
    }

    /// Finds the bodies off the best chain after a start.
    pub(super) fn find_side(&mut self) -> Result<(), StorageError> {
        let ids: Vec<BlockId> =
            self.tree.iter().filter(|(id, node)| node.body && !self.is_active(id)).map(|(id, _)| *id).collect();
        self.note_side(&ids, &[])
    }

    /// Headers off the branch with most work.
    pub(super) fn side_headers(&self) -> usize {
        let branch = usize::try_from(self.best_header_height()).unwrap_or(usize::MAX).saturating_add(1);
        self.tree.len().saturating_sub(branch)
    }

    /// Forgets what the rule says.
    pub(super) fn forget_side_branches(&mut self) -> Result<(), StorageError> {
        let SideLimits { keep_blocks, blocks_max, bytes_max } = self.config.side;
        let full = |core: &Self| core.side_headers() > blocks_max || core.side.bytes() > bytes_max;
        let old = |core: &Self, node: &HeaderNode| node.header.height.saturating_add(keep_blocks) <= core.height();
        if !full(self) && !self.tree.leaves().any(|(id, node)| old(self, node) && !self.is_active(id)) {
            return Ok(());
        }
        let kept = self.kept_for_records();
        let mut ends: BTreeSet<(Work, BlockId)> =
            self.tree.leaves().map(|(id, node)| (node.work.clone(), *id)).collect();
        let mut gone = Vec::new();
        while let Some((work, id)) = ends.pop_first() {
            let Some(node) = self.tree.get(&id) else { continue };
            let may_win = !node.invalid && work > self.work();
            let wanted = node.vetoed || may_win || kept.contains(&id) || self.verifying.contains_key(&id);
            if self.is_active(&id) || wanted || !(old(self, node) || full(self)) {
                continue;
            }
            let prev = node.header.prev;
            gone.push((node.header.height, id));
            self.tree.forget(&id);
            self.side.remove(&id);
            self.sources.remove(&id);
            if let Some(parent) = self.tree.get(&prev).filter(|_| self.tree.is_leaf(&prev)) {
                ends.insert((parent.work.clone(), prev));
            }
        }
        for part in gone.chunks(limits::FORGET_BATCH_BLOCKS) {
            self.store.forget(part)?;
        }
        Ok(())
    }

    /// Blocks whose bodies hold records that still have to return.
    fn kept_for_records(&self) -> BTreeSet<BlockId> {
        self.leftovers.values().flat_map(|leftover| self.branch_from(leftover)).collect()
    }
}
