//! What an operator may say of blocks: that one is not to be chosen, that this is taken back, that one goes first among
//! equals. And what is forgotten of branches that lost long ago.

use super::HeaderTree;
use crate::hash::BlockId;
use std::collections::BTreeSet;

/// What [`HeaderTree::reconsider`] took back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconsidered {
    /// Blocks that an operator had vetoed.
    pub vetoes: Vec<BlockId>,
    /// Blocks that were held to break a rule, or to descend from one that does.
    pub cleared: Vec<BlockId>,
    /// Blocks whose branch became complete by this, with their arrival numbers, as [`HeaderTree::body_stored`] gives them.
    pub complete: Vec<(BlockId, u64)>,
}

impl HeaderTree {
    /// An operator does not want this block: neither it nor a descendant is chosen until [`Self::reconsider`], and nobody is
    /// blamed for them. False if it is unknown, or genesis.
    pub fn veto(&mut self, id: &BlockId) -> bool {
        if *id == self.genesis || !self.nodes.contains_key(id) {
            return false;
        }
        self.vetoes.insert(*id);
        self.spread_vetoes(*id);
        true
    }

    /// Vetoed blocks, without their descendants.
    pub fn vetoes(&self) -> &BTreeSet<BlockId> {
        &self.vetoes
    }

    /// An operator takes back what speaks against a block: vetoes and broken rules, of it, of the blocks below it and above
    /// it. Complete branches may be chosen again. A body that breaks a rule will break it again.
    pub fn reconsider(&mut self, id: &BlockId) -> Reconsidered {
        let mut lowest = *id;
        let mut lineage = BTreeSet::from([*id]);
        while let Some(node) = self.nodes.get(&lowest).filter(|node| node.invalid) {
            match self.nodes.get(&node.header.prev) {
                Some(parent) if parent.invalid => lowest = node.header.prev,
                _ => break,
            }
            lineage.insert(lowest);
        }
        lineage.extend(self.subtree(id));
        let mut out = Reconsidered::default();
        for at in lineage {
            if self.vetoes.remove(&at) {
                out.vetoes.push(at);
            }
            let Some(node) = self.nodes.get_mut(&at).filter(|node| node.invalid) else { continue };
            if !node.vetoed {
                out.cleared.push(at);
            }
            (node.invalid, node.vetoed) = (false, false);
            self.list(&at);
        }
        self.spread_vetoes(lowest);
        out.complete = self.complete_from(lowest);
        out
    }

    /// Among branches of equal work this block goes first from now on, whenever it was seen; `rank` decides between several
    /// that were preferred, the highest first, and 0 takes it back. False if it is unknown.
    pub fn prefer(&mut self, id: &BlockId, rank: u64) -> bool {
        if !self.nodes.contains_key(id) {
            return false;
        }
        self.unlist(id);
        if rank == 0 {
            self.preferred.remove(id)
        } else {
            self.preferred.insert(*id, rank)
        };
        if self.nodes.get(id).is_some_and(|node| !node.invalid) {
            self.list(id);
        }
        true
    }

    /// Blocks that were preferred, with their ranks, ascending by id.
    pub fn preferred(&self) -> impl Iterator<Item = (&BlockId, u64)> {
        self.preferred.iter().map(|(id, rank)| (id, *rank))
    }

    /// Whether nobody builds on it.
    pub fn is_leaf(&self, id: &BlockId) -> bool {
        self.leaves.contains(id)
    }

    /// Forgets a header nobody builds on, whatever was said of it. False if it is unknown, has children, or is genesis.
    pub fn forget(&mut self, id: &BlockId) -> bool {
        if *id == self.genesis || !self.leaves.contains(id) {
            return false;
        }
        self.unlist(id);
        let Some(node) = self.nodes.remove(id) else { return false };
        self.leaves.remove(id);
        self.vetoes.remove(id);
        self.preferred.remove(id);
        let parent = node.header.prev;
        if let Some(children) = self.children.get_mut(&parent) {
            children.retain(|child| child != id);
            if children.is_empty() {
                self.children.remove(&parent);
                self.leaves.insert(parent);
            }
        }
        true
    }

    /// It and everything above it, parents before children.
    fn subtree(&self, id: &BlockId) -> Vec<BlockId> {
        let mut all = Vec::new();
        let mut todo = vec![*id];
        while let Some(at) = todo.pop().filter(|at| self.nodes.contains_key(at)) {
            all.push(at);
            todo.extend(self.children.get(&at).into_iter().flatten());
        }
        all
    }

    /// Makes every block from `from` upward vetoed if one at or below it is, and not if none is.
    fn spread_vetoes(&mut self, from: BlockId) {
        for id in self.subtree(&from) {
            let below = self.nodes.get(&id).and_then(|node| self.nodes.get(&node.header.prev));
            let vetoed = self.vetoes.contains(&id) || below.is_some_and(|parent| parent.vetoed);
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            let by_rule = node.invalid && !node.vetoed;
            if by_rule || node.vetoed == vetoed {
                continue;
            }
            (node.invalid, node.vetoed) = (vetoed, vetoed);
            if vetoed { self.unlist(&id) } else { self.list(&id) }
        }
    }
}
