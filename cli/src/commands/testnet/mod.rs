//! `medring testnet`: real nodes on this machine, for trying things out, and the demonstration.

mod demo;
mod failure;
mod logs;
mod show;
mod signals;
mod sim;
mod steps;
mod up;

use crate::context::Context;
use crate::failure::Outcome;
use clap::{Args, Subcommand};
use medring_testnet::procs::Testnet;
use std::path::PathBuf;
use std::time::Duration;

/// `medring testnet COMMAND`.
#[derive(Subcommand, Debug)]
pub(crate) enum TestnetCommand {
    /// Make keys, a genesis file and a folder per node, start the nodes, enrol their participants
    Up(up::UpArgs),
    /// Show how every node stands
    Status(FolderArgs),
    /// Print what the nodes logged
    Logs(logs::LogsArgs),
    /// Wait until every running node is at a height, or all are on one tip
    Wait(show::WaitArgs),
    /// Kill a node as a power cut would (kill -9)
    Kill(NodeArgs),
    /// Start a node again; one that runs is killed first
    Restart(NodeArgs),
    /// End every node
    Down(up::DownArgs),
    /// Four processes mine; a patient finds, opens and verifies records that an outsider cannot read
    Demo(demo::DemoArgs),
    /// Run many nodes on virtual time with faults, from one seed; or hunt for a seed that fails
    Sim(sim::SimArgs),
}

/// Which testnet.
#[derive(Args, Debug)]
pub(crate) struct FolderArgs {
    /// The testnet's folder
    #[arg(long, value_name = "DIR", default_value = "medring-testnet")]
    dir: PathBuf,
}

/// Which node of which testnet.
#[derive(Args, Debug)]
pub(crate) struct NodeArgs {
    /// The node's number, from 0
    #[arg(value_name = "I")]
    node: usize,
    #[command(flatten)]
    folder: FolderArgs,
}

impl FolderArgs {
    fn open(&self) -> Outcome<Testnet> {
        Ok(Testnet::open(&self.dir)?)
    }
}

/// Runs one of them.
pub(super) fn run(command: TestnetCommand, context: &Context) -> Outcome {
    match command {
        TestnetCommand::Up(args) => up::up(args, context),
        TestnetCommand::Status(args) => show::status(&args, context),
        TestnetCommand::Logs(args) => logs::run(&args, context),
        TestnetCommand::Wait(args) => show::wait(&args, context),
        TestnetCommand::Kill(args) => up::kill(&args, context),
        TestnetCommand::Restart(args) => up::restart(&args, context),
        TestnetCommand::Down(args) => up::down(&args, context),
        TestnetCommand::Demo(args) => demo::run(args, context),
        TestnetCommand::Sim(args) => sim::run(&args, context),
    }
}

/// Below, a block has no time to reach the others.
const BLOCK_TIME_MIN: Duration = Duration::from_millis(100);
/// Above, nobody waits for it.
const BLOCK_TIME_MAX: Duration = Duration::from_secs(3600);

/// A duration with its unit: `500ms`, `2s`, `1.5s`, `10m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("write a number and its unit: 500ms, 2s, 10m or 1h".into()),
    };
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    Duration::try_from_secs_f64(number * unit_seconds).map_err(|e| e.to_string())
}

/// A time between blocks that a network can keep.
fn block_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if (BLOCK_TIME_MIN..=BLOCK_TIME_MAX).contains(&time) {
        Ok(time)
    } else {
        Err("from 100ms to 1h is possible".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "2", "s", "-1s", "2 s", "1.2.3s", "9e9s", "2sec", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_between_blocks_has_bounds() {
        assert_eq!(block_time("100ms"), Ok(BLOCK_TIME_MIN));
        assert_eq!(block_time("1h"), Ok(BLOCK_TIME_MAX));
        for wrong in ["0s", "99ms", "2h", "999999999h"] {
            assert!(block_time(wrong).is_err(), "{wrong}");
        }
    }
}
