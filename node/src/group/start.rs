//! Starting the groups of a node. They come after the wallet, and their failure is theirs alone.

use super::deliver::Deliveries;
use super::extra::Extra;
use super::handle::{GroupHandle, Request};
use super::held::{Held, Making};
use super::recall::Recalls;
use super::service::{Inlets, Service};
use super::submit::Submissions;
use super::vault::{Stored, Vault};
use super::{GroupError, Groups};
use crate::core::Snapshot as CoreSnapshot;
use crate::driver::Submitter;
use crate::net::Link;
use crate::net::ring::{Incoming, Transport};
use medring_protocol::group::machine::{Config, Machine, Me};
use medring_protocol::group::message::Answer;
use medring_protocol::params::Params;
use medring_storage::{ChainStore, RocksEngine};
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Requests that may wait.
const REQUESTS_MAX: usize = 16;
/// Events a slow subscriber may lag behind.
const EVENTS_MAX: usize = 1024;

/// What the groups of a node are made of.
pub(crate) struct Parts {
    /// Who runs the machines.
    pub(crate) me: Me,
    /// The chain's parameters.
    pub(crate) params: Params,
    /// Bounds and time limits of machines.
    pub(crate) config: Config,
    /// Folder of the vault.
    pub(crate) dir: PathBuf,
    /// The keystore's key for it.
    pub(crate) key: Zeroizing<[u8; 32]>,
    /// The chain, for reading.
    pub(crate) store: ChainStore<RocksEngine>,
    /// Where the core stands.
    pub(crate) snapshots: watch::Receiver<Arc<CoreSnapshot>>,
    /// The way of records to the core.
    pub(crate) core: Submitter,
    /// Linked peers.
    pub(crate) links: watch::Receiver<Vec<Link>>,
    /// The way to other nodes.
    pub(crate) transport: Arc<dyn Transport>,
    /// What they say.
    pub(crate) incoming: mpsc::Receiver<Incoming>,
    /// Seeded by the system.
    pub(crate) rng: StdRng,
    /// The driver's clock.
    pub(crate) now_ms: fn() -> u64,
    /// Test networks: the process ends right after so many stores of the vault.
    pub(crate) crash_after: Option<u64>,
}

/// Opens the vault and starts the thread; blocks meanwhile. Must be called within the node's runtime.
pub(crate) fn start(
    mut parts: Parts,
    stop: CancellationToken,
) -> std::io::Result<(GroupHandle, std::thread::JoinHandle<()>)> {
    let (requests_tx, requests) = mpsc::channel(REQUESTS_MAX);
    let (published, groups) = watch::channel(Arc::new(Groups::default()));
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let handle = GroupHandle {
        participant: parts.me.identity.public().id(),
        requests: requests_tx,
        groups,
        events: events.clone(),
        links: parts.links.clone(),
        now_ms: parts.now_ms,
    };
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new().name("groups".into());
    let (outcomes_tx, outcomes) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Handle::current();
    let participant = handle.participant;
    let opened =
        Vault::open(&parts.dir, parts.key.clone(), parts.params.chain_id(), participant).and_then(|mut vault| {
            let stored = vault.load_all(&mut parts.rng)?;
            Ok((vault, stored))
        });
    let thread = match opened {
        Err(error) => {
            tracing::error!(%error, "this node's groups do not work; the rest of it does");
            let problem = error.to_string();
            published.send_replace(Arc::new(Groups { problem: Some(problem.clone()), ..Groups::default() }));
            thread.spawn(move || clock.block_on(refuse(problem, requests, parts.incoming, stop, published)))?
        }
        Ok((vault, stored)) => {
            let mut service = Service {
                making: Making { me: parts.me, chain: parts.params.chain_id(), config: parts.config },
                params: parts.params,
                store: parts.store,
                vault,
                machines: BTreeMap::new(),
                damaged: BTreeMap::new(),
                deliveries: Deliveries { transport: parts.transport, runtime, outcomes: outcomes_tx },
                core: parts.core,
                submissions: Submissions::default(),
                recalls: Recalls::default(),
                published,
                events,
                rng: parts.rng,
                now_ms: parts.now_ms,
                stores_left: parts.crash_after,
                touched: BTreeSet::new(),
                last_ticket: 0,
                heard_ms: BTreeMap::new(),
            };
            service.take_up(stored);
            let inlets = Inlets { requests, incoming: parts.incoming, outcomes, snapshots: parts.snapshots };
            thread.spawn(move || service.run(inlets, &stop, &clock))?
        }
    };
    Ok((handle, thread))
}

impl Service {
    /// Takes up what the vault held. Who looks at the groups sees them from then on.
    fn take_up(&mut self, stored: Vec<Stored>) {
        for (group, snapshot, extra) in stored {
            let Making { me, chain, config } = self.making.clone();
            let restored = Machine::restore(me, chain, config, &snapshot).map_err(|e| e.to_string());
            match restored.and_then(|machine| Ok((machine, Extra::decode(&extra)?))) {
                Ok((machine, extra)) => drop(self.machines.insert(group, Held::restored(machine, snapshot, extra))),
                Err(why) => {
                    tracing::error!(%group, why, "a group's stored state is refused; the other groups work");
                    self.damaged.insert(group, why);
                }
            }
        }
        self.publish(&self.machines.keys().copied().collect());
    }
}

/// Without a vault nothing may be promised: requests are told why, peers to come again.
async fn refuse(
    problem: String,
    mut requests: mpsc::Receiver<Request>,
    mut incoming: mpsc::Receiver<Incoming>,
    stop: CancellationToken,
    _published: watch::Sender<Arc<Groups>>,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(request) = requests.recv() => request.refuse(GroupError::Storage(problem.clone())),
            // Err: the peer went away.
            Some(peer) = incoming.recv() => drop(peer.answer.send(Answer::Later.encode())),
            else => return,
        }
    }
}
