//! `medring node`: a node on this machine.

use super::{node_check, scan};
use crate::context::{Context, read_genesis};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, span, utc};
use clap::{Args, Subcommand};
use medring_node::api::types::{StatusResponse, SyncInfo, WalletResponse};
use medring_node::config::{self, ConfigPatch};
use medring_node::driver;
use medring_node::wallet::Keystore;
use medring_protocol::ChainId;
use medring_testnet::client::{ClientError, node_file};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `medring node …`.
#[derive(Subcommand, Debug)]
pub(crate) enum NodeCommand {
    /// Prepare a data folder: the genesis file and a configuration to edit
    Init(InitArgs),
    /// Run a node in the foreground until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// Tell what would keep a node from starting or from finding others
    Check(RunArgs),
    /// Show where the node stands
    Status(StatusArgs),
    /// Ask the node to stop, and wait until it has
    Stop(StopArgs),
}

/// `medring node init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The network's genesis file; it is copied into the data folder
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Address of a node to join, for example /ip4/127.0.0.1/tcp/4001; give one for each
    #[arg(long, value_name = "MULTIADDR")]
    bootstrap: Vec<String>,
    /// Address to listen on, TCP or QUIC; give one for each
    #[arg(long, value_name = "MULTIADDR", default_values = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"])]
    listen: Vec<String>,
    /// Keystore of the participant who lives on this node
    #[arg(long, value_name = "FILE", requires = "passphrase_file")]
    keystore: Option<PathBuf>,
    /// File with its passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Mine all the time
    #[arg(long)]
    mine: bool,
}

/// `medring node run` and `medring node check`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// Configuration file [default: config.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting that outranks file and environment, for example mining.enabled=true; docs/operator.md lists all
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// `medring node status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// If the node does not answer yet, wait for it this long; 30 if no number is given
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_value_t = 0, default_missing_value = "30")]
    wait: u64,
}

/// `medring node stop`.
#[derive(Args, Debug)]
pub(crate) struct StopArgs {
    /// Seconds to wait for it to end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

pub(super) fn run(command: NodeCommand, context: &Context) -> Outcome {
    match command {
        NodeCommand::Init(args) => init(&args, context),
        NodeCommand::Run(args) => run_node(&args, context),
        NodeCommand::Check(args) => {
            node_check::check(&configuration(args.config.as_ref(), &args.set, context)?.0, context)
        }
        NodeCommand::Status(args) => status(&args, context),
        NodeCommand::Stop(args) => stop(&args, context),
    }
}

#[derive(Serialize)]
struct InitReport {
    data_dir: PathBuf,
    config: PathBuf,
    chain_id: ChainId,
    network: String,
    #[serde(skip)]
    run: String,
}

impl Report for InitReport {
    fn text(&self, style: Style) -> String {
        let rows = [
            ("network", self.network.clone()),
            ("chain id", self.chain_id.to_string()),
            ("data folder", self.data_dir.display().to_string()),
            ("configuration", self.config.display().to_string()),
        ];
        let next = format!("compare the chain id with someone who is on the network, then {}", self.run);
        format!("{}\nNext: {next}\n", style.fields(&rows))
    }
}

fn init(args: &InitArgs, context: &Context) -> Outcome {
    let genesis = read_genesis(&args.genesis)?;
    if let Some(keystore) = &args.keystore {
        Keystore::inspect(keystore)?;
    }
    let (config, copy) = (context.data_dir.join("config.toml"), context.data_dir.join("genesis.json"));
    if config.symlink_metadata().is_ok() {
        let what = format!("{} exists already; edit it, or choose another --data-dir", config.display());
        return Err(Failure::new(Exit::CannotCreate, what));
    }
    // A copy of the same network may stay; one of another network may not.
    match read_genesis(&copy) {
        Ok(there) if there.chain_id == genesis.chain_id => {}
        Err(failure) if failure.exit == Exit::NoInput => input::write_new(&copy, genesis.to_json().as_bytes())?,
        _ => {
            let what = format!("{} is there already, of another network; choose another --data-dir", copy.display());
            return Err(Failure::new(Exit::CannotCreate, what));
        }
    }
    input::write_new(&config, config_text(args)?.as_bytes())?;
    // What was just written is read back the way the node will.
    load(Some(&config), &ConfigPatch::default())?;
    let (chain_id, network) = (genesis.chain_id, genesis.params.name);
    let (data_dir, run) = (context.data_dir.clone(), context.command("node run"));
    context.output.report(&InitReport { data_dir, config, chain_id, network, run });
    Ok(Exit::Ok)
}

/// The configuration with what was given; every other key is explained in docs/operator.md.
fn config_text(args: &InitArgs) -> Outcome<String> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let list = |items: &[String]| items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ");
    let path = |path: &Path| {
        let whole = std::path::absolute(path).map_err(|e| Failure::new(Exit::Io, e.to_string()))?;
        Ok::<_, Failure>(quoted(&whole.display().to_string()))
    };
    let mut out = String::from("# Written by `medring node init`; docs/operator.md lists every key.\n");
    out += "data_dir = \".\"\ngenesis = \"genesis.json\"\n\n[network]\n";
    out += &format!("listen = [{}]\nbootstrap = [{}]\n", list(&args.listen), list(&args.bootstrap));
    out += &format!("\n[mining]\nenabled = {}\n", args.mine);
    if let (Some(keystore), Some(passphrase)) = (&args.keystore, &args.passphrase_file) {
        out += &format!("\n[wallet]\nkeystore = {}\npassphrase_file = {}\n", path(keystore)?, path(passphrase)?);
    }
    Ok(out)
}

