//! Headers: from one peer at first, from a few if that one comes to no end. A branch that has not shown enough work is
//! weighed (`protocol::chain::Presync`) and asked for a second time before any of it is stored.

use super::super::peers::PeerState;
use super::super::{Event, NodeCore, Output, Peer, RequestId, limits};
use super::intake::{Stopped, Taken, own_work};
use super::mix;
use medring_protocol::BlockId;
use medring_protocol::block::Header;
use medring_protocol::chain::{Presync, Redownload};
use medring_protocol::limits::{HEADERS_PER_MESSAGE_MAX, LOCATOR_ENTRIES_MAX};
use medring_protocol::pow::Work;
use medring_protocol::wire::Request;
use medring_storage::{Engine, StorageError};
use std::collections::BTreeMap;

/// Everybody who is asked for headers.
#[derive(Debug, Default)]
pub(super) struct HeaderRuns {
    runs: BTreeMap<Peer, Run>,
    /// When the last one began.
    started_ms: u64,
}

/// One peer's headers, message by message. At most 128 KiB, while it is weighed.
#[derive(Debug)]
struct Run {
    id: RequestId,
    /// Of the answer under way.
    deadline_ms: u64,
    /// Of the whole run.
    limit_ms: u64,
    /// The last header of the message before, if it was stored.
    last: Option<BlockId>,
    /// The known block after which weighing began, and begins again.
    anchor: BlockId,
    stage: Stage,
}

/// What becomes of its headers.
#[derive(Debug)]
enum Stage {
    /// They are stored.
    Storing,
    /// They are checked, weighed and forgotten.
    Weighing(Presync),
    /// They have shown enough work, come a second time and are stored.
    Again(Redownload),
}

/// What follows from a message of headers.
enum Next {
    /// The next message, after these entries of a locator.
    More(Box<Run>, Vec<BlockId>),
    /// It has no more; this is its last.
    Done(BlockId),
    /// It had nothing for us.
    Nothing,
    /// It follows a branch whose block at this height the operator does not want.
    Excluded(u64),
    /// A rule was broken.
    Fault(String),
}

impl HeaderRuns {
    pub(super) fn awaits(&self, peer: Peer, request: RequestId) -> bool {
        self.runs.get(&peer).is_some_and(|run| run.id == request)
    }

    pub(super) fn forget(&mut self, peer: Peer) {
        self.runs.remove(&peer);
    }

    /// Whether anybody is being asked.
    pub(super) fn is_busy(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Peers that are being asked.
    pub(super) fn peers(&self) -> impl Iterator<Item = Peer> {
        self.runs.keys().copied()
    }

    pub(super) fn moments(&mut self) -> impl Iterator<Item = &mut u64> {
        let runs = self.runs.values_mut().flat_map(|run| [&mut run.deadline_ms, &mut run.limit_ms]);
        runs.chain([&mut self.started_ms])
    }
}

impl<E: Engine> NodeCore<E> {
    pub(super) fn drive_headers(&mut self) {
        let now_ms = self.now_ms;
        let late = |run: &Run| run.deadline_ms.min(run.limit_ms) <= now_ms;
        let late: Vec<Peer> =
            self.sync.headers.runs.iter().filter(|(_, run)| late(run)).map(|(peer, _)| *peer).collect();
        for peer in late {
            self.headers_timed_out(peer);
        }
        while self.may_ask_another()
            && let Some(peer) = self.next_for_headers()
        {
            self.start_headers(peer);
        }
    }

    /// One at first; another one when the last has had its time.
    fn may_ask_another(&self) -> bool {
        let HeaderRuns { runs, started_ms } = &self.sync.headers;
        runs.is_empty()
            || runs.len() < limits::HEADER_PEERS_MAX && started_ms + limits::HEADERS_PATIENCE_MS <= self.now_ms
    }

    pub(super) fn headers_due_ms(&self) -> Option<u64> {
        let HeaderRuns { runs, started_ms } = &self.sync.headers;
        let ends = runs.values().map(|run| run.deadline_ms.min(run.limit_ms)).min();
        let wanted = || self.peers.iter().filter(|(peer, state)| self.lacks_headers_of(**peer, state));
        let next = if runs.is_empty() {
            wanted().filter_map(|(_, state)| state.headers.ends_ms(self.now_ms)).min()
        } else if runs.len() < limits::HEADER_PEERS_MAX {
            let patience_ms = started_ms + limits::HEADERS_PATIENCE_MS;
            let ready_ms = |state: &PeerState| state.headers.ends_ms(self.now_ms).unwrap_or(0).max(patience_ms);
            wanted().map(|(_, state)| ready_ms(state)).min()
        } else {
            None
        };
        ends.into_iter().chain(next).min()
    }

    /// Whether a peer says it is on a better branch than ours, and we do not know its headers.
    fn lacks_headers_of(&self, peer: Peer, state: &PeerState) -> bool {
        if !state.is_ready() || self.sync.headers.runs.contains_key(&peer) {
            return false;
        }
        let unknown = |tip: &BlockId| self.tree.get(tip).is_none_or(|node| node.invalid);
        let better = state.status.as_ref().is_some_and(|s| unknown(&s.tip) && self.work_of(s) > self.work());
        state.hint || better
    }

