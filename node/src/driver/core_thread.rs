//! The core's own thread: one input at a time, its outputs to whom they concern. Commits block this thread and no other.

use super::clock::{self, CoreClock};
use super::workers::Workers;
use crate::core::{
    Event, Input, NodeCore, OperatorAnswer, OperatorCommand, OperatorError, Output, Snapshot, SubmitError, Ticket,
};
use crate::faults::Behaviour;
use crate::miner::Miner;
use crate::net::Command;
use crate::telemetry::{Metrics, gauge_value};
use medring_protocol::RecordId;
use medring_protocol::block::Header;
use medring_protocol::record::Record;
use medring_protocol::wire::{Request, Response};
use medring_storage::RocksEngine;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Inputs from this machine: callers of the API and the miner.
pub(super) enum Local {
    Submit {
        record: Box<Record>,
        reply: oneshot::Sender<Result<RecordId, SubmitError>>,
    },
    Mined(Header),
    /// Mine so many blocks on demand, of what waits in the pool now.
    Demand(u64),
    /// The operator asks something of the chain.
    Operator {
        command: OperatorCommand,
        reply: oneshot::Sender<Result<OperatorAnswer, OperatorError>>,
    },
    /// Treat others so from now on.
    Behave(Behaviour),
}

/// Where inputs come from.
pub(super) struct Inlets {
    pub(super) verified: mpsc::UnboundedReceiver<Input>,
    pub(super) local: mpsc::Receiver<Local>,
    pub(super) net: mpsc::Receiver<Input>,
}

/// Where outputs go.
pub(super) struct Outlets {
    pub(super) net: mpsc::Sender<Command>,
    pub(super) workers: Workers,
    pub(super) miner: Arc<Miner>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) blocks_found: Arc<AtomicU64>,
    /// Why the node had to stop.
    pub(super) failure: Arc<OnceLock<String>>,
}

/// The core with everything around it.
pub(super) struct CoreThread {
    pub(super) core: NodeCore<RocksEngine>,
    pub(super) inlets: Inlets,
    pub(super) outlets: Outlets,
    pub(super) stop: CancellationToken,
    clock: CoreClock,
    behaviour: Behaviour,
    /// Blocks that the deepest reorganisation disconnected.
    deepest: u64,
    tickets: BTreeMap<Ticket, oneshot::Sender<Result<RecordId, SubmitError>>>,
    questions: BTreeMap<Ticket, oneshot::Sender<Result<OperatorAnswer, OperatorError>>>,
    last_ticket: u64,
}

/// What made the thread wake up.
enum Wake {
    Stop,
    Input(Input),
    Local(Local),
}

impl CoreThread {
    pub(super) fn new(
        core: NodeCore<RocksEngine>,
        inlets: Inlets,
        outlets: Outlets,
        clock: CoreClock,
        stop: CancellationToken,
    ) -> Self {
        let behaviour = Behaviour::Honest;
        let (tickets, questions, last_ticket, deepest) = (BTreeMap::new(), BTreeMap::new(), 0, 0);
        Self { core, inlets, outlets, stop, clock, behaviour, deepest, tickets, questions, last_ticket }
    }

    /// Runs until the node stops; then brings everything to the disk. `timer` is a runtime of this thread's own: it waits
    /// here, and nothing else runs in it.
    pub(super) fn run(mut self, timer: &tokio::runtime::Runtime) {
        self.flush_outputs();
        loop {
            let now_ms = self.clock.now_ms();
            let wait = self.core.next_deadline().map(|at| Duration::from_millis(at.saturating_sub(now_ms)));
            match timer.block_on(next(&mut self.inlets, &self.stop, wait)) {
                Wake::Stop => break,
                Wake::Input(input) => self.handle(input),
                Wake::Local(Local::Mined(header)) => self.handle(Input::Mined { header }),
                Wake::Local(Local::Demand(blocks)) => {
                    // The new template first, then the demand for it.
                    self.handle(Input::Remake);
                    self.outlets.miner.demand(blocks);
                }
                Wake::Local(Local::Operator { command, reply }) => {
                    self.last_ticket += 1;
                    let ticket = Ticket(self.last_ticket);
                    self.questions.insert(ticket, reply);
                    self.handle(Input::Operator { ticket, command });
                }
                Wake::Local(Local::Behave(behaviour)) => self.behaviour = behaviour,
                Wake::Local(Local::Submit { record, reply }) => {
                    self.last_ticket += 1;
                    let ticket = Ticket(self.last_ticket);
                    self.tickets.insert(ticket, reply);
                    self.handle(Input::Submit { ticket, record });
                }
            }
        }
        if let Err(error) = self.core.store().sync() {
            tracing::error!(%error, "the last writes may not have reached the disk");
        }
    }

