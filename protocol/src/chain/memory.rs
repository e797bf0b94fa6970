//! A state in memory, and an overlay of changes over any other state (for reorgs of several blocks before one commit).

use super::state::{Change, Diff, Location, Participant, StateRead, Usage};
use crate::hash::{ParticipantId, RecordId};
use crate::identity::KeyHash;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// A whole state in memory: for `chain verify`, the simulator and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryState {
    participants: BTreeMap<ParticipantId, Participant>,
    keys: BTreeMap<KeyHash, ParticipantId>,
    locations: BTreeMap<RecordId, Location>,
    usage: BTreeMap<ParticipantId, Usage>,
}

fn write<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, V>, changes: &[Change<K, V>]) {
    for change in changes {
        match &change.after {
            Some(value) => map.insert(change.key.clone(), value.clone()),
            None => map.remove(&change.key),
        };
    }
}

impl MemoryState {
    /// Takes over what a block changed. To undo, apply the inverse.
    pub fn apply(&mut self, diff: &Diff) {
        write(&mut self.participants, &diff.participants);
        write(&mut self.keys, &diff.keys);
        write(&mut self.locations, &diff.locations);
        write(&mut self.usage, &diff.usage);
    }

    /// SHA-256 of the state's codec form: equal for equal states. For comparing two replays; no part of the protocol.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(crate::codec::encode(self)).into()
    }

    /// All participants, ascending.
    pub fn participants(&self) -> impl Iterator<Item = (&ParticipantId, &Participant)> {
        self.participants.iter()
    }
}

impl StateRead for MemoryState {
    type Error = Infallible;
    fn participant(&self, id: &ParticipantId) -> Result<Option<Participant>, Infallible> {
        Ok(self.participants.get(id).cloned())
    }
    fn key_owner(&self, key: &KeyHash) -> Result<Option<ParticipantId>, Infallible> {
        Ok(self.keys.get(key).copied())
    }
    fn location(&self, id: &RecordId) -> Result<Option<Location>, Infallible> {
        Ok(self.locations.get(id).copied())
    }
    fn usage(&self, id: &ParticipantId) -> Result<Usage, Infallible> {
        Ok(self.usage.get(id).cloned().unwrap_or_default())
    }
}

/// A state with changes on top that are not committed yet.
#[derive(Debug)]
pub struct Overlay<S> {
    base: S,
    participants: BTreeMap<ParticipantId, Option<Participant>>,
    keys: BTreeMap<KeyHash, Option<ParticipantId>>,
    locations: BTreeMap<RecordId, Option<Location>>,
    usage: BTreeMap<ParticipantId, Option<Usage>>,
}

impl<S: StateRead> Overlay<S> {
    /// No changes yet.
    pub fn new(base: S) -> Self {
        Self {
            base,
            participants: BTreeMap::new(),
            keys: BTreeMap::new(),
            locations: BTreeMap::new(),
            usage: BTreeMap::new(),
        }
    }

    /// Takes over what a block changed, or, inverted, what it had changed.
    pub fn apply(&mut self, diff: &Diff) {
        fn put<K: Ord + Clone, V: Clone>(map: &mut BTreeMap<K, Option<V>>, changes: &[Change<K, V>]) {
            map.extend(changes.iter().map(|c| (c.key.clone(), c.after.clone())));
        }
        put(&mut self.participants, &diff.participants);
        put(&mut self.keys, &diff.keys);
        put(&mut self.locations, &diff.locations);
        put(&mut self.usage, &diff.usage);
    }
}

impl<S: StateRead> StateRead for Overlay<S> {
    type Error = S::Error;
    fn participant(&self, id: &ParticipantId) -> Result<Option<Participant>, S::Error> {
        self.participants.get(id).map_or_else(|| self.base.participant(id), |v| Ok(v.clone()))
    }
    fn key_owner(&self, key: &KeyHash) -> Result<Option<ParticipantId>, S::Error> {
        self.keys.get(key).map_or_else(|| self.base.key_owner(key), |v| Ok(*v))
    }
    fn location(&self, id: &RecordId) -> Result<Option<Location>, S::Error> {
        self.locations.get(id).map_or_else(|| self.base.location(id), |v| Ok(*v))
    }
    fn usage(&self, id: &ParticipantId) -> Result<Usage, S::Error> {
        self.usage.get(id).map_or_else(|| self.base.usage(id), |v| Ok(v.clone().unwrap_or_default()))
    }
}
