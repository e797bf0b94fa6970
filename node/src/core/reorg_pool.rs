//! What a change of tip means for the pool: mined records leave it, those of left blocks return, and what can never be
//! mined on the new chain is dropped and reported. None is lost silently.

use super::chain_manager::Plan;
use super::mempool::Pooled;
use super::start::expired;
use super::{Event, Flaw, NodeCore};
use medring_protocol::block::Block;
use medring_protocol::chain::{ApplyError, Candidate, StateRead};
use medring_protocol::identity::Revocation;
use medring_protocol::record::{Kind, Record};
use medring_protocol::{ParticipantId, RecordId};
use medring_storage::{Engine, PoolEntry, StorageError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Changes of the pool that belong into the batch of a change of tip.
#[derive(Debug, Default)]
pub(super) struct PoolPlan {
    /// From left blocks, in their old order.
    pub(super) returned: Vec<Pooled>,
    /// Mined now.
    pub(super) removed: Vec<RecordId>,
    /// Expired, in conflict with the chain, or without room; with the reason.
    pub(super) dropped: Vec<(RecordId, String)>,
}

/// As it is stored.
pub(super) fn entry(pooled: &Pooled) -> PoolEntry {
    PoolEntry { record: Record::clone(&pooled.record), received_ms: pooled.received_ms, sequence: pooled.sequence }
}

impl<E: Engine> NodeCore<E> {
    /// What the pool becomes when `plan` is committed.
    pub(super) fn plan_pool(&self, plan: &Plan<E>) -> Result<PoolPlan, StorageError> {
        let next = self.height() + 1 + plan.path.connect.len() as u64 - plan.path.disconnect.len() as u64;
        let time_ms = plan.connected.last().map_or(self.now_ms, |block| block.header.time_ms + 1).max(self.now_ms);
        let touched = touched(plan);
        let mined = mined(plan);
        let mut out = PoolPlan::default();
        let judge = |id: &RecordId, record: &Record| {
            if record.envelope.expiry_height < next {
                return Ok(Some(expired(record.envelope.expiry_height)));
            }
            let kind = record.content.kind;
            if !matches!(kind, Kind::Enrol | Kind::Revoke) && !touched.contains(&record.content.uploader) {
                return Ok(None);
            }
            self.conflict(&plan.state, id, record, next, time_ms)
        };
        for pooled in self.pool.iter() {
            if mined.contains(&pooled.id) {
                out.removed.push(pooled.id);
            } else if let Some(reason) = judge(&pooled.id, &pooled.record)? {
                out.dropped.push((pooled.id, reason));
            }
        }
        for (id, record) in returning(&self.chain, &plan.disconnected) {
            if self.config.flaw == Some(Flaw::ForgetsLeftRecords) {
                break;
            }
            if plan.state.location(&id)?.is_some() || self.pool.get(&id).is_some() {
                continue;
            }
            match judge(&id, record)? {
                Some(reason) => out.dropped.push((id, reason)),
                None => self.plan_return(&mut out, id, record),
            }
        }
        Ok(out)
    }

    fn plan_return(&self, out: &mut PoolPlan, id: RecordId, record: &Record) {
        let bytes = record.encoded_len();
        let all = out.returned.iter().map(|p| p.bytes).sum::<usize>() + bytes;
        if !self.pool.room_for_returned(out.returned.len() + 1, all) {
            out.dropped.push((id, "left the chain in a fork, and the pool is full; submit it again".into()));
            return;
        }
        out.returned.push(Pooled {
            id,
            wire: record.wire_id(&self.chain),
            record: Arc::new(record.clone()),
            bytes,
            sequence: self.pool.next_sequence() + out.returned.len() as u64,
            received_ms: self.now_ms,
            // Other pools may never have had it: due at once.
            offered_ms: 0,
        });
    }

    /// Why a record can never be mined on the chain of `state`, if so. What only has to wait (for an enrolment, a quota, a
    /// time) is no conflict: it stays until it expires.
    fn conflict<S: StateRead<Error = StorageError>>(
        &self,
        state: &S,
        id: &RecordId,
        record: &Record,
        height: u64,
        time_ms: u64,
    ) -> Result<Option<String>, StorageError> {
        let mut alone = Candidate::new(&self.config.rules, &self.config.params, state, height, time_ms);
        let violation = match alone.push(record) {
            Ok(()) => return Ok(None),
            Err(ApplyError::State(error)) => return Err(error),
            Err(ApplyError::Violation(violation)) => violation,
        };
        let revoked = |who: &ParticipantId| -> Result<bool, StorageError> {
            Ok(state.participant(who)?.is_some_and(|p| p.revoked.is_some()))
        };
        let for_good = match violation.rule {
            "R-KEY-REUSE" | "R-ROLE" => true,
            "R-UPLOADER" => revoked(&record.content.uploader)?,
            // A subject that is not enrolled may still be.
            "R-REVOKE" => match Revocation::decode(&record.content.public) {
                Ok(payload) => revoked(&payload.subject)?,
                Err(_) => true,
            },
            _ => false,
        };
        Ok(for_good.then(|| format!("record {id} conflicts with the chain: {violation}")))
    }

    /// After the commit.
    pub(super) fn take_pool_plan(&mut self, plan: PoolPlan) {
        for id in plan.removed.iter().chain(plan.dropped.iter().map(|(id, _)| id)) {
            if let Some(left) = self.pool.remove(id) {
                self.relay.recent.push(left.wire, left.record, left.bytes);
            }
        }
        for (record, reason) in plan.dropped {
            self.event(Event::Dropped { record, reason });
        }
        if !plan.returned.is_empty() {
            self.timers.reoffer_ms = self.now_ms;
        }
        for pooled in plan.returned {
            self.pool.insert(pooled);
        }
    }
}

/// Participants whose standing the change touches: only their records can have come into conflict.
fn touched<E>(plan: &Plan<E>) -> BTreeSet<ParticipantId> {
    plan.diffs.iter().flat_map(|(_, diff)| diff.participants.iter().map(|change| change.key)).collect()
}

/// Records the connected blocks hold.
fn mined<E>(plan: &Plan<E>) -> BTreeSet<RecordId> {
    plan.diffs.iter().flat_map(|(_, diff)| diff.locations.iter().map(|change| change.key)).collect()
}

/// The records of left blocks in the order in which they had stood.
fn returning<'a>(
    chain: &medring_protocol::ChainId,
    disconnected: &'a [Block],
) -> impl Iterator<Item = (RecordId, &'a Record)> {
    let chain = *chain;
    disconnected.iter().rev().flat_map(|block| &block.records).map(move |record| (record.id(&chain), record))
}
