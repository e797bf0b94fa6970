//! A testnet as a whole: up, status, wait, kill, restart, down.

use super::config::{self, NodeConfig, UpOptions};
use super::process::ProcessId;
use super::state::{NodeEntry, State};
use super::wait::{WaitError, until};
use crate::client::{Client, ClientError};
use medring_node::wallet::{KdfCost, Keystore, KeystoreError, Passphrase};
use medring_protocol::BlockId;
use medring_protocol::params::GenesisFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a testnet cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TestnetError {
    /// The folder holds one already.
    #[error(
        "{0} holds a testnet already: `medring testnet down --dir {0} --remove` ends and removes it, or choose another --dir"
    )]
    Exists(String),
    /// The folder holds none.
    #[error("{0} holds no testnet: `medring testnet up --dir {0}` makes one")]
    Missing(String),
    /// No node of that number.
    #[error("there is no node {wanted}: this testnet has nodes 0 to {last}")]
    NoNode {
        /// The number asked for.
        wanted: usize,
        /// The highest there is.
        last: usize,
    },
    /// The node of that number does not run, or runs already.
    #[error("node {0} {1}")]
    NodeState(usize, &'static str),
    /// A node ended instead of becoming ready.
    #[error("{name} ended instead of becoming ready. Its log, {log}, ends with:\n{tail}")]
    Ended {
        /// The node.
        name: String,
        /// Its log.
        log: String,
        /// The last lines.
        tail: String,
    },
    /// The disk.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// The keys.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A node's API.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something did not happen in time.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TestnetError + '_ {
    move |e| TestnetError::Io(path.display().to_string(), e)
}

/// What [`Testnet::up`] and others report while they work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A step begins.
    Step(String),
    /// A node is ready.
    Ready {
        /// Its name.
        name: String,
        /// Its address with peer id.
        address: String,
        /// Its API.
        api: String,
    },
}

/// How one node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Whether its process runs.
    pub running: bool,
    /// Its answer to `GET /v1/status`; null if it does not answer.
    pub status: Value,
}

impl NodeStatus {
    /// Its tip: id and height.
    pub fn tip(&self) -> Option<(BlockId, u64)> {
        let tip = &self.status["tip"];
        Some((tip["id"].as_str()?.parse().ok()?, tip["height"].as_u64()?))
    }
}

/// How long a node may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to end after SIGTERM; then it is killed.
const END_WITHIN: Duration = Duration::from_secs(15);

/// A testnet in its folder.
#[derive(Debug)]
pub struct Testnet {
    folder: PathBuf,
    state: State,
}

