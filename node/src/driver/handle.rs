//! What the rest of the program holds of a running node.

use super::clock::CoreClock;
use super::core_thread::Local;
use super::{ApiToken, MineError, Shutdown, mining};
use crate::api::Tokens;
use crate::core::{Event, OperatorAnswer, OperatorCommand, OperatorError, Snapshot, SubmitError};
use crate::faults::{FaultError, Faults, refuse_off_testnets};
use crate::group::GroupHandle;
use crate::miner::Miner;
use crate::monitor::Monitor;
use crate::net::{Ban, Command, ConnectError, Known, Link, Target};
use crate::telemetry::Metrics;
use crate::wallet::Wallet;
use libp2p::{Multiaddr, PeerId};
use medring_protocol::params::Params;
use medring_protocol::record::Record;
use medring_protocol::{BlockId, ChainId, ParticipantId, RecordId};
use medring_storage::{ChainStore, RocksEngine};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// What does not change while a node runs.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The chain's parameters.
    pub params: Params,
    /// The chain.
    pub chain_id: ChainId,
    /// Its data folder.
    pub data_dir: std::path::PathBuf,
    /// This node's libp2p id.
    pub peer_id: PeerId,
    /// Addresses others can dial, each with `/p2p/` and the id.
    pub listen: Vec<Multiaddr>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Stands in the blocks mined here.
    pub miner_tag: [u8; 16],
    /// The participant whose keystore this node opened.
    pub participant: Option<ParticipantId>,
    /// Whether it mines all the time.
    pub mining: bool,
    /// Its mining threads.
    pub mining_threads: u32,
    /// When it started, ms since 1970.
    pub started_ms: u64,
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was asked to.
    Asked,
    /// It had to: the disk failed.
    Failed(String),
}

pub(super) struct Inner {
    pub(super) info: NodeInfo,
    pub(super) token: ApiToken,
    pub(super) tokens: Tokens,
    pub(super) store: ChainStore<RocksEngine>,
    pub(super) engine: RocksEngine,
    pub(super) clock: CoreClock,
    /// What is wrong with it; changed by one caller at a time.
    pub(super) faults: tokio::sync::Mutex<Faults>,
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(super) links: watch::Receiver<Vec<Link>>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) submitter: Submitter,
    pub(super) local: mpsc::Sender<Local>,
    pub(super) net: mpsc::Sender<Command>,
    pub(super) miner: Arc<Miner>,
    pub(super) blocks_found: Arc<AtomicU64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) wallet: Option<Arc<Wallet>>,
    pub(super) groups: Option<GroupHandle>,
    pub(super) monitor: Option<Monitor>,
    pub(super) mining_turn: tokio::sync::Mutex<()>,
    pub(super) shutdown: Shutdown,
    pub(super) stopped: watch::Receiver<Option<Stopped>>,
}

/// The way of a record to the core, for those who need nothing else of the node.
#[derive(Clone)]
pub(crate) struct Submitter(mpsc::Sender<Local>);

impl Submitter {
    pub(super) fn new(local: mpsc::Sender<Local>) -> Self {
        Self(local)
    }

    /// Submits a record; once this returns `Ok` it is in the pool and on disk.
    pub(crate) async fn submit(&self, record: Record) -> Result<RecordId, SubmitError> {
        let stopping = || SubmitError::Storage("the node is stopping".into());
        let (reply, answer) = oneshot::channel();
        let local = Local::Submit { record: Box::new(record), reply };
        self.0.send(local).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// A running node. Clones are the same node; it does not stop when they are dropped, but by [`Self::shutdown`].
#[derive(Clone)]
pub struct NodeHandle(pub(super) Arc<Inner>);

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHandle").field("info", &self.0.info).finish_non_exhaustive()
    }
}

impl NodeHandle {
    /// What does not change while it runs.
    pub fn info(&self) -> &NodeInfo {
        &self.0.info
    }

    /// The chain's parameters.
    pub fn params(&self) -> &Params {
        &self.0.info.params
    }

    /// The chain.
    pub fn chain_id(&self) -> ChainId {
        self.0.info.chain_id
    }

    /// The token that opens its API.
    pub fn token(&self) -> &ApiToken {
        &self.0.token
    }

    /// All tokens that open its API.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Cancelled when it stops.
    pub(crate) fn stopping(&self) -> Shutdown {
        self.0.shutdown.clone()
    }

    /// Its store, for reading: the core is the only writer.
    pub fn store(&self) -> &ChainStore<RocksEngine> {
        &self.0.store
    }

    /// The wallet of the participant who lives here, if its keystore is configured.
    pub fn wallet(&self) -> Option<Arc<Wallet>> {
        self.0.wallet.clone()
    }

    /// That participant's groups.
    pub fn groups(&self) -> Option<GroupHandle> {
        self.0.groups.clone()
    }

    /// What monitoring keeps for that participant.
    pub fn monitor(&self) -> Option<Monitor> {
        self.0.monitor.clone()
    }

