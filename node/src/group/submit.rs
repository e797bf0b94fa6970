//! Keeping EpochCommit records on their way until a block holds them.
//!
//! The record's id is fixed by its content, so it may be submitted as often as need be: the pool keeps one envelope of each.

use super::service::{Outcome, Service};
use crate::core::SubmitError;
use crate::wallet::{Moment, commit_record};
use medring_protocol::RecordId;
use medring_protocol::chain::StateRead;
use medring_protocol::group::GroupUid;
use medring_protocol::record::EpochCommit;
use std::collections::BTreeMap;

/// A commit that no block holds is submitted again so often, ms: the pool may have dropped it.
const AGAIN_MS: u64 = 30_000;

/// One EpochCommit.
#[derive(Clone, Debug)]
pub(super) struct Submission {
    pub(super) record: RecordId,
    pub(super) group: GroupUid,
    pub(super) commit: EpochCommit,
    pub(super) deadline_height: u64,
    /// When to submit it next, ms since 1970; `None`: its answer is awaited.
    due_ms: Option<u64>,
}

/// All commits under way.
#[derive(Debug, Default)]
pub(super) struct Submissions(BTreeMap<RecordId, Submission>);

impl Submissions {
    /// To be submitted at once, and until it is on the chain.
    pub(super) fn add(&mut self, record: RecordId, group: GroupUid, commit: EpochCommit, deadline_height: u64) {
        self.0.insert(record, Submission { record, group, commit, deadline_height, due_ms: Some(0) });
    }

    /// Forgets those that a block holds, or that no block may hold any more: the machine gives them again if a
    /// reorganisation takes them away.
    pub(super) fn prune(&mut self, height: u64, on_chain: impl Fn(&RecordId) -> bool) {
        self.0.retain(|record, submission| submission.deadline_height > height && !on_chain(record));
    }

    /// What is to be submitted now; each is answered by [`Self::answered`].
    pub(super) fn due(&mut self, now_ms: u64) -> Vec<Submission> {
        let due = |s: &&mut Submission| s.due_ms.is_some_and(|due| due <= now_ms);
        self.0.values_mut().filter(due).map(|s| Submission { due_ms: s.due_ms.take(), ..s.clone() }).collect()
    }

    /// An attempt was answered; the next one follows unless a block holds it first.
    pub(super) fn answered(&mut self, record: &RecordId, now_ms: u64) {
        if let Some(submission) = self.0.get_mut(record) {
            submission.due_ms = Some(now_ms.saturating_add(AGAIN_MS));
        }
    }

    /// When something is due next.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.0.values().filter_map(|s| s.due_ms).min()
    }
}

impl Service {
    /// Submits what is due; its answer comes back as an input.
    pub(super) fn submit_due(&mut self, now_ms: u64) {
        let due = self.submissions.due(now_ms);
        if due.is_empty() {
            return;
        }
        let tip_height = match self.store.tip() {
            Ok((_, height)) => height,
            Err(error) => {
                tracing::error!(%error, "an epoch's commit waits: the chain cannot be read");
                due.iter().for_each(|s| self.submissions.answered(&s.record, now_ms));
                return;
            }
        };
        for Submission { record: id, group, commit, deadline_height, .. } in due {
            let (me, at) = (&self.making.me.identity, Moment { now_ms, tip_height });
            let record = commit_record(&self.params, me, &commit, deadline_height, at);
            if record.id(&self.making.chain) != id {
                // The machine was given another participant's epoch: a bug, and nothing a retry mends.
                tracing::error!(%group, record = %id, "an epoch's commit is not this participant's to submit");
                continue;
            }
            let (core, outcomes) = (self.core.clone(), self.deliveries.outcomes.clone());
            self.deliveries.runtime.spawn(async move {
                let result = core.submit(record).await;
                // Err: the groups have ended.
                let _ = outcomes.send(Outcome::Submitted { record: id, group, result });
            });
        }
    }

    /// What the core said to a commit.
    pub(super) fn submitted(&mut self, record: &RecordId, group: &GroupUid, result: Result<RecordId, SubmitError>) {
        self.submissions.answered(record, (self.now_ms)());
        let Some(held) = self.machines.get_mut(group) else { return };
        held.refused = match result {
            Ok(_) | Err(SubmitError::Pending(_)) => None,
            // A block holds it; the tip that says so is on its way here.
            Err(SubmitError::Invalid(violation)) if violation.rule == "R-DUP" => None,
            Err(error) => {
                tracing::warn!(%group, %error, "an epoch's commit is not taken");
                Some(format!("the epoch's commit is not taken, and is submitted again: {error}"))
            }
        };
        self.touched.insert(*group);
    }

    /// At a new tip.
    pub(super) fn prune_submissions(&mut self) {
        let Ok((_, height)) = self.store.tip() else { return };
        let store = &self.store;
        self.submissions.prune(height, |record| matches!(store.location(record), Ok(Some(_))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::Gid;

    fn with_one() -> (Submissions, RecordId) {
        let (mut submissions, record) = (Submissions::default(), RecordId([1; 32]));
        let commit = EpochCommit { gid: Gid([2; 32]), transcript: [3; 32], confirms: [4; 32] };
        submissions.add(record, GroupUid([5; 32]), commit, 100);
        (submissions, record)
    }

    #[test]
    fn a_commit_is_submitted_again_until_a_block_holds_it() {
        let (mut submissions, record) = with_one();
        assert_eq!(submissions.due(1_000).len(), 1);
        assert!(submissions.due(1_000).is_empty(), "its answer is awaited");
        assert_eq!(submissions.next_ms(), None);
        submissions.answered(&record, 1_000);
        assert_eq!(submissions.next_ms(), Some(1_000 + AGAIN_MS));
        assert!(submissions.due(AGAIN_MS).is_empty());
        submissions.prune(50, |_| false);
        assert_eq!(submissions.due(1_000 + AGAIN_MS).len(), 1);
        submissions.prune(50, |id| *id == record);
        submissions.answered(&record, 2_000);
        assert_eq!(submissions.next_ms(), None, "a block holds it");
    }

    #[test]
    fn a_commit_whose_deadline_passed_is_forgotten() {
        let (mut submissions, _) = with_one();
        submissions.prune(99, |_| false);
        assert_eq!(submissions.due(0).len(), 1);
        submissions.prune(100, |_| false);
        assert_eq!(submissions.next_ms(), None);
    }
}
