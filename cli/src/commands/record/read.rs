//! Listing, showing and opening records.

use super::{ListArgs, OpenArgs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style};
use medring_node::api::types::{RecordState, RecordSummary, RecordsResponse};
use medring_node::wallet::Checks;
use medring_protocol::RecordId;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// As in the API.
fn state(state: RecordState) -> &'static str {
    match state {
        RecordState::Pending => "pending",
        RecordState::Confirmed => "confirmed",
        RecordState::Settled => "settled",
    }
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ListReport(RecordsResponse);

impl Report for ListReport {
    fn text(&self, style: Style) -> String {
        if self.0.records.is_empty() {
            return "No records.\n".into();
        }
        let row = |r: &RecordSummary| {
            vec![
                r.record_id.to_string(),
                r.kind.to_string(),
                r.height.map_or_else(|| "-".into(), |height| height.to_string()),
                state(r.state).into(),
                r.bytes.to_string(),
                r.uploader.short(),
            ]
        };
        let rows: Vec<_> = self.0.records.iter().map(row).collect();
        style.table(&["record", "kind", "height", "state", "bytes", "uploader"], &rows)
    }
}

/// The wallet's list, as the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct MineReport(Value);

impl Report for MineReport {
    fn text(&self, style: Style) -> String {
        let records = self.0["records"].as_array().map_or(&[][..], Vec::as_slice);
        if records.is_empty() {
            return "No records yet. `medring node status` shows whether the node is still catching up.\n".into();
        }
        let cell = |record: &Value, name: &str| match &record[name] {
            Value::String(text) => text.clone(),
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        let names = ["record_id", "kind", "height", "state", "bytes", "uploader"];
        let short = |name: &str, text: String| if name == "uploader" { text.chars().take(8).collect() } else { text };
        let rows: Vec<_> =
            records.iter().map(|r| names.iter().map(|name| short(name, cell(r, name))).collect()).collect();
        style.table(&["record", "kind", "height", "state", "bytes", "uploader"], &rows)
    }
}

/// `medring record list`.
pub(super) fn list(args: &ListArgs, context: &Context) -> Outcome {
    let client = context.client()?;
    if args.mine {
        let mut own: Value = client.get("/v1/wallet/records")?;
        if let Some(records) = own["records"].as_array_mut() {
            let surplus = records.len().saturating_sub(args.limit);
            records.drain(..surplus);
        }
        context.output.report(&MineReport(own));
        return Ok(Exit::Ok);
    }
    let before = args.before.map(|height| format!("&before_height={height}")).unwrap_or_default();
    let path = if args.pool { "/v1/pool".into() } else { format!("/v1/records?limit={}{before}", args.limit) };
    let mut list: RecordsResponse = client.get(&path)?;
    list.records.truncate(args.limit);
    context.output.report(&ListReport(list));
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ShowReport(RecordSummary);

impl Report for ShowReport {
    fn text(&self, style: Style) -> String {
        let r = &self.0;
        let value = r.receiver.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
        let mut rows = vec![
            ("record", r.record_id.to_string()),
            ("kind", style.strong(r.kind.name())),
            ("state", format!("{}, {} confirmations", state(r.state), r.confirmations)),
        ];
        if let (Some(height), Some(block)) = (r.height, r.block_id) {
            rows.push(("block", format!("height {height}, {block}, place {}", r.index.unwrap_or_default())));
        }
        rows.extend([
            ("uploader", r.uploader.to_string()),
            ("receiver", format!("{}{value}", r.receiver.kind)),
            ("size", format!("{} bytes", r.bytes)),
            ("stamp", format!("{} ms since 1970", r.stamp_ms)),
            ("expires", format!("after height {}", r.expiry_height)),
            ("public part", r.public.to_string()),
        ]);
        style.fields(&rows)
    }
}

/// `medring record show`.
pub(super) fn show(id: &RecordId, context: &Context) -> Outcome {
    let found: Option<RecordSummary> = context.client()?.find(&format!("/v1/records/{id}"))?;
    let found = found.ok_or_else(|| {
        let what =
            "is neither on this node's best chain nor in its pool; if you just submitted it elsewhere, wait a moment";
        Failure::new(Exit::NotSo, format!("record {id} {what}"))
    })?;
    context.output.report(&ShowReport(found));
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct OpenReport {
    #[serde(flatten)]
    record: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip)]
    checks: Checks,
}

impl Report for OpenReport {
    fn text(&self, style: Style) -> String {
        let text = |name: &str| match &self.record[name] {
            Value::String(text) => text.clone(),
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        let mut out = style.fields(&[
            ("record", text("record_id")),
            ("kind", style.strong(&text("kind"))),
            ("uploader", format!("{} ({})", text("uploader"), text("uploader_role"))),
            ("block", format!("height {}, {}", text("height"), text("block_id"))),
        ]);
        out.push('\n');
        self.checks.each().iter().for_each(|(_, passed, what)| out += &style.check(*passed, what));
        match &self.file {
            Some(file) => out += &format!("\nContent written to {}\n", file.display()),
            None => out += &format!("\n{:#}\n", self.record["content"]),
        }
        out
    }
}

/// `medring record open`.
pub(super) fn open(args: &OpenArgs, context: &Context) -> Outcome {
    let id = &args.record.id;
    let found: Option<Value> = context.client()?.find(&format!("/v1/wallet/records/{id}"))?;
    let mut record = found.ok_or_else(|| {
        let what =
            "is not in this node's wallet: it is sealed to someone else, or the wallet has not scanned its block yet";
        Failure::new(Exit::NotSo, format!("record {id} {what}; see `medring record list --mine`"))
    })?;
    let malformed = |e| Failure::new(Exit::Protocol, format!("the node's checks are not understood: {e}"));
    let checks: Checks = serde_json::from_value(record["checks"].clone()).map_err(malformed)?;
    if let Some(path) = &args.out {
        input::write_new(path, format!("{:#}\n", record["content"]).as_bytes())?;
        record["content"].take();
    }
    context.output.report(&OpenReport { record, file: args.out.clone(), checks });
    Ok(if checks.passed() { Exit::Ok } else { Exit::NotSo })
}
