//! The node without sockets, clock and randomness: inputs in, outputs out (docs/architecture.md).
//!
//! [`NodeCore::handle`] takes an [`Input`] and the time; [`NodeCore::poll_output`] then gives every [`Output`] that came of
//! it, in order. Whoever drives a core calls it with [`Input::Tick`] when [`NodeCore::next_deadline`] has come. Equal inputs
//! at equal times give equal outputs, byte for byte. Commits are synchronous: what an output acknowledges is stored.

mod admission;
mod blocks;
mod chain_manager;
mod config;
mod exchange;
mod held;
mod import;
mod io;
pub mod limits;
mod mempool;
mod operator;
mod peers;
mod relay;
mod relay_out;
mod relay_recent;
mod reorg_pool;
mod returning;
mod serve;
mod side;
mod snapshot;
mod start;
mod sync;
mod template;
mod timers;
mod watch;

pub use config::{CoreConfig, Flaw, PoolLimits, SideLimits};
pub use import::{ImportRefusal, Imported};
pub use io::{
    Event, Input, JobId, MessageId, Output, Peer, RequestError, RequestId, SubmitError, Template, Ticket, Topic,
    Verdict,
};
pub use operator::{BlockState, OperatorAnswer, OperatorCommand, OperatorError, TreeBlock};
pub use snapshot::{DeepReorg, OrphanBlock, PeerSnapshot, Snapshot, SyncPhase, SyncSnapshot, TableSizes};

use blocks::BlockJob;
use held::{Held, HeldBlock};
use medring_protocol::chain::HeaderTree;
use medring_protocol::{BlockId, ChainId};
use medring_storage::{ChainStore, Engine, Journal, Leftover, StorageError};
use mempool::Mempool;
use std::collections::{BTreeMap, VecDeque};
use timers::Timers;

/// Signature work that has left and will come back.
#[derive(Debug)]
enum Job {
    Block(Box<BlockJob>),
    Record(Box<admission::RecordJob>),
}

/// The core of one node over one store. It is the store's only writer.
#[derive(Debug)]
pub struct NodeCore<E> {
    config: CoreConfig,
    chain: ChainId,
    store: ChainStore<E>,
    tree: HeaderTree,
    /// Ids of the best chain by height, as committed.
    active: Vec<BlockId>,
    now_ms: u64,
    outputs: VecDeque<Output>,
    peers: BTreeMap<Peer, peers::PeerState>,
    jobs: BTreeMap<JobId, Job>,
    /// Blocks whose signatures are being verified.
    verifying: BTreeMap<BlockId, JobId>,
    /// Blocks to be looked at in this very call.
    ready: VecDeque<HeldBlock>,
    held: Held,
    relay: relay::Relay,
    /// Who gave us blocks that are stored and not connected yet.
    sources: BTreeMap<BlockId, Peer>,
    pool: Mempool,
    refused: std::collections::BTreeSet<medring_protocol::WireId>,
    sync: sync::Sync,
    templates: template::Templates,
    timers: Timers,
    next_job: u64,
    next_request: u64,
    /// A reorganisation of several steps is under way.
    journal: Option<Journal>,
    /// Left branches whose records still have to return, as stored.
    leftovers: BTreeMap<u64, Leftover>,
    /// Number of the next reorganisation's report.
    next_reorg: u64,
    /// The last reorganisation deeper than D.
    alarm: Option<DeepReorg>,
    watch: watch::Watch,
    side: side::SideBodies,
    /// Blocks committed since the last synced commit.
    unsynced_blocks: u64,
    /// Why the store failed; nothing is done after that.
    failed: Option<String>,
}

