//! `medring group`: people who share one patient's records. The arguments; each command has a file of its own.

mod accept;
mod ask;
mod change;
mod confirm;
mod create;
mod draw;
mod history;
mod invite;
mod qr;
mod records;
mod recover;
mod status;
#[cfg(test)]
mod status_tests;
mod target;
mod verify;
mod wait;
mod who;

pub(super) use target::{GroupArgs, Target};

use crate::context::Context;
use crate::failure::Outcome;
use clap::{Args, Subcommand};
use medring_protocol::RecordId;
use std::path::PathBuf;

/// `medring group …`.
#[derive(Subcommand, Debug)]
pub(crate) enum GroupCommand {
    /// Make a group of your own: you are its owner, and its records are yours
    Create(CreateArgs),
    /// List the groups of this node's participant
    List,
    /// Make a ticket for one more member: text, and a QR code
    Invite(InviteArgs),
    /// Take up an invitation
    Accept(AcceptArgs),
    /// Owner: take in who accepted an invitation, after comparing codes; also a suspended member that is back
    Add(AddArgs),
    /// Owner: put members out; what is sealed from then on they cannot read
    Remove(MembersArgs),
    /// Owner: leave members out until they are back
    Suspend(MembersArgs),
    /// Several changes in one epoch
    Change(ChangeArgs),
    /// Pair anew on both sides: yourself, or as the owner the members you name
    Update(UpdateArgs),
    /// Member: leave the group
    Leave(AskArgs),
    /// Member: come back after a suspension
    Return(AskArgs),
    /// The ring drawn, who is online, what is under way, and who could read what
    Status(StatusArgs),
    /// What lies under the group's epochs, readable or not; --open ID shows one
    Records(RecordsArgs),
    /// Check the newest aggregate, or the one named, source by source
    Verify(VerifyArgs),
    /// Owner: drop the changes that wait, and the attempt under way
    Cancel(OwnerArgs),
    /// Owner: try again after all attempts were used up
    Retry(OwnerArgs),
    /// Owner with restored keys: fetch the last epoch from a member's node
    Recover(RecoverArgs),
}

/// How long to wait.
#[derive(Args, Debug)]
pub(crate) struct WaitArgs {
    /// Wait until the epoch is in force and final, and show its ring
    #[arg(long)]
    wait: bool,
    /// With --wait: seconds to wait at most
    #[arg(long, value_name = "SECONDS", requires = "wait", default_value_t = 600)]
    timeout: u64,
}

/// `medring group create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// What you call it, 1 to 40 characters; told to nobody
    #[arg(value_name = "NAME")]
    name: String,
    /// Begin at once with nobody else in it
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group invite`.
#[derive(Args, Debug)]
pub(crate) struct InviteArgs {
    /// What you call the invited, 1 to 40 characters
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    group: GroupArgs,
    /// How long the ticket is good; a week at most
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    minutes: u64,
    /// The ticket as text only
    #[arg(long)]
    no_qr: bool,
    /// Also write the QR code into this new file, FILE.svg
    #[arg(long, value_name = "FILE")]
    qr_file: Option<PathBuf>,
}

/// `medring group accept`.
#[derive(Args, Debug)]
pub(crate) struct AcceptArgs {
    /// The ticket, or - to read it from standard input
    #[arg(value_name = "TICKET")]
    ticket: String,
    /// What you call the group, 1 to 40 characters; told to nobody
    #[arg(long, value_name = "NAME", default_value = "family")]
    name: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group add`.
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// Candidates, by name, id, or the first digits of an id
    #[arg(value_name = "WHO", required = true)]
    who: Vec<String>,
    #[command(flatten)]
    group: GroupArgs,
    /// The codes were compared: do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group remove` and `suspend`.
#[derive(Args, Debug)]
pub(crate) struct MembersArgs {
    /// Members, by name, id, or the first digits of an id
    #[arg(value_name = "WHO", required = true)]
    who: Vec<String>,
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group change`.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    /// Take in a candidate, or a suspended member that is back
    #[arg(long, value_name = "WHO")]
    add: Vec<String>,
    /// Put a member out
    #[arg(long, value_name = "WHO")]
    remove: Vec<String>,
    /// Leave a member out until it is back
    #[arg(long, value_name = "WHO")]
    suspend: Vec<String>,
    /// Pair a member anew on both sides
    #[arg(long, value_name = "WHO")]
    update: Vec<String>,
    #[command(flatten)]
    group: GroupArgs,
    /// The codes were compared: do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group update`.
#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// Members, by name, id, or the first digits of an id [default: yourself]
    #[arg(value_name = "WHO")]
    who: Vec<String>,
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group leave` and `return`.
#[derive(Args, Debug)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `medring group status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// Also list the members with their whole ids
    #[arg(long)]
    ids: bool,
}

/// `medring group records`.
#[derive(Args, Debug)]
pub(crate) struct RecordsArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Open this record instead of listing
    #[arg(long, value_name = "RECORD", conflicts_with = "limit")]
    open: Option<RecordId>,
    /// Write the content into this new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE", requires = "open")]
    out: Option<PathBuf>,
}

/// `medring group verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The aggregate [default: the newest]
    #[arg(value_name = "RECORD")]
    record: Option<RecordId>,
    #[command(flatten)]
    group: GroupArgs,
}

/// `medring group cancel` and `retry`.
#[derive(Args, Debug)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    group: GroupArgs,
}

/// `medring group recover`.
#[derive(Args, Debug)]
pub(crate) struct RecoverArgs {
    /// A member's node: /ip4/ADDRESS/tcp/PORT/p2p/PEERID, as `medring node status` prints it there
    #[arg(long, value_name = "MULTIADDR")]
    from: String,
}

pub(super) fn run(command: GroupCommand, context: &Context) -> Outcome {
    match command {
        GroupCommand::Create(args) => create::run(&args, context),
        GroupCommand::List => create::list(context),
        GroupCommand::Invite(args) => invite::run(&args, context),
        GroupCommand::Accept(args) => accept::run(&args, context),
        GroupCommand::Add(args) => change::add(&args, context),
        GroupCommand::Remove(args) => change::remove(&args, context),
        GroupCommand::Suspend(args) => change::suspend(&args, context),
        GroupCommand::Change(args) => change::several(&args, context),
        GroupCommand::Update(args) => change::update(&args, context),
        GroupCommand::Leave(args) => ask::leave(&args, context),
        GroupCommand::Return(args) => ask::come_back(&args, context),
        GroupCommand::Status(args) => status::run(&args, context),
        GroupCommand::Records(args) => records::run(&args, context),
        GroupCommand::Verify(args) => verify::run(&args, context),
        GroupCommand::Cancel(args) => change::cancel(&args, context),
        GroupCommand::Retry(args) => change::retry(&args, context),
        GroupCommand::Recover(args) => recover::run(&args, context),
    }
}