fn load(file: Option<&Path>, flags: &ConfigPatch) -> Outcome<config::Config> {
    let unicode =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::load(file, unicode, flags).map_err(|e| Failure::new(Exit::Config, e.to_string()))
}

/// What these flags, the environment and the file together say, and which file that is.
pub(super) fn configuration(
    file: Option<&PathBuf>,
    set: &[String],
    context: &Context,
) -> Outcome<(config::Config, Option<PathBuf>)> {
    let refused = |e: config::ConfigError| Failure::new(Exit::Config, e.to_string());
    let mut flags = ConfigPatch::default();
    if let Some(dir) = &context.data_dir_given {
        flags.set("--data-dir", "data_dir", &dir.display().to_string()).map_err(refused)?;
    }
    for setting in set {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failure::new(Exit::Usage, format!("--set {setting:?} is not KEY=VALUE, for example mining.enabled=true"))
        })?;
        flags.set("--set", key.trim(), value.trim()).map_err(refused)?;
    }
    let beside = context.data_dir.join("config.toml");
    let file = file.cloned().or_else(|| beside.is_file().then_some(beside));
    Ok((load(file.as_deref(), &flags)?, file))
}

/// A node that did not start, or a store that did not open; without a configuration file the folder is not prepared.
pub(super) fn not_started(message: &str, code: u8, file: Option<&PathBuf>, context: &Context) -> Failure {
    match Exit::from_code(code) {
        Exit::NoInput if file.is_none() => {
            let init = context.command("node init --genesis FILE");
            Failure::new(Exit::NoInput, format!("{message}. A data folder is prepared with {init}"))
        }
        exit => Failure::new(exit, message),
    }
}

fn run_node(args: &RunArgs, context: &Context) -> Outcome {
    let (config, file) = configuration(args.config.as_ref(), &args.set, context)?;
    driver::run(config).map_err(|e| not_started(&e.to_string(), e.exit_code(), file.as_ref(), context))?;
    Ok(Exit::Ok)
}

/// As the API gives both.
#[derive(Serialize)]
struct StatusReport {
    #[serde(flatten)]
    status: StatusResponse,
    /// If a participant lives on the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletResponse>,
}

