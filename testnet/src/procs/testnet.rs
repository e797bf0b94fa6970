//! A testnet as a whole: opened, started, ended, removed.

use super::process::ProcessId;
use super::state::{NodeEntry, State};
use super::wait::{WaitError, until, until_in_any_case};
use crate::client::{Client, ClientError};
use medring_node::wallet::KeystoreError;
use medring_protocol::params::GenesisFile;
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
    /// The folder holds something else.
    #[error("{0} is not empty, and a testnet wants a folder of its own: choose a new one with --dir")]
    NotEmpty(String),
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

pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TestnetError + '_ {
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

/// How long a node may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a node may take to end after SIGTERM; then it is killed.
pub(super) const END_WITHIN: Duration = Duration::from_secs(15);

/// A testnet in its folder.
#[derive(Debug)]
pub struct Testnet {
    pub(super) folder: PathBuf,
    pub(super) state: State,
}

impl Testnet {
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
        let last = self.state.nodes.len().saturating_sub(1);
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
            return Err(TestnetError::NodeState(i, "runs already; `medring testnet status` shows it"));
        }
        // A node that was killed could not remove its own.
        let ready_file = node.data_dir().join("node.json");
        let _absent = std::fs::remove_file(&ready_file);
        let process =
            ProcessId::spawn(&self.state.binary, &node.config(), &node.log()).map_err(io(&self.state.binary))?;
        self.state.nodes[i].process = Some(process);
        self.save()?;
        let ready = until(&format!("{} to become ready", node.name), READY_WITHIN, || {
            if !process.is_alive() {
                return Ok(None);
            }
            let text = std::fs::read_to_string(&ready_file).map_err(|e| format!("node.json: {e}"))?;
            serde_json::from_str::<Value>(&text).map(Some).map_err(|e| format!("node.json: {e}"))
        })?;
        let Some(ready) = ready else {
            self.state.nodes[i].process = None;
            self.save()?;
            return Err(TestnetError::Ended {
                name: node.name.clone(),
                log: node.log().display().to_string(),
                tail: tail(&node.log(), 8),
            });
        };
        self.state.nodes[i].address = ready["listen"][0].as_str().map(str::to_string);
        self.state.nodes[i].api = ready["api"].as_str().map(str::to_string);
        self.save()
    }

    /// Ends every node; those that take too long are killed. Nothing runs when this returns.
    pub fn down(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), TestnetError> {
        let running: Vec<_> = self.state.nodes.iter().filter_map(|n| n.process).filter(|p| p.is_alive()).collect();
        progress(Progress::Step(format!("ending {} nodes", running.len())));
        running.iter().for_each(|p| p.terminate());
        let all_gone = |what: &str, limit| {
            until_in_any_case(what, limit, || match running.iter().filter(|p| p.is_alive()).count() {
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
        self.save()
    }

    /// Removes the folder, nodes, keys and all. Call after [`Self::down`].
    pub fn remove(self) -> Result<(), TestnetError> {
        std::fs::remove_dir_all(&self.folder).map_err(io(&self.folder))
    }

    pub(super) fn save(&self) -> Result<(), TestnetError> {
        self.state.save(&self.folder).map_err(io(&self.folder))
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
