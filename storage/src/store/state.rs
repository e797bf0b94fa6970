//! The state at the tip, read one entry at a time.

use super::ChainStore;
use super::undo::PackedUsage;
use crate::engine::Engine;
use crate::values::{damaged, read};
use crate::{Column, StorageError};
use medring_protocol::chain::{Location, Participant, StateRead, Usage};
use medring_protocol::identity::KeyHash;
use medring_protocol::{ParticipantId, RecordId};

/// An encoded `Participant`: keys 288, role 4, three heights 24, revocation 1 + 16.
pub(super) const PARTICIPANT_BYTES_MAX: usize = 288 + 4 + 24 + 17;
/// An encoded `Location`.
const LOCATION_BYTES: usize = 12;

impl<E: Engine> StateRead for ChainStore<E> {
    type Error = StorageError;

    fn participant(&self, id: &ParticipantId) -> Result<Option<Participant>, StorageError> {
        read(&self.engine, Column::Participants, &id.0, PARTICIPANT_BYTES_MAX)
    }

    fn key_owner(&self, key: &KeyHash) -> Result<Option<ParticipantId>, StorageError> {
        read(&self.engine, Column::Keys, &key.0, 32)
    }

    fn location(&self, id: &RecordId) -> Result<Option<Location>, StorageError> {
        read(&self.engine, Column::Locations, &id.0, LOCATION_BYTES)
    }

    fn usage(&self, id: &ParticipantId) -> Result<Usage, StorageError> {
        let packed = read::<E, PackedUsage>(&self.engine, Column::Usage, &id.0, PackedUsage::BYTES_MAX)?;
        let unpack = |p: PackedUsage| p.unpack().map_err(|problem| damaged(Column::Usage, &id.0, problem));
        packed.map_or_else(|| Ok(Usage::default()), unpack)
    }
}
