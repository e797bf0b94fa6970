//! `medring peers`: links to other nodes, who is remembered, who is banned.

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable, span, utc};
use clap::{Args, Subcommand, ValueEnum};
use medring_node::api::types::{
    BanRequest, BansResponse, ConnectRequest, ConnectResponse, Isolation, KnownResponse, PeerInfo, PeersResponse,
    UnbanRequest, UnbanResponse,
};
use medring_node::net::{Ban, Known};
use serde::Serialize;

/// `medring peers …`.
#[derive(Subcommand, Debug)]
pub(crate) enum PeersCommand {
    /// List linked nodes
    List(ListArgs),
    /// Link to a node
    Add(AddArgs),
    /// Cut a node's links and refuse new ones for a while
    Ban(BanArgs),
    /// End a ban
    Unban(UnbanArgs),
    /// List who is banned, why, and until when
    Banned,
    /// Cut all links and refuse new ones, or end that (test networks)
    Isolate(IsolateArgs),
}

/// `medring peers list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// List whom the node remembers, linked or not
    #[arg(long)]
    known: bool,
}

/// `medring peers add`.
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// For example /ip4/127.0.0.1/tcp/4001 or /ip4/127.0.0.1/udp/4001/quic-v1, with or without /p2p/PEERID
    #[arg(value_name = "MULTIADDR")]
    address: String,
}

/// `medring peers ban`.
#[derive(Args, Debug)]
pub(crate) struct BanArgs {
    /// A peer id, or an IP address (an IPv6 address stands for its /64)
    #[arg(value_name = "PEERID|IP")]
    target: String,
    /// For so many hours
    #[arg(long = "for", value_name = "HOURS", default_value_t = 24)]
    hours: u64,
    /// Why, for whoever reads the list later
    #[arg(long, value_name = "TEXT", default_value = "by command")]
    reason: String,
}

/// `medring peers unban`.
#[derive(Args, Debug)]
pub(crate) struct UnbanArgs {
    /// As `medring peers banned` shows it
    #[arg(value_name = "PEERID|IP")]
    target: String,
}

/// `medring peers isolate`.
#[derive(Args, Debug)]
pub(crate) struct IsolateArgs {
    /// Whether to be alone
    #[arg(value_enum)]
    switch: Switch,
}

/// On or off.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// Alone
    On,
    /// Linked again
    Off,
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ListReport(PeersResponse);

impl Report for ListReport {
    fn text(&self, style: Style) -> String {
        if self.0.peers.is_empty() {
            return "No peers. Link to one with `medring peers add MULTIADDR`; `medring node check` tells what is amiss.\n".into();
        }
        let row = |p: &PeerInfo| {
            let direction = serde_json::to_value(p.direction).ok().and_then(|v| v.as_str().map(str::to_owned));
            vec![
                p.peer_id.clone(),
                p.address.clone(),
                direction.unwrap_or_default(),
                p.height.map_or_else(|| "-".into(), |height| height.to_string()),
                p.agent.clone().unwrap_or_default(),
                utc(p.connected_ms),
            ]
        };
        let rows: Vec<_> = self.0.peers.iter().map(row).collect();
        style.table(&["peer", "address", "link", "height", "software", "linked since"], &rows)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct KnownReport(KnownResponse);

impl Report for KnownReport {
    fn text(&self, style: Style) -> String {
        if self.0.peers.is_empty() {
            return "The node remembers nobody yet.\n".into();
        }
        let row = |k: &Known| {
            vec![
                k.peer_id.to_string(),
                k.addresses.first().map(ToString::to_string).unwrap_or_default(),
                k.linked_ms.map_or_else(|| "never".into(), utc),
                k.failures.to_string(),
            ]
        };
        let rows: Vec<_> = self.0.peers.iter().map(row).collect();
        style.table(&["peer", "address", "last linked", "failures since"], &rows)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct BansReport(BansResponse);

impl Report for BansReport {
    fn text(&self, style: Style) -> String {
        if self.0.bans.is_empty() {
            return "Nobody is banned.\n".into();
        }
        let row =
            |ban: &Ban| vec![ban.target.to_string(), utc(ban.since_ms), utc(ban.until_ms), printable(&ban.reason)];
        let rows: Vec<_> = self.0.bans.iter().map(row).collect();
        style.table(&["peer or address", "since", "until", "why"], &rows)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct BanReport(Ban);

impl Report for BanReport {
    fn text(&self, _: Style) -> String {
        let lasts = span(self.0.until_ms.saturating_sub(self.0.since_ms));
        format!("{} is banned for {lasts}; end it with `medring peers unban {0}`\n", self.0.target)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct UnbanReport(UnbanResponse);

impl Report for UnbanReport {
    fn text(&self, _: Style) -> String {
        format!("{} is no longer banned\n", self.0.target)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct AddReport(ConnectResponse);

impl Report for AddReport {
    fn text(&self, _: Style) -> String {
        format!("Linked to {}\n", self.0.peer_id)
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct IsolateReport(Isolation);

impl Report for IsolateReport {
    fn text(&self, _: Style) -> String {
        let how =
            if self.0.on { "The node is alone; end it with `medring peers isolate off`" } else { "Links are allowed" };
        format!("{how}\n")
    }
}

pub(super) fn run(command: PeersCommand, context: &Context) -> Outcome {
    let (client, output) = (context.client()?, context.output);
    match command {
        PeersCommand::List(ListArgs { known: false }) => output.report(&ListReport(client.get("/v1/peers")?)),
        PeersCommand::List(ListArgs { known: true }) => output.report(&KnownReport(client.get("/v1/peers/known")?)),
        PeersCommand::Add(args) => {
            output.report(&AddReport(client.post("/v1/peers", &ConnectRequest { address: args.address })?));
        }
        PeersCommand::Ban(BanArgs { target, hours, reason }) => {
            let minutes = hours.checked_mul(60).ok_or_else(|| Failure::new(Exit::Usage, "--for: too many hours"))?;
            output.report(&BanReport(client.post("/v1/peers/bans", &BanRequest { target, minutes, reason })?));
        }
        PeersCommand::Unban(UnbanArgs { target }) => {
            output.report(&UnbanReport(client.post("/v1/peers/unban", &UnbanRequest { target })?));
        }
        PeersCommand::Banned => output.report(&BansReport(client.get("/v1/peers/bans")?)),
        PeersCommand::Isolate(args) => {
            let on = matches!(args.switch, Switch::On);
            output.report(&IsolateReport(client.post("/v1/testnet/isolate", &Isolation { on })?));
        }
    }
    Ok(Exit::Ok)
}
