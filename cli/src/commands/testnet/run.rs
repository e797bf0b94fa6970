//! `medring testnet run`: a scenario on real processes or in the simulator, told step by step.

use super::steps::Steps;
use super::{signals, up};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{self, Style};
use clap::Args;
use medring_testnet::procs::ProcsWorld;
use medring_testnet::scenario::{self, Report, SHIPPED, Scenario, World};
use medring_testnet::sim::SimWorld;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `medring testnet run`.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// A scenario's file, or the name of one that comes with medring
    #[arg(value_name = "FILE|NAME", required_unless_present = "list")]
    scenario: Option<PathBuf>,
    /// List the scenarios that come with medring
    #[arg(long)]
    list: bool,
    /// Play it in the simulator: on virtual time, in this process, the same each time
    #[arg(long, conflicts_with_all = ["dir", "keep"])]
    sim: bool,
    /// All that is drawn comes from it [default: the scenario's]
    #[arg(long, value_name = "S")]
    seed: Option<u32>,
    /// A new folder for chains and logs [default: one under the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the folder when it passed, too
    #[arg(long)]
    keep: bool,
}

#[derive(Serialize)]
struct Listed {
    scenarios: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    nodes: usize,
    about: String,
}

impl output::Report for Listed {
    fn text(&self, style: Style) -> String {
        let row = |entry: &Entry| vec![entry.name.into(), entry.nodes.to_string(), entry.about.clone()];
        style.table(&["name", "nodes", "what it tries"], &self.scenarios.iter().map(row).collect::<Vec<_>>())
    }
}

fn list() -> Listed {
    let entry = |(name, text): &(&'static str, &str)| {
        let scenario = Scenario::parse(name, text).ok()?;
        Some(Entry { name, nodes: scenario.nodes, about: scenario.about })
    };
    Listed { scenarios: SHIPPED.iter().filter_map(entry).collect() }
}

/// A shipped scenario by its name, or one from a file.
fn read(which: &Path) -> Outcome<Scenario> {
    if let Some(shipped) = which.to_str().and_then(scenario::shipped) {
        return Ok(shipped);
    }
    let text = std::fs::read_to_string(which).map_err(|e| {
        let what =
            format!("{}: {e}; `medring testnet run --list` shows the scenarios that need no file", which.display());
        Failure::new(Exit::NoInput, what)
    })?;
    let name = which.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Scenario::parse(&name, &text).map_err(|e| Failure::new(Exit::Data, e.to_string()))
}

/// The JSON report; for people the drawing stands already.
#[derive(Serialize)]
struct Told(Report);

impl output::Report for Told {
    fn text(&self, style: Style) -> String {
        let verdict = self.0.to_string();
        format!("\n{}\n", if self.0.passed { style.good(&verdict) } else { style.bad(&verdict) })
    }
}

/// `medring testnet run FILE|NAME`.
pub(super) fn run(args: RunArgs, context: &Context) -> Outcome {
    let (false, Some(which)) = (args.list, &args.scenario) else {
        context.output.report(&list());
        return Ok(Exit::Ok);
    };
    let mut scenario = read(which)?;
    scenario.seed = args.seed.map_or(scenario.seed, u64::from);
    if args.sim { in_simulator(&scenario, context) } else { on_processes(&scenario, args, context) }
}

/// Plays a scenario on a world that stands, and tells each step as it is done.
fn play<W: World>(scenario: &Scenario, world: &mut W, context: &Context) -> Report {
    let tell = |line: &str| {
        if !context.output.is_json() {
            context.output.raw(format!("{line}\n").as_bytes())
        }
    };
    tell(&format!("{}: {}\n\n{}", scenario.name, scenario.about, Report::head(scenario).trim_end()));
    scenario::run(scenario, world, &mut |step| tell(&step.to_string()))
}

fn exit(passed: bool) -> Exit {
    if passed { Exit::Ok } else { Exit::NotSo }
}

fn in_simulator(scenario: &Scenario, context: &Context) -> Outcome {
    let mut world = SimWorld::start(scenario).map_err(|e| Failure::new(Exit::Data, e.to_string()))?;
    let report = play(scenario, &mut world, context);
    let passed = report.passed;
    context.output.report(&Told(report));
    Ok(exit(passed))
}

fn on_processes(scenario: &Scenario, args: RunArgs, context: &Context) -> Outcome {
    signals::catch();
    let folder = args.dir.map_or_else(|| super::fresh_folder(&std::env::temp_dir(), "medring-run"), Ok)?;
    let mut steps = Steps::new(context.output);
    let world = ProcsWorld::start(scenario, &folder, up::binary()?, &mut |p| steps.tell(p));
    steps.finish();
    let mut world = world.map_err(|e| {
        let failure = Failure::from(e);
        Failure { message: format!("{}. Logs are in {}", failure.message, folder.display()), ..failure }
    })?;
    let report = play(scenario, &mut world, context);
    let mut testnet = world.into_testnet();
    testnet.down(&mut |_| {})?;
    let passed = report.passed;
    context.output.report(&Told(report));
    if passed && !args.keep {
        std::fs::remove_dir_all(&folder).map_err(|e| Failure::new(Exit::Io, format!("{}: {e}", folder.display())))?;
    } else {
        context.output.note(&format!("Nothing runs; chains and logs are in {}", folder.display()));
    }
    Ok(exit(passed))
}