    /// The peer with most work; among equals the seed decides.
    fn next_for_headers(&self) -> Option<Peer> {
        let wanted = |(peer, state): &(&Peer, &PeerState)| {
            state.headers.is_over(self.now_ms) && self.lacks_headers_of(**peer, state)
        };
        let rank = |(peer, state): &(&Peer, &PeerState)| {
            let work = state.status.as_ref().map_or_else(Work::default, |status| self.work_of(status));
            (work, mix(self.config.seed ^ peer.0))
        };
        self.peers.iter().filter(wanted).max_by_key(rank).map(|(peer, _)| *peer)
    }

    /// Whether somebody who has not failed yet says it has more work than `work`, and has not shown all of its headers.
    pub(super) fn may_have_more_than(&self, work: &Work) -> bool {
        let more = |(peer, state): (&Peer, &PeerState)| {
            let claims = state.status.as_ref().is_some_and(|status| self.work_of(status) > *work);
            let asked = self.sync.headers.runs.contains_key(peer);
            state.is_ready() && claims && (asked || !state.headers.has_failed() && self.lacks_headers_of(*peer, state))
        };
        self.peers.iter().any(more)
    }

    fn start_headers(&mut self, peer: Peer) {
        let now_ms = self.now_ms;
        let tip = self.peers.get(&peer).and_then(|state| state.status.as_ref()).map(|status| status.tip);
        match tip.and_then(|tip| Some((tip, self.tree.get(&tip)?))) {
            Some((_, node)) if node.vetoed => {
                let height = node.header.height;
                return self.headers_excluded(peer, height);
            }
            Some((tip, node)) if node.invalid => {
                return self.fault(peer, &format!("is on block {tip}, which is invalid"));
            }
            _ => {}
        }
        let best = self.tree.get(&self.tree.best_header()).map_or(now_ms, |node| node.header.time_ms);
        let likely = now_ms.saturating_sub(best) / self.config.params.target_spacing_ms.max(1);
        self.sync.headers.started_ms = now_ms;
        let limit_ms = now_ms + limits::HEADERS_TIME_MS + likely;
        let run =
            Run { id: RequestId(0), deadline_ms: 0, limit_ms, last: None, anchor: self.tip(), stage: Stage::Storing };
        let locator = self.tree.locator(&self.tree.best_header());
        self.ask_for_headers(peer, run, locator);
    }

    fn ask_for_headers(&mut self, peer: Peer, mut run: Run, locator: Vec<BlockId>) {
        run.id = self.next_request();
        run.deadline_ms = self.now_ms + limits::REQUEST_TIMEOUT_MS;
        self.out(Output::Ask { peer, id: run.id, request: Request::Headers { locator } });
        self.sync.headers.runs.insert(peer, run);
    }

    /// The peer did not answer in time: it is likely to be slow with bodies, too.
    pub(super) fn headers_timed_out(&mut self, peer: Peer) {
        self.headers_failed(peer, limits::TIMEOUT_FAILURES);
        self.bodies_failed(peer, limits::TIMEOUT_FAILURES);
    }

    /// It did not answer, or had nothing: the next one's turn. What it gave is kept.
    fn headers_failed(&mut self, peer: Peer, failures_min: u32) {
        self.sync.headers.forget(peer);
        let now_ms = self.now_ms;
        if let Some(state) = self.peers.get_mut(&peer) {
            state.hint = false;
            state.headers.failed(now_ms, failures_min);
        }
    }

    pub(super) fn take_headers(&mut self, peer: Peer, headers: &[Header]) -> Result<(), StorageError> {
        let Some(run) = self.sync.headers.runs.remove(&peer) else { return Ok(()) };
        match self.judge_headers(run, headers)? {
            Next::More(run, locator) => self.ask_for_headers(peer, *run, locator),
            Next::Done(last) => self.headers_done(peer, last),
            Next::Nothing => self.headers_failed(peer, 0),
            Next::Excluded(height) => self.headers_excluded(peer, height),
            Next::Fault(reason) => self.fault(peer, &reason),
        }
        Ok(())
    }

    /// Not its fault: the operator decides which branch this node may be on.
    fn headers_excluded(&mut self, peer: Peer, height: u64) {
        let told = self.peers.get(&peer).is_some_and(|state| state.headers.has_failed());
        self.headers_failed(peer, limits::TIMEOUT_FAILURES);
        if !told {
            let text = "which chain.checkpoints exclude; compare them with its operator's";
            self.event(Event::Warning(format!(
                "peer {} is on a branch with a block at height {height} {text}",
                peer.0
            )));
        }
    }

