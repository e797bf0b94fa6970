//! `medring chain`: the chain as a node has it, and as a file.

mod draw;
mod forks;
mod import;

use crate::context::{Context, os_random, read_genesis};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, utc};
use crate::progress;
use clap::{Args, Subcommand};
use medring_node::api::types::{BlockResponse, MineRequest, MineResponse, StatusResponse, TipsResponse};
use medring_node::wallet::FileError;
use medring_protocol::chain::file::{self, FileError as ChainFileError};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::{BlockId, ChainId};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// `medring chain …`.
#[derive(Subcommand, Debug)]
pub(crate) enum ChainCommand {
    /// Show the tip and every branch
    Status,
    /// Show a block
    Block(BlockArgs),
    /// List every branch: where it ends, its work, and whether it is valid
    Tips,
    /// Draw the tree of the last blocks
    Tree(forks::TreeArgs),
    /// List the last reorganisations, and what became of their records
    Reorgs,
    /// Do not choose this block, nor one above it, until it is reconsidered
    Invalidate(forks::ChosenArgs),
    /// Take back what speaks against this block, and those below and above it
    Reconsider(forks::ChosenArgs),
    /// Among branches of equal work choose this block's
    Prefer(forks::ChosenArgs),
    /// Mine blocks at once (test networks)
    Mine(MineArgs),
    /// Write the best chain into a file
    Export(ExportArgs),
    /// Check every rule on every block of a file, offline
    Verify(VerifyArgs),
    /// Take a file's blocks into the data folder of a node that does not run, each checked
    Import(import::ImportArgs),
}

/// `medring chain block`.
#[derive(Args, Debug)]
pub(crate) struct BlockArgs {
    /// A height or a block id
    #[arg(value_name = "HEIGHT|ID")]
    block: String,
}

/// `medring chain mine`.
#[derive(Args, Debug)]
pub(crate) struct MineArgs {
    /// How many
    #[arg(value_name = "BLOCKS", default_value_t = 1)]
    blocks: u32,
}

/// `medring chain export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `medring chain verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// A file that `medring chain export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Block id the chain has to end in; ask whoever exported it, by another way
    #[arg(long, value_name = "BLOCK_ID")]
    tip: Option<BlockId>,
    /// Genesis file of the network the chain has to be of
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

pub(super) fn run(command: ChainCommand, context: &Context) -> Outcome {
    match command {
        ChainCommand::Status => status(context),
        ChainCommand::Block(args) => block(&args, context),
        ChainCommand::Tips => forks::tips(context),
        ChainCommand::Tree(args) => forks::tree(&args, context),
        ChainCommand::Reorgs => forks::reorgs(context),
        ChainCommand::Invalidate(args) => forks::say(forks::Word::Invalidate, &args, context),
        ChainCommand::Reconsider(args) => forks::say(forks::Word::Reconsider, &args, context),
        ChainCommand::Prefer(args) => forks::say(forks::Word::Prefer, &args, context),
        ChainCommand::Mine(args) => mine(&args, context),
        ChainCommand::Export(args) => export(&args, context),
        ChainCommand::Verify(args) => verify(&args, context),
        ChainCommand::Import(args) => import::run(&args, context),
    }
}

#[derive(Serialize)]
struct ChainReport {
    chain_id: ChainId,
    name: String,
    height: u64,
    tip: BlockId,
    work: String,
    syncing: bool,
    #[serde(flatten)]
    branches: TipsResponse,
}

impl Report for ChainReport {
    fn text(&self, style: Style) -> String {
        let syncing = if self.syncing { " (syncing)" } else { "" };
        let mut out = style.fields(&[
            ("network", style.strong(&self.name)),
            ("chain id", self.chain_id.to_string()),
            ("height", format!("{}{syncing}", self.height)),
            ("tip", self.tip.to_string()),
            ("work", format!("{} hashes, expected", self.work)),
        ]);
        out += &format!("\n{}", forks::tips_table(&self.branches.tips, style));
        out
    }
}

