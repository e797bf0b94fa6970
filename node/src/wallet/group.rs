//! Records sealed to a group, opened by a member and checked on this node's own chain.

use super::checks::{self, Place};
use super::state::WalletRecord;
use super::wallet::{OpenedRecord, Wallet, WalletError, fetch};
use medring_protocol::RecordId;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::seal::{self, OpenError};
use medring_storage::{ChainStore, Engine};

impl Wallet {
    /// Opens a record sealed to all members of an epoch (receiver type 2) and checks it; `None` if it is neither on the best
    /// chain nor in the pool, or names another epoch. `checks.recipient` says that the epoch's own patient made it, and for
    /// itself: anything else under this GID is no record of the group.
    ///
    /// # Errors
    /// [`WalletError::Open`] if it does not open, and for a failing store.
    pub fn open_group_record<E: Engine>(
        store: &ChainStore<E>,
        access: &EpochAccess,
        id: &RecordId,
    ) -> Result<Option<OpenedRecord>, WalletError> {
        let Some((record, at)) = fetch(store, id)? else { return Ok(None) };
        let content = &record.content;
        if content.receiver.gid() != Some(access.gid) {
            return Ok(None);
        }
        let (mut checks, uploader_role) =
            checks::of_chain(store, &record, at.as_ref().map(|(leaved, i)| (leaved, *i)))?;
        let failed = |problem| WalletError::Open { record: *id, problem };
        let opened = seal::open_in_group(&store.chain_id(), content, &access.k_rec).map_err(failed)?;
        let opened = opened.ok_or_else(|| failed(OpenError::Wrap))?;
        checks.commitment = opened.r.belongs_to(&content.commitment);
        checks.recipient = content.uploader == access.uploader && access.patient_ids.contains(&opened.plain.recipient);
        let place = |(leaved, index): &(checks::Leaved, u32)| Place {
            height: leaved.block.header.height,
            index: *index,
            block_id: leaved.id,
        };
        let record = WalletRecord {
            record_id: *id,
            kind: content.kind,
            uploader: content.uploader,
            uploader_role,
            stamp_ms: record.envelope.stamp_ms,
            place: at.as_ref().map(place),
            bytes: u64::try_from(opened.plain.bytes.len()).unwrap_or(u64::MAX),
            checks,
            problem: None,
            r: None,
        };
        Ok(Some(OpenedRecord { record, content_type: opened.plain.kind, content: opened.plain.bytes }))
    }
}
