//! The way of a record into the pool: cheap checks first, then its place in the next block, then signatures, then disk.

use super::mempool::Pooled;
use super::{Event, Job, MessageId, NodeCore, Output, Peer, SubmitError, Ticket, Topic, Verdict, limits};
use medring_protocol::block::{PendingSignature, record_signatures};
use medring_protocol::chain::rules::ShapeContext;
use medring_protocol::chain::{ApplyError, Candidate};
use medring_protocol::record::Record;
use medring_protocol::{RecordId, Violation, WireId};
use medring_storage::{Durability, Engine, PoolEntry, Reorg, StorageError};
use std::sync::Arc;

/// Who gave us a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordSource {
    /// A local caller, who is told.
    Submit(Ticket),
    /// A peer, unasked; gossip is told.
    Gossip(Peer, MessageId),
    /// A peer whose pool we asked for.
    Asked(Peer),
}

/// A record whose signatures are being verified.
#[derive(Debug)]
pub(super) struct RecordJob {
    id: RecordId,
    wire: WireId,
    record: Record,
    source: RecordSource,
    pending: Vec<PendingSignature>,
}

/// Why a record is not admitted.
struct Refused {
    error: SubmitError,
    /// No honest node would have sent it: what is wrong shows without knowing the chain.
    fault: bool,
}

impl Refused {
    fn fault(violation: Violation) -> Self {
        Self { error: violation.into(), fault: true }
    }
    fn here(error: SubmitError) -> Self {
        Self { error, fault: false }
    }
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn on_submit(&mut self, ticket: Ticket, record: Record) -> Result<(), StorageError> {
        // Only here, where the uploader itself speaks: a record that travels or returns from a fork may be old.
        let (now_ms, most_ms) = (self.now_ms, self.config.params.stamp_window_ms);
        let off_ms = now_ms.abs_diff(record.envelope.stamp_ms);
        if off_ms > most_ms {
            let result = Err(SubmitError::Stamp { off_ms, most_ms });
            self.out(Output::Submitted { ticket, result });
            return Ok(());
        }
        self.take_record(record, RecordSource::Submit(ticket))
    }

    pub(super) fn on_gossiped_record(
        &mut self,
        peer: Peer,
        message: MessageId,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        match Record::decode(bytes) {
            Ok(record) => self.take_record(record, RecordSource::Gossip(peer, message)),
            Err(problem) => {
                self.verdict(Some(message), Verdict::Reject);
                self.fault(peer, &format!("gossiped a record that cannot be read: {problem}"));
                Ok(())
            }
        }
    }

    /// A record from anywhere: up to its signatures.
    pub(super) fn take_record(&mut self, record: Record, source: RecordSource) -> Result<(), StorageError> {
        let (id, wire) = (record.id(&self.chain), record.wire_id(&self.chain));
        match self.check_record(&id, &record)? {
            Err(refused) => self.refuse(id, wire, source, refused),
            Ok(_) if self.jobs.len() >= limits::JOBS_MAX => {
                let full = SubmitError::Full(format!("{} signature checks are under way", self.jobs.len()));
                self.refuse(id, wire, source, Refused::here(full));
            }
            Ok(pending) => {
                let checks = pending.iter().map(|p| p.check.clone()).collect();
                self.start_job(Job::Record(Box::new(RecordJob { id, wire, record, source, pending })), checks);
            }
        }
        Ok(())
    }

    /// Everything but the signatures, which are returned.
    fn check_record(
        &self,
        id: &RecordId,
        record: &Record,
    ) -> Result<Result<Vec<PendingSignature>, Refused>, StorageError> {
        if let Err(refused) = self.check_room(id, record) {
            return Ok(Err(refused));
        }
        let (rules, params) = (&self.config.rules, &self.config.params);
        if let Err(violation) = rules.check_shape(&ShapeContext { params, record }) {
            return Ok(Err(Refused::fault(violation)));
        }
        if let Err(violation) = self.check_place(record)? {
            // Another chain, an enrolment still to come, a clock: not the forwarder's fault.
            return Ok(Err(Refused::here(violation.into())));
        }
        let Some(keys) = self.store.keys_of(&record.content.uploader)? else {
            let unknown = Violation::new("R-UPLOADER", format!("{} is not enrolled", record.content.uploader));
            return Ok(Err(Refused::here(unknown.into())));
        };
        Ok(Ok(record_signatures(rules, &self.chain, record, &keys, 0)))
    }

    /// Not waiting already, and room for it.
    fn check_room(&self, id: &RecordId, record: &Record) -> Result<(), Refused> {
        if let Some(old) = self.pool.get(id)
            && record.envelope.expiry_height <= old.record.envelope.expiry_height
        {
            return Err(Refused::here(SubmitError::Pending(*id)));
        }
        self.pool
            .room_for(id, &record.content.uploader, record.encoded_len())
            .map_err(|problem| Refused::here(SubmitError::Full(problem)))
    }

    /// Whether it could stand, alone, in the next block.
    fn check_place(&self, record: &Record) -> Result<Result<(), Violation>, StorageError> {
        let (height, time_ms) = self.next_place();
        let (rules, params) = (&self.config.rules, &self.config.params);
        let mut next = Candidate::new(rules, params, &self.store, height, time_ms);
        match next.push(record) {
            Ok(()) => Ok(Ok(())),
            Err(ApplyError::Violation(violation)) => Ok(Err(violation)),
            Err(ApplyError::State(error)) => Err(error),
        }
    }

