//! The thread that owns every machine: inputs in batches, then the vault, then the outputs.
//!
//! Ladders and fsyncs take milliseconds, so nothing here runs on the reactor. Deliveries and submissions run there and come
//! back as inputs. What fails is one group's, or all groups', and never the node's.

use super::chain::BestChain;
use super::deliver::{Delivered, Deliveries, Sender};
use super::handle::Request;
use super::held::{Held, Making};
use super::recall::{NO_GROUP, Recalls, Searched};
use super::submit::Submissions;
use super::vault::Vault;
use super::{GroupEvent, Groups};
use crate::core::{Snapshot as CoreSnapshot, SubmitError};
use crate::driver::Submitter;
use crate::net::ring::Incoming;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{Env, Input, Machine, Output};
use medring_protocol::group::message::{Answer, Envelope, Message, Proposal, Refusal};
use medring_protocol::params::Params;
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, RocksEngine};
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Most groups of one participant.
pub(super) const GROUPS_MAX: usize = 32;
/// Inputs handled before what they changed is stored.
const BATCH_MAX: usize = 64;

/// Where inputs come from.
pub(super) struct Inlets {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) incoming: mpsc::Receiver<Incoming>,
    pub(super) outcomes: mpsc::UnboundedReceiver<Outcome>,
    pub(super) snapshots: watch::Receiver<Arc<CoreSnapshot>>,
}

/// What became of something that ran elsewhere. No more than runs: the machines' outboxes bound it.
pub(super) enum Outcome {
    Delivered(Delivered),
    Submitted { record: RecordId, group: GroupUid, result: Result<RecordId, SubmitError> },
    Searched(Box<Searched>),
}

/// What made the thread wake up.
enum Wake {
    Stop,
    Time,
    Tip,
    Request(Request),
    Incoming(Incoming),
    Outcome(Outcome),
}

/// All groups of one participant.
pub(super) struct Service {
    pub(super) making: Making,
    pub(super) params: Params,
    pub(super) store: ChainStore<RocksEngine>,
    pub(super) vault: Vault,
    pub(super) machines: BTreeMap<GroupUid, Held>,
    /// Groups whose stored state could not be used, and why.
    pub(super) damaged: BTreeMap<GroupUid, String>,
    pub(super) deliveries: Deliveries,
    pub(super) core: Submitter,
    pub(super) submissions: Submissions,
    pub(super) recalls: Recalls,
    pub(super) published: watch::Sender<Arc<Groups>>,
    pub(super) events: broadcast::Sender<GroupEvent>,
    pub(super) rng: StdRng,
    pub(super) now_ms: fn() -> u64,
    /// Test networks: the process ends right after so many more stores.
    pub(super) stores_left: Option<u64>,
    /// Groups that something happened to in this batch.
    pub(super) touched: BTreeSet<GroupUid>,
    pub(super) last_ticket: u64,
    pub(super) heard_ms: BTreeMap<Vec<u8>, u64>,
}

