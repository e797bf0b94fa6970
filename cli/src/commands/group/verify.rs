//! `medring group verify`: the aggregate, checked source by source on one's own node.

use super::VerifyArgs;
use super::who::People;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use medring_node::api::types::{AphrReport, SourceReport, Verdict};
use serde::Serialize;

/// As the API gives it.
#[derive(Serialize)]
struct VerifyReport {
    #[serde(flatten)]
    report: AphrReport,
    #[serde(skip)]
    people: People,
}

impl VerifyReport {
    fn row(&self, source: &SourceReport, style: Style) -> Vec<String> {
        // The last column: colours take no room that the table would count.
        let verdict = match source.verdict {
            Verdict::Verified => style.good("verified"),
            other => format!("{}: {}", style.bad(other.name()), source.why),
        };
        let role = source.role.map_or("not enrolled", |role| role.name());
        let signer = source.uploader.map_or_else(|| "-".into(), |uploader| format!("{role} {}", uploader.short()));
        vec![
            source.record_id.short(),
            source.kind.map_or_else(|| "-".into(), |kind| kind.name().to_uppercase()),
            signer,
            source.height.map_or_else(|| "-".into(), |height| height.to_string()),
            verdict,
        ]
    }
}

impl Report for VerifyReport {
    fn text(&self, style: Style) -> String {
        let r = &self.report;
        let mut out = style.fields(&[
            ("aggregate", style.strong(&r.record_id.to_string())),
            ("sealed by", self.people.label(&r.by)),
            ("epoch", format!("{}, committed to the chain at height {}", r.epoch, r.height)),
        ]);
        let rows: Vec<_> = r.sources.iter().map(|source| self.row(source, style)).collect();
        out += &format!("\n{}\n", style.table(&["source", "kind", "made by", "height", "verdict"], &rows));
        out +=
            &style.check(r.aggregate_matches, "computed anew from the opened sources, the aggregate is the same bytes");
        if r.stale {
            let newer = r.newer.map(|id| format!(": {id}")).unwrap_or_default();
            out += &format!("{}   the owner has published something newer in this epoch{newer}\n", style.bad("STALE"));
        }
        out += &match r.passed {
            true => format!("\n{} all {} sources and the aggregate\n", style.good("Verified:"), r.sources.len()),
            false => format!("\n{} do not rely on it; ask the owner what happened\n", style.bad("Not verified:")),
        };
        out + "Newer EHR or EMR that the owner left out are visible to the owner alone.\n"
    }
}

/// `medring group verify`.
pub(super) fn run(args: &VerifyArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    let query = args.record.map(|id| format!("?record={id}")).unwrap_or_default();
    let report: Option<AphrReport> = target.client.find(&target.path(&format!("/report{query}")))?;
    let report = report.ok_or_else(|| {
        let what = match &args.record {
            Some(id) => format!("{id} is no aggregate of this group that opens here"),
            None => "the owner has sealed no aggregate in an epoch that opens here".into(),
        };
        let next = context.command("group records");
        Failure::new(Exit::NotSo, format!("{what}; {next} lists what there is"))
    })?;
    let passed = report.passed;
    context.output.report(&VerifyReport { report, people: People::of(&target.info) });
    Ok(if passed { Exit::Ok } else { Exit::NotSo })
}
