//! What an operator may set: a TOML file, `MEDRING_*` variables and flags, merged in this order and checked as a whole.
//!
//! Every key stands once in [`KEYS`]: its kind, its default and its sentence in `docs/operator.md`.

mod chain;
mod error;
mod keys;
mod layers;

pub use chain::ChainConfig;
pub use error::ConfigError;
pub use keys::{KEYS, Key, Kind};
pub use layers::{ConfigPatch, load};

use crate::net::address::parts;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use medring_protocol::wire::VERSION;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything a node is told before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the chain, the node's key, its lock, its token and `node.json`.
    pub data_dir: PathBuf,
    /// The genesis file of the network.
    pub genesis: PathBuf,
    /// What the operator knows about the right chain.
    pub chain: ChainConfig,
    /// Links to other nodes.
    pub network: NetworkConfig,
    /// The HTTP API.
    pub api: ApiConfig,
    /// Mining.
    pub mining: MiningConfig,
    /// The wallet; no participant lives on this node if its `keystore` is not set.
    pub wallet: WalletConfig,
    /// Groups of the participant who lives on this node.
    pub group: GroupConfig,
    /// Vital signs of the participant who lives on this node.
    pub monitor: MonitorConfig,
    /// What only test networks know.
    pub testnet: TestnetConfig,
    /// What is logged, how and where.
    pub log: LogConfig,
    /// The file it was read from, absolute; no setting.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[network]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// TCP and QUIC addresses to listen on; port 0 takes any free one.
    pub listen: Vec<Multiaddr>,
    /// Nodes to stay linked to, with or without `/p2p/PEERID`.
    pub bootstrap: Vec<Multiaddr>,
    /// Addresses others reach this node at, where they differ from `listen`.
    pub announce: Vec<Multiaddr>,
    /// Whether further nodes are looked for through those that are linked.
    pub discovery: bool,
    /// Whether nodes are looked for on the local network, and this one is shown there.
    pub mdns: bool,
    /// Most links at one time, 1 … 250; a quarter is kept for links we open.
    pub max_peers: u32,
    /// A file to which every outgoing payload is copied before it is encrypted; test networks only.
    pub capture: Option<PathBuf>,
    /// The wire version spoken, 1 or the newest; test networks only.
    pub wire_version: Option<u16>,
}

/// `[api]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// A loopback address; port 0 takes any free one.
    pub listen: SocketAddr,
}

/// `[mining]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MiningConfig {
    /// Whether this node mines all the time.
    pub enabled: bool,
    /// Threads, 1 … 256; `None`: one.
    pub threads: Option<u32>,
    /// Most hashes per second of all threads together; test networks only.
    pub hashes_per_second: Option<u64>,
    /// Where the search for nonces starts and how ties between peers are broken; `None`: drawn from the system.
    pub seed: Option<u64>,
    /// How much the mining threads yield to others, 0 … 19; `None`: 10.
    pub nice: Option<u32>,
}

/// `[wallet]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletConfig {
    /// The participant's keystore.
    pub keystore: Option<PathBuf>,
    /// A file only its owner can read, whose first line is the keystore's passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Height from which to look for own records.
    pub birthday_height: u64,
}

/// `[group]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// Whether keys of past epochs are kept.
    pub archive: bool,
    /// Most members of a group this participant owns, 1 … 256.
    pub members_max: u32,
    /// How long each step of a new epoch may take, 1,000 … 600,000 ms; `None`: 30,000. Test networks only.
    pub step_timeout_ms: Option<u64>,
    /// The process ends right after so many stores of groups; test networks only.
    pub crash_after: Option<u64>,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self { archive: false, members_max: 64, step_timeout_ms: None, crash_after: None }
    }
}

/// `[monitor]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// Minutes of recording in each record, 1 … 15, unless a stream says otherwise.
    pub window_minutes: u32,
    /// Mebibytes of samples that may wait until the group can be sealed to, 1 … 256.
    pub queue_mib: u32,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { window_minutes: 5, queue_mib: 32 }
    }
}

impl MonitorConfig {
    /// Bytes of samples that may wait.
    pub fn queue_bytes(&self) -> usize {
        // At most 256 MiB.
        usize::try_from(self.queue_mib).unwrap_or(usize::MAX).saturating_mul(1024 * 1024)
    }
}

/// `[testnet]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestnetConfig {
    /// A file of faults to start with ([`crate::faults::Faults`]); none if it is not there.
    pub faults: Option<PathBuf>,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// A tracing filter, for example `info,medring_node::net=debug`.
    pub filter: String,
    /// A file to append to; `None`: standard error.
    pub file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            genesis: PathBuf::from("genesis.json"),
            chain: ChainConfig::default(),
            network: NetworkConfig::default(),
            api: ApiConfig::default(),
            mining: MiningConfig::default(),
            wallet: WalletConfig::default(),
            group: GroupConfig::default(),
            monitor: MonitorConfig::default(),
            testnet: TestnetConfig::default(),
            log: LogConfig::default(),
            file: None,
        }
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let loopback = || Multiaddr::from(std::net::Ipv4Addr::LOCALHOST);
        let quic = loopback().with(Protocol::Udp(0)).with(Protocol::QuicV1);
        Self {
            listen: vec![loopback().with(Protocol::Tcp(0)), quic],
            bootstrap: Vec::new(),
            announce: Vec::new(),
            discovery: true,
            mdns: false,
            max_peers: 64,
            capture: None,
            wire_version: None,
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into(), file: None }
    }
}

