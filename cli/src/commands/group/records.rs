//! `medring group records`: what lies under the group's epochs.

use super::RecordsArgs;
use super::target::Target;
use super::who::People;
use crate::commands::record::{OpenReport, state};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style};
use medring_node::api::types::{GroupRecordInfo, GroupRecordsResponse};
use serde::Serialize;

/// As the API gives it.
#[derive(Serialize)]
struct RecordsReport {
    #[serde(flatten)]
    list: GroupRecordsResponse,
    /// How many there are in all.
    total: usize,
    #[serde(skip)]
    people: People,
    #[serde(skip)]
    open: String,
}

impl Report for RecordsReport {
    fn text(&self, style: Style) -> String {
        if self.list.records.is_empty() {
            let next = "The owner makes the first with `medring aggregate`, or `medring record submit --vitals FILE --to group`.";
            return format!("No records under this group's epochs. {next}\n");
        }
        let row = |r: &GroupRecordInfo| {
            vec![
                r.record_id.to_string(),
                r.kind.to_string(),
                r.epoch.to_string(),
                r.height.map_or_else(|| "-".into(), |height| height.to_string()),
                state(r.state).into(),
                r.bytes.to_string(),
                self.people.label(&r.uploader),
                (if r.readable { "yes" } else { "no" }).into(),
            ]
        };
        let rows: Vec<_> = self.list.records.iter().map(row).collect();
        let head = ["record", "kind", "epoch", "height", "state", "bytes", "by", "opens here"];
        let mut out = style.table(&head, &rows);
        match self.total - rows.len() {
            0 => {}
            more => out += &format!("and {more} older; --limit {} shows all\n", self.total),
        }
        if self.list.records.iter().any(|r| r.readable) {
            out += &format!("\nNext: {}\n", self.open);
        }
        out
    }
}

/// `medring group records`.
pub(super) fn run(args: &RecordsArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    if let Some(id) = &args.open {
        let report = OpenReport::fetch(&target.client, &target.path(&format!("/records/{id}")), args.out.as_ref())?;
        context.output.report(&report);
        return Ok(if report.passed() { Exit::Ok } else { Exit::NotSo });
    }
    list(args, &target, context)
}

fn list(args: &RecordsArgs, target: &Target, context: &Context) -> Outcome {
    let mut list: GroupRecordsResponse = target.client.get(&target.path("/records"))?;
    let total = list.records.len();
    list.records.truncate(args.limit);
    let open = format!("{} shows one", context.command("group records --open RECORD"));
    context.output.report(&RecordsReport { list, total, people: People::of(&target.info), open });
    Ok(Exit::Ok)
}
