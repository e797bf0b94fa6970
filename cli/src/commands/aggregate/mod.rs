//! `medring aggregate`: one document of what the patient's records say together, sealed to the group.

mod document;

use super::group::{GroupArgs, Target};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable};
use clap::Args;
use document::Document;
use medring_node::api::types::{AggregateRequest, AggregateResponse, AphrPolicy, AphrReport};
use medring_protocol::RecordId;
use serde::Serialize;

/// `medring aggregate`.
#[derive(Args, Debug)]
pub(crate) struct AggregateArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// From now on aggregate after every N new records, besides at every new epoch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    every_records: Option<u32>,
    /// From now on aggregate every M minutes if there are new records
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..))]
    every_minutes: Option<u32>,
    /// Aggregate at new epochs only
    #[arg(long, conflicts_with_all = ["every_records", "every_minutes"])]
    never: bool,
    /// Print the newest aggregate that opens here instead of making one
    #[arg(long, conflicts_with_all = ["every_records", "every_minutes", "never"])]
    show: bool,
    /// With --show: every entry of every section
    #[arg(long, requires = "show")]
    all: bool,
}

/// `medring aggregate`.
pub(super) fn run(args: &AggregateArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    if args.show {
        return show(args, &target, context);
    }
    target.require_owner("aggregate its own records")?;
    if args.never || args.every_records.is_some() || args.every_minutes.is_some() {
        return set_policy(args, &target, context);
    }
    make(&target, context)
}

/// As the API gives it.
#[derive(Serialize)]
struct MadeReport {
    #[serde(flatten)]
    made: AggregateResponse,
    #[serde(skip)]
    next: String,
}

impl Report for MadeReport {
    fn text(&self, style: Style) -> String {
        let AggregateResponse { record_id, sources, bytes, skipped } = &self.made;
        let mut out = format!("{} {record_id}\nfrom {sources} records, {bytes} bytes\n", style.strong("APHR"));
        for source in skipped {
            let what = format!("{} {}: {}", source.record_id.short(), source.verdict.name(), printable(&source.why));
            out += &format!("{} {what}\n", style.bad("left out"));
        }
        out + &format!("\nNext: {}\n", self.next)
    }
}

fn make(target: &Target, context: &Context) -> Outcome {
    let made: AggregateResponse = target.client.post(&target.path("/aggregate"), &AggregateRequest {})?;
    let verify = context.command(&format!("group verify {}", made.record_id));
    let next = format!("once it is in a block, every member checks it with {verify}");
    context.output.report(&MadeReport { made, next });
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct PolicyReport(AphrPolicy);

impl Report for PolicyReport {
    fn text(&self, _: Style) -> String {
        let plural = |n: u32, what: &str| if n == 1 { format!("every {what}") } else { format!("every {n} {what}s") };
        let records = self.0.every_records.map(|n| plural(n, "new record"));
        let minutes = self.0.every_minutes.map(|n| plural(n, "minute"));
        let also: String = records.into_iter().chain(minutes).map(|when| format!(", and {when}")).collect();
        format!("This node aggregates at every new epoch{also}.\n")
    }
}

fn set_policy(args: &AggregateArgs, target: &Target, context: &Context) -> Outcome {
    let policy = AphrPolicy { every_records: args.every_records, every_minutes: args.every_minutes };
    context.output.report(&PolicyReport(target.client.put(&target.path("/policy"), &policy)?));
    Ok(Exit::Ok)
}

/// An aggregate in words, or as the document it is.
#[derive(Serialize)]
struct ShowReport {
    record_id: RecordId,
    epoch: u64,
    height: u64,
    passed: bool,
    document: Document,
    #[serde(skip)]
    all: bool,
    #[serde(skip)]
    verify: String,
}

impl Report for ShowReport {
    fn text(&self, style: Style) -> String {
        let head = format!("aggregate {}, epoch {}, height {}", self.record_id.short(), self.epoch, self.height);
        let next = match self.passed {
            true => format!("{} shows how each source was checked", self.verify),
            false => format!("{}: not everything in it verified", self.verify),
        };
        format!("{}\n{}\nNext: {next}\n", style.strong(&head), self.document.text(style, self.all))
    }
}

/// The newest aggregate, which the node has just made again from its sources.
fn show(args: &AggregateArgs, target: &Target, context: &Context) -> Outcome {
    let report: Option<AphrReport> = target.client.find(&target.path("/report?aggregate=true"))?;
    let Some(report) = report else {
        let what = "there is no aggregate that opens here";
        let next = match target.info.status.mine {
            true => format!("make one with {}", context.command("aggregate")),
            false => "the group's owner makes one with `medring aggregate`".into(),
        };
        return Err(Failure::new(Exit::NotSo, format!("{what}; {next}")));
    };
    let AphrReport { record_id, epoch, height, passed, .. } = report;
    let verify = context.command(&format!("group verify {record_id}"));
    let Some(aggregate) = report.aggregate else {
        let what = format!("aggregate {record_id} is not what its sources give, so it is not shown");
        return Err(Failure::new(Exit::NotSo, format!("{what}; {verify} tells which")));
    };
    let malformed = |e| Failure::new(Exit::Protocol, format!("the node's answer is not understood: {e}"));
    let document = Document::parse(aggregate.get().as_bytes()).map_err(malformed)?;
    context.output.report(&ShowReport { record_id, epoch, height, passed, document, all: args.all, verify });
    Ok(if passed { Exit::Ok } else { Exit::NotSo })
}