/// `~/.medring`, or `.medring` here where no home is known.
pub fn default_data_dir() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".medring")
}

impl MiningConfig {
    /// Threads to mine with.
    pub fn threads(&self) -> u32 {
        self.threads.unwrap_or(1)
    }

    /// How much they yield.
    pub fn nice(&self) -> u32 {
        self.nice.unwrap_or(10)
    }
}

impl Config {
    /// Checks every value against its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fail = |key, problem: String| Err(ConfigError::Value { key, problem });
        self.chain.min_work().map_err(|problem| ConfigError::Value { key: "chain.min_work", problem })?;
        self.chain.checkpoints().map_err(|problem| ConfigError::Value { key: "chain.checkpoints", problem })?;
        if self.network.listen.is_empty() {
            return fail("network.listen", "is empty; give at least one, for example \"/ip4/127.0.0.1/tcp/0\"".into());
        }
        for address in &self.network.listen {
            check_address(address, false).map_err(|p| ConfigError::Value { key: "network.listen", problem: p })?;
        }
        for address in &self.network.bootstrap {
            check_address(address, true).map_err(|p| ConfigError::Value { key: "network.bootstrap", problem: p })?;
        }
        for address in &self.network.announce {
            check_address(address, false).map_err(|p| ConfigError::Value { key: "network.announce", problem: p })?;
        }
        if !(1..=250).contains(&self.network.max_peers) {
            return fail("network.max_peers", format!("is {}; use 1 … 250", self.network.max_peers));
        }
        if let Some(version) = self.network.wire_version.filter(|version| !(1..=VERSION).contains(version)) {
            return fail("network.wire_version", format!("is {version}; use 1 … {VERSION}"));
        }
        if !self.api.listen.ip().is_loopback() {
            let problem = format!(
                "is {}, which other machines can reach. The API is for this machine only: use 127.0.0.1:PORT, and a tunnel (ssh -L) from elsewhere",
                self.api.listen
            );
            return fail("api.listen", problem);
        }
        if !(1..=256).contains(&self.mining.threads()) {
            return fail("mining.threads", format!("is {}; use 1 … 256", self.mining.threads()));
        }
        if self.mining.hashes_per_second == Some(0) {
            return fail("mining.hashes_per_second", "is 0; set mining.enabled = false instead".into());
        }
        if self.mining.nice() > 19 {
            return fail("mining.nice", format!("is {}; use 0 … 19", self.mining.nice()));
        }
        if !(1..=256).contains(&self.group.members_max) {
            return fail("group.members_max", format!("is {}; use 1 … 256", self.group.members_max));
        }
        if let Some(ms) = self.group.step_timeout_ms.filter(|ms| !(1_000..=600_000).contains(ms)) {
            return fail("group.step_timeout_ms", format!("is {ms}; use 1000 … 600000"));
        }
        if self.group.crash_after == Some(0) {
            return fail("group.crash_after", "is 0; leave it out".into());
        }
        if !crate::monitor::WINDOW_MINUTES.contains(&self.monitor.window_minutes) {
            return fail("monitor.window_minutes", format!("is {}; use 1 … 15", self.monitor.window_minutes));
        }
        if !(1..=256).contains(&self.monitor.queue_mib) {
            return fail("monitor.queue_mib", format!("is {}; use 1 … 256", self.monitor.queue_mib));
        }
        if self.wallet.keystore.is_some() && self.wallet.passphrase_file.is_none() {
            let problem =
                "is missing, and wallet.keystore is set: name a file (mode 0600) whose first line is the passphrase";
            return fail("wallet.passphrase_file", problem.into());
        }
        if self.wallet.keystore.is_none() && self.wallet.passphrase_file.is_some() {
            return fail("wallet.keystore", "is missing, and wallet.passphrase_file is set".into());
        }
        Ok(())
    }
}

/// How addresses of nodes are written.
pub const ADDRESS_FORM: &str = "/ip4/ADDRESS/tcp/PORT or /ip4/ADDRESS/udp/PORT/quic-v1";

/// An address of [`ADDRESS_FORM`], IPv6 likewise, with `/p2p/PEERID` after it where `peer` allows it.
pub fn check_address(address: &Multiaddr, peer: bool) -> Result<(), String> {
    match parts(address) {
        Some(parts) if peer || parts.peer.is_none() => Ok(()),
        _ if peer => Err(format!("has {address}; use {ADDRESS_FORM}, with or without /p2p/PEERID after it")),
        _ => Err(format!("has {address}; use {ADDRESS_FORM}")),
    }
}

#[cfg(test)]
mod tests;
