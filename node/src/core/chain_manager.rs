//! The best chain: moving the tip to the best complete branch, in memory first, then on disk, then for all.
//!
//! A reorganisation of up to [`limits::REORG_STEP_BLOCKS`] blocks is one batch, whole or not at all. A deeper one goes in
//! steps of at most so many blocks, each a batch that ends in a valid tip:
//!
//! ```text
//! old tip ──► disconnect ──► … ──► fork ──► connect ──► … ──► new tip
//!    └ the journal is written with the first step            └ and removed with the last
//! ```
//! The pool, the reports and the records of the left branch follow with the last step. A restart in between goes on from the
//! tip it finds; a branch found invalid on the way is left again by steps, for the next best, which may be the old one.

use super::reorg_pool::PoolPlan;
use super::watch::{Notes, dropped};
use super::{DeepReorg, Event, NodeCore, limits};
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::{ApplyError, Diff, Overlay, Path, apply};
use medring_protocol::{BlockId, Violation};
use medring_storage::{
    ChainStore, Durability, Engine, Journal, JournalChange, Leftover, Reorg, ReorgReport, StorageError,
};

/// A part of the way to the best branch that is one batch.
pub(super) struct Step {
    pub(super) path: Path,
    /// It belongs to a reorganisation of several steps.
    pub(super) deep: bool,
    /// Nothing of the reorganisation is left to do after it.
    last: bool,
}

/// What a step needs: computed in memory, nothing of it committed.
pub(super) struct Plan<E> {
    pub(super) step: Step,
    pub(super) diffs: Vec<(BlockId, Diff)>,
    /// The state at the new tip.
    pub(super) state: Overlay<ChainStore<E>>,
}

/// A block of the new branch that breaks a rule where it stands.
struct BadBlock {
    id: BlockId,
    violation: Violation,
}

/// What is left to be told and done when blocks have left the best chain.
struct Ending {
    number: u64,
    report: ReorgReport,
    leftover: Leftover,
}

impl<E: Engine> NodeCore<E> {
    /// Moves the tip to the best complete branch. A branch found invalid on the way is left for the next best. Then records
    /// of left blocks return to the pool.
    pub(super) fn advance(&mut self) -> Result<(), StorageError> {
        loop {
            let best = self.tree.best();
            if best == self.tip() && self.journal.is_none() {
                break;
            }
            let Some(path) = self.tree.path(&self.tip(), &best) else {
                return Err(StorageError::Bug(format!("no path leads from the tip to {best}")));
            };
            match self.plan(self.next_step(path))? {
                Ok(plan) => self.commit(plan, best)?,
                Err(BadBlock { id, violation }) => {
                    let source = self.sources.get(&id).copied();
                    self.invalidate(&id, &violation)?;
                    if let Some(peer) = source {
                        self.fault(peer, &format!("sent block {id}, which breaks {violation}"));
                    }
                }
            }
        }
        self.return_records()?;
        self.forget_side_branches()
    }

    /// As much of the way as goes into one batch.
    fn next_step(&self, mut path: Path) -> Step {
        let most = self.config.reorg_step_blocks;
        let (down, up) = (path.disconnect.len(), path.connect.len());
        if self.journal.is_none() {
            // Nothing is left: a long way may be gone in steps, each a chain with more work. And what is left may be made
            // good within one batch, though the branch goes on.
            let heavier = |id: &BlockId| self.tree.get(id).is_some_and(|node| node.work > self.work());
            if down == 0 || (down <= most && (up <= most || path.connect.get(most - 1).is_some_and(heavier))) {
                path.connect.truncate(if down == 0 { limits::CONNECT_BATCH_BLOCKS.min(most) } else { most });
                return Step { path, deep: false, last: true };
            }
        }
        path.disconnect.truncate(most);
        let room = if path.disconnect.len() == down { most - down } else { 0 };
        path.connect.truncate(room);
        let last = path.disconnect.len() + path.connect.len() == down + up;
        Step { path, deep: true, last }
    }

