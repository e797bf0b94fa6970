//! Starting a node, in the order in which each step can fail with a clear reason, and ending it in the reverse.

use super::clock::CoreClock;
use super::core_thread::{CoreThread, Inlets, Local, Outlets};
use super::folder::{ApiToken, Folder, NodeFile};
use super::handle::{Inner, NodeInfo, Stopped};
use super::workers::Workers;
use super::{NodeHandle, Shutdown, StartError, Submitter, clock, event_log, groups, keys, wallet_task};
use crate::api::{self, Tokens};
use crate::config::{Config, ConfigError, MiningConfig, MonitorConfig};
use crate::core::{CoreConfig, Event, Input, NodeCore, Snapshot};
use crate::faults::{Faults, refuse_off_testnets};
use crate::group::{self, GroupHandle};
use crate::miner::{Miner, MinerConfig};
use crate::monitor::{self, Monitor};
use crate::net::{self, Capture, Command, Net, NetConfig};
use crate::telemetry::Metrics;
use crate::wallet::{Keystore, Wallet};
use libp2p::identity::Keypair;
use medring_protocol::params::{GenesisFile, Params};
use medring_protocol::wire;
use medring_storage::{ChainStore, RocksEngine};
use rand::RngExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Inputs that may wait for the core, from the network and from this machine each. A gossip message has up to a MiB.
const INPUTS_MAX: usize = 64;
/// Events a slow subscriber may lag behind.
const EVENTS_MAX: usize = 4096;

/// A node, to be started.
#[derive(Debug)]
pub struct Node;

/// What is opened before anything runs.
struct Opened {
    folder: Folder,
    params: Params,
    store: ChainStore<RocksEngine>,
    engine: RocksEngine,
    faults: Faults,
    wallet: Option<Arc<Wallet>>,
    groups: Option<groups::Place>,
    monitor: Option<Monitor>,
    key: Keypair,
    capture: Capture,
}

impl Node {
    /// Starts a node; it is ready when this returns. It stops when `shutdown` is cancelled, or when its disk fails.
    ///
    /// Must be called within a tokio runtime with I/O and time enabled.
    pub async fn start(config: Config, shutdown: Shutdown) -> Result<NodeHandle, StartError> {
        config.validate()?;
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || open(&opening))
            .await
            .map_err(|e| StartError::Thread(std::io::Error::other(e)))??;
        launch(config, opened, shutdown).await
    }
}

/// Folder, genesis, keys and store: everything that blocks.
fn open(config: &Config) -> Result<Opened, StartError> {
    let params = read_genesis(&config.genesis)?;
    for (key, set) in [
        ("mining.hashes_per_second", config.mining.hashes_per_second.is_some()),
        ("mining.seed", config.mining.seed.is_some()),
        ("network.capture", config.network.capture.is_some()),
        ("network.wire_version", config.network.wire_version.is_some()),
        ("group.step_timeout_ms", config.group.step_timeout_ms.is_some()),
        ("group.crash_after", config.group.crash_after.is_some()),
        ("testnet.faults", config.testnet.faults.is_some()),
    ] {
        if set && refuse_off_testnets(&params).is_err() {
            return Err(StartError::TestnetOnly { key, chain: params.name });
        }
    }
    let folder = Folder::open(&config.data_dir)?;
    let faults = config.testnet.faults.as_deref().map_or_else(|| Ok(Faults::default()), Faults::read)?;
    if faults.disk_full {
        let problem = "the disk is taken for a full one (testnet.faults)".into();
        return Err(medring_storage::StorageError::Full { problem }.into());
    }
    let (engine, store) = open_store(&folder, &params)?;
    let keystore = keys::open_keystore(&config.wallet)?;
    let key = keys::node_key(&folder, keystore.as_ref())?;
    let open = |keystore: &Keystore| {
        Wallet::open(&folder.wallet(), keystore, &params.chain_id(), config.wallet.birthday_height).map(Arc::new)
    };
    let wallet = keystore.as_ref().map(open).transpose()?;
    let groups = keystore.as_ref().map(|keystore| (folder.groups(), keystore.group_key()));
    let monitor = keystore.as_ref().map(|keystore| open_monitor(&folder, keystore, &params, &config.monitor));
    let capture = config.network.capture.as_deref();
    let refused = |source| StartError::Folder { folder: capture.unwrap_or(&config.data_dir).to_owned(), source };
    let capture = Capture::open(capture).map_err(refused)?;
    Ok(Opened { folder, params, store, engine, faults, wallet, groups, monitor, key, capture })
}

