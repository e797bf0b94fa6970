//! What would keep a node from starting, or from finding others: tried one after the other, each with what to do about it.

use super::folder::Folder;
use super::{StartError, clock, read_genesis};
use crate::config::Config;
use crate::core::Input;
use crate::core::limits::CLOCK_SKEW_WARN_MS;
use crate::net::address::parts;
use crate::net::{self, Command, ConnectError, Net, NetConfig};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};
use medring_protocol::params::Params;
use medring_protocol::wire::Status;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Until a bootstrap node has answered and said where it stands.
const MEETING_TIMEOUT: Duration = Duration::from_secs(15);

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As it should.
    Good,
    /// It works, and may not be what was meant.
    Note,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `genesis`, `folder`, `listen`, `api`, `clock`, `bootstrap`.
    pub what: String,
    /// How it stands.
    pub standing: Standing,
    /// What was seen.
    pub detail: String,
    /// What to do about it; empty where nothing is.
    pub next: String,
}

impl Finding {
    fn new(what: &str, standing: Standing, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), standing, detail: detail.into(), next: next.into() }
    }

    fn good(what: &str, detail: impl Into<String>) -> Self {
        Self::new(what, Standing::Good, detail, "")
    }

    fn bad(what: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(what, Standing::Bad, detail, next)
    }
}

/// Looks at everything a node with this configuration needs. Changes nothing but that the data folder is made.
///
/// Must be called within a tokio runtime with I/O and time enabled.
pub async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let params = match read_genesis(&config.genesis) {
        Ok(params) => {
            let detail = format!("{} ({}), chain id {}", config.genesis.display(), params.name, params.chain_id());
            findings.push(Finding::good("genesis", detail));
            Some(params)
        }
        Err(error) => {
            let next = "set `genesis` to the file that the network's operator gives you";
            findings.push(Finding::bad("genesis", error.to_string(), next));
            None
        }
    };
    let (folder, running) = folder(config);
    findings.push(folder);
    if !running {
        findings.extend(config.network.listen.iter().map(listen));
        findings.push(api(config));
    }
    findings.push(reach(config));
    if let Some(params) = params {
        findings.push(own_clock(&params));
        findings.extend(bootstrap(config, &params).await);
    }
    findings
}

/// Whether the folder can be used, and whether a node uses it now.
fn folder(config: &Config) -> (Finding, bool) {
    match Folder::open(&config.data_dir) {
        Ok(_) => (Finding::good("folder", format!("{} can be written", config.data_dir.display())), false),
        Err(StartError::InUse { folder, pid }) => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let detail = format!("a node runs on {}{pid}: its ports are not tried", folder.display());
            (Finding::new("folder", Standing::Note, detail, "`medring node status` shows where it stands"), true)
        }
        Err(error) => (Finding::bad("folder", error.to_string(), "choose another folder (data_dir)"), false),
    }
}

fn listen(address: &Multiaddr) -> Finding {
    match net::probe(address) {
        Ok(()) => Finding::good("listen", format!("{address} is free")),
        Err(error) => Finding::bad("listen", error.to_string(), "change network.listen, or end what listens there"),
    }
}

fn api(config: &Config) -> Finding {
    let address = config.api.listen;
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::good("api", format!("{address} is free")),
        Err(error) => {
            let next = "end what listens there, or set api.listen to 127.0.0.1:0 for any free port";
            Finding::bad("api", format!("cannot listen on {address}: {error}"), next)
        }
    }
}

/// Whether others can reach this node at all.
fn reach(config: &Config) -> Finding {
    let own = config.network.listen.iter().chain(&config.network.announce);
    let all: Vec<_> = own.filter_map(parts).map(|parts| parts.socket).collect();
    if all.iter().all(|socket| socket.ip().is_loopback()) {
        let next =
            "to be reached from elsewhere, listen on an address of this machine (/ip4/0.0.0.0/tcp/9444: all of them)";
        return Finding::new(
            "reach",
            Standing::Note,
            "listens on this machine only: nodes elsewhere cannot link to it",
            next,
        );
    }
    if config.network.listen.iter().filter_map(parts).any(|p| p.socket.port() == 0 && !p.socket.ip().is_loopback()) {
        let next = "give network.listen a fixed port and open it in the firewall (TCP, and UDP for QUIC)";
        return Finding::new("reach", Standing::Note, "a port is drawn at each start, so nobody can be told it", next);
    }
    Finding::good("reach", "nodes elsewhere may link here, if the firewall lets them (TCP, and UDP for QUIC)")
}

