//! This node's best chain as a group's machine sees it.

use medring_protocol::chain::StateRead;
use medring_protocol::group::machine::{ChainView, Standing};
use medring_protocol::{ParticipantId, RecordId};
use medring_storage::{ChainStore, RocksEngine, StorageError};
use std::cell::RefCell;

/// A view for one batch of inputs. A machine cannot be told that a read failed, so the failure is kept: what a machine did
/// after one must not be stored.
pub(super) struct BestChain<'a> {
    store: &'a ChainStore<RocksEngine>,
    height: u64,
    failed: RefCell<Option<StorageError>>,
}

impl<'a> BestChain<'a> {
    pub(super) fn new(store: &'a ChainStore<RocksEngine>) -> Self {
        let (height, failed) = match store.tip() {
            Ok((_, height)) => (height, None),
            Err(error) => (0, Some(error)),
        };
        Self { store, height, failed: RefCell::new(failed) }
    }

    /// The first read that failed, if any did.
    pub(super) fn failure(self) -> Option<StorageError> {
        self.failed.into_inner()
    }

    fn read<T>(&self, read: Result<Option<T>, StorageError>) -> Option<T> {
        read.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            None
        })
    }
}

impl ChainView for BestChain<'_> {
    fn height(&self) -> u64 {
        self.height
    }

    fn standing(&self, id: &ParticipantId) -> Option<Standing> {
        let participant = self.read(self.store.participant(id))?;
        let valid =
            participant.revoked.is_none() && (participant.valid_from..=participant.valid_until).contains(&self.height);
        Some(Standing { keys: participant.keys, role: participant.role, valid })
    }

    fn height_of(&self, record: &RecordId) -> Option<u64> {
        self.read(self.store.location(record)).map(|at| at.height)
    }
}