fn open_monitor(folder: &Folder, keystore: &Keystore, params: &Params, config: &MonitorConfig) -> Monitor {
    let place = monitor::Place {
        dir: folder.vitals(),
        key: keystore.subkey("vitals"),
        chain: params.chain_id(),
        participant: keystore.participant(),
        limit: config.queue_bytes(),
        window_minutes: config.window_minutes,
    };
    Monitor::open(place, &mut clock::os_rng())
}

/// The chain's store in a locked folder, and what it stands on.
pub(super) fn open_store(
    folder: &Folder,
    params: &Params,
) -> Result<(RocksEngine, ChainStore<RocksEngine>), StartError> {
    let engine = RocksEngine::open(folder.chain())?;
    Ok((engine.clone(), ChainStore::open(engine, params)?))
}

/// The parameters in a genesis file.
pub(super) fn read_genesis(path: &Path) -> Result<Params, StartError> {
    let bytes = std::fs::read(path).map_err(|source| StartError::GenesisRead { path: path.to_owned(), source })?;
    let file = GenesisFile::parse(&bytes).map_err(|source| StartError::Genesis { path: path.to_owned(), source })?;
    Ok(file.params)
}

/// Everything that runs, each with a way to end it.
struct Running {
    core: std::thread::JoinHandle<()>,
    net: JoinHandle<()>,
    api: JoinHandle<()>,
    scanner: Option<JoinHandle<()>>,
    aggregator: JoinHandle<()>,
    monitor: JoinHandle<()>,
    groups: Option<std::thread::JoinHandle<()>>,
    miner: Arc<Miner>,
    folder: Folder,
    failure: Arc<OnceLock<String>>,
}

/// The core with its queues' near ends, before it runs.
struct Machine {
    core: NodeCore<RocksEngine>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    local: mpsc::Receiver<Local>,
    events: broadcast::Sender<Event>,
    metrics: Arc<Metrics>,
    miner: Arc<Miner>,
    blocks_found: Arc<AtomicU64>,
    failure: Arc<OnceLock<String>>,
    clock: CoreClock,
}

impl Machine {
    /// Starts the workers and the core's thread.
    fn run(
        self,
        net: mpsc::Sender<Command>,
        inputs: mpsc::Receiver<Input>,
        stop: &Shutdown,
    ) -> Result<std::thread::JoinHandle<()>, StartError> {
        let Self { core, snapshot, local, events, metrics, miner, blocks_found, failure, clock } = self;
        let (verified_tx, verified) = mpsc::unbounded_channel();
        let workers = Workers::start(&verified_tx, metrics.clone()).map_err(StartError::Thread)?;
        let outlets = Outlets { net, workers, miner, events, snapshot, metrics, blocks_found, failure };
        let core = CoreThread::new(core, Inlets { verified, local, net: inputs }, outlets, clock, stop.clone());
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
        let thread = std::thread::Builder::new().name("core".into());
        thread.spawn(move || core.run(&timer)).map_err(StartError::Thread)
    }
}

