//! What a change of tip means for the pool: mined records leave it, and what can never be mined on the new chain is dropped
//! and reported. What returns from left blocks follows (`returning`).

use super::chain_manager::Plan;
use super::mempool::Pooled;
use super::start::expired;
use super::{Event, NodeCore};
use medring_protocol::chain::{ApplyError, Candidate, StateRead};
use medring_protocol::identity::Revocation;
use medring_protocol::record::{Kind, Record};
use medring_protocol::{BlockId, ParticipantId, RecordId};
use medring_storage::{Engine, PoolEntry, StorageError};
use std::collections::BTreeSet;

/// Changes of the pool that belong into the batch of a change of tip.
#[derive(Debug, Default)]
pub(super) struct PoolPlan {
    /// Mined now.
    pub(super) removed: Vec<RecordId>,
    /// Expired, or in conflict with the chain; with the reason.
    pub(super) dropped: Vec<(RecordId, String)>,
}

/// As it is stored.
pub(super) fn entry(pooled: &Pooled) -> PoolEntry {
    PoolEntry { record: Record::clone(&pooled.record), received_ms: pooled.received_ms, sequence: pooled.sequence }
}

impl PoolPlan {
    /// Every record that leaves the pool.
    pub(super) fn leaving(&self) -> impl Iterator<Item = RecordId> {
        self.removed.iter().chain(self.dropped.iter().map(|(id, _)| id)).copied()
    }
}

impl<E: Engine> NodeCore<E> {
    /// What the pool becomes when `plan`, the last step, is committed.
    pub(super) fn plan_pool(&self, plan: &Plan<E>) -> Result<PoolPlan, StorageError> {
        let path = &plan.step.path;
        let next = self.height() + 1 + path.connect.len() as u64 - path.disconnect.len() as u64;
        let stamp = |id: &BlockId| self.tree.get(id).map(|node| node.header.time_ms + 1);
        let time_ms = path.connect.last().and_then(stamp).unwrap_or(0).max(self.now_ms);
        let (touched, mined) = (touched(plan), mined(plan));
        let mut out = PoolPlan::default();
        for pooled in self.pool.iter() {
            let (id, record) = (&pooled.id, &pooled.record);
            // Earlier steps left the pool as it was, so after several nothing is known of any record.
            let is_mined = mined.contains(id) || (plan.step.deep && plan.state.location(id)?.is_some());
            let may_conflict = plan.step.deep
                || matches!(record.content.kind, Kind::Enrol | Kind::Revoke)
                || touched.contains(&record.content.uploader);
            if is_mined {
                out.removed.push(*id);
            } else if record.envelope.expiry_height < next {
                out.dropped.push((*id, expired(record.envelope.expiry_height)));
            } else if may_conflict && let Some(reason) = self.conflict(&plan.state, id, record, next, time_ms)? {
                out.dropped.push((*id, reason));
            }
        }
        Ok(out)
    }

    /// Why a record can never be mined on the chain of `state`, if so. What only has to wait (for an enrolment, a quota, a
    /// time) is no conflict: it stays until it expires.
    pub(super) fn conflict<S: StateRead<Error = StorageError>>(
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
