//! `medring record`: sealing, submitting, reading and verifying records.

mod make;
mod read;
mod renew;
mod to_group;
mod verify;
mod wait;

pub(super) use read::{OpenReport, state};
pub(super) use verify::VerifyReport;

use super::key::KeystoreArgs;
use super::submit::Anchor;
use crate::context::Context;
use crate::failure::Outcome;
use crate::passphrase::PassphraseArgs;
use clap::{ArgGroup, Args, Subcommand};
use medring_protocol::RecordId;
use medring_protocol::deid::Policy;
use medring_protocol::record::Kind;
use medring_protocol::vitals::Layout;
use std::path::PathBuf;

/// `medring record …`.
#[derive(Subcommand, Debug)]
pub(crate) enum RecordCommand {
    /// Seal a bundle or a recording into a file, to be submitted later
    Seal(Box<SealArgs>),
    /// Submit a bundle, a recording, or records sealed before
    Submit(Box<SubmitArgs>),
    /// List records: the newest on the chain, or this node's own
    List(ListArgs),
    /// Show what anyone can see of a record, and where it stands
    Show(IdArgs),
    /// Open a record that is sealed to the participant on this node
    Open(OpenArgs),
    /// Verify a record step by step against this node's own chain
    Verify(VerifyArgs),
}

/// What a record is made from, by whom and for whom.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("source").args(["bundle", "vitals"]))]
pub(crate) struct SourceArgs {
    /// FHIR R4 bundle in JSON; the part that belongs into the record by the paper's Table 1 is taken
    #[arg(long, value_name = "FILE", requires = "kind")]
    bundle: Option<PathBuf>,
    /// What the bundle becomes: ehr (by a healthcare center), emr (by a doctor) or phr (by the patient)
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// CSV of vital signs; becomes a PHR of the one who seals it
    #[arg(long, value_name = "FILE")]
    vitals: Option<PathBuf>,
    /// What the columns of the CSV are: icu, ppg@100Hz, or for example @minute=60s,pulse=8889-8:/min,note=-
    #[arg(long, value_name = "LAYOUT", default_value = "icu", requires = "vitals")]
    columns: Layout,
    /// When the recording began, for example 2026-11-23T08:20:00Z [default: so that it ends now]
    #[arg(long, value_name = "TIME", requires = "vitals", value_parser = crate::input::time_ms)]
    start: Option<u64>,
    /// For whom: a card, or the id of someone enrolled; for a PHR also group, group:NAME, or group-owner (under the group's
    /// id, for its owner's eyes) [default for a PHR: yourself]
    #[arg(long, value_name = "CARD|ID|group[:NAME]")]
    to: Option<String>,
    /// What may be public: minimal, coarse:FIELDS (age_band, categories, year, window_stats) or paper
    #[arg(long, value_name = "POLICY", default_value = "minimal")]
    public: Policy,
    #[command(flatten)]
    keystore: KeystoreArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// `medring record seal`.
#[derive(Args, Debug)]
pub(crate) struct SealArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    anchor: Anchor,
}

/// `medring record submit`.
#[derive(Args, Debug)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Records that `medring record seal` wrote; an envelope that is out of date is renewed with the uploader's keystore
    #[arg(value_name = "FILE", conflicts_with = "source")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    wait: WaitArgs,
    /// The network's genesis file [default: genesis.json in the data folder, or what the node there says]
    #[arg(long, value_name = "FILE", env = "MEDRING_GENESIS")]
    genesis: Option<PathBuf>,
}

/// Whether a recording is fed as it would be measured.
#[derive(Args, Debug)]
pub(crate) struct LiveArgs {
    /// With --vitals and --to group: one record for each window of the recording, one every so many seconds, as a wearable
    /// would
    #[arg(long, value_name = "SECONDS", requires = "vitals")]
    live: Option<u64>,
    /// With --live: minutes of the recording in each record
    #[arg(long, value_name = "MINUTES", requires = "live", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1440))]
    window: u32,
}

/// Whether to wait for what was submitted.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// Wait until it lies DEPTH blocks deep on the node's own chain, and verify it there (give it after any FILE)
    /// [default DEPTH: as the genesis file says]
    #[arg(long, value_name = "DEPTH", num_args = 0..=1, value_parser = clap::value_parser!(u64).range(1..))]
    wait: Option<Option<u64>>,
    /// With --wait: seconds to wait at most [default: three times what DEPTH blocks take, at least 60]
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
}

/// `medring record list`.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Those sealed to the participant on this node
    #[arg(long, conflicts_with_all = ["pool", "before"])]
    mine: bool,
    /// Those that wait to be mined
    #[arg(long, conflicts_with = "before")]
    pool: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only those below this height
    #[arg(long, value_name = "HEIGHT")]
    before: Option<u64>,
}

/// Which record.
#[derive(Args, Debug)]
pub(crate) struct IdArgs {
    /// The record's id, 64 hex digits
    #[arg(value_name = "RECORD_ID")]
    id: RecordId,
}

/// `medring record open`.
#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    record: IdArgs,
    /// Write the content into this new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `medring record verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    record: IdArgs,
    /// The network's genesis file [default: genesis.json in the data folder, or what the node there says]
    #[arg(long, value_name = "FILE", env = "MEDRING_GENESIS")]
    genesis: Option<PathBuf>,
    /// Depth at which the record counts as settled [default: as the genesis file says]
    #[arg(long, value_name = "BLOCKS")]
    depth: Option<u64>,
}

pub(super) fn run(command: RecordCommand, context: &Context) -> Outcome {
    match command {
        RecordCommand::Seal(args) => make::seal(&args, context),
        RecordCommand::Submit(args) => make::submit(&args, context),
        RecordCommand::List(args) => read::list(&args, context),
        RecordCommand::Show(args) => read::show(&args.id, context),
        RecordCommand::Open(args) => read::open(&args, context),
        RecordCommand::Verify(args) => verify::run(&args, context),
    }
}