fn status(context: &Context) -> Outcome {
    let client = context.client()?;
    let s: StatusResponse = client.get("/v1/status")?;
    let branches: TipsResponse = client.get("/v1/chain/tips")?;
    let (chain_id, name, syncing) = (s.chain_id, s.name, s.syncing);
    let report =
        ChainReport { chain_id, name, height: s.tip.height, tip: s.tip.id, work: s.tip.work, syncing, branches };
    context.output.report(&report);
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct BlockReport(BlockResponse);

impl Report for BlockReport {
    fn text(&self, style: Style) -> String {
        let (b, s) = (&self.0, &self.0.summary);
        let place =
            if b.active { format!("{} confirmations", b.confirmations) } else { style.bad("not on the best chain") };
        let mut out = style.fields(&[
            ("block", s.id.to_string()),
            ("height", format!("{} ({place})", s.height)),
            ("previous", b.prev.to_string()),
            ("records root", b.records_root.clone()),
            ("stamp", utc(s.time_ms)),
            ("target", format!("{}, {} hashes expected", s.target, s.work)),
            ("nonce", b.nonce.to_string()),
            ("miner", s.miner_tag.clone()),
            ("records", format!("{}, {} bytes", s.records, s.bytes)),
        ]);
        b.record_ids.iter().for_each(|id| out += &format!("              {id}\n"));
        out
    }
}

fn block(args: &BlockArgs, context: &Context) -> Outcome {
    if args.block.parse::<u64>().is_err() && args.block.parse::<BlockId>().is_err() {
        let what = format!("{:?} is neither a height nor a block id of 64 hex digits", args.block);
        return Err(Failure::new(Exit::Usage, what));
    }
    let found: Option<BlockResponse> = context.client()?.find(&format!("/v1/blocks/{}", args.block))?;
    let found = found.ok_or_else(|| {
        let what = "is not on this node; `medring chain status` tells how high its chain is";
        Failure::new(Exit::NotSo, format!("block {} {what}", args.block))
    })?;
    context.output.report(&BlockReport(found));
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct MineReport(MineResponse);

impl Report for MineReport {
    fn text(&self, _: Style) -> String {
        self.0.ids.iter().map(|id| format!("mined {id}\n")).collect()
    }
}

fn mine(args: &MineArgs, context: &Context) -> Outcome {
    let mined = context.client()?.post("/v1/chain/mine", &MineRequest { blocks: args.blocks })?;
    context.output.report(&MineReport(mined));
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct ExportReport {
    file: PathBuf,
    bytes: u64,
    chain_id: ChainId,
}

impl Report for ExportReport {
    fn text(&self, _: Style) -> String {
        let file = self.file.display();
        format!("{} bytes in {file}\n\nNext: anyone checks it with `medring chain verify {file}`\n", self.bytes)
    }
}

fn export(args: &ExportArgs, context: &Context) -> Outcome {
    let client = context.client()?;
    let status: StatusResponse = client.get("/v1/status")?;
    let mut stream = client.get_stream("/v1/chain/export")?;
    let mut out = OpenOptions::new().write(true).create_new(true).open(&args.out).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let what = format!("{} exists already and is not overwritten; choose another path", args.out.display());
            Failure::new(Exit::CannotCreate, what)
        }
        _ => FileError::writing(&args.out)(e).into(),
    })?;
    let copied = copy(&mut stream, &mut out, &args.out);
    if copied.is_err() {
        // Half a chain would only mislead.
        let _ = fs::remove_file(&args.out);
    }
    let report = ExportReport { file: args.out.clone(), bytes: copied?, chain_id: status.chain_id };
    context.output.report(&report);
    Ok(Exit::Ok)
}

fn copy(from: &mut impl Read, to: &mut File, path: &Path) -> Outcome<u64> {
    let bar = progress::bar(None, "exporting, bytes:");
    let (mut buffer, mut total) = (vec![0; 64 * 1024], 0u64);
    loop {
        let lost = |e| Failure::new(Exit::Unreachable, format!("the node broke off the export: {e}; try again"));
        let read = from.read(&mut buffer).map_err(lost)?;
        if read == 0 {
            break;
        }
        to.write_all(&buffer[..read]).map_err(FileError::writing(path))?;
        total += u64::try_from(read).unwrap_or(0);
        bar.set_position(total);
    }
    to.sync_all().map_err(FileError::writing(path))?;
    bar.finish_and_clear();
    Ok(total)
}

#[derive(Serialize)]
struct VerifyReport {
    file: PathBuf,
    valid: bool,
    chain_id: ChainId,
    name: String,
    height: u64,
    tip: BlockId,
    work: String,
    records: u64,
    state_hash: String,
    #[serde(skip)]
    compared: bool,
}

impl Report for VerifyReport {
    fn text(&self, style: Style) -> String {
        let mut out = style.fields(&[
            ("network", self.name.clone()),
            ("chain id", self.chain_id.to_string()),
            ("height", self.height.to_string()),
            ("tip", self.tip.to_string()),
            ("work", format!("{} hashes, expected", self.work)),
            ("records", self.records.to_string()),
            ("state", self.state_hash.clone()),
        ]);
        out += &format!("\n{}\n", style.good("Every rule holds on every block."));
        if !self.compared {
            out += "Next: compare the tip with whoever gave you the file (--tip): a valid chain need not be the right one\n";
        }
        out
    }
}

fn verify(args: &VerifyArgs, context: &Context) -> Outcome {
    let expected = args.genesis.as_ref().map(|path| read_genesis(path)).transpose()?;
    let input = File::open(&args.file).map_err(FileError::reading(&args.file))?;
    let bar = progress::bar(None, "blocks checked:");
    let done =
        file::verify(BufReader::new(input), &RuleSet::standard(), &mut os_random(), |p| bar.set_position(p.height));
    bar.finish_and_clear();
    let report = done.map_err(|e| {
        let exit = match &e {
            ChainFileError::Io(_) => Exit::Io,
            ChainFileError::Rule { .. } | ChainFileError::Trailer { .. } => Exit::NotSo,
            _ => Exit::Data,
        };
        Failure::new(exit, format!("{}: {e}", args.file.display()))
    })?;
    if let Some(genesis) = expected.filter(|genesis| genesis.chain_id != report.chain) {
        let what = format!("a valid chain, but of network {} and not of {}", report.chain, genesis.chain_id);
        return Err(Failure::new(Exit::NotSo, what));
    }
    if let Some(tip) = args.tip.filter(|tip| *tip != report.tip) {
        let what = format!("a valid chain, but it ends in {} at height {} and not in {tip}", report.tip, report.height);
        return Err(Failure::new(Exit::NotSo, what));
    }
    context.output.report(&VerifyReport {
        file: args.file.clone(),
        valid: true,
        chain_id: report.chain,
        name: report.params.name,
        height: report.height,
        tip: report.tip,
        work: report.work.to_string(),
        records: report.records,
        state_hash: hex::encode(report.state_hash),
        compared: args.tip.is_some(),
    });
    Ok(Exit::Ok)
}
