//! One member: a swarm, and a thread that owns the machine and its vault. Stores first, then says.

use super::town::{Counters, ToyChain};
use medring_node::driver::now_ms;
use medring_node::group::vault::Vault;
use medring_node::net::ring::{Incoming, RingStreams, Transport, TransportError};
use medring_node::net::{self, Net, NetConfig};
use medring_protocol::chebyshev::ladders;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{Env, Input, Machine, Me, Output, SendId, Status};
use medring_protocol::group::message::{Answer, Endpoint, Envelope, Message};
use medring_protocol::identity::IdentitySecret;
use medring_protocol::{ChainId, RecordId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::{broadcast, oneshot, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Inputs taken together before the vault is asked to store.
const BATCH_MAX: usize = 64;

/// A change of the machine from outside, with what the chain is now.
pub(crate) type Call = Box<dyn FnOnce(&mut Option<Machine>, &mut Env<'_>) + Send>;

pub(crate) enum Mail {
    Incoming(Incoming),
    Delivered(SendId, Option<Answer>),
    Chain,
    Call(Call),
}

pub(crate) struct Host {
    pub(crate) me: Me,
    pub(crate) inbox: mpsc::Sender<Mail>,
    pub(crate) status: watch::Receiver<Option<Status>>,
    /// T_n that this member computed.
    pub(crate) ladders: Arc<AtomicU64>,
}

/// What all hosts share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) chain_id: ChainId,
    pub(crate) group: GroupUid,
    pub(crate) chain: watch::Receiver<Arc<ToyChain>>,
    /// Commits that owners submit.
    pub(crate) submits: tokio::sync::mpsc::UnboundedSender<RecordId>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: CancellationToken,
}

/// A swarm of its own.
async fn start_net(chain: ChainId, stop: &CancellationToken) -> Net {
    let (inputs, mut core) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move { while core.recv().await.is_some() {} });
    let key = libp2p::identity::Keypair::generate_ed25519();
    let config = NetConfig { max_peers: 250, ..NetConfig::new(key, chain, now_ms) };
    net::start(config, inputs, broadcast::channel(16).0, stop.clone()).await.unwrap()
}

impl Host {
    pub(crate) async fn start(identity: IdentitySecret, dir: &Path, seed: u64, shared: Shared) -> Self {
        let Net { peer_id, listen, ring, mut ring_incoming, .. } = start_net(shared.chain_id, &shared.stop).await;
        let endpoint = Endpoint { peer_id: peer_id.to_bytes(), addresses: vec![listen[0].to_string()] };
        let me = Me { identity: Arc::new(identity), endpoint };
        let id = me.identity.public().id();
        let vault = Vault::open(&dir.join(id.to_string()), Zeroizing::new([7; 32]), shared.chain_id, id).unwrap();
        let (inbox, mail) = mpsc::channel();
        let (status_tx, status) = watch::channel(None);
        let made: Arc<AtomicU64> = Arc::default();
        let (to_self, mut chain) = (inbox.clone(), shared.chain.clone());
        tokio::spawn(async move {
            loop {
                let sent = tokio::select! {
                    incoming = ring_incoming.recv() => match incoming {
                        Some(incoming) => to_self.send(Mail::Incoming(incoming)),
                        None => return,
                    },
                    changed = chain.changed() => match changed {
                        Ok(()) => to_self.send(Mail::Chain),
                        Err(_) => return,
                    },
                };
                if sent.is_err() {
                    return;
                }
            }
        });
        let rng = StdRng::seed_from_u64(seed);
        let runtime = tokio::runtime::Handle::current();
        let out = Outgoing { ring, runtime, inbox: inbox.clone() };
        let actor = Actor {
            machine: None,
            vault,
            rng,
            out,
            shared,
            answers: BTreeMap::new(),
            ticket: 0,
            status: status_tx,
            made: made.clone(),
        };
        std::thread::spawn(move || actor.run(&mail));
        Self { me, inbox, status, ladders: made }
    }

    /// Runs this on the machine's own thread, and gives its result.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Option<Machine>, &mut Env<'_>) -> T + Send + 'static,
    ) -> T {
        let (done_tx, done) = oneshot::channel();
        let call: Call = Box::new(move |machine, env| drop(done_tx.send(call(machine, env))));
        self.inbox.send(Mail::Call(call)).unwrap();
        done.await.expect("the machine's thread lives")
    }
}