fn own_clock(params: &Params) -> Finding {
    let now_ms = clock::now_ms();
    if now_ms < params.genesis_time_ms {
        let behind_s = (params.genesis_time_ms - now_ms) / 1000;
        let detail = format!("this machine's clock stands {behind_s} s before the network's genesis");
        return Finding::bad("clock", detail, "set the clock (timedatectl set-ntp true)");
    }
    Finding::good("clock", "after the network's genesis")
}

/// Links to each bootstrap address as a node would, with a key of the moment, and hears where it stands.
async fn bootstrap(config: &Config, params: &Params) -> Vec<Finding> {
    if config.network.bootstrap.is_empty() {
        let next = "to join a network, set network.bootstrap to the address of a node that is on it";
        let detail = "no bootstrap address: this node waits for others";
        return vec![Finding::new("bootstrap", Standing::Note, detail, next)];
    }
    let stop = CancellationToken::new();
    let _ended = stop.clone().drop_guard();
    let (inputs, heard) = mpsc::channel(64);
    let settings = NetConfig::new(Keypair::generate_ed25519(), params.chain_id(), clock::now_ms);
    let net = match net::start(settings, inputs, broadcast::channel(64).0, stop).await {
        Ok(net) => net,
        Err(error) => return vec![Finding::bad("bootstrap", error.to_string(), "free a port of 127.0.0.1")],
    };
    let mut visitor = Visitor { net, heard, statuses: Vec::new() };
    let mut findings = Vec::new();
    for address in &config.network.bootstrap {
        findings.extend(visitor.visit(address, params).await);
    }
    findings
}

/// A node that only asks where others stand.
struct Visitor {
    net: Net,
    heard: mpsc::Receiver<Input>,
    statuses: Vec<(PeerId, Status)>,
}

impl Visitor {
    async fn visit(&mut self, address: &Multiaddr, params: &Params) -> Vec<Finding> {
        let met = tokio::time::timeout(MEETING_TIMEOUT, self.meet(address)).await;
        let status = match met {
            Ok(Ok(status)) => status,
            Ok(Err(ConnectError(problem))) => {
                let next = "docs/joining.md says what each symptom means";
                return vec![Finding::bad("bootstrap", problem, next)];
            }
            Err(_) => {
                let detail =
                    format!("{address}: linked, and it did not say where it stands within {MEETING_TIMEOUT:?}");
                let next = "it may be no medring node, be full, or have banned this address; ask its operator";
                return vec![Finding::bad("bootstrap", detail, next)];
            }
        };
        if status.chain != params.chain_id() {
            let detail = format!(
                "{address} is on another network: our chain is {} ({}), theirs {} ({})",
                params.chain_id(),
                params.name,
                status.chain,
                status.chain_name
            );
            return vec![Finding::bad("bootstrap", detail, "compare genesis files with its operator")];
        }
        let mut findings =
            vec![Finding::good("bootstrap", format!("{address} answers, height {}, {}", status.height, status.agent))];
        let skew_ms = clock::now_ms().abs_diff(status.clock_ms);
        if skew_ms > CLOCK_SKEW_WARN_MS {
            let detail = format!("the clock of {address} and ours differ by {} s", skew_ms / 1000);
            findings.push(Finding::bad(
                "clock",
                detail,
                "check both clocks (timedatectl); blocks and records may be refused",
            ));
        }
        findings
    }

    async fn meet(&mut self, address: &Multiaddr) -> Result<Status, ConnectError> {
        let gone = || ConnectError("the network ended".into());
        let (reply, answer) = oneshot::channel();
        let connect = Command::Connect { address: address.clone(), reply };
        self.net.commands.send(connect).await.map_err(|_| gone())?;
        let peer_id = answer.await.map_err(|_| gone())??;
        loop {
            if let Some((_, status)) = self.statuses.iter().find(|(id, _)| *id == peer_id) {
                return Ok(status.clone());
            }
            let input = self.heard.recv().await.ok_or_else(gone)?;
            if let Input::Status { peer, status } = input {
                let link = self.net.links.borrow().iter().find(|link| link.peer == peer).map(|link| link.peer_id);
                self.statuses.extend(link.map(|id| (id, status)));
            }
        }
    }
}
