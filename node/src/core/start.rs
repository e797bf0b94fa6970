//! A core is made from its store: the header tree, the best chain and the pool as they were committed.

use super::mempool::{Mempool, Pooled};
use super::timers::Timers;
use super::watch::dropped;
use super::{CoreConfig, Event, NodeCore};
use medring_protocol::chain::{HeaderNode, HeaderTree, StateRead};
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, Durability, Engine, Mark, Reorg, StorageError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

impl<E: Engine> NodeCore<E> {
    /// Takes up where the store was left, also where the last run ended in the middle of anything. Outputs may wait
    /// afterwards: records that expired meanwhile, a better branch whose commit was cut off, the rest of a reorganisation.
    ///
    /// # Errors
    /// The store cannot be read, or is damaged.
    pub fn new(config: CoreConfig, store: ChainStore<E>, now_ms: u64) -> Result<Self, StorageError> {
        let tree = restore_tree(&config, &store)?;
        let (tip, height) = store.tip()?;
        let mut active = Vec::new();
        let mut at = Some(tip);
        while let Some(node) = at.and_then(|id| tree.get(&id)) {
            active.push(node.header.id());
            at = (node.header.height > 0).then_some(node.header.prev);
        }
        active.reverse();
        if active.len() as u64 != height + 1 {
            return Err(StorageError::Bug(format!("tip {tip} at height {height} does not lead back to genesis")));
        }
        let mut core = Self {
            chain: config.params.chain_id(),
            tree,
            active,
            now_ms,
            outputs: VecDeque::new(),
            peers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            verifying: BTreeMap::new(),
            ready: VecDeque::new(),
            held: Default::default(),
            relay: Default::default(),
            sources: BTreeMap::new(),
            pool: Mempool::new(config.pool),
            refused: BTreeSet::new(),
            sync: Default::default(),
            templates: Default::default(),
            timers: Timers::new(now_ms),
            next_job: 0,
            next_request: 0,
            journal: store.journal()?,
            leftovers: store.leftovers()?.into_iter().collect(),
            next_reorg: store.reorgs()?.last().map_or(0, |(number, _)| number + 1),
            alarm: None,
            watch: super::watch::Watch::new(store.all_watched()?),
            side: Default::default(),
            unsynced_blocks: 0,
            failed: None,
            config,
            store,
        };
        core.alarm = core.last_alarm()?;
        core.find_side()?;
        core.restore_pool()?;
        core.leave_excluded();
        core.advance()?;
        // Nobody is linked yet: what a fork returned just now is offered later, and nothing is due at once.
        core.timers = Timers::new(now_ms);
        core.refresh_template()?;
        Ok(core)
    }

    /// Branches that contradict the operator's checkpoints are not chosen as long as these stand: the disk says nothing of it.
    fn leave_excluded(&mut self) {
        let excluded = |(id, node): &(&BlockId, &HeaderNode)| self.contradicts_checkpoint(node.header.height, id);
        let excluded: Vec<BlockId> = self.tree.iter().filter(excluded).map(|(id, _)| *id).collect();
        for id in excluded {
            self.tree.veto(&id);
        }
    }

    /// The pool as stored, without what expired or was mined meanwhile. In the middle of a reorganisation nothing is known of
    /// that: its last step will tell.
    fn restore_pool(&mut self) -> Result<(), StorageError> {
        let next = self.height() + 1;
        let (mut gone, mut notes) = (Vec::<RecordId>::new(), Vec::new());
        for entry in self.store.pool()? {
            let id = entry.record.id(&self.chain);
            if self.journal.is_none() && self.store.location(&id)?.is_some() {
                gone.push(id);
                continue;
            }
            if self.journal.is_none() && entry.record.envelope.expiry_height < next {
                gone.push(id);
                let reason = expired(entry.record.envelope.expiry_height);
                notes.extend(self.watch.noted(&id, self.now_ms, dropped(&reason)));
                self.event(Event::Dropped { record: id, reason });
                continue;
            }
            self.pool.insert(Pooled {
                id,
                wire: entry.record.wire_id(&self.chain),
                bytes: entry.record.encoded_len(),
                record: Arc::new(entry.record),
                sequence: entry.sequence,
                received_ms: entry.received_ms,
                offered_ms: self.now_ms,
            });
        }
        if gone.is_empty() {
            return Ok(());
        }
        let reorg = Reorg { pool_remove: gone, watched: notes.clone(), ..Reorg::default() };
        self.store.commit(&reorg, Durability::Buffered)?;
        self.watch.take(notes);
        Ok(())
    }
}

/// Why a record that was not mined in time leaves the pool.
pub(super) fn expired(expiry_height: u64) -> String {
    format!("expired at height {expiry_height}; submit it again in a new envelope")
}

fn restore_tree<E: Engine>(config: &CoreConfig, store: &ChainStore<E>) -> Result<HeaderTree, StorageError> {
    let mut tree = HeaderTree::new(&config.params);
    let mut problem = None;
    store.visit_headers(&mut |stored| {
        let restored =
            tree.restore(&config.params, stored.header, stored.body, stored.arrival, stored.invalid.is_some());
        if let Err(error) = restored {
            problem.get_or_insert(error);
        }
    })?;
    for (id, mark) in store.marks()? {
        // One that was forgotten is not there.
        match mark {
            Mark::Invalidated => tree.veto(&id),
            Mark::Preferred(rank) => tree.prefer(&id, rank),
        };
    }
    match problem {
        None => Ok(tree),
        Some(error) => Err(StorageError::Bug(format!("a stored header does not fit into the tree: {error}"))),
    }
}
