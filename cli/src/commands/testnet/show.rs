//! `medring testnet status` and `wait`: what looks at a testnet.

use super::{FolderArgs, duration, signals};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use clap::Args;
use medring_testnet::procs::{NodeStatus, TestnetError};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// `medring testnet wait`.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// Until every running node is at this height or above
    #[arg(long, value_name = "H", required_unless_present = "agree")]
    height: Option<u64>,
    /// Until all running nodes are on one tip
    #[arg(long)]
    agree: bool,
    /// How long at most
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Serialize)]
struct Status {
    nodes: Vec<NodeStatus>,
}

fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".into(), |n| n.to_string())
}

fn row(node: (usize, &NodeStatus)) -> Vec<String> {
    let (i, n) = node;
    let running = match (n.running, n.status.is_null()) {
        _ if n.paused => "paused",
        (true, false) => "yes",
        (true, true) => "silent",
        (false, _) => "no",
    };
    vec![
        i.to_string(),
        n.name.clone(),
        n.role.map_or_else(|| "-".into(), |role| role.to_string()),
        running.into(),
        n.tip().map_or_else(|| "-".into(), |tip| tip.1.to_string()),
        n.tip().map_or_else(|| "-".into(), |tip| tip.0.short()),
        number(&n.status["peers"]),
        number(&n.status["pool"]["records"]),
        number(&n.status["mining"]["blocks_found"]),
    ]
}

impl Report for Status {
    fn text(&self, style: Style) -> String {
        let rows: Vec<_> = self.nodes.iter().enumerate().map(row).collect();
        style.table(&["#", "node", "role", "running", "height", "tip", "peers", "pool", "found"], &rows)
    }
}

/// `medring testnet status`.
pub(super) fn status(args: &FolderArgs, context: &Context) -> Outcome {
    let nodes = args.open()?.status();
    context.output.report(&Status { nodes });
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Waited {
    height: Option<u64>,
    tip: Option<String>,
}

impl Report for Waited {
    fn text(&self, _: Style) -> String {
        match (&self.tip, self.height) {
            (Some(tip), Some(height)) => format!("all nodes are on {tip} at height {height}\n"),
            (_, height) => format!("all nodes are at height {} or above\n", height.unwrap_or_default()),
        }
    }
}

fn not_yet(error: TestnetError) -> Failure {
    let failure = Failure::from(error);
    let next = "see `medring testnet status` and `logs`, or wait longer with --timeout";
    Failure::new(failure.exit, format!("{}; {next}", failure.message))
}

/// `medring testnet wait`.
pub(super) fn wait(args: &WaitArgs, context: &Context) -> Outcome {
    signals::catch();
    let testnet = args.folder.open()?;
    let mut waited = Waited { height: args.height, tip: None };
    if let Some(height) = args.height {
        testnet.wait_height(height, args.timeout).map_err(not_yet)?;
    }
    if args.agree {
        let (tip, height) = testnet.wait_agree(args.timeout).map_err(not_yet)?;
        waited = Waited { height: Some(height), tip: Some(tip.to_string()) };
    }
    context.output.report(&waited);
    Ok(Exit::Ok)
}
