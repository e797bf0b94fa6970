//! `medring testnet sim`: a network on virtual time, or a hunt over many seeds.

use super::{block_time, duration};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, quoted};
use crate::progress;
use clap::Args;
use medring_testnet::sim::{self, Broken, Fault, Found, Hunt, SimConfig, SimFailure, SimReport};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Events of one seed of a hunt, after which it is taken to be one that never ends.
const HUNT_EVENTS_MAX: u64 = 5_000_000;
/// Threads of a hunt at most.
const THREADS_MAX: usize = 64;

/// `medring testnet sim`.
#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    /// Nodes, all mining [default: 20; with --seeds 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    nodes: Option<u32>,
    /// Virtual hours of records and faults
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=8_760), conflicts_with = "time")]
    hours: Option<u32>,
    /// The same with a unit [default: 4m; with --seeds 1m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// What everything follows from; with --seeds the first one
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Hunt: run so many seeds, and make the list of faults of one that fails as short as it gets
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// `none`, `random` (drawn from the seed), or faults such as cut:0-3@10s-40s, crash:4/torn=50@12s+5s, clock:3/+9s@10s-40s,
    /// loss:10%@10s-40s, slow:5x@10s-40s, evil:2/liar [default: none; with --seeds random]
    #[arg(long, value_name = "FAULT", num_args = 1.., conflicts_with = "seeds")]
    faults: Vec<String>,
    /// Mean time between two blocks of the whole network [default: 5s; with --seeds 3s]
    #[arg(long, value_name = "TIME", value_parser = block_time)]
    block_time: Option<Duration>,
    /// Mean time between two records [default: 2s; with --seeds 1s]
    #[arg(long, value_name = "TIME", value_parser = block_time)]
    record_time: Option<Duration>,
    /// Break a rule on purpose, to see it caught: duplicates, signatures, left-records, early-blocks, early-givers, unsynced,
    /// revert
    #[arg(long, value_name = "RULE")]
    broken: Option<Broken>,
    /// Write each event as a line to this file
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    log: Option<PathBuf>,
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl SimArgs {
    fn network(&self) -> SimConfig {
        let hunts = self.seeds.is_some();
        let or = |time: Option<Duration>, alone_ms, hunting_ms| match time {
            Some(time) => ms(time),
            None if hunts => hunting_ms,
            None => alone_ms,
        };
        let nodes = self.nodes.unwrap_or(if hunts { 10 } else { 20 });
        let mut network = SimConfig::new(self.seed, usize::try_from(nodes).unwrap_or(usize::MAX));
        network.busy_ms = match self.hours {
            Some(hours) => u64::from(hours) * 3_600_000,
            None => or(self.time, 240_000, 60_000),
        };
        network.block_interval_ms = or(self.block_time, 5_000, 3_000);
        network.record_interval_ms = or(self.record_time, 2_000, 1_000);
        network.broken = self.broken;
        network.keep_log = self.log.is_some();
        if hunts {
            network.events_max = HUNT_EVENTS_MAX;
        }
        network
    }

    fn listed_faults(&self, network: &SimConfig) -> Outcome<Vec<Fault>> {
        match self.faults.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["none"] => Ok(Vec::new()),
            ["random"] => Ok(sim::random_faults(network.seed, network.nodes, network.busy_ms)),
            ref texts => {
                let parse =
                    |text: &&str| text.parse().map_err(|e: sim::FaultError| Failure::new(Exit::Usage, e.to_string()));
                texts.iter().map(parse).collect()
            }
        }
    }
}

/// The command that runs one network again.
fn replay(network: &SimConfig, seed: u64, faults: &[Fault]) -> String {
    let SimConfig { nodes, busy_ms, block_interval_ms, record_interval_ms, broken, .. } = network;
    let mut line = format!(
        "medring testnet sim --nodes {nodes} --time {busy_ms}ms --block-time {block_interval_ms}ms --record-time \
         {record_interval_ms}ms --seed {seed}"
    );
    if let Some(broken) = broken {
        let _ = write!(line, " --broken {}", broken.name());
    }
    if !faults.is_empty() {
        line += " --faults";
    }
    for fault in faults {
        let _ = write!(line, " {}", quoted(&fault.to_string()));
    }
    line
}