impl Report for StatusReport {
    fn text(&self, style: Style) -> String {
        let s = &self.status;
        let mining = match s.mining.enabled {
            true => format!("{:.0} hashes/s on {} threads", s.mining.hash_rate, s.mining.threads),
            false => "off".into(),
        };
        let mut rows = vec![
            ("network", format!("{} ({:?})", style.strong(&s.name), s.purpose)),
            ("chain id", s.chain_id.to_string()),
            ("tip", format!("height {}, {}, block {}", s.tip.height, utc(s.tip.time_ms), s.tip.id)),
            ("sync", progress(&s.sync)),
            ("peers", s.peers.to_string()),
            ("pool", format!("{} records, {} bytes", s.pool.records, s.pool.bytes)),
            ("mining", format!("{mining}; {} blocks found since it started", s.mining.blocks_found)),
        ];
        if let Some(participant) = &s.participant {
            let role = participant.role.map_or("not enrolled", |role| role.name());
            rows.push(("participant", format!("{} ({role})", participant.id)));
        }
        if let Some(wallet) = &self.wallet {
            rows.push(("wallet", format!("{} records, {}", wallet.records, scan::how_far(wallet))));
        }
        if let Some(deep) = &s.deep_reorg {
            let what = format!("{} blocks left the chain in one reorganisation, {}", deep.depth, utc(deep.at_ms));
            rows.push((
                "alarm",
                style.bad(&format!("{what}; records that counted as settled may wait again: `medring chain reorgs`")),
            ));
        }
        rows.push(("version", format!("{}, up {}", s.version, span(s.uptime_ms))));
        let mut out = style.fields(&rows);
        for address in &s.listen {
            let _ = writeln!(out, "address      {address}");
        }
        out
    }
}

/// How far the node is with catching up.
fn progress(sync: &SyncInfo) -> String {
    match sync.phase.as_str() {
        "idle" => "up to date with its peers".into(),
        "headers" => format!("headers from {} peers", sync.peers),
        _ => {
            let left = sync.left_ms.map(|ms| format!(", {} left", span(ms))).unwrap_or_default();
            let (done, total, rate) = (sync.bodies, sync.bodies_total, sync.blocks_per_second);
            format!("{done} of {total} blocks up to {}, from {} peers, {rate} blocks/s{left}", sync.to, sync.peers)
        }
    }
}

fn status(args: &StatusArgs, context: &Context) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let ask = || Ok::<_, Failure>((context.client()?.get("/v1/status")?, context.client()?.find("/v1/wallet")?));
    let (status, wallet) = loop {
        match ask() {
            Err(failure) if failure.exit == Exit::Unreachable && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => break answer?,
        }
    };
    context.output.report(&StatusReport { status, wallet });
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct StopReport {
    stopped: bool,
    pid: u32,
}

impl Report for StopReport {
    fn text(&self, _: Style) -> String {
        format!("The node (pid {}) has stopped.\n", self.pid)
    }
}

fn stop(args: &StopArgs, context: &Context) -> Outcome {
    let node = node_file(&context.data_dir)?;
    // Only a node that answers with this folder's token is asked to stop: its pid may be another process's by now.
    match context.client()?.get::<serde_json::Value>("/v1/status") {
        Ok(_) => {}
        Err(ClientError::Unreachable { .. }) => {
            let what = format!("{} does not answer; if it crashed, it needs no stopping", node.api);
            return Err(Failure::new(Exit::Unreachable, what));
        }
        Err(e) => return Err(e.into()),
    }
    let pid = i32::try_from(node.pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid =
        pid.ok_or_else(|| Failure::new(Exit::Data, format!("node.json names the impossible pid {}", node.pid)))?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)
        .map_err(|e| Failure::new(Exit::Denied, format!("cannot stop the process {}: {e}", node.pid)))?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    while !has_ended(&context.data_dir, node.pid) {
        if Instant::now() > deadline {
            let what = format!("the node (pid {}) has not ended after {} s; see its log", node.pid, args.timeout);
            return Err(Failure::new(Exit::NotSo, what));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    context.output.report(&StopReport { stopped: true, pid: node.pid });
    Ok(Exit::Ok)
}

/// Whether the node has let go of its folder: node.json is gone or another's, and so is the lock. (Its pid may live on as a
/// zombie until whoever started it looks.)
fn has_ended(data_dir: &Path, pid: u32) -> bool {
    use rustix::fs::{FlockOperation, flock};
    match node_file(data_dir) {
        Ok(node) if node.pid == pid => return false,
        Ok(_) => return true,
        Err(_) => {}
    }
    let lock = std::fs::File::open(data_dir.join("LOCK"));
    lock.map_or(true, |file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok())
}
