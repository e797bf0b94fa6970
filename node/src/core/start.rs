//! A core is made from its store: the header tree, the best chain and the pool as they were committed.

use super::mempool::{Mempool, Pooled};
use super::timers::Timers;
use super::{CoreConfig, Event, NodeCore};
use medring_protocol::RecordId;
use medring_protocol::chain::{HeaderTree, StateRead};
use medring_storage::{ChainStore, Engine, StorageError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

impl<E: Engine> NodeCore<E> {
    /// Takes up where the store was left, also where the last run ended in the middle of anything. Outputs may wait
    /// afterwards: records that expired meanwhile, a better branch whose commit was cut off.
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
            unsynced_blocks: 0,
            failed: None,
            config,
            store,
        };
        core.restore_pool()?;
        core.advance()?;
        // Nobody is linked yet: what a fork returned just now is offered later, and nothing is due at once.
        core.timers = Timers::new(now_ms);
        core.refresh_template()?;
        Ok(core)
    }

    /// The pool as stored, without what expired or was mined meanwhile.
    fn restore_pool(&mut self) -> Result<(), StorageError> {
        let next = self.height() + 1;
        let mut gone: Vec<RecordId> = Vec::new();
        for entry in self.store.pool()? {
            let id = entry.record.id(&self.chain);
            if self.store.location(&id)?.is_some() {
                gone.push(id);
                continue;
            }
            if entry.record.envelope.expiry_height < next {
                gone.push(id);
                self.event(Event::Dropped { record: id, reason: expired(entry.record.envelope.expiry_height) });
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
        if gone.is_empty() { Ok(()) } else { self.store.remove_pool(&gone) }
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
    match problem {
        None => Ok(tree),
        Some(error) => Err(StorageError::Bug(format!("a stored header does not fit into the tree: {error}"))),
    }
}
