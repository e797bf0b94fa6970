//! `medring aggregate`: one document of what the patient's records say together, sealed to the group.

mod document;

use super::group::{GroupArgs, Target};
use crate::commands::record::OpenReport;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use clap::Args;
use document::Document;
use medring_node::api::types::{AphrPolicy, GroupRecordInfo, GroupRecordsResponse};
use medring_protocol::RecordId;
use medring_protocol::record::Kind;
use medring_protocol::seal::AphrContent;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

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

/// `POST /v1/wallet/groups/{group}/aggregate`.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    record_id: RecordId,
    sources: usize,
    bytes: usize,
}

/// As the API gives it.
#[derive(Serialize)]
struct MadeReport {
    #[serde(flatten)]
    made: Made,
    #[serde(skip)]
    next: String,
}

impl Report for MadeReport {
    fn text(&self, style: Style) -> String {
        let Made { record_id, sources, bytes } = &self.made;
        format!("{} {record_id}\nfrom {sources} records, {bytes} bytes\n\nNext: {}\n", style.strong("APHR"), self.next)
    }
}

fn make(target: &Target, context: &Context) -> Outcome {
    let made: Made = target.client.post(&target.path("/aggregate"), &serde_json::json!({}))?;
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
    height: Option<u64>,
    document: Document,
    #[serde(skip)]
    all: bool,
    #[serde(skip)]
    verify: String,
}

impl Report for ShowReport {
    fn text(&self, style: Style) -> String {
        let height = self.height.map_or_else(|| "in no block yet".into(), |height| format!("height {height}"));
        let head = format!("aggregate {}, epoch {}, {height}", self.record_id.short(), self.epoch);
        format!("{}\n{}\nNext: {} checks it\n", style.strong(&head), self.document.text(style, self.all), self.verify)
    }
}

fn show(args: &AggregateArgs, target: &Target, context: &Context) -> Outcome {
    let list: GroupRecordsResponse = target.client.get(&target.path("/records"))?;
    let newest = list.records.into_iter().find(|r| r.kind == Kind::Aphr && r.readable);
    let Some(GroupRecordInfo { record_id, epoch, height, .. }) = newest else {
        let what = "there is no aggregate that opens here";
        let next = match target.info.status.mine {
            true => format!("make one with {}", context.command("aggregate")),
            false => "the group's owner makes one with `medring aggregate`".into(),
        };
        return Err(Failure::new(Exit::NotSo, format!("{what}; {next}")));
    };
    let opened = OpenReport::fetch(&target.client, &target.path(&format!("/records/{record_id}")), None)?;
    let document = read(opened.content())?;
    let verify = context.command(&format!("group verify {record_id}"));
    context.output.report(&ShowReport { record_id, epoch, height, document, all: args.all, verify });
    Ok(Exit::Ok)
}

/// The aggregate within an APHR's content, which the node gives as hex.
fn read(content: &str) -> Outcome<Document> {
    let malformed =
        |e: &dyn std::fmt::Display| Failure::new(Exit::Data, format!("this is no aggregate: {e}; ask its owner"));
    let digits: Zeroizing<String> = Zeroizing::new(serde_json::from_str(content).map_err(|e| malformed(&e))?);
    let bytes = Zeroizing::new(hex::decode(digits.as_str()).map_err(|e| malformed(&e))?);
    let content = AphrContent::decode(&bytes).map_err(|e| malformed(&e))?;
    Document::parse(&content.aggregate).map_err(|e| malformed(&e))
}
