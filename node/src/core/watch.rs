//! What became of records submitted to this node: kept on disk, so that a fork that took a block away is told of even if it
//! was seen only after a restart.

use super::{NodeCore, limits};
use medring_protocol::RecordId;
use medring_protocol::chain::{Location, StateRead};
use medring_storage::{Engine, Fate, StorageError, StoredHeader, Watched};
use std::collections::BTreeMap;

/// Changes of the table that belong into one batch.
pub(super) type Notes = Vec<(RecordId, Option<Watched>)>;

/// Every record watched, and which is forgotten next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    records: BTreeMap<RecordId, Watched>,
    order: BTreeMap<u64, RecordId>,
}

impl Watch {
    pub(super) fn new(all: Vec<(RecordId, Watched)>) -> Self {
        let order = all.iter().map(|(id, watched)| (watched.sequence, *id)).collect();
        Self { records: all.into_iter().collect(), order }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn contains(&self, id: &RecordId) -> bool {
        self.records.contains_key(id)
    }

    /// What is to be written so that this is noted, if the record is watched.
    pub(super) fn noted(&self, id: &RecordId, at_ms: u64, what: Fate) -> Option<(RecordId, Option<Watched>)> {
        let before = self.records.get(id)?;
        let mut watched = before.clone();
        watched.note(at_ms, what);
        (watched != *before).then_some((*id, Some(watched)))
    }

    /// What is to be written so that a record is watched from now on; the oldest goes if there are too many.
    pub(super) fn begun(&self, id: &RecordId, at_ms: u64) -> Notes {
        if self.contains(id) {
            return self.noted(id, at_ms, Fate::Submitted).into_iter().collect();
        }
        let sequence = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        let mut watched = Watched { sequence, notes: Vec::new() };
        watched.note(at_ms, Fate::Submitted);
        let mut notes = vec![(*id, Some(watched))];
        if self.records.len() >= limits::WATCHED_RECORDS_MAX {
            notes.extend(self.order.first_key_value().map(|(_, oldest)| (*oldest, None)));
        }
        notes
    }

    /// After they were written.
    pub(super) fn take(&mut self, notes: Notes) {
        for (id, watched) in notes {
            let before = match watched {
                Some(watched) => {
                    self.order.insert(watched.sequence, id);
                    self.records.insert(id, watched);
                    continue;
                }
                None => self.records.remove(&id),
            };
            if let Some(before) = before {
                self.order.remove(&before.sequence);
            }
        }
    }

    fn ids(&self) -> impl Iterator<Item = &RecordId> {
        self.records.keys()
    }
}

/// A reason as it is kept.
pub(super) fn dropped(reason: &str) -> Fate {
    let end = (0..=StoredHeader::REASON_BYTES_MAX.min(reason.len())).rev().find(|i| reason.is_char_boundary(*i));
    Fate::Dropped(reason[..end.unwrap_or(0)].to_owned())
}

impl<E: Engine> NodeCore<E> {
    /// Notes on watched records that connected blocks hold: all of `placed`, or, after several steps, all that `state` places.
    pub(super) fn note_confirmed<S: StateRead<Error = StorageError>>(
        &self,
        placed: impl Iterator<Item = (RecordId, Location)>,
        several: Option<&S>,
        block_at: impl Fn(u64) -> Option<medring_protocol::BlockId>,
    ) -> Result<Notes, StorageError> {
        let mut found: BTreeMap<RecordId, Location> = placed.filter(|(id, _)| self.watch.contains(id)).collect();
        if let Some(state) = several {
            for id in self.watch.ids() {
                if let Some(at) = state.location(id)? {
                    found.insert(*id, at);
                }
            }
        }
        let note = |(id, at): (RecordId, Location)| {
            let fate = Fate::Confirmed { block: block_at(at.height)?, height: at.height };
            self.watch.noted(&id, self.now_ms, fate)
        };
        Ok(found.into_iter().filter_map(note).collect())
    }
}
