//! What a block changed, kept so that it can be undone, in a compact form.
//!
//! An uploader's usage is up to 144 pairs, before and after each of its blocks: 4.6 KB as the codec writes them, for a
//! record of perhaps 2 KB. Heights lie close together and one block's bytes fit u32, so a pair takes 5 bytes here; and what
//! stands after the block follows from what stood before.

use super::ChainStore;
use super::state::PARTICIPANT_BYTES_MAX;
use crate::engine::Engine;
use crate::schema;
use crate::values::{damaged, read};
use crate::{Column, StorageError};
use medring_protocol::chain::{Change, Diff, Location, Participant, Usage};
use medring_protocol::identity::KeyHash;
use medring_protocol::limits::{BLOCK_RECORDS_MAX, QUOTA_WINDOW_HEIGHTS};
use medring_protocol::{BlockId, ParticipantId, RecordId};
use serde::{Deserialize, Serialize};

/// A `Usage` that is not empty: its last height, and (heights before that, bytes) of each entry, ascending by height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedUsage {
    last: u64,
    entries: Vec<(u8, u32)>,
}

const _: () = assert!(QUOTA_WINDOW_HEIGHTS <= 256, "the distance of two entries fits u8");

impl PackedUsage {
    /// A height, a count and a window full of entries.
    #[allow(clippy::cast_possible_truncation, reason = "144")]
    pub(super) const BYTES_MAX: usize = 8 + 8 + 5 * QUOTA_WINDOW_HEIGHTS as usize;

    /// `None` if it is empty, not ascending, longer than the window, or has more bytes at a height than a block holds.
    pub(super) fn pack(usage: &Usage) -> Option<Self> {
        let last = usage.0.last()?.0;
        let pack = |(height, bytes): &(u64, u64)| {
            Some((u8::try_from(last.checked_sub(*height)?).ok()?, u32::try_from(*bytes).ok()?))
        };
        let packed = Self { last, entries: usage.0.iter().map(pack).collect::<Option<_>>()? };
        packed.unpack().is_ok().then_some(packed)
    }

    /// The usage, or what is wrong with it.
    pub(super) fn unpack(&self) -> Result<Usage, &'static str> {
        let ascending = self.entries.windows(2).all(|pair| pair[0].0 > pair[1].0);
        let in_window = self.entries.iter().all(|(back, _)| u64::from(*back) < QUOTA_WINDOW_HEIGHTS);
        if !ascending || !in_window || self.entries.last().is_none_or(|(back, _)| *back != 0) {
            return Err("is no usage");
        }
        let height = |back: u8| self.last.checked_sub(u64::from(back)).ok_or("is no usage");
        self.entries
            .iter()
            .map(|(back, bytes)| Ok((height(*back)?, u64::from(*bytes))))
            .collect::<Result<_, _>>()
            .map(Usage)
    }
}

/// One uploader's usage before the block, and how many bytes the block added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UsageUndo {
    key: ParticipantId,
    before: Option<PackedUsage>,
    added: u32,
}

/// A [`Diff`] as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredUndo {
    participants: Vec<Change<ParticipantId, Participant>>,
    keys: Vec<Change<KeyHash, ParticipantId>>,
    locations: Vec<Change<RecordId, Location>>,
    usage: Vec<UsageUndo>,
}

impl StoredUndo {
    /// The most a block of as many records as it may have can change, generously: each a participant before and after, two
    /// keys, a place and an uploader. Within what the codec decodes.
    const BYTES_MAX: usize = 64 + BLOCK_RECORDS_MAX * 1900;

    /// From the diff of a block at `height`; `Err` says what no block does.
    pub(super) fn new(diff: &Diff, height: u64) -> Result<Self, &'static str> {
        let usage = |change: &Change<ParticipantId, Usage>| {
            let before = match &change.before {
                Some(usage) => Some(PackedUsage::pack(usage).ok_or("usage before it is malformed")?),
                None => None,
            };
            let at_height = |usage: &Usage| usage.0.last().filter(|(h, _)| *h == height).map(|(_, bytes)| *bytes);
            let added = change.after.as_ref().and_then(at_height).ok_or("usage after it does not end at its height")?;
            let added = u32::try_from(added).map_err(|_| "one uploader has more bytes than a block")?;
            let undo = UsageUndo { key: change.key, before, added };
            if undo.clone().change(height)? == *change { Ok(undo) } else { Err("usage after it does not follow") }
        };
        Ok(Self {
            participants: diff.participants.clone(),
            keys: diff.keys.clone(),
            locations: diff.locations.clone(),
            usage: diff.usage.iter().map(usage).collect::<Result<_, _>>()?,
        })
    }

    /// The diff of the block at `height`.
    pub(super) fn diff(self, height: u64) -> Result<Diff, &'static str> {
        let Self { participants, keys, locations, usage } = self;
        let usage = usage.into_iter().map(|undo| undo.change(height)).collect::<Result<_, _>>()?;
        Ok(Diff { participants, keys, locations, usage })
    }
}

impl UsageUndo {
    fn change(self, height: u64) -> Result<Change<ParticipantId, Usage>, &'static str> {
        let before = self.before.map(|packed| packed.unpack()).transpose()?;
        let after = before.clone().unwrap_or_default().after(height, u64::from(self.added));
        Ok(Change { key: self.key, before, after: Some(after) })
    }
}

impl<E: Engine> ChainStore<E> {
    /// What a block of the best chain changed; `None` for a block that is not on it, and for genesis.
    pub fn undo(&self, id: &BlockId) -> Result<Option<Diff>, StorageError> {
        let Some(header) = self.header(id)? else { return Ok(None) };
        let key = schema::height_id(header.height, id);
        let stored = read::<E, StoredUndo>(&self.engine, Column::Undo, &key, StoredUndo::BYTES_MAX)?;
        let diff = |undo: StoredUndo| undo.diff(header.height).map_err(|problem| damaged(Column::Undo, &key, problem));
        stored.map(diff).transpose()
    }
}

const _: () = assert!(PARTICIPANT_BYTES_MAX * 2 + 2 * 66 + 46 + 42 + PackedUsage::BYTES_MAX < 1900);
const _: () = assert!(StoredUndo::BYTES_MAX < 8 * 1024 * 1024, "the codec decodes it");
