//! `medring testnet up`, `kill`, `restart` and `down`: what changes a testnet.

use super::steps::{Steps, host_and_port};
use super::{FolderArgs, NodeArgs, block_time, signals};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use clap::Args;
use medring_testnet::procs::{Guarded, Progress, Testnet, UpOptions, find_binary};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// `medring testnet up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// How many nodes: a healthcare center, a doctor, a patient, then carers
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// All keys and mining come from it, and it is no secret: never use it for real records [default: drawn]
    #[arg(long, value_name = "S")]
    seed: Option<u32>,
    /// Intended time between blocks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = block_time)]
    block_time: Duration,
    /// Mine only when asked to, with `medring chain mine`
    #[arg(long)]
    no_mine: bool,
    /// Link no node to any other
    #[arg(long)]
    isolated: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `medring testnet down`.
#[derive(Args, Debug)]
pub(crate) struct DownArgs {
    /// Remove the folder too, keys, chains and logs
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Serialize)]
struct NodeUp {
    name: String,
    role: String,
    participant: String,
    address: String,
    api: String,
    data_dir: PathBuf,
}

#[derive(Serialize)]
struct Up {
    folder: PathBuf,
    genesis: PathBuf,
    chain_id: String,
    seed: u64,
    nodes: Vec<NodeUp>,
}

impl Up {
    fn of(testnet: &Testnet) -> Self {
        let state = testnet.state();
        let node = |n: &medring_testnet::procs::NodeEntry| NodeUp {
            name: n.name.clone(),
            role: n.role.map_or_else(|| "-".into(), |role| role.to_string()),
            participant: n.participant.to_string(),
            address: n.address.clone().unwrap_or_default(),
            api: n.api.clone().unwrap_or_default(),
            data_dir: n.data_dir(),
        };
        Self {
            folder: testnet.folder().to_path_buf(),
            genesis: testnet.folder().join("genesis.json"),
            chain_id: state.chain_id.to_string(),
            seed: state.seed,
            nodes: state.nodes.iter().map(node).collect(),
        }
    }
}

impl Report for Up {
    fn text(&self, style: Style) -> String {
        let row = |n: &NodeUp| vec![n.name.clone(), n.role.clone(), host_and_port(&n.address), n.api.clone()];
        let rows: Vec<_> = self.nodes.iter().map(row).collect();
        let mut out = style.table(&["node", "role", "links at", "api"], &rows);
        let folder = self.folder.display();
        let (first, data) = (self.nodes.first(), |n: &NodeUp| n.data_dir.display().to_string());
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "\nchain {}, seed {}, in {folder}\n\nTry next\n  medring testnet status --dir {folder}\n  medring testnet logs -f --dir {folder}\n  medring chain status --data-dir {}\n  medring testnet down --remove --dir {folder}\n",
            self.chain_id.get(..16).unwrap_or_default(),
            self.seed,
            first.map(data).unwrap_or_default(),
        );
        out
    }
}

/// `medring testnet up`.
pub(super) fn up(args: UpArgs, context: &Context) -> Outcome {
    signals::catch();
    let binary = binary()?;
    let seed = u64::from(args.seed.unwrap_or_else(rand::random));
    let mut options = UpOptions::numbered(args.folder.dir, binary, usize::from(args.nodes), seed);
    options.block_time_ms = u64::try_from(args.block_time.as_millis()).unwrap_or(u64::MAX);
    options.mine = !args.no_mine;
    options.link = !args.isolated;
    let mut steps = Steps::new(context.output);
    let mut progress = |p: Progress| steps.tell(p);
    let testnet = Guarded::new(Testnet::up(&options, &mut progress)?);
    testnet.enrol(&mut progress)?;
    steps.finish();
    context.output.report(&Up::of(&testnet));
    testnet.keep();
    Ok(Exit::Ok)
}

/// The binary that the nodes run.
pub(super) fn binary() -> Outcome<PathBuf> {
    find_binary().map_err(|e| Failure::new(Exit::Config, e.to_string()))
}

#[derive(Serialize)]
struct Done {
    done: String,
}

impl Report for Done {
    fn text(&self, _: Style) -> String {
        format!("{}\n", self.done)
    }
}

fn done(context: &Context, what: String) -> Outcome {
    context.output.report(&Done { done: what });
    Ok(Exit::Ok)
}

/// `medring testnet kill I`.
pub(super) fn kill(args: &NodeArgs, context: &Context) -> Outcome {
    let mut testnet = args.folder.open()?;
    testnet.kill(args.node)?;
    done(
        context,
        format!("{} was killed; `medring testnet restart {}` starts it", name(&testnet, args.node), args.node),
    )
}

/// `medring testnet restart I`.
pub(super) fn restart(args: &NodeArgs, context: &Context) -> Outcome {
    signals::catch();
    let mut testnet = args.folder.open()?;
    testnet.restart(args.node)?;
    let api = testnet.node(args.node)?.api.clone().unwrap_or_default();
    done(context, format!("{} is ready; its api is {api}", name(&testnet, args.node)))
}

fn name(testnet: &Testnet, node: usize) -> String {
    testnet.node(node).map(|n| n.name.clone()).unwrap_or_default()
}

/// `medring testnet down`.
pub(super) fn down(args: &DownArgs, context: &Context) -> Outcome {
    let mut testnet = args.folder.open()?;
    let mut steps = Steps::new(context.output);
    let ended = testnet.down(&mut |p| steps.tell(p));
    steps.finish();
    ended?;
    let folder = testnet.folder().display().to_string();
    if args.remove {
        testnet.remove()?;
        return done(context, format!("nothing runs, {folder} is removed"));
    }
    done(context, format!("nothing runs; chains and logs are in {folder}; `medring testnet restart I` starts a node"))
}
