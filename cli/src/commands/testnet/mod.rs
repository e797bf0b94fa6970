//! `medring testnet`: real nodes on this machine, for trying things out, and the demonstration.

mod demo;
mod failure;
mod fault;
mod logs;
mod run;
mod show;
mod signals;
mod sim;
mod steps;
mod up;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use clap::{Args, Subcommand};
use medring_testnet::procs::Testnet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
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
    /// Cut every link between groups of nodes
    Partition(fault::PartitionArgs),
    /// End partition, delays and losses
    Heal(FolderArgs),
    /// Let nodes hear others late
    Delay(fault::DelayArgs),
    /// Let nodes miss some of what others say
    Loss(fault::LossArgs),
    /// Stop a node where it stands, its links open (SIGSTOP)
    Pause(NodeArgs),
    /// Let it go on
    Resume(NodeArgs),
    /// Set a node's clock off
    ClockSkew(fault::SkewArgs),
    /// Take a node's disk for a full one
    DiskFull(fault::DiskArgs),
    /// Show what is wrong with each node on purpose
    Faults(FolderArgs),
    /// Play a scenario on nodes of its own, and end them
    Run(run::RunArgs),
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
        TestnetCommand::Partition(args) => fault::partition(&args, context),
        TestnetCommand::Heal(args) => fault::heal(&args, context),
        TestnetCommand::Delay(args) => fault::delay(&args, context),
        TestnetCommand::Loss(args) => fault::loss(&args, context),
        TestnetCommand::Pause(args) => fault::pause(&args, context),
        TestnetCommand::Resume(args) => fault::resume(&args, context),
        TestnetCommand::ClockSkew(args) => fault::clock_skew(&args, context),
        TestnetCommand::DiskFull(args) => fault::disk_full(&args, context),
        TestnetCommand::Faults(args) => fault::faults(&args, context),
        TestnetCommand::Run(args) => run::run(args, context),
        TestnetCommand::Down(args) => up::down(&args, context),
        TestnetCommand::Demo(args) => demo::run(args, context),
        TestnetCommand::Sim(args) => sim::run(&args, context),
    }
}

/// A folder that nothing else uses: `/tmp/NAME-1`, or the next free number.
fn fresh_folder(parent: &Path, name: &str) -> Outcome<PathBuf> {
    let names = (1..10_000).map(|n| parent.join(format!("{name}-{n}")));
    for path in names {
        // Its owner's only: it holds keys and, if so asked, anyone's own health data.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => {
                let what = format!("{}: {e}; name a new folder with --dir", path.display());
                return Err(Failure::new(Exit::CannotCreate, what));
            }
        }
    }
    let what = format!("{} is full of them; remove {name}-*, or name a folder with --dir", parent.display());
    Err(Failure::new(Exit::CannotCreate, what))
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