impl Report for SimReport {
    fn text(&self, _: Style) -> String {
        format!("{self}\n")
    }
}

/// A run that failed, and how to see it again.
#[derive(Serialize)]
struct Failed {
    failure: SimFailure,
    replay: String,
}

impl Report for Failed {
    fn text(&self, style: Style) -> String {
        let tail: String = self.failure.log_tail.iter().map(|line| format!("  {line}\n")).collect();
        format!("{tail}{} {}\nSee it again: {}\n", style.bad("failed:"), self.failure, self.replay)
    }
}

/// How a hunt ended.
#[derive(Serialize)]
struct HuntReport {
    first_seed: u64,
    seeds: u64,
    found: Option<Found>,
    /// The command that shows the failure with the shortest list of faults.
    replay: Option<String>,
}

impl Report for HuntReport {
    fn text(&self, style: Style) -> String {
        let Self { first_seed, seeds, found, replay } = self;
        let (Some(found), Some(replay)) = (found, replay) else {
            let last = first_seed + seeds - 1;
            return format!("{} {seeds} seeds, {first_seed} to {last}: every check passed\n", style.good("ok"));
        };
        let list = |faults: &[Fault]| faults.iter().map(|fault| format!("  {fault}\n")).collect::<String>();
        format!(
            "{} {}\nits faults:\n{}of these {} are needed ({} runs tried):\n{}with them: {}\nSee it again: {replay}\n",
            style.bad("failed:"),
            found.failure,
            list(&found.faults),
            found.shrunk.len(),
            found.runs,
            list(&found.shrunk),
            found.shrunk_failure
        )
    }
}

/// `medring testnet sim`.
pub(super) fn run(args: &SimArgs, context: &Context) -> Outcome {
    let network = args.network();
    match args.seeds {
        Some(seeds) => hunt(network, args.seed, seeds, context),
        None => once(args, network, context),
    }
}

fn once(args: &SimArgs, network: SimConfig, context: &Context) -> Outcome {
    let faults = args.listed_faults(&network)?;
    let again = replay(&network, network.seed, &faults);
    let spinner = progress::spinner("simulating");
    let result = sim::run_one(SimConfig { faults, ..network });
    spinner.finish_and_clear();
    match result {
        Ok(mut report) => {
            if let Some(path) = &args.log {
                let lines = std::mem::take(&mut report.log).join("\n") + "\n";
                let told = |e| Failure::new(Exit::Io, format!("{}: {e}; name another file with --log", path.display()));
                std::fs::write(path, lines).map_err(told)?;
            }
            context.output.report(&report);
            Ok(Exit::Ok)
        }
        Err(failure) => {
            context.output.report(&Failed { failure, replay: again });
            Ok(Exit::NotSo)
        }
    }
}

fn hunt(network: SimConfig, first_seed: u64, seeds: u64, context: &Context) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let hunt = Hunt { network, first_seed, seeds, threads };
    let bar = progress::bar(Some(seeds), "seeds");
    let found = sim::hunt(&hunt, &|_| bar.inc(1));
    bar.finish_and_clear();
    let replay = found.as_ref().map(|found| replay(&hunt.network, found.failure.seed, &found.shrunk));
    let exit = if found.is_some() { Exit::NotSo } else { Exit::Ok };
    context.output.report(&HuntReport { first_seed, seeds, found, replay });
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_names_all_that_differs_from_run_to_run() {
        let mut network = SimConfig::new(9, 10);
        network.broken = Some(Broken::Unsynced);
        let faults = ["cut:0-3@10s-40s".parse().unwrap(), "loss:10%@1s-2s".parse().unwrap()];
        assert_eq!(
            replay(&network, 9, &faults),
            "medring testnet sim --nodes 10 --time 240000ms --block-time 5000ms --record-time 2000ms --seed 9 --broken \
             unsynced --faults cut:0-3@10s-40s 'loss:10%@1s-2s'"
        );
    }
}
