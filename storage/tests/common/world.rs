//! All blocks a test made, on every branch, with the state after each: what a store must agree with.

use super::Net;
use medring_protocol::block::{Header, VerifiedBlock};
use medring_protocol::chain::{Diff, HeaderTree, MemoryState, apply};
use medring_protocol::record::Record;
use medring_protocol::{BlockId, ParticipantId};
use medring_storage::{ChainStore, Durability, Engine, Reorg, StorageError};
use std::collections::BTreeMap;

/// A block, what it changes, and the state after it.
pub(crate) struct Made {
    pub(crate) block: VerifiedBlock,
    pub(crate) diff: Diff,
    pub(crate) state: MemoryState,
}

/// Every block made on a network.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) tree: HeaderTree,
    pub(crate) made: BTreeMap<BlockId, Made>,
    /// Ids in the order of making.
    pub(crate) order: Vec<BlockId>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let net = Net::new(seed);
        Self { tree: HeaderTree::new(&net.params), net, made: BTreeMap::new(), order: Vec::new() }
    }

    pub(crate) fn header(&self, id: &BlockId) -> Header {
        self.tree.get(id).unwrap().header
    }

    pub(crate) fn state(&self, id: &BlockId) -> MemoryState {
        self.made.get(id).map(|made| made.state.clone()).unwrap_or_default()
    }

    /// Makes a block on `parent`.
    pub(crate) fn make(&mut self, parent: &BlockId, records: Vec<Record>, tag: u8) -> BlockId {
        let block = self.net.mine(&self.header(parent), records, tag);
        let mut state = self.state(parent);
        let diff = apply(&self.net.rules, &self.net.params, &state, &block).unwrap();
        state.apply(&diff);
        let id = block.id();
        self.tree.insert(&self.net.rules, &self.net.params, block.block().header).unwrap();
        if self.made.insert(id, Made { block, diff, state }).is_none() {
            self.order.push(id);
        }
        id
    }

    /// A chain on `parent`, one block for each entry. Returns its ids, lowest first.
    pub(crate) fn make_chain(&mut self, parent: &BlockId, bodies: Vec<Vec<Record>>, tag: u8) -> Vec<BlockId> {
        let mut at = *parent;
        let mut make = |records| {
            at = self.make(&at, records, tag);
            at
        };
        bodies.into_iter().map(&mut make).collect()
    }

    /// The way from one tip to another, as a node would commit it, without changes of the mempool.
    pub(crate) fn way(&self, from: &BlockId, to: &BlockId) -> Reorg {
        let path = self.tree.path(from, to).unwrap();
        let with_diff = |id: &BlockId| (*id, self.made[id].diff.clone());
        let connect = path.connect.iter().map(with_diff).collect();
        Reorg { disconnect: path.disconnect, connect, ..Reorg::default() }
    }

    /// Stores header and body of blocks, not yet on the best chain.
    pub(crate) fn store_blocks<E: Engine>(&self, store: &ChainStore<E>, ids: &[BlockId]) {
        for id in ids {
            store.put_headers(&[self.header(id)], Durability::Buffered).unwrap();
            store.put_body(&self.made[id].block, &[], Durability::Buffered).unwrap();
        }
    }

    /// Moves a store's tip.
    pub(crate) fn go<E: Engine>(&self, store: &ChainStore<E>, to: &BlockId) -> Result<(), StorageError> {
        store.commit(&self.way(&store.tip()?.0, to), Durability::Buffered)
    }

    /// Fails unless every lookup in `store` tells what the chain to its tip means.
    pub(crate) fn assert_agrees<E: Engine>(&self, store: &ChainStore<E>) {
        use medring_protocol::chain::StateRead;
        let (tip, height) = store.tip().unwrap();
        assert_eq!(self.header(&tip).height, height);
        let state = self.state(&tip);
        for patient in &self.net.patients {
            let id: ParticipantId = patient.public().id();
            assert_eq!(store.participant(&id).unwrap(), state.participant(&id).unwrap());
            assert_eq!(store.usage(&id).unwrap(), state.usage(&id).unwrap());
            for key in patient.public().key_hashes() {
                assert_eq!(store.key_owner(&key).unwrap(), state.key_owner(&key).unwrap());
            }
        }
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for at in 1..=height {
            let id = self.tree.ancestor(&tip, at).unwrap();
            let made = &self.made[&id];
            assert_eq!(store.id_at(at).unwrap(), Some(id));
            assert_eq!(store.header_at(at).unwrap(), Some(made.block.block().header));
            assert_eq!(store.undo(&id).unwrap().as_ref(), Some(&made.diff));
            assert_eq!(store.block(&id).unwrap().as_ref(), Some(made.block.block()));
            for (record, record_id) in made.block.block().records.iter().zip(made.block.record_ids()) {
                let place = store.location(record_id).unwrap().unwrap();
                assert_eq!(Some(place), state.location(record_id).unwrap());
                assert_eq!(store.record_at(&place).unwrap().as_ref(), Some(record));
                if let Some(gid) = record.content.receiver.gid() {
                    groups.entry(gid).or_default().push((place.height, place.index, *record_id));
                }
            }
        }
        assert_eq!(store.id_at(height + 1).unwrap(), None);
        for made in self.made.values() {
            for record in &made.block.block().records {
                if let Some(gid) = record.content.receiver.gid() {
                    assert_eq!(store.records_by_group(&gid).unwrap(), groups.get(&gid).cloned().unwrap_or_default());
                }
            }
        }
    }
}
