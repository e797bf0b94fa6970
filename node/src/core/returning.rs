//! Records of left blocks on their way back to the pool. None is lost by a fork: what finds no room waits on disk, as the
//! place of the branch that holds it ([`Leftover`]), and returns when there is room; what can never be mined is reported.

use super::mempool::Pooled;
use super::reorg_pool::entry;
use super::start::expired;
use super::watch::{Notes, dropped};
use super::{Event, Flaw, NodeCore, limits};
use medring_protocol::block::Header;
use medring_protocol::chain::StateRead;
use medring_protocol::record::Record;
use medring_protocol::{BlockId, RecordId};
use medring_storage::{Durability, Engine, Fate, Leftover, Reorg, ReorgReport, StorageError};
use std::sync::Arc;

/// What one batch brings back.
struct Returns {
    returned: Vec<Pooled>,
    bytes: usize,
    dropped: Vec<(RecordId, String)>,
    notes: Notes,
    /// `None`: so many reorganisations followed that it was forgotten.
    report: Option<ReorgReport>,
}

/// What became of one record of a left block.
enum Found {
    /// Counted, and the next one's turn.
    Done,
    /// There is no room for it.
    Full,
}

impl<E: Engine> NodeCore<E> {
    /// Brings back what has room, oldest branch and lowest block first.
    pub(super) fn return_records(&mut self) -> Result<(), StorageError> {
        if self.config.flaw == Some(Flaw::ForgetsLeftRecords) {
            return Ok(());
        }
        while let Some((number, leftover)) = self.leftovers.first_key_value().map(|(n, l)| (*n, *l)) {
            // Too many branches wait for room: what is left of the oldest is given up, and reported.
            let give_up = self.leftovers.len() > limits::LEFTOVERS_MAX;
            let (left, returns) = self.next_returns(leftover, give_up)?;
            if left == Some(leftover) {
                break;
            }
            let Returns { returned, dropped, report, notes, .. } = returns;
            let reorg = Reorg {
                pool_add: returned.iter().map(entry).collect(),
                leftovers: vec![(number, left)],
                watched: notes.clone(),
                reports: report.map(|report| (leftover.reorg, Some(report))).into_iter().collect(),
                ..Reorg::default()
            };
            self.store.commit(&reorg, Durability::Buffered)?;
            match left {
                Some(left) => self.leftovers.insert(number, left),
                None => self.leftovers.remove(&number),
            };
            self.watch.take(notes);
            self.take_returned(returned, dropped);
        }
        Ok(())
    }

    fn take_returned(&mut self, returned: Vec<Pooled>, dropped: Vec<(RecordId, String)>) {
        for (record, reason) in dropped {
            self.event(Event::Dropped { record, reason });
        }
        if !returned.is_empty() {
            // Other pools may never have had them: due at once.
            self.timers.reoffer_ms = self.now_ms;
        }
        for pooled in returned {
            self.pool.insert(pooled);
        }
    }

    /// Looks at records from where `leftover` stands, up to a batch; returns where it stands then, `None` at its end.
    fn next_returns(&self, leftover: Leftover, give_up: bool) -> Result<(Option<Leftover>, Returns), StorageError> {
        let report = self.store.reorg(leftover.reorg)?;
        let mut out = Returns { returned: Vec::new(), bytes: 0, dropped: Vec::new(), notes: Notes::new(), report };
        let mut at = leftover;
        for id in self.branch_from(&leftover) {
            let block = self.stored_block(&id)?;
            let first = usize::try_from(at.index).unwrap_or(usize::MAX);
            for record in block.records.iter().skip(first) {
                if out.bytes >= limits::RETURN_BATCH_BYTES {
                    return Ok((Some(at), out));
                }
                match self.look_at(&mut out, &block.header, record, give_up)? {
                    Found::Done => at.index += 1,
                    Found::Full => return Ok((Some(at), out)),
                }
            }
            at = Leftover { height: block.header.height + 1, index: 0, ..at };
        }
        Ok((None, out))
    }

    /// Blocks of a left branch that are still to be looked at and are not on the best chain again, lowest first.
    pub(super) fn branch_from(&self, leftover: &Leftover) -> Vec<BlockId> {
        let mut ids = Vec::new();
        let mut at = leftover.tip;
        while let Some(node) = self.tree.get(&at).filter(|node| node.header.height >= leftover.height) {
            if self.is_active(&at) {
                break;
            }
            ids.push(at);
            at = node.header.prev;
        }
        ids.reverse();
        ids
    }

    fn look_at(
        &self,
        out: &mut Returns,
        header: &Header,
        record: &Record,
        give_up: bool,
    ) -> Result<Found, StorageError> {
        let id = record.id(&self.chain);
        if self.store.location(&id)?.is_some() {
            out.count(|report| report.confirmed_again += 1);
            return Ok(Found::Done);
        }
        if self.pool.get(&id).is_some() {
            return Ok(Found::Done);
        }
        let (next, time_ms) = self.next_place();
        let never = if record.envelope.expiry_height < next {
            Some(expired(record.envelope.expiry_height))
        } else {
            self.conflict(&self.store, &id, record, next, time_ms)?
        };
        let bytes = record.encoded_len();
        let room = self.pool.room_for_returned(out.returned.len() + 1, out.bytes + bytes);
        let full = || "left the chain in a fork, and the pool is full; submit it again".to_owned();
        match never.or_else(|| (give_up && !room).then(full)) {
            Some(reason) => {
                out.count(|report| report.dropped += 1);
                out.notes.extend(self.watch.noted(&id, self.now_ms, dropped(&reason)));
                out.dropped.push((id, reason));
            }
            None if room => {
                let back = Fate::WentBack { block: header.id(), height: header.height };
                let noted = self.watch.noted(&id, self.now_ms, back);
                out.name(noted.as_ref().map(|_| id));
                out.notes.extend(noted);
                out.take(self, id, record, bytes);
            }
            None => return Ok(Found::Full),
        }
        Ok(Found::Done)
    }
}

impl Returns {
    fn count(&mut self, what: impl FnOnce(&mut ReorgReport)) {
        if let Some(report) = &mut self.report {
            what(report);
        }
    }

    /// Names one of our own records in the report.
    fn name(&mut self, own: Option<RecordId>) {
        if let (Some(report), Some(id)) = (&mut self.report, own)
            && report.own.len() < ReorgReport::OWN_MAX
        {
            report.own.push(id);
        }
    }

    fn take<E: Engine>(&mut self, core: &NodeCore<E>, id: RecordId, record: &Record, bytes: usize) {
        self.count(|report| report.returned += 1);
        self.bytes += bytes;
        self.returned.push(Pooled {
            id,
            wire: record.wire_id(&core.chain),
            record: Arc::new(record.clone()),
            bytes,
            sequence: core.pool.next_sequence() + self.returned.len() as u64,
            received_ms: core.now_ms,
            offered_ms: 0,
        });
    }
}