    /// All its headers are known: its bodies may be asked for.
    fn headers_done(&mut self, peer: Peer, last: BlockId) {
        let better = self.tree.get(&last).is_some_and(|node| !node.invalid && node.work > self.work());
        if !better {
            return self.headers_failed(peer, 0);
        }
        if let Some(state) = self.peers.get_mut(&peer) {
            state.hint = false;
            state.has = Some(last);
            state.headers.succeeded();
        }
    }

    fn judge_headers(&mut self, run: Run, headers: &[Header]) -> Result<Next, StorageError> {
        if headers.len() > HEADERS_PER_MESSAGE_MAX {
            return Ok(Next::Fault(format!("sent {} headers at once", headers.len())));
        }
        if headers.windows(2).any(|pair| pair[0].id() != pair[1].prev) {
            return Ok(Next::Fault("sent headers that do not follow each other".into()));
        }
        let Some(last) = headers.last().map(Header::id) else { return Ok(Next::Nothing) };
        let Run { stage, .. } = run;
        let run = Run { stage: Stage::Storing, ..run };
        match stage {
            Stage::Storing => self.take_or_weigh(run, headers),
            Stage::Weighing(presync) => Ok(self.weigh(run, presync, headers)),
            Stage::Again(mut again) => {
                if !again.matches(&last) {
                    // It left that branch meanwhile, or never meant it.
                    return Ok(Next::Nothing);
                }
                let stage = if again.is_done() { Stage::Storing } else { Stage::Again(again) };
                self.store_message(Run { stage, ..run }, headers)
            }
        }
    }

    /// Stores headers whose branch has enough work. One that has not and goes on is weighed; one that ends is left.
    fn take_or_weigh(&mut self, run: Run, headers: &[Header]) -> Result<Next, StorageError> {
        let first_new = headers.iter().position(|header| self.tree.get(&header.id()).is_none());
        let Some(new) = first_new.and_then(|at| headers.get(at..)) else { return self.store_message(run, headers) };
        let Some(parent) = new.first().and_then(|first| self.tree.get(&first.prev)) else {
            return Ok(Next::Fault("sent headers that follow nothing we asked about".into()));
        };
        let mut work = parent.work.clone();
        for header in new {
            let id = header.id();
            if let Err(error) = self.config.rules.check_pow(header, &id) {
                return Ok(Next::Fault(format!("sent header {id}: {error}")));
            }
            work = work.plus(&own_work(header));
        }
        if work >= self.work_needed() {
            return self.store_message(run, headers);
        }
        if headers.len() < HEADERS_PER_MESSAGE_MAX {
            return Ok(Next::Nothing);
        }
        let (presync, anchor) = (Presync::new(parent), headers.first().map_or(run.anchor, |first| first.prev));
        Ok(self.weigh(Run { anchor, ..run }, presync, new))
    }

    /// The first pass over a branch that has not shown enough work yet.
    fn weigh(&self, run: Run, mut presync: Presync, headers: &[Header]) -> Next {
        if headers.iter().any(|header| header.time_ms > self.latest_stamp_ms()) {
            return Next::Nothing;
        }
        if let Some(header) = headers.iter().find(|header| self.contradicts_checkpoint(header.height, &header.id())) {
            return Next::Excluded(header.height);
        }
        if let Err(error) = presync.take(&self.config.rules, &self.config.params, headers) {
            return Next::Fault(format!("sent headers after {}: {error}", presync.last_id()));
        }
        // The same question twice gives the same messages twice.
        let mut locator = self.tree.locator(&run.anchor);
        if *presync.work() >= self.work_needed() {
            return Next::More(Box::new(Run { stage: Stage::Again(presync.again()), last: None, ..run }), locator);
        }
        if headers.len() < HEADERS_PER_MESSAGE_MAX || presync.is_full() {
            return Next::Nothing;
        }
        locator.truncate(LOCATOR_ENTRIES_MAX - 1);
        locator.insert(0, presync.last_id());
        Next::More(Box::new(Run { stage: Stage::Weighing(presync), last: None, ..run }), locator)
    }

    fn store_message(&mut self, run: Run, headers: &[Header]) -> Result<Next, StorageError> {
        let Taken { last, stopped } = self.store_headers(headers)?;
        match (stopped, last) {
            (Some(Stopped::Bad(id, error)), _) => return Ok(Next::Fault(format!("sent header {id}: {error}"))),
            (Some(Stopped::Unwanted(height)), _) => return Ok(Next::Excluded(height)),
            (_, None) => return Ok(Next::Nothing),
            (Some(Stopped::Future), Some(last)) => return Ok(Next::Done(last)),
            (None, Some(_)) => {}
        }
        let Some(last) = last else { return Ok(Next::Nothing) };
        let height = |id: &BlockId| self.tree.get(id).map_or(0, |node| node.header.height);
        if run.last.is_some_and(|before| height(&last) <= height(&before)) {
            // It left that branch, or leads us in circles.
            return Ok(Next::Nothing);
        }
        if headers.len() < HEADERS_PER_MESSAGE_MAX {
            return Ok(Next::Done(last));
        }
        let locator = self.tree.locator(&last);
        Ok(Next::More(Box::new(Run { last: Some(last), ..run }), locator))
    }
}