impl<E: Engine> NodeCore<E> {
    /// Takes an input. What comes of it waits in [`Self::poll_output`].
    ///
    /// After [`Event::Fatal`] nothing is done any more, but that submissions and the operator are refused.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        if now_ms + limits::CLOCK_STEP_MS < self.now_ms {
            self.clock_went_back(self.now_ms - now_ms);
        }
        self.now_ms = now_ms;
        if let Some(problem) = &self.failed {
            match input {
                Input::Submit { ticket, .. } => {
                    let result = Err(SubmitError::Storage(problem.clone()));
                    self.outputs.push_back(Output::Submitted { ticket, result });
                }
                Input::Operator { ticket, .. } => {
                    let result = Err(OperatorError::Stopping);
                    self.outputs.push_back(Output::Operated { ticket, result });
                }
                _ => {}
            }
            return;
        }
        let done = self.dispatch(input).and_then(|()| self.settle());
        if let Err(error) = done {
            self.fail(&error);
        }
    }

    /// The next thing to do, if any.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn dispatch(&mut self, input: Input) -> Result<(), StorageError> {
        match input {
            Input::Tick => Ok(()),
            Input::Connected { peer } => {
                self.on_connected(peer);
                Ok(())
            }
            Input::Disconnected { peer } => {
                self.on_disconnected(peer);
                Ok(())
            }
            Input::Status { peer, status } => {
                self.on_status(peer, status);
                Ok(())
            }
            Input::Request { peer, id, request } => self.on_request(peer, id, request),
            Input::Response { peer, id, response } => self.on_response(peer, id, response),
            Input::Gossip { peer, message, topic: Topic::Blocks, bytes } => {
                self.on_gossiped_block(peer, message, &bytes)
            }
            Input::Gossip { peer, message, topic: Topic::CompactBlocks, bytes } => {
                self.on_compact_block(peer, message, &bytes)
            }
            Input::Gossip { peer, message, topic: Topic::Records, bytes } => {
                self.on_gossiped_record(peer, message, &bytes)
            }
            Input::Verified { job, result } => self.on_verified(job, result),
            Input::Submit { ticket, record } => self.on_submit(ticket, *record),
            Input::Remake => {
                self.templates.outdated();
                Ok(())
            }
            Input::Mined { header } => self.on_mined(header),
            Input::Operator { ticket, command } => self.on_operator(ticket, command),
        }
    }

    /// After every input: what is due by now, and what the input made possible.
    fn settle(&mut self) -> Result<(), StorageError> {
        self.release_future_blocks();
        self.drive_relay();
        self.process_ready_blocks()?;
        self.drive_sync()?;
        self.drive_exchange();
        self.drive_peers();
        self.reoffer_records();
        self.refresh_template()
    }

    fn on_verified(&mut self, job: JobId, result: Result<(), usize>) -> Result<(), StorageError> {
        match self.jobs.remove(&job) {
            Some(Job::Block(block)) => self.on_block_verified(*block, result),
            Some(Job::Record(record)) => self.on_record_verified(*record, result),
            None => Ok(()),
        }
    }

    fn fail(&mut self, error: &StorageError) {
        let problem = error.to_string();
        self.failed = Some(problem.clone());
        // Callers who wait for a verdict are told; gossip's messages time out with the node.
        for (_, job) in std::mem::take(&mut self.jobs) {
            if let Job::Record(record) = job {
                self.refuse_failed(*record, &problem);
            }
        }
        self.event(Event::Fatal(problem));
    }

    /// The tip of the best chain, as committed.
    fn tip(&self) -> BlockId {
        self.active.last().copied().unwrap_or_else(|| self.tree.genesis())
    }

    /// Its height.
    fn height(&self) -> u64 {
        // A chain of 2^64 blocks is out of reach.
        u64::try_from(self.active.len()).unwrap_or(u64::MAX).saturating_sub(1)
    }

    /// Its work.
    fn work(&self) -> medring_protocol::pow::Work {
        self.tree.get(&self.tip()).map(|node| node.work.clone()).unwrap_or_default()
    }

    /// Whether a block is on the best chain.
    fn is_active(&self, id: &BlockId) -> bool {
        let Some(node) = self.tree.get(id) else { return false };
        usize::try_from(node.header.height).is_ok_and(|height| self.active.get(height) == Some(id))
    }

    fn out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn verdict(&mut self, message: Option<MessageId>, verdict: Verdict) {
        if let Some(message) = message {
            self.out(Output::Verdict { message, verdict });
        }
    }
}

#[cfg(test)]
mod tests;
