//! Taking in headers and bodies of any branch. What is on the best chain is the business of `commit`.

use super::ChainStore;
use crate::engine::{Batch, Durability, Engine};
use crate::schema::{self, meta};
use crate::values::cut;
use crate::{Column, StorageError, StoredHeader};
use medring_protocol::block::{Header, VerifiedBlock};
use medring_protocol::identity::Enrolment;
use medring_protocol::record::Kind;
use medring_protocol::{BlockId, codec};
use std::collections::BTreeMap;

impl<E: Engine> ChainStore<E> {
    /// Stores headers the caller has checked, parents before children; those stored already are left as they are.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if a parent is neither stored nor among those before it; nothing is written then.
    pub fn put_headers(&self, headers: &[Header], durability: Durability) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut sequence: u64 = self.meta(meta::SEQUENCE, 8)?;
        let mut new = BTreeMap::new();
        for header in headers {
            let id = header.id();
            if new.contains_key(&id) || self.stored_header(&id)?.is_some() {
                continue;
            }
            if !new.contains_key(&header.prev) && self.stored_header(&header.prev)?.is_none() {
                return Err(StorageError::Missing { id: header.prev, what: "header" });
            }
            new.insert(id, StoredHeader { header: *header, sequence, body: false, arrival: None, invalid: None });
            sequence += 1;
        }
        let mut batch = Batch::new();
        for (id, entry) in &new {
            batch.put(Column::Headers, id.0, codec::encode(entry));
        }
        if !new.is_empty() {
            batch.put(Column::Meta, meta::SEQUENCE, codec::encode(&sequence));
        }
        self.write(batch, durability)
    }

    /// Stores a body, the keys it enrols, and the arrival numbers that came of it, in one batch.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if its header, or one named in `arrivals`, is not stored; nothing is written then.
    pub fn put_body(
        &self,
        block: &VerifiedBlock,
        arrivals: &[(BlockId, u64)],
        durability: Durability,
    ) -> Result<(), StorageError> {
        let _writer = self.writer();
        let (id, block) = (block.id(), block.block());
        let mut changed = self.changed(arrivals.iter().map(|(id, _)| id).chain([&id]))?;
        for (id, arrival) in arrivals {
            changed.entry(*id).and_modify(|entry| entry.arrival = Some(*arrival));
        }
        changed.entry(id).and_modify(|entry| entry.body = true);
        let mut batch = headers_batch(&changed);
        batch.put(Column::Bodies, schema::height_id(block.header.height, &id), block.encode());
        for record in block.records.iter().filter(|record| record.content.kind == Kind::Enrol) {
            for entry in Enrolment::decode(&record.content.public).map(|e| e.entries).unwrap_or_default() {
                batch.put(Column::Directory, entry.keys.id().0, codec::encode(&entry.keys));
            }
        }
        self.write(batch, durability)
    }

    /// Stores when branches became complete here.
    pub fn set_arrivals(&self, arrivals: &[(BlockId, u64)]) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut changed = self.changed(arrivals.iter().map(|(id, _)| id))?;
        for (id, arrival) in arrivals {
            changed.entry(*id).and_modify(|entry| entry.arrival = Some(*arrival));
        }
        self.write(headers_batch(&changed), Durability::Buffered)
    }

    /// Marks blocks as invalid, and says why; a reason given before stays.
    pub fn mark_invalid(&self, ids: &[BlockId], reason: &str) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut changed = self.changed(ids.iter())?;
        for entry in changed.values_mut() {
            entry.invalid.get_or_insert_with(|| cut(reason, StoredHeader::REASON_BYTES_MAX));
        }
        self.write(headers_batch(&changed), Durability::Buffered)
    }

    /// Takes the marks back, for an operator who reconsiders.
    pub fn clear_invalid(&self, ids: &[BlockId]) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut changed = self.changed(ids.iter())?;
        for entry in changed.values_mut() {
            entry.invalid = None;
        }
        self.write(headers_batch(&changed), Durability::Buffered)
    }

    /// Forgets blocks that are off the best chain, header, body and mark. Those above one must be forgotten before it or with
    /// it.
    ///
    /// # Errors
    /// [`StorageError::Bug`] if one is on the best chain; nothing is written then.
    pub fn forget(&self, blocks: &[(u64, BlockId)]) -> Result<(), StorageError> {
        let _writer = self.writer();
        let mut batch = Batch::new();
        for (height, id) in blocks {
            if self.id_at(*height)? == Some(*id) {
                return Err(StorageError::Bug(format!("refused to forget block {id}, which is on the best chain")));
            }
            batch.delete(Column::Headers, id.0);
            batch.delete(Column::Bodies, schema::height_id(*height, id));
            batch.delete(Column::Marks, id.0);
        }
        self.write(batch, Durability::Buffered)
    }

    /// The stored headers of `ids`, to be changed.
    fn changed<'a>(
        &self,
        ids: impl Iterator<Item = &'a BlockId>,
    ) -> Result<BTreeMap<BlockId, StoredHeader>, StorageError> {
        ids.map(|id| Ok((*id, self.need_header(id)?))).collect()
    }
}

fn headers_batch(changed: &BTreeMap<BlockId, StoredHeader>) -> Batch {
    let mut batch = Batch::new();
    for (id, entry) in changed {
        batch.put(Column::Headers, id.0, codec::encode(entry));
    }
    batch
}