    /// Reverts and applies in memory, over the state on disk. Bodies are not kept: of a step only what it changes is in memory.
    fn plan(&self, step: Step) -> Result<Result<Plan<E>, BadBlock>, StorageError> {
        let mut state = Overlay::new(self.store.clone());
        let mut diffs = Vec::new();
        for id in &step.path.disconnect {
            let undo = self.store.undo(id)?.ok_or(StorageError::Missing { id: *id, what: "undo" })?;
            state.apply(&undo.inverse());
        }
        let (rules, params) = (&self.config.rules, &self.config.params);
        for id in &step.path.connect {
            // Its signatures were verified before it was stored.
            let checked = CheckedBlock::check(rules, params, &self.chain, self.stored_block(id)?);
            let block = match checked {
                Ok(checked) => checked.assume_verified(),
                Err(violation) => return Ok(Err(BadBlock { id: *id, violation })),
            };
            match apply(rules, params, &state, &block) {
                Ok(diff) => {
                    state.apply(&diff);
                    diffs.push((*id, diff));
                }
                Err(ApplyError::Violation(violation)) => return Ok(Err(BadBlock { id: *id, violation })),
                Err(ApplyError::State(error)) => return Err(error),
            }
        }
        Ok(Ok(Plan { step, diffs, state }))
    }

    pub(super) fn stored_block(&self, id: &BlockId) -> Result<Block, StorageError> {
        self.store.block(id)?.ok_or(StorageError::Missing { id: *id, what: "body" })
    }

    /// One batch; then, and only then, the tip, the pool and everyone else.
    fn commit(&mut self, plan: Plan<E>, target: BlockId) -> Result<(), StorageError> {
        let pool = if plan.step.last { self.plan_pool(&plan)? } else { PoolPlan::default() };
        let notes = self.notes(&plan, &pool)?;
        let Plan { step: Step { path, deep, last }, diffs, state: _ } = plan;
        let ending = if last { self.ending(&path) } else { None };
        let journal = self.next_journal(deep, last, target);
        let durability = self.durability(path.connect.len());
        let reorg = Reorg {
            disconnect: path.disconnect.clone(),
            connect: diffs,
            pool_add: Vec::new(),
            pool_remove: pool.leaving().collect(),
            journal,
            leftovers: ending.iter().map(|ending| (ending.number, Some(ending.leftover))).collect(),
            reports: ending.iter().flat_map(Ending::reports).collect(),
            watched: notes.clone(),
        };
        self.store.commit(&reorg, durability)?;
        self.note_side(&path.disconnect, &path.connect)?;
        self.watch.take(notes);
        self.active.truncate(self.active.len() - path.disconnect.len());
        self.active.extend(&path.connect);
        for id in &path.connect {
            self.sources.remove(id);
        }
        match journal {
            JournalChange::Keep => {}
            JournalChange::Write(journal) => self.journal = Some(journal),
            JournalChange::Remove => self.journal = None,
        }
        let height = self.height();
        let Path { fork: _, disconnect, connect } = path;
        self.event(Event::Tip { disconnected: disconnect, connected: connect, height, settled: last });
        self.take_pool_plan(pool);
        if let Some(Ending { number, report, leftover }) = ending {
            self.next_reorg = number + 1;
            self.leftovers.insert(number, leftover);
            self.alarm = self.alarm_of(&report).or(self.alarm);
            self.event(Event::Reorg { report });
        }
        self.tip_moved();
        Ok(())
    }

    /// What is noted of watched records with a step: those that were confirmed, after several steps any that were, and those
    /// that left the pool.
    fn notes(&self, plan: &Plan<E>, pool: &PoolPlan) -> Result<Notes, StorageError> {
        let Step { path, deep, last } = &plan.step;
        if !last {
            return Ok(Notes::new());
        }
        let placed = plan.diffs.iter().flat_map(|(_, diff)| &diff.locations);
        let placed = placed.filter_map(|change| Some((change.key, change.after?)));
        let kept = self.active.len() - path.disconnect.len();
        let block_at = |height: u64| {
            let height = usize::try_from(height).ok()?;
            if height < kept { self.active.get(height) } else { path.connect.get(height - kept) }.copied()
        };
        let mut notes = self.note_confirmed(placed, deep.then_some(&plan.state), block_at)?;
        let left = pool.dropped.iter();
        notes.extend(left.filter_map(|(id, reason)| self.watch.noted(id, self.now_ms, dropped(reason))));
        Ok(notes)
    }

