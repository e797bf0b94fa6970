//! A chain that grows block by block through every check, and can be undone.

use super::Kit;
use crate::block::{Block, CheckedBlock, Header, VerifiedBlock};
use crate::chain::rules::RuleSet;
use crate::chain::{ApplyError, Diff, HeaderError, HeaderTree, MemoryState, apply, keys_of};
use crate::error::Violation;
use crate::hash::ParticipantId;
use crate::identity::PublicKeys;
use crate::pow;
use crate::record::Record;
use rand::SeedableRng;

/// A branch from genesis to a tip with the state at the tip. No forks: for those, see [`HeaderTree`].
#[derive(Clone, Debug)]
pub struct TestChain<'k> {
    /// Where it came from.
    pub kit: &'k Kit,
    /// The rules in force.
    pub rules: RuleSet,
    /// All headers, the tip's branch only.
    pub tree: HeaderTree,
    /// The state at the tip.
    pub state: MemoryState,
    /// Blocks above genesis, with what each changed.
    pub blocks: Vec<(Block, Diff)>,
}

impl<'k> TestChain<'k> {
    /// Genesis alone.
    pub fn new(kit: &'k Kit, rules: RuleSet) -> Self {
        let tree = HeaderTree::new(&kit.params);
        Self { kit, rules, tree, state: MemoryState::default(), blocks: Vec::new() }
    }

    /// Genesis, and block 1 that enrols the kit's participants.
    pub fn enrolled(kit: &'k Kit, rules: RuleSet) -> Self {
        let mut chain = Self::new(kit, rules);
        chain.extend(vec![kit.enrol_all(1)]).expect("the kit's enrolment is valid");
        chain
    }

    /// The header of the tip.
    pub fn tip(&self) -> Header {
        self.blocks.last().map_or_else(|| self.kit.params.genesis(), |(block, _)| block.header)
    }

    /// The height of the next block.
    pub fn next_height(&self) -> u64 {
        self.tip().height + 1
    }

    /// The next block with these records, mined at the target that is due, not connected.
    pub fn next_block(&self, records: Vec<Record>) -> Block {
        let tip = self.tip();
        let schedule_ms = self.tree.get(&tip.id()).map_or(0, |node| node.schedule_ms);
        let target = pow::next_target(&self.kit.params, tip.height, schedule_ms);
        self.kit.forge(&tip, records, |header| header.target = target)
    }

    /// Mines a block with these records on the tip and connects it.
    pub fn extend(&mut self, records: Vec<Record>) -> Result<(), Violation> {
        self.connect(self.next_block(records))
    }

    /// Every check of a block, in the order of a node; changes nothing.
    pub fn check(&self, block: &Block) -> Result<(VerifiedBlock, Diff), Violation> {
        let mut tree = self.tree.clone();
        tree.insert(&self.rules, &self.kit.params, block.header).map_err(violation)?;
        let checked = CheckedBlock::check(&self.rules, &self.kit.params, &self.kit.chain, block.clone())?;
        let mut rng = rand::rngs::StdRng::seed_from_u64(self.kit.seed);
        let verified = checked.verify(&self.rules, &self.kit.chain, |id| self.keys(id), &mut rng)?;
        match apply(&self.rules, &self.kit.params, &self.state, &verified) {
            Ok(diff) => Ok((verified, diff)),
            Err(ApplyError::Violation(v)) => Err(v),
        }
    }

    /// Checks a block and makes it the tip.
    pub fn connect(&mut self, block: Block) -> Result<(), Violation> {
        let (verified, diff) = self.check(&block)?;
        self.tree.insert(&self.rules, &self.kit.params, block.header).map_err(violation)?;
        self.tree.body_stored(&verified.id());
        self.state.apply(&diff);
        self.blocks.push((block, diff));
        Ok(())
    }

    /// Takes the tip's block off again; `None` at genesis. Its header stays in the tree.
    pub fn undo(&mut self) -> Option<Block> {
        let (block, diff) = self.blocks.pop()?;
        self.state.apply(&diff.inverse());
        Some(block)
    }

    /// Keys of an authority or of a participant enrolled at the tip.
    pub fn keys(&self, id: &ParticipantId) -> Option<PublicKeys> {
        let Ok(keys) = keys_of(&self.kit.params, &self.state, id);
        keys
    }
}

fn violation(error: HeaderError) -> Violation {
    match error {
        HeaderError::Violation(v) => v,
        HeaderError::Orphan(_) | HeaderError::InvalidParent(_) | HeaderError::VetoedParent(_) => {
            Violation::new("R-HEIGHT", error.to_string())
        }
    }
}