impl Testnet {
    /// Makes keys, genesis and folders, starts every node, links each to all others, and returns when all are ready.
    ///
    /// Nodes listen on 127.0.1.1, 127.0.1.2, … at a port the system gives at their first start and they keep from then on.
    /// If a node does not become ready, those already started are ended.
    pub fn up(options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<Self, TestnetError> {
        let mut testnet = Self::create(options, progress)?;
        let started = testnet.start_all(options, progress);
        if let Err(e) = started {
            testnet.down(&mut |_| {})?;
            return Err(e);
        }
        Ok(testnet)
    }

    fn create(options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<Self, TestnetError> {
        if options.nodes.is_empty() || options.nodes.len() > 200 {
            return Err(TestnetError::Other(format!("{} nodes asked for; 1 to 200 are possible", options.nodes.len())));
        }
        std::fs::create_dir_all(&options.folder).map_err(io(&options.folder))?;
        let folder = options.folder.canonicalize().map_err(io(&options.folder))?;
        if State::path(&folder).exists() {
            return Err(TestnetError::Exists(options.folder.display().to_string()));
        }
        progress(Progress::Step(format!("keys for {} participants and an authority", options.nodes.len())));
        let authority = config::identity(options.seed, "authority");
        let genesis = GenesisFile::new(config::params(options, authority.public(), now_ms()));
        let genesis_path = folder.join("genesis.json");
        std::fs::write(&genesis_path, genesis.to_json()).map_err(io(&genesis_path))?;
        let mut nodes = Vec::new();
        write_keystore(&folder, options.seed, "authority")?;
        for (name, role) in options.nodes.iter().chain(&options.later) {
            let node_folder = folder.join(name);
            std::fs::create_dir_all(&node_folder).map_err(io(&node_folder))?;
            let keys = write_keystore(&node_folder, options.seed, name)?;
            nodes.push(NodeEntry {
                name: name.clone(),
                participant: keys.id(),
                keys,
                role: *role,
                folder: node_folder,
                address: None,
                api: None,
                process: None,
            });
        }
        let state = State {
            format: State::FORMAT.into(),
            seed: options.seed,
            block_time_ms: options.block_time_ms,
            chain_id: genesis.chain_id,
            binary: options.binary.clone(),
            nodes,
        };
        state.save(&folder).map_err(io(&folder))?;
        Ok(Self { folder, state })
    }

    fn start_all(&mut self, options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<(), TestnetError> {
        progress(Progress::Step(format!("starting {} nodes", options.nodes.len())));
        for i in 0..options.nodes.len() {
            let earlier = self.state.nodes[..i].iter().filter_map(|n| n.address.clone()).collect::<Vec<_>>();
            let bootstrap = if options.link { earlier } else { Vec::new() };
            self.write_config(i, &format!("/ip4/127.0.1.{}/tcp/0", i + 1), &bootstrap, options.mine)?;
            self.start(i)?;
            let node = &self.state.nodes[i];
            let (address, api) = (node.address.clone().unwrap_or_default(), node.api.clone().unwrap_or_default());
            progress(Progress::Ready { name: node.name.clone(), address, api });
        }
        // From now on every node knows its own port and all others, for its next start.
        let addresses: Vec<_> = self.state.nodes.iter().filter_map(|n| n.address.clone()).collect();
        for (i, own) in addresses.iter().enumerate() {
            let listen = own.split("/p2p/").next().unwrap_or_default();
            let others: Vec<_> = addresses.iter().filter(|a| *a != own && options.link).cloned().collect();
            self.write_config(i, listen, &others, options.mine)?;
        }
        for i in options.nodes.len()..self.state.nodes.len() {
            self.write_config(i, &format!("/ip4/127.0.1.{}/tcp/0", i + 1), &addresses, false)?;
        }
        Ok(())
    }

    fn write_config(&self, i: usize, listen: &str, bootstrap: &[String], mine: bool) -> Result<(), TestnetError> {
        let node = &self.state.nodes[i];
        let genesis = self.folder.join("genesis.json");
        let seed = self.state.seed.wrapping_mul(1000).wrapping_add(i as u64) & 0x7fff_ffff_ffff_ffff;
        let config = NodeConfig { folder: &node.folder, genesis: &genesis, listen, bootstrap, mine, seed };
        std::fs::write(node.config(), config::node_config(&config)).map_err(io(&node.config()))
    }

    /// Opens the testnet of a folder.
    pub fn open(folder: &Path) -> Result<Self, TestnetError> {
        if !State::path(folder).exists() {
            return Err(TestnetError::Missing(folder.display().to_string()));
        }
        let state = State::load(folder).map_err(io(&State::path(folder)))?;
        Ok(Self { folder: folder.canonicalize().map_err(io(folder))?, state })
    }

    /// What it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its genesis file.
    pub fn genesis(&self) -> Result<GenesisFile, TestnetError> {
        let path = self.folder.join("genesis.json");
        let bytes = std::fs::read(&path).map_err(io(&path))?;
        GenesisFile::parse(&bytes).map_err(|e| TestnetError::Other(e.to_string()))
    }

    /// A node.
    pub fn node(&self, i: usize) -> Result<&NodeEntry, TestnetError> {
        let last = self.state.nodes.len() - 1;
        self.state.nodes.get(i).ok_or(TestnetError::NoNode { wanted: i, last })
    }

    /// A client of a node's API.
    pub fn client(&self, i: usize) -> Result<Client, TestnetError> {
        Ok(Client::from_data_dir(&self.node(i)?.data_dir())?)
    }

    /// Starts a node that does not run and waits until it is ready.
    pub fn start(&mut self, i: usize) -> Result<(), TestnetError> {
        let node = self.node(i)?.clone();
        if node.is_alive() {
            return Err(TestnetError::NodeState(i, "runs already"));
        }
        // A node that was killed could not remove its own.
        let ready_file = node.data_dir().join("node.json");
        let _absent = std::fs::remove_file(&ready_file);
        let process =
            ProcessId::spawn(&self.state.binary, &node.config(), &node.log()).map_err(io(&self.state.binary))?;
        self.state.nodes[i].process = Some(process);
        self.state.save(&self.folder).map_err(io(&self.folder))?;
        let ready = until(&format!("{} to become ready", node.name), READY_WITHIN, || {
            if !process.is_alive() {
                return Ok(None);
            }
            let text = std::fs::read_to_string(&ready_file).map_err(|e| format!("node.json: {e}"))?;
            serde_json::from_str::<Value>(&text).map(Some).map_err(|e| format!("node.json: {e}"))
        })?;
        let Some(ready) = ready else {
            self.state.nodes[i].process = None;
            self.state.save(&self.folder).map_err(io(&self.folder))?;
            return Err(TestnetError::Ended {
                name: node.name.clone(),
                log: node.log().display().to_string(),
                tail: tail(&node.log(), 8),
            });
        };
        self.state.nodes[i].address = ready["listen"][0].as_str().map(str::to_string);
        self.state.nodes[i].api = ready["api"].as_str().map(str::to_string);
        self.state.save(&self.folder).map_err(io(&self.folder))
    }

    /// kill -9; returns when the process is gone.
    pub fn kill(&mut self, i: usize) -> Result<(), TestnetError> {
        let Some(process) = self.node(i)?.process.filter(|p| p.is_alive()) else {
            return Err(TestnetError::NodeState(i, "does not run"));
        };
        process.kill();
        until(&format!("node {i} to be gone"), END_WITHIN, || {
            if process.is_alive() { Err("alive".into()) } else { Ok(()) }
        })?;
        self.state.nodes[i].process = None;
        self.state.save(&self.folder).map_err(io(&self.folder))
    }

    /// Asks a node to end and waits until it has.
    pub fn stop(&mut self, i: usize) -> Result<(), TestnetError> {
        let Some(process) = self.node(i)?.process.filter(|p| p.is_alive()) else {
            return Err(TestnetError::NodeState(i, "does not run"));
        };
        process.terminate();
        until(
            &format!("node {i} to end"),
            END_WITHIN,
            || if process.is_alive() { Err("alive".into()) } else { Ok(()) },
        )?;
        self.state.nodes[i].process = None;
        self.state.save(&self.folder).map_err(io(&self.folder))
    }

    /// Kills a node if it runs and starts it again.
    pub fn restart(&mut self, i: usize) -> Result<(), TestnetError> {
        if self.node(i)?.is_alive() {
            self.kill(i)?;
        }
        self.start(i)
    }

    /// Ends every node; those that take too long are killed. Nothing runs when this returns.
    pub fn down(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), TestnetError> {
        let running: Vec<_> = self.state.nodes.iter().filter_map(|n| n.process).filter(|p| p.is_alive()).collect();
        progress(Progress::Step(format!("ending {} nodes", running.len())));
        running.iter().for_each(|p| p.terminate());
        let all_gone = |what: &str, limit| {
            until(what, limit, || match running.iter().filter(|p| p.is_alive()).count() {
                0 => Ok(()),
                left => Err(format!("{left} still run")),
            })
        };
        if all_gone("all nodes to end", END_WITHIN).is_err() {
            running.iter().for_each(|p| p.kill());
            all_gone("all nodes to be gone after kill -9", END_WITHIN)?;
        }
        for node in &mut self.state.nodes {
            node.process = None;
            node.api = None;
        }
        self.state.save(&self.folder).map_err(io(&self.folder))
    }

    /// Removes the folder, nodes, keys and all. Call after [`Self::down`].
    pub fn remove(self) -> Result<(), TestnetError> {
        std::fs::remove_dir_all(&self.folder).map_err(io(&self.folder))
    }

    /// How every node stands.
    pub fn status(&self) -> Vec<NodeStatus> {
        let ask = |node: &NodeEntry| {
            let client = Client::from_data_dir(&node.data_dir()).ok()?;
            client.get::<Value>("/v1/status").ok()
        };
        (self.state.nodes.iter())
            .map(|node| {
                let running = node.is_alive();
                let status = if running { ask(node).unwrap_or_default() } else { Value::Null };
                NodeStatus { name: node.name.clone(), running, status }
            })
            .collect()
    }

    /// Waits until every running node is at `height` or above.
    pub fn wait_height(&self, height: u64, limit: Duration) -> Result<(), TestnetError> {
        until(&format!("height {height} on every running node"), limit, || {
            let seen: Vec<_> = self.running().map(|s| (s.name.clone(), s.tip().map(|t| t.1))).collect();
            let there = seen.iter().all(|(_, h)| h.is_some_and(|h| h >= height));
            if there && !seen.is_empty() { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .map_err(Into::into)
    }

    /// Waits until all running nodes are on one tip, and returns it with its height.
    pub fn wait_agree(&self, limit: Duration) -> Result<(BlockId, u64), TestnetError> {
        until("one tip on every running node", limit, || {
            let seen: Vec<_> = self.running().map(|s| (s.name.clone(), s.tip())).collect();
            match seen.first() {
                Some((_, Some(first))) if seen.iter().all(|(_, tip)| tip.as_ref() == Some(first)) => Ok(*first),
                _ => Err(format!("{seen:?}")),
            }
        })
        .map_err(Into::into)
    }

    fn running(&self) -> impl Iterator<Item = NodeStatus> {
        self.status().into_iter().filter(|s| s.running)
    }
}

/// The time a log line is stamped with: ms since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// The last `lines` of a file.
fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A keystore and its passphrase file for the participant `name` in `folder`. Cheap to open: a testnet's keys are public.
fn write_keystore(
    folder: &Path,
    seed: u64,
    name: &str,
) -> Result<medring_protocol::identity::PublicKeys, TestnetError> {
    let text = format!("testnet {seed} {name}");
    let path = folder.join("passphrase");
    medring_node::wallet::files::write_private(&path, format!("{text}\n").as_bytes())
        .map_err(|e| TestnetError::Other(e.to_string()))?;
    let passphrase = Passphrase::new(text.as_bytes()).map_err(|e| TestnetError::Other(e.to_string()))?;
    let identity = config::identity(seed, name);
    let keys = identity.public();
    let mut rng = config::rng(seed, &format!("keystore of {name}"));
    Keystore::create(&folder.join("keystore.json"), &passphrase, identity, KdfCost::TESTNET, &mut rng)?;
    Ok(keys)
}
