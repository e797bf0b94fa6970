//! Looking up headers, blocks, records and keys.

use super::ChainStore;
use crate::engine::Engine;
use crate::schema;
use crate::values::{damaged, decode, read};
use crate::{Column, StorageError, StoredHeader};
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::Location;
use medring_protocol::identity::PublicKeys;
use medring_protocol::record::Record;
use medring_protocol::{BlockId, Gid, ParticipantId, RecordId};
use std::ops::ControlFlow;

/// An encoded `PublicKeys`: 32 and 256 bytes.
const KEYS_BYTES_MAX: usize = 32 + 256;

impl<E: Engine> ChainStore<E> {
    /// Every header stored, ascending by height and then by order of insertion: parents before children, and children in the
    /// order in which a tree that is rebuilt from them must see them.
    ///
    /// Collects all of them first, about 250 bytes each.
    pub fn visit_headers(&self, visit: &mut dyn FnMut(StoredHeader)) -> Result<(), StorageError> {
        let mut all = Vec::new();
        self.scan_all(Column::Headers, &[], |key, value| {
            all.push(self.parse_header(key, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        all.sort_unstable_by_key(|entry: &StoredHeader| (entry.header.height, entry.sequence));
        all.into_iter().for_each(visit);
        Ok(())
    }

    fn parse_header(&self, key: &[u8], value: &[u8]) -> Result<StoredHeader, StorageError> {
        let entry: StoredHeader = decode(Column::Headers, key, value, StoredHeader::BYTES_MAX)?;
        if entry.header.id().0 != key {
            return Err(damaged(Column::Headers, key, "holds another block's header"));
        }
        Ok(entry)
    }

    /// A header and what is known of its block.
    pub fn stored_header(&self, id: &BlockId) -> Result<Option<StoredHeader>, StorageError> {
        self.engine.get(Column::Headers, &id.0)?.map(|value| self.parse_header(&id.0, &value)).transpose()
    }

    pub(super) fn need_header(&self, id: &BlockId) -> Result<StoredHeader, StorageError> {
        self.stored_header(id)?.ok_or(StorageError::Missing { id: *id, what: "header" })
    }

    /// A header, of any branch.
    pub fn header(&self, id: &BlockId) -> Result<Option<Header>, StorageError> {
        Ok(self.stored_header(id)?.map(|entry| entry.header))
    }

    /// A block, of any branch, if its body is stored.
    pub fn block(&self, id: &BlockId) -> Result<Option<Block>, StorageError> {
        let Some(header) = self.header(id)? else { return Ok(None) };
        self.block_at(header.height, id)
    }

    /// The bytes of a block as `Block::encode` made them.
    pub fn body_raw(&self, id: &BlockId) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(header) = self.header(id)? else { return Ok(None) };
        self.engine.get(Column::Bodies, &schema::height_id(header.height, id))
    }

    fn block_at(&self, height: u64, id: &BlockId) -> Result<Option<Block>, StorageError> {
        let key = schema::height_id(height, id);
        let Some(value) = self.engine.get(Column::Bodies, &key)? else { return Ok(None) };
        let block = Block::decode(&value).map_err(|e| damaged(Column::Bodies, &key, e))?;
        if block.id() != *id {
            return Err(damaged(Column::Bodies, &key, "holds another block"));
        }
        Ok(Some(block))
    }

    /// The block of the best chain at a height.
    pub fn id_at(&self, height: u64) -> Result<Option<BlockId>, StorageError> {
        read(&self.engine, Column::Heights, &height.to_be_bytes(), 32)
    }

    /// Its header.
    pub fn header_at(&self, height: u64) -> Result<Option<Header>, StorageError> {
        self.id_at(height)?.map(|id| Ok(self.need_header(&id)?.header)).transpose()
    }

    /// The record at a place on the best chain.
    pub fn record_at(&self, at: &Location) -> Result<Option<Record>, StorageError> {
        let Some(id) = self.id_at(at.height)? else { return Ok(None) };
        let Some(block) = self.block_at(at.height, &id)? else { return Ok(None) };
        Ok(usize::try_from(at.index).ok().and_then(|index| block.records.into_iter().nth(index)))
    }

    /// Records on the best chain whose receiver names a group: height, index and id, ascending by place.
    pub fn records_by_group(&self, gid: &Gid) -> Result<Vec<(u64, u32, RecordId)>, StorageError> {
        let mut found = Vec::new();
        self.scan_all(Column::Groups, &gid.0, |key, value| {
            let Some((height, index)) = schema::parse_group(gid, key) else {
                return Ok(ControlFlow::Break(()));
            };
            found.push((height, index, decode(Column::Groups, key, value, 32)?));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The keys of an authority, or of anyone enrolled in a stored body. Ids commit to keys, so any branch's word is right;
    /// whether they count at the tip is the state's to say.
    pub fn keys_of(&self, id: &ParticipantId) -> Result<Option<PublicKeys>, StorageError> {
        if let Some(keys) = self.params.authorities.iter().find(|keys| keys.id() == *id) {
            return Ok(Some(keys.clone()));
        }
        match read::<E, PublicKeys>(&self.engine, Column::Directory, &id.0, KEYS_BYTES_MAX)? {
            Some(keys) if keys.id() != *id => Err(damaged(Column::Directory, &id.0, "holds another's keys")),
            keys => Ok(keys),
        }
    }

    /// Scans with a visitor that may fail.
    pub(super) fn scan_all(
        &self,
        column: Column,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StorageError>,
    ) -> Result<(), StorageError> {
        let mut result = Ok(());
        self.engine.scan(column, from, &mut |key, value| {
            visit(key, value).unwrap_or_else(|e| {
                result = Err(e);
                ControlFlow::Break(())
            })
        })?;
        result
    }
}