async fn launch(config: Config, opened: Opened, shutdown: Shutdown) -> Result<NodeHandle, StartError> {
    // Ends with the node's own stop too, and not only with the caller's.
    let stop = shutdown.child_token();
    let undo = stop.clone().drop_guard();
    let Opened { folder, params, store, engine, faults, wallet, groups, monitor, key, capture } = opened;
    let clock = CoreClock::default();
    clock.skew(faults.clock_skew_ms);
    let listener = api::bind(config.api.listen).await?;
    let api_address = listener.local_addr().unwrap_or(config.api.listen);
    let token = ApiToken::draw(&mut clock::os_rng());
    let tokens = Tokens::open(&folder.tokens(), &token)?;
    let miner_tag = keys::miner_tag(&key);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let (local_tx, local) = mpsc::channel(INPUTS_MAX);
    let miner = Arc::new(start_miner(&config.mining, local_tx.clone())?);
    let core = start_core(&config, &params, &store, (miner_tag, clock.now_ms()))?;
    let (snapshot_tx, snapshot) = watch::channel(Arc::new(core.snapshot()));
    let machine = Machine {
        core,
        snapshot: snapshot_tx,
        local,
        events: events.clone(),
        metrics: Arc::new(Metrics::new()),
        miner: miner.clone(),
        blocks_found: Arc::default(),
        failure: Arc::default(),
        clock: clock.clone(),
    };
    let about = (params.chain_id().to_string(), u64::from(params.confirmations));
    tokio::spawn(event_log::run(events.subscribe(), snapshot.clone(), about, clock::now_ms));
    let (inputs_tx, inputs) = mpsc::channel(INPUTS_MAX);
    let mut net_config = net_config(&config, &params, key, (capture, machine.metrics.clone()));
    net_config.peers_file = Some(folder.peers());
    let Net { commands, links, peer_id, listen, ring, ring_incoming: incoming, task: net_task } =
        net::start(net_config, inputs_tx, events.clone(), stop.clone()).await?;

    let (stopped_tx, stopped) = watch::channel(None);
    let info = NodeInfo {
        chain_id: params.chain_id(),
        params,
        data_dir: config.data_dir,
        peer_id,
        listen,
        api: api_address,
        miner_tag,
        participant: wallet.as_ref().map(|wallet| wallet.participant()),
        mining: config.mining.enabled,
        mining_threads: config.mining.threads(),
        started_ms: clock::now_ms(),
    };
    let ready = NodeFile::new(&info, config.file);
    let submitter = Submitter::new(local_tx.clone());
    let ties = groups::Ties {
        store: store.clone(),
        snapshots: snapshot.clone(),
        links: links.clone(),
        core: submitter.clone(),
        ring,
        incoming,
    };
    let parts =
        wallet.as_ref().zip(groups).map(|(wallet, place)| groups::parts(&config.group, &info, wallet, place, ties));
    let (groups, groups_thread) = start_groups(parts, wallet.as_deref(), &stop).await?;
    let handle = NodeHandle(Arc::new(Inner {
        info,
        token,
        tokens,
        store,
        engine,
        clock,
        faults: tokio::sync::Mutex::default(),
        snapshot,
        links,
        events,
        submitter,
        local: local_tx,
        net: commands.clone(),
        miner: miner.clone(),
        blocks_found: machine.blocks_found.clone(),
        metrics: machine.metrics.clone(),
        wallet: wallet.clone(),
        groups,
        monitor,
        mining_turn: tokio::sync::Mutex::default(),
        shutdown: stop.clone(),
        stopped,
    }));
    let failure = machine.failure.clone();
    let core = machine.run(commands, inputs, &stop)?;
    let api = tokio::spawn(api::serve(listener, handle.clone(), stop.clone()));
    let (scanned_tx, scanned) = watch::channel(0);
    let scanner = wallet.map(|wallet| {
        let (store, tips) = (handle.store().clone(), handle.watch());
        tokio::spawn(wallet_task::run(wallet, store, tips, scanned_tx, stop.clone()))
    });
    let aggregator = tokio::spawn(crate::aphr::run(handle.clone(), scanned, stop.clone()));
    let monitor = tokio::spawn(monitor::run(handle.clone(), stop.clone()));
    // Before anybody is told that the node is ready.
    if faults != Faults::default() {
        handle.set_faults(faults).await?;
    }
    folder.write_token(handle.token())?;
    folder.write_node_file(&ready)?;
    let running = Running {
        core,
        net: net_task,
        api,
        scanner,
        aggregator,
        monitor,
        groups: groups_thread,
        miner,
        folder,
        failure,
    };
    tokio::spawn(supervise(running, stop.clone(), stopped_tx));
    undo.disarm();
    Ok(handle)
}