    fn handle(&mut self, input: Input) {
        self.outlets.count(&input);
        let began = clock::instant();
        self.core.handle(self.clock.now_ms(), input);
        if self.flush_outputs() {
            self.outlets.metrics.commit_seconds.record(clock::seconds_since(began));
        }
    }

    /// Publishes where the core stands, and then sends every output on its way: who hears of an event finds a snapshot at
    /// least as new. Says whether the tip moved.
    fn flush_outputs(&mut self) -> bool {
        let snapshot = self.core.snapshot();
        self.outlets.measure(&snapshot);
        self.outlets.snapshot.send_replace(Arc::new(snapshot));
        let mut moved = false;
        while let Some(output) = self.core.poll_output() {
            moved |= matches!(output, Output::Event(Event::Tip { .. }));
            self.output(output);
        }
        moved
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Verify { job, checks } => self.outlets.workers.verify(job, checks),
            Output::Submitted { ticket, result } => {
                // Err: the caller went away; the record stays admitted.
                let _ = self.tickets.remove(&ticket).map(|reply| reply.send(result));
            }
            Output::Operated { ticket, result } => {
                // Err: the caller went away.
                let _ = self.questions.remove(&ticket).map(|reply| reply.send(result));
            }
            Output::Mine(template) => self.outlets.miner.set_template(template),
            Output::Event(event) => self.event(event),
            // The event loop takes commands all the time. Err: it has ended, and so will this thread.
            output => {
                self.outlets.count_bodies(&output);
                if let Some(output) = self.behaviour.twist(output) {
                    drop(self.outlets.net.blocking_send(Command::Core(output)));
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::Fatal(problem) => {
                tracing::error!(problem, "the store failed; the node stops");
                let _ = self.outlets.failure.set(problem.clone());
                self.stop.cancel();
            }
            Event::MinedBlock { .. } => {
                self.outlets.metrics.blocks_found.increment(1);
                self.outlets.blocks_found.fetch_add(1, Ordering::Relaxed);
            }
            Event::Reorg { report } => {
                self.outlets.metrics.reorgs.increment(1);
                self.outlets.metrics.reorg_depth.set(gauge_value(report.depth()));
                let deep = report.depth() > u64::from(self.core.store().params().confirmations);
                self.outlets.metrics.deep_reorgs.increment(u64::from(deep));
                self.deepest = self.deepest.max(report.depth());
                self.outlets.metrics.reorg_depth_max.set(gauge_value(self.deepest));
            }
            _ => {}
        }
        // Err: nobody listens.
        let _ = self.outlets.events.send(event);
    }
}

impl Outlets {
    fn count_bodies(&self, output: &Output) {
        match output {
            Output::Ask { request: Request::Blocks { ids }, .. } => {
                self.metrics.bodies_asked.increment(ids.len() as u64)
            }
            Output::Respond { response: Response::Blocks(blocks), .. } => {
                self.metrics.bodies_served.increment(blocks.len() as u64);
            }
            _ => {}
        }
    }

    fn count(&self, input: &Input) {
        if let Input::Response { response: Ok(Response::Blocks(blocks)), .. } = input {
            self.metrics.bodies_received.increment(blocks.len() as u64);
        }
    }

    fn measure(&self, snapshot: &Snapshot) {
        let size = |count: usize| gauge_value(u64::try_from(count).unwrap_or(u64::MAX));
        self.metrics.height.set(gauge_value(snapshot.height));
        self.metrics.headers_height.set(gauge_value(snapshot.headers_height));
        self.metrics.peers.set(size(snapshot.peers.len()));
        self.metrics.pool_records.set(size(snapshot.pool_records));
        self.metrics.pool_bytes.set(size(snapshot.pool_bytes));
        self.metrics.future_blocks.set(size(snapshot.tables.future_blocks));
    }
}

/// The next thing to do. Verified signatures free the core's tables, so they come first; the rest takes turns.
async fn next(inlets: &mut Inlets, stop: &CancellationToken, wait: Option<Duration>) -> Wake {
    if stop.is_cancelled() {
        return Wake::Stop;
    }
    if let Ok(input) = inlets.verified.try_recv() {
        return Wake::Input(input);
    }
    let tick = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => Wake::Stop,
        Some(input) = inlets.verified.recv() => Wake::Input(input),
        Some(local) = inlets.local.recv() => Wake::Local(local),
        // None: the network has ended, and the node with it.
        input = inlets.net.recv() => input.map_or(Wake::Stop, Wake::Input),
        () = tick => Wake::Input(Input::Tick),
    }
}
