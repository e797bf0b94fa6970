//! The state of a chain at its tip, as lookups, and what a block changes in it, as a value that can be undone.

use crate::hash::{ParticipantId, RecordId};
use crate::identity::{KeyHash, PublicKeys, Role};
use crate::limits::QUOTA_WINDOW_HEIGHTS;
use crate::params::Params;
use serde::{Deserialize, Serialize};

/// An enrolled participant. Authorities are not in the state: they stand in the chain parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Both keys; its id commits to them.
    pub keys: PublicKeys,
    /// What it may upload.
    pub role: Role,
    /// First height at which it may upload.
    pub valid_from: u64,
    /// Last height at which it may upload.
    pub valid_until: u64,
    /// Height of the Enrol record.
    pub enrolled_at: u64,
    /// Set once by a Revoke record.
    pub revoked: Option<Revoked>,
}

/// A revocation in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Height of the Revoke record: above it nothing is accepted.
    pub at: u64,
    /// From this height on reports show its records as "signer revoked".
    pub invalid_from: u64,
}

/// Where a record is on the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Height of the block.
    pub height: u64,
    /// Position in the block.
    pub index: u32,
}

/// What one uploader placed lately: (height, bytes), ascending, only heights within the last
/// [`QUOTA_WINDOW_HEIGHTS`]. At most that many entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage(pub Vec<(u64, u64)>);

impl Usage {
    /// Bytes placed in the window that ends at `height`, inclusive.
    pub fn bytes_at(&self, height: u64) -> u64 {
        self.0.iter().filter(|(h, _)| h + QUOTA_WINDOW_HEIGHTS > height).map(|(_, bytes)| bytes).sum()
    }

    /// After placing `bytes` at `height`; entries that left the window are dropped.
    #[must_use]
    pub fn after(&self, height: u64, bytes: u64) -> Usage {
        let mut kept: Vec<_> = self.0.iter().copied().filter(|(h, _)| h + QUOTA_WINDOW_HEIGHTS > height).collect();
        match kept.last_mut() {
            Some((last, sum)) if *last == height => *sum += bytes,
            _ => kept.push((height, bytes)),
        }
        Usage(kept)
    }
}

/// Read access to the state at one tip.
pub trait StateRead {
    /// What can go wrong when reading (a disk error).
    type Error;
    /// An enrolled participant.
    fn participant(&self, id: &ParticipantId) -> Result<Option<Participant>, Self::Error>;
    /// Who owns a key that was ever enrolled.
    fn key_owner(&self, key: &KeyHash) -> Result<Option<ParticipantId>, Self::Error>;
    /// Where a record is, if it is on this chain.
    fn location(&self, id: &RecordId) -> Result<Option<Location>, Self::Error>;
    /// What an uploader placed lately.
    fn usage(&self, id: &ParticipantId) -> Result<Usage, Self::Error>;
}

impl<S: StateRead + ?Sized> StateRead for &S {
    type Error = S::Error;
    fn participant(&self, id: &ParticipantId) -> Result<Option<Participant>, Self::Error> {
        (**self).participant(id)
    }
    fn key_owner(&self, key: &KeyHash) -> Result<Option<ParticipantId>, Self::Error> {
        (**self).key_owner(key)
    }
    fn location(&self, id: &RecordId) -> Result<Option<Location>, Self::Error> {
        (**self).location(id)
    }
    fn usage(&self, id: &ParticipantId) -> Result<Usage, Self::Error> {
        (**self).usage(id)
    }
}

/// Keys of an authority or of a participant enrolled in this state, revoked or not: what signatures are checked with.
pub fn keys_of<S: StateRead>(params: &Params, state: &S, id: &ParticipantId) -> Result<Option<PublicKeys>, S::Error> {
    match params.authorities.iter().find(|keys| keys.id() == *id) {
        Some(keys) => Ok(Some(keys.clone())),
        None => Ok(state.participant(id)?.map(|p| p.keys)),
    }
}

/// One entry before and after a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<K, V> {
    /// Which entry.
    pub key: K,
    /// Its value before; `None`: absent.
    pub before: Option<V>,
    /// Its value after; `None`: absent.
    pub after: Option<V>,
}

/// Everything one block changes, each entry once, keys ascending. Its inverse undoes it exactly: revert(apply(s)) = s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Participants enrolled or revoked.
    pub participants: Vec<Change<ParticipantId, Participant>>,
    /// Keys now taken.
    pub keys: Vec<Change<KeyHash, ParticipantId>>,
    /// Records placed.
    pub locations: Vec<Change<RecordId, Location>>,
    /// Quota use.
    pub usage: Vec<Change<ParticipantId, Usage>>,
}

impl Diff {
    /// The diff that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Diff {
        fn swap<K, V>(changes: Vec<Change<K, V>>) -> Vec<Change<K, V>> {
            changes.into_iter().map(|c| Change { key: c.key, before: c.after, after: c.before }).collect()
        }
        Diff {
            participants: swap(self.participants),
            keys: swap(self.keys),
            locations: swap(self.locations),
            usage: swap(self.usage),
        }
    }
}