impl Service {
    /// Runs until the node stops. `clock` is a runtime of this thread's own: it waits here, and nothing else runs in it.
    pub(super) fn run(mut self, mut inlets: Inlets, stop: &CancellationToken, clock: &tokio::runtime::Runtime) {
        let mut tip = inlets.snapshots.borrow_and_update().tip;
        self.tip_moved();
        self.settle();
        loop {
            let wait = self.next_ms().map(|at| Duration::from_millis(at.saturating_sub((self.now_ms)())));
            match clock.block_on(next(&mut inlets, stop, wait, tip)) {
                Wake::Stop => return,
                wake => self.wake(wake),
            }
            for _ in 1..BATCH_MAX {
                let Some(wake) = ready(&mut inlets) else { break };
                self.wake(wake);
            }
            let now_at = inlets.snapshots.borrow_and_update().tip;
            if now_at != tip {
                tip = now_at;
                self.tip_moved();
            }
            self.time_passed();
            self.settle();
        }
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            // The loop looks at clock and tip after every batch.
            Wake::Stop | Wake::Time | Wake::Tip => {}
            Wake::Request(request) => self.request(request),
            Wake::Incoming(incoming) => self.incoming(incoming),
            Wake::Outcome(Outcome::Delivered(delivered)) => self.delivered(delivered),
            Wake::Outcome(Outcome::Searched(searched)) => self.searched(*searched),
            Wake::Outcome(Outcome::Submitted { record, group, result }) => self.submitted(&record, &group, result),
        }
    }

    /// Lets a machine work; `None` if there is none of that group, or it pauses.
    pub(super) fn work<T>(
        &mut self,
        group: &GroupUid,
        work: impl FnOnce(&mut Machine, &mut Env<'_>) -> T,
    ) -> Option<T> {
        let held = self.machines.get_mut(group).filter(|held| held.paused_until_ms.is_none())?;
        let view = BestChain::new(&self.store);
        let mut env = Env { now_ms: (self.now_ms)(), chain: &view, rng: &mut self.rng };
        let done = work(&mut held.machine, &mut env);
        if let Some(error) = view.failure() {
            held.misled = Some(format!("the chain could not be read: {error}"));
        }
        self.touched.insert(*group);
        Some(done)
    }

    fn incoming(&mut self, Incoming { from, frame, answer }: Incoming) {
        // Err: the peer went away.
        let say = |answer: oneshot::Sender<Vec<u8>>, what: Answer| drop(answer.send(what.encode()));
        let (group, message) = match Envelope::decode(&frame) {
            Ok(Envelope { group, message }) => (group, message),
            Err(_) => return say(answer, Answer::Refused(Refusal::Malformed)),
        };
        let me = self.making.me.identity.public().id();
        match (self.machines.get(&group), message) {
            (Some(held), _) if held.paused_until_ms.is_some() => say(answer, Answer::Later),
            (Some(_), message) => self.message(&group, from, message, Some(answer)),
            (None, _) if self.damaged.contains_key(&group) => say(answer, Answer::Later),
            (None, Message::Recall(recall)) if group == NO_GROUP => self.recalled_by(&from, &recall, answer),
            (None, Message::Propose(proposal)) if proposal.ed.owner == me => {
                self.take_back(&from, group, *proposal, answer);
            }
            (None, _) => say(answer, Answer::Refused(Refusal::UnknownGroup)),
        }
    }

    /// Gives a message to its group's machine.
    pub(super) fn message(
        &mut self,
        group: &GroupUid,
        from: Vec<u8>,
        message: Message,
        answer: Option<oneshot::Sender<Vec<u8>>>,
    ) {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        if let (Some(held), Some(answer)) = (self.machines.get_mut(group), answer) {
            held.answers.insert(ticket, answer);
        }
        self.heard_ms.insert(from.clone(), (self.now_ms)());
        if let Message::Propose(proposal) = &message {
            self.greet(group, proposal);
        }
        self.work(group, |machine, env| machine.handle(env, Input::Message { from, ticket, message }));
    }

    /// Members may have an address of this node that is out of date. So it opens the links to both neighbours of a proposed
    /// ring itself; which of the two may dial the other is then all the same.
    fn greet(&self, group: &GroupUid, proposal: &Proposal) {
        let (me, roster) = (&self.making.me.endpoint.peer_id, &proposal.ed.roster);
        let Some(place) = roster.iter().position(|member| member.peer_id == *me) else { return };
        let neighbours = [place + 1, place + roster.len() - 1].map(|at| &roster[at % roster.len()].peer_id);
        for endpoint in proposal.endpoints.iter().filter(|endpoint| neighbours.contains(&&endpoint.peer_id)) {
            self.deliveries.send(Sender::Nobody, *group, endpoint.clone(), Message::Probe);
        }
    }

    fn delivered(&mut self, Delivered { sender, peer, answer }: Delivered) {
        let now_ms = (self.now_ms)();
        match &answer {
            Ok(_) => drop(self.heard_ms.insert(peer.clone(), now_ms)),
            Err(why) => tracing::debug!(why, "a message of a group was not delivered"),
        }
        match sender {
            Sender::Nobody => {}
            Sender::Recall => self.recalls.answered(&peer, answer),
            Sender::Machine { group, life, id } => {
                if self.machines.get(&group).is_some_and(|held| held.life == life) {
                    let answer = answer.ok();
                    self.work(&group, |machine, env| machine.handle(env, Input::Delivered { id, answer }));
                }
            }
        }
    }

    fn tip_moved(&mut self) {
        let groups: Vec<GroupUid> = self.machines.keys().copied().collect();
        for group in groups {
            self.work(&group, |machine, env| machine.handle(env, Input::Chain));
        }
        self.prune_submissions();
    }

    fn time_passed(&mut self) {
        let now_ms = (self.now_ms)();
        let mut due = Vec::new();
        for (group, held) in &mut self.machines {
            if held.paused_until_ms.is_some_and(|until| until <= now_ms) {
                held.paused_until_ms = None;
                due.push((*group, Input::Chain));
            } else if held.machine.next_deadline_ms().is_some_and(|at| at <= now_ms) {
                due.push((*group, Input::Tick));
            }
        }
        for (group, input) in due {
            self.work(&group, |machine, env| machine.handle(env, input));
        }
        self.submit_due(now_ms);
        self.recalls.settle(now_ms);
    }

    /// When something is due, ms since 1970.
    fn next_ms(&self) -> Option<u64> {
        let machine = |held: &Held| held.paused_until_ms.or_else(|| held.machine.next_deadline_ms());
        let machines = self.machines.values().filter_map(machine).min();
        [machines, self.submissions.next_ms(), self.recalls.next_ms()].into_iter().flatten().min()
    }

    /// Stores what changed, and only then lets it out.
    fn settle(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return;
        }
        let now_ms = (self.now_ms)();
        let mut out = Vec::new();
        for group in &touched {
            let Some(held) = self.machines.get_mut(group) else { continue };
            let (vault, rng, stores_left) = (&mut self.vault, &mut self.rng, &mut self.stores_left);
            let settled = held.settle(&self.making, now_ms, &mut |snapshot, extra| {
                vault.store(group, snapshot, &extra.encode(), rng).map_err(|e| e.to_string())?;
                end_if_due(stores_left);
                Ok(())
            });
            match settled {
                Ok(outputs) => out.extend(outputs.into_iter().map(|output| (*group, held.life, output))),
                Err(problem) => {
                    tracing::error!(%group, problem, "a group pauses: what it did could not be stored");
                    if !held.is_stored() {
                        self.machines.remove(group);
                    }
                }
            }
        }
        self.publish(&touched);
        for group in &touched {
            if let Some(held) = self.machines.get_mut(group) {
                held.answer_callers();
            }
        }
        for (group, life, output) in out {
            self.output(group, life, output);
        }
        self.submit_due(now_ms);
    }

    fn output(&mut self, group: GroupUid, life: u64, output: Output) {
        match output {
            Output::Send { id, to, message } => {
                self.deliveries.send(Sender::Machine { group, life, id }, group, to, message);
            }
            Output::Answer { ticket, answer } => {
                let waiting = self.machines.get_mut(&group).and_then(|held| held.answers.remove(&ticket));
                // Err: the peer went away, and sends again.
                let _ = waiting.map(|waiting| waiting.send(answer.encode()));
            }
            Output::Submit { commit, record, deadline_height } => {
                self.submissions.add(record, group, commit, deadline_height);
            }
            Output::Event(event) => {
                super::log::say(&group, &event);
                // Err: nobody listens.
                let _ = self.events.send(GroupEvent { group, event });
            }
        }
    }
}