    /// What people are warned of: blocks that counted as settled have left.
    fn alarm_of(&self, report: &ReorgReport) -> Option<DeepReorg> {
        let (from, to) = (report.from.0, report.to.0);
        let deep = report.depth() > u64::from(self.config.params.confirmations);
        deep.then_some(DeepReorg { at_ms: report.at_ms, depth: report.depth(), from, to })
    }

    /// The last of those reported.
    pub(super) fn last_alarm(&self) -> Result<Option<DeepReorg>, StorageError> {
        Ok(self.store.reorgs()?.iter().rev().find_map(|(_, report)| self.alarm_of(report)))
    }

    fn next_journal(&self, deep: bool, last: bool, target: BlockId) -> JournalChange {
        match (self.journal, deep, last) {
            (_, false, _) => JournalChange::Keep,
            (None, true, true) => JournalChange::Keep,
            (Some(_), true, true) => JournalChange::Remove,
            (None, true, false) => {
                JournalChange::Write(Journal { origin: self.tip(), target, began_ms: self.now_ms, steps: 1 })
            }
            (Some(journal), true, false) => {
                JournalChange::Write(Journal { target, steps: journal.steps + 1, ..journal })
            }
        }
    }

    /// What the last step of a reorganisation leaves to be told; `None` if no block left the best chain.
    fn ending(&self, step: &Path) -> Option<Ending> {
        let origin = self.journal.map_or_else(|| self.tip(), |journal| journal.origin);
        let end = self.end_of(step);
        let whole = self.tree.path(&origin, &end)?;
        whole.disconnect.first()?;
        let at = |id: BlockId| (id, self.tree.get(&id).map_or(0, |node| node.header.height));
        let report = ReorgReport {
            at_ms: self.now_ms,
            from: at(origin),
            to: at(end),
            fork: at(whole.fork),
            steps: self.journal.map_or(1, |journal| journal.steps + 1),
            returned: 0,
            confirmed_again: 0,
            dropped: 0,
            own: Vec::new(),
        };
        let leftover = Leftover { tip: origin, height: report.fork.1 + 1, index: 0, reorg: self.next_reorg };
        Some(Ending { number: self.next_reorg, report, leftover })
    }

    /// The tip after a step.
    fn end_of(&self, step: &Path) -> BlockId {
        let below = |id: &BlockId| self.tree.get(id).map(|node| node.header.prev);
        let reached = step.connect.last().copied().or_else(|| step.disconnect.last().and_then(below));
        reached.unwrap_or_else(|| self.tip())
    }

    /// Far behind, a lost commit costs a moment's sync and an fsync for each block would cost minutes; at the tip every
    /// commit is synced.
    fn durability(&mut self, blocks: usize) -> Durability {
        let aim = self.tree.get(&self.tree.best_header()).map_or(0, |node| node.header.height);
        self.unsynced_blocks += u64::try_from(blocks).unwrap_or(u64::MAX);
        let behind = aim.saturating_sub(self.height()) > limits::CATCHING_UP_BLOCKS;
        if behind && self.unsynced_blocks < limits::SYNC_EVERY_BLOCKS {
            return Durability::Buffered;
        }
        self.unsynced_blocks = 0;
        Durability::Synced
    }

    fn tip_moved(&mut self) {
        self.refused.clear();
        self.templates.outdated();
        let soonest = self.timers.status_sent_ms + limits::STATUS_INTERVAL_MIN_MS;
        self.timers.status_ms = self.timers.status_ms.min(soonest);
    }
}

impl Ending {
    /// Its own report, in place of the oldest if there are enough.
    fn reports(&self) -> Vec<(u64, Option<ReorgReport>)> {
        let mut reports = vec![(self.number, Some(self.report.clone()))];
        reports.extend(self.number.checked_sub(limits::REORG_REPORTS_MAX).map(|old| (old, None)));
        reports
    }
}
