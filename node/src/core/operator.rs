//! What the operator asks of the chain: its branches, and that a block is not to be chosen, is again, or goes first.
//!
//! Marks are on disk before they count, so a restart finds the chain where the operator put it. They say nothing of a block
//! to anyone else: no peer is blamed for one.

use super::{NodeCore, Output, Ticket, limits};
use medring_protocol::BlockId;
use medring_protocol::block::Header;
use medring_protocol::chain::HeaderNode;
use medring_protocol::pow::Work;
use medring_storage::{Engine, Mark, StorageError};
use std::collections::BTreeMap;

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorCommand {
    /// Every block nobody builds on.
    Tips,
    /// The blocks of the last heights, on every branch.
    Tree {
        /// How many heights, at most [`limits::TREE_HEIGHTS_MAX`].
        heights: u64,
    },
    /// Neither this block nor one above it is to be chosen.
    Invalidate(BlockId),
    /// What speaks against this block, or one below or above it, is taken back.
    Reconsider(BlockId),
    /// Among branches of equal work this one goes first.
    Prefer(BlockId),
}

/// What the operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorAnswer {
    /// The most work first; at most [`limits::TREE_BLOCKS_MAX`].
    Tips(Vec<TreeBlock>),
    /// Ascending by height; at most [`limits::TREE_BLOCKS_MAX`], the highest.
    Tree(Vec<TreeBlock>),
    /// Where the best chain ends now.
    Tip {
        /// The tip.
        id: BlockId,
        /// Its height.
        height: u64,
    },
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No header of it is here.
    #[error("block {0} is not known here; `medring chain tips` and `medring chain tree` show what is")]
    Unknown(BlockId),
    /// Genesis.
    #[error("block 0 is the chain itself and stands; stop the node to leave this network")]
    Genesis,
    /// Too many blocks are invalidated.
    #[error("{0} blocks are invalidated already; reconsider some first (`medring chain tips` shows them)")]
    TooMany(usize),
    /// An invalid block is preferred.
    #[error(
        "block {0} is invalid and cannot be preferred; `medring chain reconsider {0}` takes back what speaks against it"
    )]
    Invalid(BlockId),
    /// A block with less work is preferred.
    #[error(
        "block {0} has less work than the tip, and only among equals a choice is free; to leave the tip, invalidate the first block of its branch"
    )]
    Lighter(BlockId),
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// On the best chain.
    Active,
    /// Every body down to genesis is here, and shape and signatures hold; whether its records may stand there shows when it
    /// is tried.
    ValidFork,
    /// Its body is here, and one below it is not.
    ValidHeaders,
    /// Its body is not here.
    HeadersOnly,
    /// It, or one below it, broke a rule or was invalidated by the operator.
    Invalid,
}

