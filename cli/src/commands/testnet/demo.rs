//! `medring testnet demo`: the scheme's main job on real processes, and what there is to tell of it.

use super::steps::Steps;
use super::{block_time, fresh_folder, signals, up};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use clap::Args;
use medring_protocol::vitals::Layout;
use medring_testnet::demo::{self, DemoOptions, Summary};
use std::path::PathBuf;
use std::time::Duration;

/// `medring testnet demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// A FHIR R4 bundle (JSON), or a folder of them, one per patient [default: a committed sample]
    #[arg(long, value_name = "FILE|DIR")]
    bundle: Option<PathBuf>,
    /// A recording of vital signs (CSV) [default: a committed sample]
    #[arg(long, value_name = "FILE")]
    vitals: Option<PathBuf>,
    /// What the columns of the CSV are: icu, ppg@100Hz, or for example @minute=60s,pulse=8889-8:/min,note=-
    #[arg(long, value_name = "LAYOUT", default_value = "icu", requires = "vitals")]
    columns: Layout,
    /// All keys and mining come from it [default: drawn]
    #[arg(long, value_name = "S")]
    seed: Option<u32>,
    /// Intended time between blocks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = block_time)]
    block_time: Duration,
    /// A new folder for chains, keys and logs [default: one under the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// At the end the patient's node cheats in four ways, to show what its group sees
    #[arg(long)]
    tamper: bool,
    /// Leave the nodes running
    #[arg(long)]
    keep: bool,
}

impl Report for Summary {
    fn text(&self, _: Style) -> String {
        self.to_string()
    }
}

/// `medring testnet demo`.
pub(super) fn run(args: DemoArgs, context: &Context) -> Outcome {
    signals::catch();
    let binary = up::binary()?;
    let options = DemoOptions {
        folder: args.dir.map_or_else(|| fresh_folder(&std::env::temp_dir(), "medring-demo"), Ok)?,
        binary,
        seed: u64::from(args.seed.unwrap_or_else(rand::random)),
        block_time_ms: u64::try_from(args.block_time.as_millis()).unwrap_or(u64::MAX),
        bundle: args.bundle,
        vitals: args.vitals,
        columns: args.columns,
        tamper: args.tamper,
        keep_running: args.keep,
        capture: false,
    };
    let mut steps = Steps::new(context.output);
    let summary = demo::run(&options, &mut |p| steps.tell(p));
    steps.finish();
    let told = |e: demo::DemoError| {
        let failure = Failure::from(e);
        // Where it did not come that far, there is nothing to look at.
        if !options.folder.exists() || std::fs::remove_dir(&options.folder).is_ok() {
            return failure;
        }
        let message = format!("{}. Nothing runs; chains and logs are in {}", failure.message, options.folder.display());
        Failure { message, ..failure }
    };
    context.output.report(&summary.map_err(told)?);
    Ok(Exit::Ok)
}
