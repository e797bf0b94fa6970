//! A toy chain: heights, commit records and who is revoked, with reorganisations as deep as a test likes.

use crate::group::machine::{ChainView, Standing};
use crate::hash::{ParticipantId, RecordId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A block: what a group's machine may know of it.
#[derive(Debug, Default)]
pub struct ToyBlock {
    /// EpochCommit records.
    pub records: Vec<RecordId>,
    /// Whose enrolment ends here.
    pub revoked: Vec<ParticipantId>,
}

/// What became of the records of blocks that a reorganisation removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// They wait for the next block.
    Again,
    /// They are forgotten until somebody submits them again.
    Gone,
}

/// One node's best chain.
#[derive(Clone, Debug)]
pub struct View {
    blocks: Vec<Arc<ToyBlock>>,
    people: Arc<BTreeMap<ParticipantId, Standing>>,
}

impl ChainView for View {
    fn height(&self) -> u64 {
        u64::try_from(self.blocks.len()).unwrap_or(u64::MAX)
    }

    fn standing(&self, id: &ParticipantId) -> Option<Standing> {
        let revoked = self.blocks.iter().any(|block| block.revoked.contains(id));
        self.people.get(id).map(|standing| Standing { valid: standing.valid && !revoked, ..standing.clone() })
    }

    fn height_of(&self, record: &RecordId) -> Option<u64> {
        let at = self.blocks.iter().position(|block| block.records.contains(record))?;
        u64::try_from(at + 1).ok()
    }
}

/// The network's best chain and the records that wait for a block.
#[derive(Clone, Debug)]
pub struct ToyChain {
    /// As everybody will see it in the end.
    pub best: View,
    /// Records that wait, and from which height on they are mined.
    pub pool: BTreeMap<RecordId, u64>,
    /// Last height at which a record may be mined.
    deadlines: BTreeMap<RecordId, u64>,
}

impl ToyChain {
    /// One empty block; these people are enrolled from the start.
    pub fn new(people: BTreeMap<ParticipantId, Standing>) -> Self {
        let best = View { blocks: vec![Arc::default()], people: Arc::new(people) };
        Self { best, pool: BTreeMap::new(), deadlines: BTreeMap::new() }
    }

    /// A record comes in: mined in `delay` blocks' time at the earliest.
    pub fn submit(&mut self, record: RecordId, delay: u64, deadline_height: u64) {
        self.deadlines.insert(record, deadline_height);
        if self.best.height_of(&record).is_none() {
            self.pool.entry(record).or_insert(self.best.height() + 1 + delay);
        }
    }

    /// The next block, with all records that are due; those out of date are dropped.
    pub fn mine(&mut self, revoked: Vec<ParticipantId>) {
        let height = self.best.height() + 1;
        self.pool.retain(|record, _| self.deadlines.get(record).is_some_and(|deadline| *deadline >= height));
        let records: Vec<_> = self.pool.iter().filter(|(_, from)| **from <= height).map(|(id, _)| *id).collect();
        self.pool.retain(|id, _| !records.contains(id));
        self.best.blocks.push(Arc::new(ToyBlock { records, revoked }));
    }

    /// Removes the last `depth` blocks (the first stays) and puts one more, empty ones, in their place. Returns how many went.
    pub fn reorganise(&mut self, depth: usize, fate: Removed) -> usize {
        let keep = self.best.blocks.len().saturating_sub(depth).max(1);
        let gone = self.best.blocks.split_off(keep);
        if fate == Removed::Again {
            let height = self.best.height() + 1;
            for record in gone.iter().flat_map(|block| block.records.iter()) {
                self.pool.insert(*record, height);
            }
        }
        self.best.blocks.extend((0..=gone.len()).map(|_| Arc::default()));
        gone.len()
    }
}