/// A block as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeBlock {
    /// Its id.
    pub id: BlockId,
    /// Its header.
    pub header: Header,
    /// Work of its branch up to and including it.
    pub work: Work,
    /// Where it stands.
    pub state: BlockState,
    /// In lists of tips: blocks of its branch that are not on the best chain.
    pub own_blocks: u64,
    /// It is invalid by the operator's word and not by a rule.
    pub by_operator: bool,
    /// Why it is invalid.
    pub reason: Option<String>,
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn on_operator(&mut self, ticket: Ticket, command: OperatorCommand) -> Result<(), StorageError> {
        let result = match command {
            OperatorCommand::Tips => Ok(OperatorAnswer::Tips(self.tips()?)),
            OperatorCommand::Tree { heights } => Ok(OperatorAnswer::Tree(self.tree_blocks(heights)?)),
            OperatorCommand::Invalidate(id) => self.operator_invalidates(&id)?,
            OperatorCommand::Reconsider(id) => self.operator_reconsiders(&id)?,
            OperatorCommand::Prefer(id) => self.operator_prefers(&id)?,
        };
        self.out(Output::Operated { ticket, result });
        Ok(())
    }

    fn known(&self, id: &BlockId) -> Result<&HeaderNode, OperatorError> {
        self.tree.get(id).ok_or(OperatorError::Unknown(*id))
    }

    fn operator_invalidates(&mut self, id: &BlockId) -> Result<Result<OperatorAnswer, OperatorError>, StorageError> {
        if let Err(error) = self.known(id) {
            return Ok(Err(error));
        }
        if *id == self.tree.genesis() {
            return Ok(Err(OperatorError::Genesis));
        }
        if self.tree.vetoes().len() >= limits::MARKS_MAX {
            return Ok(Err(OperatorError::TooMany(limits::MARKS_MAX)));
        }
        self.store.put_marks(&[(*id, Some(Mark::Invalidated))])?;
        self.tree.veto(id);
        self.moved_by_operator()
    }

    fn operator_reconsiders(&mut self, id: &BlockId) -> Result<Result<OperatorAnswer, OperatorError>, StorageError> {
        if let Err(error) = self.known(id) {
            return Ok(Err(error));
        }
        let taken_back = self.tree.reconsider(id);
        self.store.clear_invalid(&taken_back.cleared)?;
        self.store.set_arrivals(&taken_back.complete)?;
        let marks: Vec<_> = taken_back.vetoes.iter().map(|id| (*id, None)).collect();
        self.store.put_marks(&marks)?;
        self.moved_by_operator()
    }

    fn operator_prefers(&mut self, id: &BlockId) -> Result<Result<OperatorAnswer, OperatorError>, StorageError> {
        match self.known(id) {
            Err(error) => return Ok(Err(error)),
            Ok(node) if node.invalid => return Ok(Err(OperatorError::Invalid(*id))),
            Ok(node) if node.work < self.work() => return Ok(Err(OperatorError::Lighter(*id))),
            Ok(_) => {}
        }
        let rank = self.tree.preferred().map(|(_, rank)| rank).max().unwrap_or(0) + 1;
        // One preference decides a tie; those before it count no more.
        let mut marks: Vec<_> =
            self.tree.preferred().map(|(old, _)| (*old, None)).filter(|(old, _)| old != id).collect();
        marks.push((*id, Some(Mark::Preferred(rank))));
        self.store.put_marks(&marks)?;
        for (old, _) in &marks {
            self.tree.prefer(old, if old == id { rank } else { 0 });
        }
        self.moved_by_operator()
    }

    fn moved_by_operator(&mut self) -> Result<Result<OperatorAnswer, OperatorError>, StorageError> {
        self.advance()?;
        Ok(Ok(OperatorAnswer::Tip { id: self.tip(), height: self.height() }))
    }

    /// Every block nobody builds on, and the tip; the most work first.
    fn tips(&self) -> Result<Vec<TreeBlock>, StorageError> {
        let tip = self.tip();
        let mut ids: Vec<BlockId> = self.tree.leaves().map(|(id, _)| *id).filter(|id| *id != tip).collect();
        ids.push(tip);
        let mut tips = ids.iter().filter_map(|id| Some((id, self.tree.get(id)?))).collect::<Vec<_>>();
        tips.sort_by(|(a, x), (b, y)| y.work.cmp(&x.work).then((**b == tip).cmp(&(**a == tip))).then(a.cmp(b)));
        let tip = |(id, node): (&BlockId, &HeaderNode)| {
            Ok(TreeBlock { own_blocks: self.own_blocks(*id), ..self.tree_block(id, node)? })
        };
        tips.into_iter().take(limits::TREE_BLOCKS_MAX).map(tip).collect()
    }

    /// Every block known of the last heights, those above the tip included.
    fn tree_blocks(&self, heights: u64) -> Result<Vec<TreeBlock>, StorageError> {
        let from = (self.height() + 1).saturating_sub(heights.min(limits::TREE_HEIGHTS_MAX));
        let mut found: BTreeMap<(u64, BlockId), &HeaderNode> = BTreeMap::new();
        let starts = self.tree.leaves().map(|(id, _)| *id);
        for start in starts {
            let mut at = start;
            while let Some(node) = self.tree.get(&at).filter(|node| node.header.height >= from) {
                if found.insert((node.header.height, at), node).is_some() {
                    break;
                }
                if found.len() > limits::TREE_BLOCKS_MAX {
                    found.pop_first();
                }
                at = node.header.prev;
            }
        }
        found.into_iter().map(|((_, id), node)| self.tree_block(&id, node)).collect()
    }

    fn tree_block(&self, id: &BlockId, node: &HeaderNode) -> Result<TreeBlock, StorageError> {
        let state = self.block_state(id, node);
        let reason = match state {
            BlockState::Invalid if node.vetoed => Some("invalidated by the operator".to_owned()),
            BlockState::Invalid => self.store.stored_header(id)?.and_then(|header| header.invalid),
            _ => None,
        };
        Ok(TreeBlock {
            id: *id,
            header: node.header,
            work: node.work.clone(),
            state,
            own_blocks: 0,
            by_operator: node.vetoed,
            reason,
        })
    }

    fn block_state(&self, id: &BlockId, node: &HeaderNode) -> BlockState {
        match node {
            _ if self.is_active(id) => BlockState::Active,
            HeaderNode { invalid: true, .. } => BlockState::Invalid,
            HeaderNode { arrival: Some(_), .. } => BlockState::ValidFork,
            HeaderNode { body: true, .. } => BlockState::ValidHeaders,
            _ => BlockState::HeadersOnly,
        }
    }

    /// Blocks of the branch of `id` that are not on the best chain.
    fn own_blocks(&self, id: BlockId) -> u64 {
        let mut at = id;
        let mut count = 0;
        while !self.is_active(&at) {
            let Some(node) = self.tree.get(&at) else { break };
            count += 1;
            at = node.header.prev;
        }
        count
    }
}
