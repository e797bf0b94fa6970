//! Moving the tip: disconnects, connects, undo, indexes and mempool in one batch.

use super::ChainStore;
use super::pool::pool_remove;
use super::undo::{PackedUsage, StoredUndo};
use crate::engine::{Batch, Durability, Engine};
use crate::schema::{self, meta};
use crate::{Column, JournalChange, Leftover, PoolEntry, ReorgReport, StorageError, Watched};
use medring_protocol::block::Block;
use medring_protocol::chain::{Change, Diff};
use medring_protocol::{BlockId, RecordId, codec};
use serde::Serialize;

/// The way from the tip to another, what it means for the mempool, and what is to be kept of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reorg {
    /// Blocks that leave the best chain, the tip first.
    pub disconnect: Vec<BlockId>,
    /// Blocks that join it, lowest first, each with what it changes.
    pub connect: Vec<(BlockId, Diff)>,
    /// Records that wait again. Where one is removed too, the addition counts.
    pub pool_add: Vec<PoolEntry>,
    /// Records that wait no more.
    pub pool_remove: Vec<RecordId>,
    /// The journal, if this is a step of a deep reorganisation.
    pub journal: JournalChange,
    /// Left branches whose records still have to return; `None`: forget it.
    pub leftovers: Vec<(u64, Option<Leftover>)>,
    /// Reports of reorganisations; `None`: forget it.
    pub reports: Vec<(u64, Option<ReorgReport>)>,
    /// What became of records; `None`: forget it.
    pub watched: Vec<(RecordId, Option<Watched>)>,
}

fn bug(what: String) -> StorageError {
    StorageError::Bug(format!("refused to commit: {what}"))
}

/// Writes what stands after each change.
fn write_changes<K: AsRef<[u8]>, V: Serialize>(batch: &mut Batch, column: Column, changes: &[Change<K, V>]) {
    for change in changes {
        match &change.after {
            Some(value) => batch.put(column, change.key.as_ref(), codec::encode(value)),
            None => batch.delete(column, change.key.as_ref()),
        }
    }
}

fn write_state(batch: &mut Batch, diff: &Diff) -> Result<(), StorageError> {
    write_changes(batch, Column::Participants, &diff.participants);
    write_changes(batch, Column::Keys, &diff.keys);
    write_changes(batch, Column::Locations, &diff.locations);
    for change in &diff.usage {
        match &change.after {
            None => batch.delete(Column::Usage, change.key.0),
            Some(usage) => {
                let packed = PackedUsage::pack(usage).ok_or_else(|| bug("usage is malformed".into()))?;
                batch.put(Column::Usage, change.key.0, codec::encode(&packed));
            }
        }
    }
    Ok(())
}

/// Keys of [`Column::Groups`], with their records, of a block at a height.
fn group_entries(block: &Block, diff: &Diff) -> Result<Vec<([u8; 44], RecordId)>, StorageError> {
    let mut entries = Vec::new();
    for change in &diff.locations {
        let Some(at) = change.after else { return Err(bug(format!("a block removes record {}", change.key))) };
        let index = usize::try_from(at.index).ok().filter(|_| at.height == block.header.height);
        let Some(record) = index.and_then(|index| block.records.get(index)) else {
            return Err(bug(format!("record {} is placed at {at:?}, which is not in its block", change.key)));
        };
        if let Some(gid) = record.content.receiver.gid() {
            entries.push((schema::group(&gid, at.height, at.index), change.key));
        }
    }
    Ok(entries)
}

impl<E: Engine> ChainStore<E> {
    /// Moves the tip in one batch. Bodies of all connected blocks must be stored.
    ///
    /// # Errors
    /// [`StorageError::Bug`] if the disconnected blocks do not start at the tip or the connected ones do not link, or a diff
    /// is none that a block makes; [`StorageError::Missing`] for a body or undo that is not there. Nothing is written then.
    pub fn commit(&self, reorg: &Reorg, durability: Durability) -> Result<(), StorageError> {
        let _writer = self.writer();
        let before = self.tip()?;
        let mut tip = before;
        let mut batch = Batch::new();
        for id in &reorg.disconnect {
            tip = self.disconnect(&mut batch, tip, id)?;
        }
        for (id, diff) in &reorg.connect {
            tip = self.connect(&mut batch, tip, id, diff)?;
        }
        if tip != before {
            batch.put(Column::Meta, meta::TIP, codec::encode(&tip));
        }
        pool_remove(&mut batch, &reorg.pool_remove);
        for entry in &reorg.pool_add {
            self.pool_put(&mut batch, entry);
        }
        self.write_reorg_tables(&mut batch, reorg);
        self.write(batch, durability)
    }

    fn need_block(&self, id: &BlockId) -> Result<Block, StorageError> {
        self.block(id)?.ok_or(StorageError::Missing { id: *id, what: "body" })
    }

    /// Takes `id`, which must be `tip`, off. Returns the tip below.
    fn disconnect(&self, batch: &mut Batch, tip: (BlockId, u64), id: &BlockId) -> Result<(BlockId, u64), StorageError> {
        if tip.0 != *id {
            return Err(bug(format!("block {id} is to be disconnected, and the tip is {}", tip.0)));
        }
        let below = tip.1.checked_sub(1).ok_or_else(|| bug("genesis is to be disconnected".into()))?;
        let block = self.need_block(id)?;
        let diff = self.undo(id)?.ok_or(StorageError::Missing { id: *id, what: "undo" })?;
        for (key, _) in group_entries(&block, &diff)? {
            batch.delete(Column::Groups, key);
        }
        write_state(batch, &diff.inverse())?;
        batch.delete(Column::Undo, schema::height_id(tip.1, id));
        batch.delete(Column::Heights, tip.1.to_be_bytes());
        Ok((block.header.prev, below))
    }

    /// Puts `id`, whose parent must be `tip`, on. Returns it as the tip.
    fn connect(
        &self,
        batch: &mut Batch,
        tip: (BlockId, u64),
        id: &BlockId,
        diff: &Diff,
    ) -> Result<(BlockId, u64), StorageError> {
        let block = self.need_block(id)?;
        let height = tip.1 + 1;
        if block.header.prev != tip.0 || block.header.height != height {
            return Err(bug(format!("block {id} does not follow block {} at height {}", tip.0, tip.1)));
        }
        for (key, record) in group_entries(&block, diff)? {
            batch.put(Column::Groups, key, record.0);
        }
        write_state(batch, diff)?;
        let undo = StoredUndo::new(diff, height).map_err(|problem| bug(format!("block {id}: {problem}")))?;
        batch.put(Column::Undo, schema::height_id(height, id), codec::encode(&undo));
        batch.put(Column::Heights, height.to_be_bytes(), id.0);
        Ok((*id, height))
    }
}
