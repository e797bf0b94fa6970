//! `medring peers`: links to other nodes.

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style, utc};
use clap::{Args, Subcommand, ValueEnum};
use medring_node::api::types::{ConnectRequest, ConnectResponse, Isolation, PeerInfo, PeersResponse};
use serde::Serialize;

/// `medring peers …`.
#[derive(Subcommand, Debug)]
pub(crate) enum PeersCommand {
    /// List linked nodes
    List,
    /// Link to a node
    Add(AddArgs),
    /// Cut all links and refuse new ones, or end that (test networks)
    Isolate(IsolateArgs),
}

/// `medring peers add`.
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// For example /ip4/127.0.0.1/tcp/4001 or /ip4/127.0.0.1/udp/4001/quic-v1, with or without /p2p/PEERID
    #[arg(value_name = "MULTIADDR")]
    address: String,
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
            return "No peers. Link to one with `medring peers add MULTIADDR`.\n".into();
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
        PeersCommand::List => output.report(&ListReport(client.get("/v1/peers")?)),
        PeersCommand::Add(args) => {
            output.report(&AddReport(client.post("/v1/peers", &ConnectRequest { address: args.address })?));
        }
        PeersCommand::Isolate(args) => {
            let on = matches!(args.switch, Switch::On);
            output.report(&IsolateReport(client.post("/v1/testnet/isolate", &Isolation { on })?));
        }
    }
    Ok(Exit::Ok)
}