    /// Height and stamp of the next block, were it made now: max(now, parent + 1).
    pub(super) fn next_place(&self) -> (u64, u64) {
        let parent_ms = self.tree.get(&self.tip()).map_or(0, |tip| tip.header.time_ms);
        (self.height() + 1, self.now_ms.max(parent_ms + 1))
    }

    pub(super) fn on_record_verified(&mut self, job: RecordJob, result: Result<(), usize>) -> Result<(), StorageError> {
        let RecordJob { id, wire, record, source, pending } = job;
        if let Err(bad) = result {
            let violation = pending
                .get(bad)
                .map_or_else(|| Violation::new("R-SIG", "a signature does not verify"), PendingSignature::violation);
            self.refuse(id, wire, source, Refused::fault(violation));
            return Ok(());
        }
        // The tip or the pool may have changed meanwhile.
        if let Err(refused) = self.check_room(&id, &record) {
            self.refuse(id, wire, source, refused);
            return Ok(());
        }
        if let Err(violation) = self.check_place(&record)? {
            self.refuse(id, wire, source, Refused::here(violation.into()));
            return Ok(());
        }
        self.admit(id, wire, record, source)
    }

    /// Into the store, then the pool, then to whoever waits: what is acknowledged survives a power cut.
    fn admit(&mut self, id: RecordId, wire: WireId, record: Record, source: RecordSource) -> Result<(), StorageError> {
        let pooled = Pooled {
            id,
            wire,
            bytes: record.encoded_len(),
            record: Arc::new(record),
            sequence: self.pool.next_sequence(),
            received_ms: self.now_ms,
            offered_ms: self.now_ms,
        };
        let entry = super::reorg_pool::entry(&pooled);
        let stored = match source {
            RecordSource::Submit(_) => self.store_watched(entry),
            // Nobody was promised anything.
            RecordSource::Gossip(..) | RecordSource::Asked(_) => self.store.put_pool(&entry),
        };
        if let Err(error) = stored {
            let refused = Refused::here(SubmitError::Storage(error.to_string()));
            self.refuse(id, wire, source, refused);
            return Err(error);
        }
        let bytes = pooled.record.encode();
        self.pool.insert(pooled);
        self.templates.pool_grew();
        self.event(Event::Pooled { record: id });
        match source {
            RecordSource::Submit(ticket) => self.out(Output::Submitted { ticket, result: Ok(id) }),
            RecordSource::Gossip(_, message) => self.verdict(Some(message), Verdict::Accept),
            RecordSource::Asked(_) => {}
        }
        if !matches!(source, RecordSource::Gossip(..)) {
            self.out(Output::Publish { topic: Topic::Records, bytes });
        }
        Ok(())
    }

    /// A record submitted here: in the pool, and what becomes of it is noted.
    fn store_watched(&mut self, entry: PoolEntry) -> Result<(), StorageError> {
        let notes = self.watch.begun(&entry.record.id(&self.chain), self.now_ms);
        let reorg = Reorg { pool_add: vec![entry], watched: notes.clone(), ..Reorg::default() };
        self.store.commit(&reorg, Durability::Synced)?;
        self.watch.take(notes);
        Ok(())
    }

    fn refuse(&mut self, id: RecordId, wire: WireId, source: RecordSource, refused: Refused) {
        let Refused { error, fault } = refused;
        let blame = |core: &mut Self, peer| {
            if fault {
                core.fault(peer, &format!("sent record {id}: {error}"));
            }
        };
        match source {
            RecordSource::Submit(ticket) => self.out(Output::Submitted { ticket, result: Err(error) }),
            RecordSource::Gossip(peer, message) => {
                self.verdict(Some(message), if fault { Verdict::Reject } else { Verdict::Ignore });
                blame(self, peer);
            }
            RecordSource::Asked(peer) => {
                self.refused.insert(wire);
                if self.refused.len() > limits::REFUSED_RECORDS_MAX {
                    self.refused.pop_first();
                }
                blame(self, peer);
            }
        }
    }

    /// The store failed while its signatures were out.
    pub(super) fn refuse_failed(&mut self, job: RecordJob, problem: &str) {
        let refused = Refused::here(SubmitError::Storage(problem.to_owned()));
        self.refuse(job.id, job.wire, job.source, refused);
    }

    /// Gossips again what has waited for long: perhaps nobody heard it.
    pub(super) fn reoffer_records(&mut self) {
        if self.now_ms < self.timers.reoffer_ms {
            return;
        }
        self.timers.reoffer_ms = self.now_ms + limits::REOFFER_INTERVAL_MS;
        let before = self.now_ms.saturating_sub(limits::REOFFER_MS);
        let old: Vec<_> =
            self.pool.iter().filter(|p| p.offered_ms <= before).take(limits::REOFFERED_RECORDS_MAX).collect();
        let old: Vec<_> = old.into_iter().map(|p| (p.id, p.record.encode())).collect();
        for (id, bytes) in old {
            self.pool.offered(&id, self.now_ms);
            self.out(Output::Publish { topic: Topic::Records, bytes });
        }
    }
}
