//! Blocks as they are gossiped (spec: wire): the header, a short id for each record, and the few records others may lack.
//!
//! Whoever has the records in its pool puts the block together again ([`Assembly`]) and asks for what is missing. The
//! records root decides whether the result is the block: a short id proves nothing.

use crate::block::{Block, Header};
use crate::codec::{self, CodecError};
use crate::hash::{BlockId, ChainId, Tag, WireId, h};
use crate::limits::{BLOCK_RECORDS_MAX, COMPACT_BYTES_AIM, COMPACT_BYTES_MAX, COMPACT_SENT_ALONG_BYTES_AIM};
use crate::merkle;
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest short id, bytes: two records of a pool of 20,000 are alike in one block of 100,000.
pub const SHORT_ID_BYTES_MAX: usize = 6;
/// The shortest, for blocks of thousands of tiny records: some records are alike, and asked for by their place.
pub const SHORT_ID_BYTES_MIN: usize = 3;
/// What the two counts, the id length and the header take.
const FRAME_BYTES: usize = Header::LEN + 1 + 8 + 8;

/// A record that is sent along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefilled {
    /// Its place in the block, from 0.
    pub index: u16,
    /// The record.
    pub record: Record,
}

/// A block in few bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactBlock {
    /// The header; its id keys the short ids.
    pub header: Header,
    /// Length of one short id, [`SHORT_ID_BYTES_MIN`] to [`SHORT_ID_BYTES_MAX`].
    id_bytes: u8,
    /// Short ids of the records that are not sent along, in Merkle order, one after the other.
    #[serde(with = "serde_bytes")]
    short_ids: Vec<u8>,
    /// Records that are sent along, by ascending place.
    prefilled: Vec<Prefilled>,
}

/// The first bytes of H("short", block id, WireId).
///
/// The key is the block's id: nobody knows it before the block's work is done, so records that collide cannot be made and
/// spread beforehand; and the same block has the same bytes whoever gossips it.
fn short_id(block: &BlockId, record: &WireId, length: usize) -> [u8; SHORT_ID_BYTES_MAX] {
    let hash = h(Tag::Short, &[block.as_ref(), record.as_ref()]);
    let mut id = [0; SHORT_ID_BYTES_MAX];
    let length = length.min(SHORT_ID_BYTES_MAX);
    id[..length].copy_from_slice(&hash[..length]);
    id
}

/// The longest ids with which the message stays within [`COMPACT_BYTES_AIM`], else the shortest.
fn id_length(records: usize) -> usize {
    let fits = |length: &usize| FRAME_BYTES + records * length <= COMPACT_BYTES_AIM;
    (SHORT_ID_BYTES_MIN..=SHORT_ID_BYTES_MAX).rev().find(fits).unwrap_or(SHORT_ID_BYTES_MIN)
}

impl CompactBlock {
    /// `block`, whose records have these WireIds. Records for which `lacking` says that others may not have them are sent
    /// along as long as the whole message stays within [`COMPACT_SENT_ALONG_BYTES_AIM`].
    pub fn new(block: &Block, wires: &[WireId], lacking: impl Fn(usize) -> bool) -> Self {
        Self::with_id_length(block, wires, lacking, id_length(block.records.len()))
    }

    /// As [`Self::new`] with short ids of `length` bytes, which must be one that [`Self::decode`] takes.
    pub fn with_id_length(block: &Block, wires: &[WireId], lacking: impl Fn(usize) -> bool, length: usize) -> Self {
        let id = block.id();
        let mut bytes = FRAME_BYTES + block.records.len() * length;
        let (mut short_ids, mut prefilled) = (Vec::new(), Vec::new());
        for (place, (record, wire)) in block.records.iter().zip(wires).enumerate() {
            let more = 2 + record.encoded_len();
            match u16::try_from(place) {
                Ok(index) if bytes + more <= COMPACT_SENT_ALONG_BYTES_AIM && lacking(place) => {
                    bytes += more;
                    prefilled.push(Prefilled { index, record: record.clone() });
                }
                _ => short_ids.extend_from_slice(&short_id(&id, wire, length)[..length]),
            }
        }
        let id_bytes = u8::try_from(length).unwrap_or(u8::MAX);
        Self { header: block.header, id_bytes, short_ids, prefilled }
    }