/// Starts the groups, if there is a wallet; the wallet then finds what was sealed to its own.
async fn start_groups(
    parts: Option<group::Parts>,
    wallet: Option<&Wallet>,
    stop: &Shutdown,
) -> Result<(Option<GroupHandle>, Option<std::thread::JoinHandle<()>>), StartError> {
    let (Some(parts), Some(wallet)) = (parts, wallet) else { return Ok((None, None)) };
    let stop = stop.clone();
    let started = tokio::task::spawn_blocking(move || group::start(parts, stop)).await;
    let (groups, thread) =
        started.map_err(|e| StartError::Thread(std::io::Error::other(e)))?.map_err(StartError::Thread)?;
    let keys = groups.clone();
    wallet.set_group_keys(move |gid| keys.access(gid).map(|access| access.k_rec));
    Ok((Some(groups), Some(thread)))
}

fn net_config(
    config: &Config,
    params: &Params,
    key: Keypair,
    (capture, metrics): (Capture, Arc<Metrics>),
) -> NetConfig {
    NetConfig {
        listen: config.network.listen.clone(),
        bootstrap: config.network.bootstrap.clone(),
        announce: config.network.announce.clone(),
        max_peers: config.network.max_peers,
        discovery: config.network.discovery,
        mdns: config.network.mdns,
        seed: clock::os_rng().random(),
        capture,
        wire_version: config.network.wire_version.unwrap_or(wire::VERSION),
        metrics,
        ..NetConfig::new(key, params.chain_id(), clock::now_ms)
    }
}

fn start_miner(config: &MiningConfig, found: mpsc::Sender<Local>) -> Result<Miner, StartError> {
    let config = MinerConfig {
        enabled: config.enabled,
        threads: config.threads(),
        hashes_per_second: config.hashes_per_second,
        seed: config.seed.unwrap_or_else(|| clock::os_rng().random()),
        nice: config.nice(),
    };
    // A mining thread may wait for the core, which never waits for it. Err: the node stops.
    let found = move |header| drop(found.blocking_send(Local::Mined(header)));
    Miner::start(config, found).map_err(StartError::Thread)
}

fn start_core(
    config: &Config,
    params: &Params,
    store: &ChainStore<RocksEngine>,
    (miner_tag, now_ms): ([u8; 16], u64),
) -> Result<NodeCore<RocksEngine>, StartError> {
    let refused = |key| move |problem| ConfigError::Value { key, problem };
    let core = CoreConfig {
        min_work: config.chain.min_work().map_err(refused("chain.min_work"))?,
        checkpoints: config.chain.checkpoints().map_err(refused("chain.checkpoints"))?,
        miner_tag,
        // On test networks templates are made for mining on demand, too.
        mine: config.mining.enabled || params.is_testnet(),
        wire_version: config.network.wire_version.unwrap_or(wire::VERSION),
        seed: config.mining.seed.unwrap_or_else(|| clock::os_rng().random()),
        ..CoreConfig::new(params.clone())
    };
    Ok(NodeCore::new(core, store.clone(), now_ms)?)
}

/// Waits for the end, and then for everything to end: no caller is let in, links close, the core brings its writes to the
/// disk, the folder is given free.
async fn supervise(running: Running, stop: Shutdown, stopped: watch::Sender<Option<Stopped>>) {
    let Running { core, net, api, scanner, aggregator, monitor, groups, miner, folder, failure } = running;
    let (core_done_tx, core_done) = oneshot::channel();
    let watcher = tokio::task::spawn_blocking(move || {
        let ended = core.join();
        let _ = core_done_tx.send(ended.is_err());
    });
    // The core ends by itself only by a panic: then nothing else must go on.
    let panicked = core_done.await.unwrap_or(true);
    stop.cancel();
    let _ = (watcher.await, api.await, net.await, aggregator.await, monitor.await);
    if let Some(scanner) = scanner {
        let _ = scanner.await;
    }
    let joined = tokio::task::spawn_blocking(move || {
        miner.stop();
        groups.is_some_and(|groups| groups.join().is_err())
    });
    if joined.await.unwrap_or(true) {
        tracing::error!("the thread of the groups panicked: this is a bug in medring, please report it");
    }
    folder.remove_node_file();
    drop(folder);
    let how = match failure.get() {
        Some(problem) => Stopped::Failed(problem.clone()),
        None if panicked => Stopped::Failed("the core panicked: this is a bug in medring, please report it".into()),
        None => Stopped::Asked,
    };
    tracing::info!(?how, "stopped");
    stopped.send_replace(Some(how));
}
