//! `testnet.json`: what a testnet is and what of it runs.

use super::process::ProcessId;
use medring_protocol::identity::{PublicKeys, Role};
use medring_protocol::{ChainId, ParticipantId};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// `node0`, `node1`, …; in a demo `healthcenter`, `doctor`, `patient`, `outsider`.
    pub name: String,
    /// Its participant.
    pub participant: ParticipantId,
    /// Its participant's public keys: what others seal to.
    pub keys: PublicKeys,
    /// What the participant is enrolled as; `None`: not enrolled.
    pub role: Option<Role>,
    /// Its libp2p id; of its node key, which comes from the seed.
    pub peer_id: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its libp2p address with peer id, once it was ready for the first time.
    pub address: Option<String>,
    /// Its API, while it runs.
    pub api: Option<String>,
    /// Its process, while it runs.
    pub process: Option<ProcessId>,
}

impl NodeEntry {
    /// Where the node keeps its chain, `node.json` and `api.token`.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// What is wrong with it on purpose.
    pub fn faults(&self) -> PathBuf {
        self.folder.join("faults.json")
    }

    /// What it prints.
    pub fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }

    /// Whether its process runs.
    pub fn is_alive(&self) -> bool {
        self.process.is_some_and(ProcessId::is_alive)
    }

    /// Whether its process is stopped where it stands.
    pub fn is_paused(&self) -> bool {
        self.process.is_some_and(ProcessId::is_paused)
    }
}

/// A testnet as it stands in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Always `medring-testnet/1`.
    pub format: String,
    /// All keys and the order of mining attempts come from it.
    pub seed: u64,
    /// Intended time between blocks, ms.
    pub block_time_ms: u64,
    /// Whether the nodes mine all the time, or only when asked.
    pub mine: bool,
    /// Whether each node links to all others when it starts.
    pub link: bool,
    /// The chain.
    pub chain_id: ChainId,
    /// The medring binary that the nodes run.
    pub binary: PathBuf,
    /// The nodes.
    pub nodes: Vec<NodeEntry>,
}

impl State {
    /// The one format.
    pub const FORMAT: &'static str = "medring-testnet/1";

    /// Where the state of the testnet in `folder` stands.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("testnet.json")
    }

    /// Reads it.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(Self::path(folder))?;
        serde_json::from_str(&text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }

    /// Writes it in one step: a reader sees the old or the new.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let next = folder.join("testnet.json.next");
        let mut file = std::fs::File::create(&next)?;
        file.write_all(serde_json::to_string_pretty(self).map_err(io::Error::other)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(next, Self::path(folder))
    }
}