    /// Its bytes in the codec.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads exactly one compact block of at most [`COMPACT_BYTES_MAX`] bytes and checks its counts and places.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let compact: Self = codec::decode(bytes, COMPACT_BYTES_MAX)?;
        let malformed = |what: String| Err(CodecError::Malformed(what));
        let length = usize::from(compact.id_bytes);
        if !(SHORT_ID_BYTES_MIN..=SHORT_ID_BYTES_MAX).contains(&length) {
            return malformed(format!("short ids of {length} bytes"));
        }
        if !compact.short_ids.len().is_multiple_of(length) {
            return malformed(format!("{} bytes of short ids of {length} bytes each", compact.short_ids.len()));
        }
        let records = compact.records();
        if records > BLOCK_RECORDS_MAX {
            return malformed(format!("{records} records, at most {BLOCK_RECORDS_MAX} are allowed"));
        }
        let places: Vec<usize> = compact.prefilled.iter().map(|p| usize::from(p.index)).collect();
        if !places.is_sorted_by(|a, b| a < b) || places.last().is_some_and(|last| *last >= records) {
            return malformed(format!("records sent along do not stand in ascending places below {records}"));
        }
        Ok(compact)
    }

    /// Records in the block.
    pub fn records(&self) -> usize {
        self.short_ids.len() / usize::from(self.id_bytes).max(1) + self.prefilled.len()
    }

    /// Whether it says of `block`, whose records have these WireIds, what is true.
    pub fn describes(&self, block: &Block, wires: &[WireId]) -> bool {
        let (id, slots) = (block.id(), self.slots());
        self.header == block.header
            && slots.len() == block.records.len()
            && slots.iter().zip(&block.records).zip(wires).all(|((slot, record), wire)| match slot {
                Slot::Prefilled(prefilled) => *prefilled == record,
                Slot::Short(short) => *short == short_id(&id, wire, usize::from(self.id_bytes)),
            })
    }

    fn slots(&self) -> Vec<Slot<'_>> {
        let mut ids = self.short_ids.chunks_exact(usize::from(self.id_bytes).max(1));
        let mut prefilled = self.prefilled.iter().peekable();
        let mut slots = Vec::with_capacity(self.records());
        for place in 0..self.records() {
            if let Some(here) = prefilled.next_if(|p| usize::from(p.index) == place) {
                slots.push(Slot::Prefilled(&here.record));
            } else if let Some(bytes) = ids.next() {
                let mut id = [0; SHORT_ID_BYTES_MAX];
                id[..bytes.len()].copy_from_slice(bytes);
                slots.push(Slot::Short(id));
            }
        }
        slots
    }
}

/// What a message says of one record.
enum Slot<'a> {
    Short([u8; SHORT_ID_BYTES_MAX]),
    Prefilled(&'a Record),
}

/// A block being put together.
#[derive(Clone, Debug)]
pub struct Assembly {
    header: Header,
    records: Vec<Option<(WireId, Arc<Record>)>>,
}

impl Assembly {
    /// Fills in what is sent along, and what exactly one of `known` can be: a short id that stands twice, or fits two
    /// records, says nothing, and that record is asked for.
    pub fn new<'a>(
        chain: &ChainId,
        compact: &CompactBlock,
        known: impl IntoIterator<Item = (WireId, &'a Arc<Record>)>,
    ) -> Self {
        let (block, length) = (compact.header.id(), usize::from(compact.id_bytes));
        let mut records = Vec::with_capacity(compact.records());
        let mut wanted: BTreeMap<[u8; SHORT_ID_BYTES_MAX], Wanted<'_>> = BTreeMap::new();
        for (place, slot) in compact.slots().into_iter().enumerate() {
            records.push(match slot {
                Slot::Prefilled(record) => Some((record.wire_id(chain), Arc::new(record.clone()))),
                Slot::Short(id) => {
                    wanted.entry(id).and_modify(|w| w.twice = true).or_insert(Wanted::at(place));
                    None
                }
            });
        }
        if !wanted.is_empty() {
            for (wire, record) in known {
                let Some(wanted) = wanted.get_mut(&short_id(&block, &wire, length)) else { continue };
                match wanted.found {
                    Some((other, _)) if other != wire => wanted.twice = true,
                    _ => wanted.found = Some((wire, record)),
                }
            }
        }
        for Wanted { place, found, twice } in wanted.into_values() {
            if let (Some((wire, record)), false) = (found, twice) {
                records[place] = Some((wire, record.clone()));
            }
        }
        Self { header: compact.header, records }
    }

    /// Places of the records that are missing, ascending.
    pub fn missing(&self) -> Vec<u16> {
        let missing = self.records.iter().enumerate().filter(|(_, record)| record.is_none());
        missing.filter_map(|(place, _)| u16::try_from(place).ok()).collect()
    }

    /// Puts the missing records in their places, in order. They are not compared with the short ids: the root is what counts.
    pub fn fill(&mut self, chain: &ChainId, records: Vec<Record>) {
        let empty = self.records.iter_mut().filter(|record| record.is_none());
        for (slot, record) in empty.zip(records) {
            *slot = Some((record.wire_id(chain), Arc::new(record)));
        }
    }

    /// The block, if none of its records is missing and they make the root of its header.
    pub fn finish(&self) -> Option<Block> {
        let records: Option<Vec<_>> = self.records.iter().cloned().collect();
        let (wires, records): (Vec<WireId>, Vec<Arc<Record>>) = records?.into_iter().unzip();
        if merkle::records_root(&wires) != self.header.records_root {
            return None;
        }
        Some(Block { header: self.header, records: records.iter().map(|record| Record::clone(record)).collect() })
    }
}

/// A short id that is looked for.
struct Wanted<'a> {
    place: usize,
    found: Option<(WireId, &'a Arc<Record>)>,
    twice: bool,
}

impl Wanted<'_> {
    fn at(place: usize) -> Self {
        Self { place, found: None, twice: false }
    }
}
