//! `medring phr`: a patient's live vital signs on their way to the group, and what a member reads of them.

mod alerts;
mod feed;
mod show;
mod stream;

use super::group::GroupArgs;
use crate::context::Context;
use crate::failure::Outcome;
use clap::{Args, Subcommand};
use medring_protocol::vitals::{Decimal, Layout};
use std::path::PathBuf;

/// Where people meet it.
const NO_DEVICE: &str =
    "medring is not a medical device: nobody's treatment may depend on what it shows or does not show.";

/// `medring phr …`.
#[derive(Subcommand, Debug)]
#[command(after_help = NO_DEVICE)]
pub(crate) enum PhrCommand {
    /// Feed a recording of vital signs to the patient's own node, as a device would
    #[command(after_help = NO_DEVICE)]
    Stream(StreamArgs),
    /// Show the group's vital signs that open on this node
    #[command(after_help = NO_DEVICE)]
    Show(ShowArgs),
    /// What is out of this member's thresholds; set them, acknowledge, snooze
    #[command(after_help = NO_DEVICE)]
    Alerts(AlertsArgs),
}

/// `medring phr stream`.
#[derive(Args, Debug)]
pub(crate) struct StreamArgs {
    /// CSV of vital signs; - reads standard input to its end
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// What the columns of the CSV are: icu, ppg@100Hz, or for example @minute=60s,pulse=8889-8:/min,note=-
    #[arg(long, value_name = "LAYOUT", default_value = "icu")]
    columns: Layout,
    /// How much faster than it was measured it is fed
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    speed: u32,
    /// When the recording began, for example 2026-11-23T08:20:00Z [default: so that it ends now; with --as-live: now]
    #[arg(long, value_name = "TIME", value_parser = crate::input::time_ms)]
    start: Option<u64>,
    /// Give each sample the time at which it is fed: a fast recording looks like a patient of now
    #[arg(long)]
    as_live: bool,
    #[command(flatten)]
    group: GroupArgs,
    /// The stream's name; the same name goes on where it was left [default: made from the recording]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Minutes of the recording in each record [default: monitor.window_minutes of the node]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=15))]
    window: Option<u32>,
    /// Seconds to wait for a node that is away or takes no more, each time
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
    /// Wait until all of it lies deep enough on the node's chain, within the same patience
    #[arg(long)]
    wait: bool,
}

/// `medring phr show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// Only this channel, by its code or its name
    #[arg(long, value_name = "CODE|NAME")]
    channel: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME", value_parser = crate::input::time_ms)]
    from: Option<u64>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = crate::input::time_ms)]
    to: Option<u64>,
    /// Every sample as CSV: a row for each time, a column for each channel, empty where nothing was measured
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// `medring phr alerts`. Without a flag it lists.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("deed").args(["acknowledge", "snooze", "set", "unset"]))]
pub(crate) struct AlertsArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// This alert is seen: it is not raised again while its condition lasts
    #[arg(long, value_name = "ALERT")]
    acknowledge: Option<u64>,
    /// Keep back alerts of one channel and kind (low, high or stale), for example 8867-4:high
    #[arg(long, value_name = "CHANNEL:KIND")]
    snooze: Option<String>,
    /// With --snooze: for so long; 0 ends it
    #[arg(long, value_name = "MINUTES", requires = "snooze", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=1440))]
    minutes: u64,
    /// Watch a channel, by its code
    #[arg(long, value_name = "CHANNEL", requires = "unit")]
    set: Option<String>,
    /// With --set: the unit of its values, for example /min
    #[arg(long, value_name = "UCUM", requires = "set")]
    unit: Option<String>,
    /// With --set: a value below is low
    #[arg(long, value_name = "VALUE", requires = "set", allow_hyphen_values = true)]
    low: Option<Decimal>,
    /// With --set: a value above is high
    #[arg(long, value_name = "VALUE", requires = "set", allow_hyphen_values = true)]
    high: Option<Decimal>,
    /// With --set: an older value is stale; more than a window of the stream and the time to a block
    #[arg(long, value_name = "MINUTES", requires = "set", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1440))]
    stale_after: u64,
    /// Watch a channel no more
    #[arg(long, value_name = "CHANNEL")]
    unset: Option<String>,
    /// Alerts that are over to list
    #[arg(long, value_name = "N", default_value_t = 10)]
    past: usize,
}

pub(super) fn run(command: PhrCommand, context: &Context) -> Outcome {
    match command {
        PhrCommand::Stream(args) => stream::run(&args, context),
        PhrCommand::Show(args) => show::run(&args, context),
        PhrCommand::Alerts(args) => alerts::run(&args, context),
    }
}
