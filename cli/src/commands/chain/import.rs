//! `medring chain import`: a chain file into the store of a node that does not run.

use crate::commands::node;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style};
use crate::progress;
use clap::Args;
use medring_node::driver::{self, ImportError};
use medring_protocol::{BlockId, ChainId};
use serde::Serialize;
use std::path::PathBuf;

/// `medring chain import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// A file that `medring chain export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Block id the file has to end in; ask whoever exported it, by another way
    #[arg(long, value_name = "BLOCK_ID")]
    tip: Option<BlockId>,
    /// The node's configuration file [default: config.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
struct ImportReport {
    file: PathBuf,
    chain_id: ChainId,
    file_tip: BlockId,
    file_height: u64,
    imported: u64,
    records: u64,
    known: u64,
    tip: BlockId,
    height: u64,
    #[serde(skip)]
    next: String,
}

impl Report for ImportReport {
    fn text(&self, style: Style) -> String {
        let best = if self.tip == self.file_tip { "the file's last block" } else { "this node knew a longer chain" };
        let mut out = style.fields(&[
            ("file", format!("{} blocks, to {}", self.file_height, self.file_tip)),
            ("imported", format!("{} blocks with {} records", self.imported, self.records)),
            ("known before", format!("{} blocks", self.known)),
            ("tip", format!("{} ({best})", self.tip)),
            ("height", self.height.to_string()),
        ]);
        out += &format!("\n{}\nNext: {}\n", style.good("Every rule holds on every block taken in."), self.next);
        out
    }
}

/// Checks the file and takes it in.
pub(super) fn run(args: &ImportArgs, context: &Context) -> Outcome {
    let (config, file) = node::configuration(args.config.as_ref(), &[], context)?;
    let bar = progress::bar(Some(0), "blocks imported:");
    let done = driver::import(&config, &args.file, args.tip, |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = done.map_err(|e| match &e {
        ImportError::Start(start) => node::not_started(&start.to_string(), e.exit_code(), file.as_ref(), context),
        _ => node::not_started(&format!("{}: {e}", args.file.display()), e.exit_code(), Some(&args.file), context),
    })?;
    context.output.report(&ImportReport {
        file: args.file.clone(),
        chain_id: report.chain_id,
        file_tip: report.file_tip,
        file_height: report.file_height,
        imported: report.new_blocks,
        records: report.new_records,
        known: report.known_blocks,
        tip: report.tip,
        height: report.height,
        next: context.command("node run"),
    });
    Ok(Exit::Ok)
}