/// `group.crash_after`: the process ends as if it were killed, so that a test can see what a restart makes of it.
fn end_if_due(stores_left: &mut Option<u64>) {
    if let Some(left) = stores_left {
        *left = left.saturating_sub(1);
        if *left == 0 {
            std::process::abort();
        }
    }
}

/// What is there already, without waiting.
fn ready(inlets: &mut Inlets) -> Option<Wake> {
    let outcome = inlets.outcomes.try_recv().ok().map(Wake::Outcome);
    let incoming = || inlets.incoming.try_recv().ok().map(Wake::Incoming);
    outcome.or_else(incoming).or_else(|| inlets.requests.try_recv().ok().map(Wake::Request))
}

/// The next thing to do.
async fn next(inlets: &mut Inlets, stop: &CancellationToken, wait: Option<Duration>, tip: BlockId) -> Wake {
    let time = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Wake::Stop,
        Some(outcome) = inlets.outcomes.recv() => Wake::Outcome(outcome),
        Some(request) = inlets.requests.recv() => Wake::Request(request),
        Some(incoming) = inlets.incoming.recv() => Wake::Incoming(incoming),
        // Err: the core has ended, and the node with it.
        moved = inlets.snapshots.wait_for(|snapshot| snapshot.tip != tip) => match moved {
            Ok(_) => Wake::Tip,
            Err(_) => Wake::Stop,
        },
        () = time => Wake::Time,
    }
}
