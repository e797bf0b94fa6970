//! What waits in the pools of our peers: asked for after their first status and now and then, so that a record nobody
//! relayed to us is offered again.

use super::admission::RecordSource;
use super::{NodeCore, Output, Peer, RequestError, RequestId, limits};
use medring_protocol::WireId;
use medring_protocol::record::Record;
use medring_protocol::wire::{Request, Response};
use medring_storage::{Engine, StorageError};
use std::collections::{BTreeSet, VecDeque};

/// The exchange with one peer: one question at a time.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// From which sequence number on its next question for our inventory is answered.
    pub(super) cursor: u64,
    /// When its inventory is asked for next.
    next_ms: u64,
    asked: Option<Asked>,
    /// Records it has and we do not, at most [`limits::WANTED_RECORDS_MAX`].
    wanted: VecDeque<WireId>,
}

#[derive(Debug)]
struct Asked {
    id: RequestId,
    deadline_ms: u64,
    /// Empty: the inventory.
    records: Vec<WireId>,
}

impl Exchange {
    pub(super) fn due_ms(&self) -> u64 {
        self.asked.as_ref().map_or(self.next_ms, |asked| asked.deadline_ms)
    }

    /// The moments kept here.
    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        std::iter::once(&mut self.next_ms).chain(self.asked.as_mut().map(|asked| &mut asked.deadline_ms))
    }

    /// It did not answer.
    fn give_up(&mut self, now_ms: u64) {
        self.asked = None;
        self.wanted.clear();
        self.next_ms = now_ms + limits::POOL_INTERVAL_MS;
    }

    /// Entries of its tables.
    pub(super) fn len(&self) -> usize {
        self.wanted.len() + self.asked.as_ref().map_or(0, |asked| asked.records.len())
    }
}

impl<E: Engine> NodeCore<E> {
    /// Asks whoever is due.
    pub(super) fn drive_exchange(&mut self) {
        let now_ms = self.now_ms;
        let due = |state: &super::peers::PeerState| {
            let exchange = &state.exchange;
            let idle = exchange.asked.is_none() && !exchange.wanted.is_empty();
            state.is_ready() && (idle || exchange.due_ms() <= now_ms)
        };
        let due: Vec<Peer> = self.peers.iter().filter(|(_, state)| due(state)).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.exchange_with(peer);
        }
    }

    fn exchange_with(&mut self, peer: Peer) {
        let now_ms = self.now_ms;
        // Records are judged by the tip: far behind, most would be refused.
        let behind = self.is_behind();
        let Some(exchange) = self.peers.get_mut(&peer).map(|state| &mut state.exchange) else { return };
        if exchange.asked.is_some() {
            exchange.give_up(now_ms);
            return;
        }
        if behind {
            exchange.wanted.clear();
            exchange.next_ms = now_ms + limits::POOL_INTERVAL_MS / 10;
            return;
        }
        let records = self.next_wanted(peer);
        let id = self.next_request();
        let Some(exchange) = self.peers.get_mut(&peer).map(|state| &mut state.exchange) else { return };
        if records.is_empty() && now_ms < exchange.next_ms {
            return;
        }
        let deadline_ms = now_ms + limits::REQUEST_TIMEOUT_MS;
        exchange.asked = Some(Asked { id, deadline_ms, records: records.clone() });
        let request = if records.is_empty() {
            exchange.next_ms = now_ms + limits::POOL_INTERVAL_MS;
            Request::Pool
        } else {
            Request::Records { ids: records }
        };
        self.out(Output::Ask { peer, id, request });
    }

    /// The next of its records that we still want and ask nobody else for.
    fn next_wanted(&mut self, peer: Peer) -> Vec<WireId> {
        let asked = self.peers.values().filter_map(|state| state.exchange.asked.as_ref());
        let elsewhere: BTreeSet<WireId> = asked.flat_map(|asked| asked.records.iter().copied()).collect();
        let Some(exchange) = self.peers.get_mut(&peer).map(|state| &mut state.exchange) else { return Vec::new() };
        let mut records = Vec::new();
        while records.len() < Request::RECORDS_MAX
            && let Some(wire) = exchange.wanted.pop_front()
        {
            if self.pool.by_wire(&wire).is_none() && !elsewhere.contains(&wire) {
                records.push(wire);
            }
        }
        records
    }

    pub(super) fn on_exchange_response(
        &mut self,
        peer: Peer,
        id: RequestId,
        response: Result<Response, RequestError>,
    ) -> Result<(), StorageError> {
        let now_ms = self.now_ms;
        let Some(exchange) = self.peers.get_mut(&peer).map(|state| &mut state.exchange) else { return Ok(()) };
        let Some(asked) = exchange.asked.take_if(|asked| asked.id == id) else { return Ok(()) };
        match response {
            Err(_) => exchange.give_up(now_ms),
            Ok(Response::Pool(ids)) if asked.records.is_empty() => {
                let (pool, refused) = (&self.pool, &self.refused);
                let new = ids.into_iter().filter(|wire| pool.by_wire(wire).is_none() && !refused.contains(wire));
                exchange.wanted = new.take(limits::WANTED_RECORDS_MAX).collect();
            }
            Ok(Response::Records(records)) if !asked.records.is_empty() => {
                return self.take_records(peer, &asked.records, records);
            }
            Ok(_) => self.fault(peer, "answered another question than was asked"),
        }
        Ok(())
    }

    fn take_records(&mut self, peer: Peer, asked: &[WireId], records: Vec<Record>) -> Result<(), StorageError> {
        let mut rest = asked;
        for record in records {
            let wire = record.wire_id(&self.chain);
            // In the order asked; what is skipped is not in its pool any more.
            let Some(at) = rest.iter().position(|id| *id == wire) else {
                self.fault(peer, "sent a record that was not asked for");
                return Ok(());
            };
            rest = &rest[at + 1..];
            self.take_record(record, RecordSource::Asked(peer))?;
        }
        // The answer may have been cut for length; if it was empty there is no more.
        if rest.len() < asked.len()
            && let Some(state) = self.peers.get_mut(&peer)
        {
            for wire in rest.iter().rev() {
                state.exchange.wanted.push_front(*wire);
            }
        }
        Ok(())
    }
}