struct Outgoing {
    ring: RingStreams,
    runtime: tokio::runtime::Handle,
    inbox: mpsc::Sender<Mail>,
}

struct Actor {
    machine: Option<Machine>,
    vault: Vault,
    rng: StdRng,
    out: Outgoing,
    shared: Shared,
    answers: BTreeMap<u64, oneshot::Sender<Vec<u8>>>,
    ticket: u64,
    status: watch::Sender<Option<Status>>,
    made: Arc<AtomicU64>,
}

impl Actor {
    fn run(mut self, mail: &mpsc::Receiver<Mail>) {
        while !self.shared.stop.is_cancelled() {
            let due = self.machine.as_ref().and_then(Machine::next_deadline_ms);
            let wait = due.map_or(1_000, |due| due.saturating_sub(now_ms()).clamp(1, 1_000));
            let first = match mail.recv_timeout(Duration::from_millis(wait)) {
                Ok(first) => Some(first),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            for mail in first.into_iter().chain(mail.try_iter()).take(BATCH_MAX) {
                self.take(mail);
            }
            if due.is_some_and(|due| due <= now_ms()) {
                self.handle(Input::Tick);
            }
            self.settle();
        }
    }

    fn take(&mut self, mail: Mail) {
        match mail {
            Mail::Incoming(Incoming { from, frame, answer }) => {
                // Not answered: the sender tries again, as at a node that knows nothing of the group yet.
                let (Ok(envelope), true) = (Envelope::decode(&frame), self.machine.is_some()) else { return };
                self.ticket += 1;
                self.answers.insert(self.ticket, answer);
                self.handle(Input::Message { from, ticket: self.ticket, message: envelope.message });
            }
            Mail::Delivered(id, answer) => self.handle(Input::Delivered { id, answer }),
            Mail::Chain => self.handle(Input::Chain),
            Mail::Call(call) => {
                let chain = self.shared.chain.borrow().clone();
                let mut env = Env { now_ms: now_ms(), chain: &*chain, rng: &mut self.rng };
                call(&mut self.machine, &mut env);
            }
        }
        self.made.store(ladders(), Ordering::Relaxed);
    }

    fn handle(&mut self, input: Input) {
        let chain = self.shared.chain.borrow().clone();
        let mut env = Env { now_ms: now_ms(), chain: &*chain, rng: &mut self.rng };
        if let Some(machine) = &mut self.machine {
            machine.handle(&mut env, input);
        }
    }

    /// Stores what changed, then carries out what is wanted.
    fn settle(&mut self) {
        let Some(machine) = &mut self.machine else { return };
        if machine.changed() {
            self.vault.store(&self.shared.group, &machine.snapshot(), b"", &mut self.rng).unwrap();
            self.shared.counters.stores.fetch_add(1, Ordering::Relaxed);
            self.status.send_replace(Some(machine.status()));
        }
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Send { id, to, message } => self.out.send(id, to, message, &self.shared),
                Output::Answer { ticket, answer } => {
                    // Err: its stream ran out of time; the sender says it again.
                    if let Some(to) = self.answers.remove(&ticket) {
                        let _ = to.send(answer.encode());
                    }
                }
                Output::Submit { record, .. } => self.shared.submits.send(record).unwrap(),
                Output::Event(_) => {}
            }
        }
    }
}

impl Outgoing {
    fn send(&self, id: SendId, to: Endpoint, message: Message, shared: &Shared) {
        let frame = Envelope { group: shared.group, message }.encode();
        let (ring, inbox, counters) = (self.ring.clone(), self.inbox.clone(), shared.counters.clone());
        self.runtime.spawn(async move {
            let bytes = frame.len();
            let answer = match ring.deliver(&to, frame).await {
                Ok(answer) => {
                    counters.messages.fetch_add(1, Ordering::Relaxed);
                    counters.bytes.fetch_add((bytes + answer.len()) as u64, Ordering::Relaxed);
                    Some(Answer::decode(&answer).unwrap())
                }
                Err(error) => {
                    counters.failed(match error {
                        TransportError::Lost(_) => "the stream broke",
                        TransportError::Unreachable(_) => "no link could be made",
                        TransportError::Timeout => "no answer in time",
                        other => panic!("{other}"),
                    });
                    None
                }
            };
            // Err: the test is over.
            let _ = inbox.send(Mail::Delivered(id, answer));
        });
    }
}