    /// Its figures.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Where the core stands, as of its last input.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.borrow().clone()
    }

    /// Snapshots as they change.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.snapshot.clone()
    }

    /// Linked peers.
    pub fn links(&self) -> Vec<Link> {
        self.0.links.borrow().clone()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    /// Hashes per second of its miner.
    pub fn hash_rate(&self) -> f64 {
        let rate = self.0.miner.hash_rate();
        self.0.metrics.hash_rate.set(rate);
        rate
    }

    /// Blocks of its own that joined the tree since it started.
    pub fn blocks_found(&self) -> u64 {
        self.0.blocks_found.load(Ordering::Relaxed)
    }

    /// Submits a record; once this returns `Ok` it is in the pool and on disk.
    pub async fn submit(&self, record: Record) -> Result<RecordId, SubmitError> {
        self.0.submitter.submit(record).await
    }

    /// Asks something of the chain: its branches, or that a block is or is not to be chosen.
    pub async fn operate(&self, command: OperatorCommand) -> Result<OperatorAnswer, OperatorError> {
        let (reply, answer) = oneshot::channel();
        self.0.local.send(Local::Operator { command, reply }).await.map_err(|_| OperatorError::Stopping)?;
        answer.await.map_err(|_| OperatorError::Stopping)?
    }

    /// Dials an address once; returns the peer found there.
    pub async fn connect(&self, address: Multiaddr) -> Result<PeerId, ConnectError> {
        let stopping = || ConnectError("the node is stopping".into());
        let (reply, answer) = oneshot::channel();
        self.0.net.send(Command::Connect { address, reply }).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// Peers it remembers, by id.
    pub async fn known_peers(&self) -> Result<Vec<Known>, ConnectError> {
        self.ask_net(|reply| Command::Known { reply }).await
    }

    /// Who is banned, those whose ban ends first in front.
    pub async fn bans(&self) -> Result<Vec<Ban>, ConnectError> {
        self.ask_net(|reply| Command::Bans { reply }).await
    }

    /// Bans somebody; once this returns `Ok` that is on disk.
    pub async fn ban(&self, ban: Ban) -> Result<(), ConnectError> {
        self.ask_net(|written| Command::Ban { ban, written }).await.map_err(|_| not_stored())
    }

    /// Ends a ban; once this returns `Ok` that is on disk. `Ok(false)`: there was none.
    pub async fn unban(&self, target: Target) -> Result<bool, ConnectError> {
        let (written, on_disk) = oneshot::channel();
        let was = self.ask_net(|reply| Command::Unban { target, reply, written }).await?;
        on_disk.await.map_err(|_| not_stored())?;
        Ok(was)
    }

    async fn ask_net<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ConnectError> {
        let stopping = || ConnectError("the node is stopping".into());
        let (reply, answer) = oneshot::channel();
        self.0.net.send(command(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// Cuts all links and refuses new ones, or ends that. Test networks only: `Err` on others.
    pub async fn isolate(&self, on: bool) -> Result<(), ConnectError> {
        if !self.params().is_testnet() {
            return Err(ConnectError(format!("{:?} is no test network", self.params().name)));
        }
        let stopping = || ConnectError("the node is stopping".into());
        let (reply, answer) = oneshot::channel();
        self.0.net.send(Command::Isolate { on, reply }).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// The time as its core takes it, ms since 1970.
    pub fn now_ms(&self) -> u64 {
        self.0.clock.now_ms()
    }

    /// What is wrong with it on purpose.
    pub async fn faults(&self) -> Faults {
        self.0.faults.lock().await.clone()
    }

    /// From now on exactly these faults are in force; returns once they are: no link that is cut is left. Test networks only.
    pub async fn set_faults(&self, faults: Faults) -> Result<(), FaultError> {
        refuse_off_testnets(self.params())?;
        faults.check()?;
        let mut current = self.0.faults.lock().await;
        self.0.clock.skew(faults.clock_skew_ms);
        self.0.engine.fill(faults.disk_full);
        let (reply, answer) = oneshot::channel();
        let stopping = FaultError::Stopping;
        self.0.local.send(Local::Behave(faults.behaviour)).await.map_err(|_| stopping.clone())?;
        let command = Command::Faults { faults: Box::new(faults.clone()), reply };
        self.0.net.send(command).await.map_err(|_| stopping.clone())?;
        answer.await.map_err(|_| stopping)?;
        *current = faults;
        Ok(())
    }

    /// Mines until `blocks` blocks of ours joined the best chain, without a cap. Test networks only.
    pub async fn mine_blocks(&self, blocks: u32) -> Result<Vec<BlockId>, MineError> {
        mining::mine(self, blocks).await
    }

    /// Asks it to stop.
    pub fn shutdown(&self) {
        self.0.shutdown.cancel();
    }

    /// Waits until it has stopped: threads ended, everything on disk, the folder free.
    pub async fn stopped(&self) -> Stopped {
        let mut stopped = self.0.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or(Stopped::Asked),
            Err(_) => Stopped::Failed("the node's supervisor is gone".into()),
        }
    }
}

fn not_stored() -> ConnectError {
    ConnectError("it holds until the node stops, and could not be stored; see the node's log".into())
}
