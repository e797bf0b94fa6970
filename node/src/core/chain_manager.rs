//! The best chain: moving the tip to the best complete branch, in memory first, then in one batch on disk, then for all.

use super::reorg_pool::PoolPlan;
use super::{Event, NodeCore, limits};
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::{ApplyError, Diff, Overlay, Path, apply};
use medring_protocol::{BlockId, Violation};
use medring_storage::{ChainStore, Durability, Engine, Reorg, StorageError};

/// What a change of tip needs: computed in memory, nothing of it committed.
pub(super) struct Plan<E> {
    pub(super) path: Path,
    pub(super) diffs: Vec<(BlockId, Diff)>,
    pub(super) disconnected: Vec<Block>,
    pub(super) connected: Vec<Block>,
    /// The state at the new tip.
    pub(super) state: Overlay<ChainStore<E>>,
}

/// A block of the new branch that breaks a rule where it stands.
struct BadBlock {
    id: BlockId,
    violation: Violation,
}

impl<E: Engine> NodeCore<E> {
    /// Moves the tip to the best complete branch. A branch found invalid on the way is left for the next best; the tip and
    /// the disk stay as they are until a whole branch has been applied in memory.
    pub(super) fn advance(&mut self) -> Result<(), StorageError> {
        loop {
            let best = self.tree.best();
            if best == self.tip() {
                return Ok(());
            }
            let Some(path) = self.tree.path(&self.tip(), &best) else {
                return Err(StorageError::Bug(format!("no path leads from the tip to {best}")));
            };
            match self.plan(first_part(path))? {
                Ok(plan) => self.commit(plan)?,
                Err(BadBlock { id, violation }) => {
                    let source = self.sources.get(&id).copied();
                    self.invalidate(&id, &violation)?;
                    if let Some(peer) = source {
                        self.fault(peer, &format!("sent block {id}, which breaks {violation}"));
                    }
                }
            }
        }
    }

    /// Reverts and applies in memory, over the state on disk.
    fn plan(&self, path: Path) -> Result<Result<Plan<E>, BadBlock>, StorageError> {
        let mut state = Overlay::new(self.store.clone());
        let (mut disconnected, mut connected, mut diffs) = (Vec::new(), Vec::new(), Vec::new());
        for id in &path.disconnect {
            let undo = self.store.undo(id)?.ok_or(StorageError::Missing { id: *id, what: "undo" })?;
            state.apply(&undo.inverse());
            disconnected.push(self.stored_block(id)?);
        }
        let (rules, params) = (&self.config.rules, &self.config.params);
        for id in &path.connect {
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
                    connected.push(block.block().clone());
                }
                Err(ApplyError::Violation(violation)) => return Ok(Err(BadBlock { id: *id, violation })),
                Err(ApplyError::State(error)) => return Err(error),
            }
        }
        Ok(Ok(Plan { path, diffs, disconnected, connected, state }))
    }

    fn stored_block(&self, id: &BlockId) -> Result<Block, StorageError> {
        self.store.block(id)?.ok_or(StorageError::Missing { id: *id, what: "body" })
    }

    /// One batch; then, and only then, the tip, the pool and everyone else.
    fn commit(&mut self, plan: Plan<E>) -> Result<(), StorageError> {
        let pool = self.plan_pool(&plan)?;
        let Plan { path, diffs, disconnected: _, connected: _, state: _ } = plan;
        let durability = self.durability(path.connect.len());
        let PoolPlan { returned, removed, dropped, .. } = &pool;
        let reorg = Reorg {
            disconnect: path.disconnect.clone(),
            connect: diffs,
            pool_add: returned.iter().map(super::reorg_pool::entry).collect(),
            pool_remove: removed.iter().chain(dropped.iter().map(|(id, _)| id)).copied().collect(),
        };
        self.store.commit(&reorg, durability)?;
        self.active.truncate(self.active.len() - path.disconnect.len());
        self.active.extend(&path.connect);
        for id in &path.connect {
            self.sources.remove(id);
        }
        let height = self.height();
        let Path { fork: _, disconnect, connect } = path;
        self.event(Event::Tip { disconnected: disconnect, connected: connect, height });
        self.take_pool_plan(pool);
        self.tip_moved();
        Ok(())
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

/// Where nothing is disconnected a long way may be gone in steps, each a chain of its own; a fork is left in one.
fn first_part(mut path: Path) -> Path {
    if path.disconnect.is_empty() {
        path.connect.truncate(limits::CONNECT_BATCH_BLOCKS);
    }
    path
}
