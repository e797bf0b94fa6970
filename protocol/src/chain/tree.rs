//! The tree of headers and the choice between its branches: most cumulative work, a tie goes to the first seen.

mod operator;

pub use operator::Reconsidered;

use super::rules::{HeaderContext, RuleSet};
use crate::block::Header;
use crate::error::Violation;
use crate::hash::BlockId;
use crate::limits::LOCATOR_ENTRIES_MAX;
use crate::params::Params;
use crate::pow::{self, Target, Work};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A header in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNode {
    /// The header.
    pub header: Header,
    /// Work of the whole branch up to and including it.
    pub work: Work,
    /// Schedule time S_h, ms; see [`pow::schedule_step`].
    pub schedule_ms: u64,
    /// When its branch became complete here, as a count; decides ties and is persisted. `None`: its body, or one below, is
    /// still missing.
    pub arrival: Option<u64>,
    /// Its body is stored.
    pub body: bool,
    /// It, or one below it, broke a rule or is vetoed: it is never chosen.
    pub invalid: bool,
    /// It is invalid only because an operator says so of it, or of one below it ([`HeaderTree::veto`]).
    pub vetoed: bool,
}

impl HeaderNode {
    /// Block 0: no work, complete.
    pub fn genesis(params: &Params) -> Self {
        let header = params.genesis();
        Self { header, work: Work::zero(), schedule_ms: 0, arrival: Some(0), body: true, invalid: false, vetoed: false }
    }

    /// A header on this one as its parent, without a body. Checks nothing.
    #[must_use]
    pub fn child(&self, params: &Params, header: Header) -> Self {
        let own = header.target.decode().map(Target::work).unwrap_or_default();
        let delta_ms = header.time_ms.saturating_sub(self.header.time_ms);
        let schedule_ms = pow::schedule_step(params, self.schedule_ms, header.height, delta_ms);
        Self {
            header,
            work: self.work.plus(&own),
            schedule_ms,
            arrival: None,
            body: false,
            invalid: false,
            vetoed: false,
        }
    }
}

/// Why a header was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Its parent is not in the tree.
    #[error("parent {0} is unknown")]
    Orphan(BlockId),
    /// It descends from an invalid block.
    #[error("descends from invalid block {0}")]
    InvalidParent(BlockId),
    /// It descends from a block that the operator does not want: nobody's fault.
    #[error("descends from block {0}, which the operator invalidated")]
    VetoedParent(BlockId),
    /// It breaks a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Whether a header was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was not in the tree.
    New,
    /// It was, or it is invalid and was.
    Known,
}

/// The way from one tip to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The last block both share.
    pub fork: BlockId,
    /// From the old tip down to above the fork.
    pub disconnect: Vec<BlockId>,
    /// From above the fork up to the new tip.
    pub connect: Vec<BlockId>,
}

/// All headers known, by id, and which of them are complete branches.
///
/// About 400 bytes a header, held in memory.
#[derive(Clone, Debug)]
pub struct HeaderTree {
    nodes: BTreeMap<BlockId, HeaderNode>,
    children: BTreeMap<BlockId, Vec<BlockId>>,
    /// Blocks nobody builds on.
    leaves: BTreeSet<BlockId>,
    /// (work, preferred first, first seen first) of complete, valid branches: the best is the last.
    complete: BTreeSet<(Work, u64, Reverse<u64>, BlockId)>,
    /// (work, id) of headers not known to be invalid: the last is what sync aims at.
    headers: BTreeSet<(Work, BlockId)>,
    /// Blocks an operator does not want.
    vetoes: BTreeSet<BlockId>,
    /// Blocks an operator prefers, with their ranks.
    preferred: BTreeMap<BlockId, u64>,
    genesis: BlockId,
    arrivals: u64,
}

impl HeaderTree {
    /// The genesis block alone, complete.
    pub fn new(params: &Params) -> Self {
        let node = HeaderNode::genesis(params);
        let genesis = node.header.id();
        let (work, first) = (Work::zero(), Reverse(0));
        Self {
            nodes: BTreeMap::from([(genesis, node)]),
            children: BTreeMap::new(),
            leaves: BTreeSet::from([genesis]),
            complete: BTreeSet::from([(work.clone(), 0, first, genesis)]),
            headers: BTreeSet::from([(work, genesis)]),
            vetoes: BTreeSet::new(),
            preferred: BTreeMap::new(),
            genesis,
            arrivals: 1,
        }
    }

    /// The genesis id.
    pub fn genesis(&self) -> BlockId {
        self.genesis
    }

    /// A node.
    pub fn get(&self, id: &BlockId) -> Option<&HeaderNode> {
        self.nodes.get(id)
    }

    /// Headers held.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: genesis is always there.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every header with its id, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (&BlockId, &HeaderNode)> {
        self.nodes.iter()
    }

    /// Checks a header against its parent and takes it in, without a body.
    pub fn insert(&mut self, rules: &RuleSet, params: &Params, header: Header) -> Result<Inserted, HeaderError> {
        let id = header.id();
        if self.nodes.contains_key(&id) {
            return Ok(Inserted::Known);
        }
        rules.check_pow(&header, &id)?;
        let parent = self.nodes.get(&header.prev).ok_or(HeaderError::Orphan(header.prev))?;
        if parent.invalid {
            let (prev, vetoed) = (header.prev, parent.vetoed);
            return Err(if vetoed { HeaderError::VetoedParent(prev) } else { HeaderError::InvalidParent(prev) });
        }
        rules.check_header(&HeaderContext { params, header: &header, parent })?;
        let node = parent.child(params, header);
        self.add(id, node);
        Ok(Inserted::New)
    }

    /// Takes a header back from disk, where it stands since it was checked. Parents must come first; `Err` if not.
    pub fn restore(
        &mut self,
        params: &Params,
        header: Header,
        body: bool,
        arrival: Option<u64>,
        invalid: bool,
    ) -> Result<(), HeaderError> {
        let id = header.id();
        if id == self.genesis {
            return Ok(());
        }
        let parent = self.nodes.get(&header.prev).ok_or(HeaderError::Orphan(header.prev))?;
        let vetoed = !invalid && parent.vetoed;
        let invalid = invalid || parent.invalid;
        let node = HeaderNode { arrival, body, invalid, vetoed, ..parent.child(params, header) };
        self.arrivals = self.arrivals.max(arrival.map_or(0, |a| a + 1));
        self.add(id, node);
        Ok(())
    }

    fn add(&mut self, id: BlockId, node: HeaderNode) {
        let prev = node.header.prev;
        self.children.entry(prev).or_default().push(id);
        self.leaves.remove(&prev);
        self.leaves.insert(id);
        let invalid = node.invalid;
        self.nodes.insert(id, node);
        if !invalid {
            self.list(&id);
        }
    }

    /// It may be chosen, or aimed at.
    fn list(&mut self, id: &BlockId) {
        let Some(node) = self.nodes.get(id) else { return };
        self.headers.insert((node.work.clone(), *id));
        if let Some(arrival) = node.arrival {
            self.complete.insert((node.work.clone(), self.rank(id), Reverse(arrival), *id));
        }
    }

    /// It may not any longer.
    fn unlist(&mut self, id: &BlockId) {
        let Some(node) = self.nodes.get(id) else { return };
        self.headers.remove(&(node.work.clone(), *id));
        if let Some(arrival) = node.arrival {
            self.complete.remove(&(node.work.clone(), self.rank(id), Reverse(arrival), *id));
        }
    }

    /// How much an operator prefers it; 0: not.
    fn rank(&self, id: &BlockId) -> u64 {
        self.preferred.get(id).copied().unwrap_or(0)
    }

    /// Its body is stored. Returns every block whose branch is complete now, this one first, each with the arrival number
    /// to persist; none if an ancestor's body is missing.
    pub fn body_stored(&mut self, id: &BlockId) -> Vec<(BlockId, u64)> {
        match self.nodes.get_mut(id) {
            Some(node) if !node.body => node.body = true,
            _ => return Vec::new(),
        }
        self.complete_from(*id)
    }

    /// Gives arrival numbers to what is complete from `id` upward. First in, first out: siblings that waited for one body
    /// arrive in the order in which their headers came.
    fn complete_from(&mut self, id: BlockId) -> Vec<(BlockId, u64)> {
        let mut done = Vec::new();
        let mut todo = VecDeque::from([id]);
        while let Some(id) = todo.pop_front() {
            let parent = self.nodes.get(&id).and_then(|node| self.nodes.get(&node.header.prev));
            let parent_complete = parent.is_some_and(|p| p.arrival.is_some() && !p.invalid);
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            if !parent_complete || !node.body || node.invalid {
                continue;
            }
            if node.arrival.is_none() {
                node.arrival = Some(self.arrivals);
                done.push((id, self.arrivals));
                self.arrivals += 1;
                self.list(&id);
            }
            todo.extend(self.children.get(&id).into_iter().flatten());
        }
        done
    }

    /// It broke a rule: neither it nor a descendant is ever chosen. Returns all of them, it first. (Genesis breaks none.)
    pub fn mark_invalid(&mut self, id: &BlockId) -> Vec<BlockId> {
        let mut out = Vec::new();
        if *id == self.genesis {
            return out;
        }
        let mut todo = vec![*id];
        while let Some(id) = todo.pop() {
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            (node.invalid, node.vetoed) = (true, false);
            self.unlist(&id);
            out.push(id);
            todo.extend(self.children.get(&id).into_iter().flatten());
        }
        out
    }

    /// The tip to be on: the complete, valid branch with most work, first seen among equals.
    pub fn best(&self) -> BlockId {
        self.complete.last().map_or(self.genesis, |(.., id)| *id)
    }

    /// The header with most work whose branch is not known to be invalid, complete or not: what sync aims at.
    pub fn best_header(&self) -> BlockId {
        self.headers.last().map_or(self.genesis, |(_, id)| *id)
    }

    /// Blocks nobody builds on, valid or not.
    pub fn leaves(&self) -> impl Iterator<Item = (&BlockId, &HeaderNode)> {
        self.leaves.iter().filter_map(|id| self.nodes.get_key_value(id))
    }

    /// The ancestor of `id` at `height`, itself included.
    pub fn ancestor(&self, id: &BlockId, height: u64) -> Option<BlockId> {
        let mut at = *id;
        loop {
            let node = self.nodes.get(&at)?;
            match node.header.height.cmp(&height) {
                std::cmp::Ordering::Less => return None,
                std::cmp::Ordering::Equal => return Some(at),
                std::cmp::Ordering::Greater => at = node.header.prev,
            }
        }
    }

    /// The way from tip `from` to tip `to`; `None` if either is unknown.
    pub fn path(&self, from: &BlockId, to: &BlockId) -> Option<Path> {
        let (mut a, mut b) = (*from, *to);
        let (mut disconnect, mut connect) = (Vec::new(), Vec::new());
        while a != b {
            let (na, nb) = (self.nodes.get(&a)?, self.nodes.get(&b)?);
            if na.header.height >= nb.header.height {
                disconnect.push(a);
                a = na.header.prev;
            } else {
                connect.push(b);
                b = nb.header.prev;
            }
        }
        connect.reverse();
        Some(Path { fork: a, disconnect, connect })
    }

    /// Blocks on the branch of `to` whose bodies are missing, lowest first, at most `most`.
    pub fn missing_bodies(&self, to: &BlockId, most: usize) -> Vec<BlockId> {
        let mut missing = Vec::new();
        let mut at = *to;
        while let Some(node) = self.nodes.get(&at) {
            if node.arrival.is_some() {
                break;
            }
            if !node.body {
                missing.push(at);
            }
            at = node.header.prev;
        }
        missing.reverse();
        missing.truncate(most);
        missing
    }

    /// Ids on the branch of `tip`: about ten single steps back, then doubling, then genesis.
    pub fn locator(&self, tip: &BlockId) -> Vec<BlockId> {
        let mut out = Vec::new();
        let (mut at, mut step) = (*tip, 1u64);
        while out.len() + 1 < LOCATOR_ENTRIES_MAX {
            out.push(at);
            let Some(node) = self.nodes.get(&at) else { break };
            if node.header.height < step {
                break;
            }
            let Some(next) = self.ancestor(&at, node.header.height - step) else { break };
            at = next;
            if out.len() >= 10 {
                step = step.saturating_mul(2);
            }
        }
        if out.last() != Some(&self.genesis) {
            out.push(self.genesis);
        }
        out
    }
}
