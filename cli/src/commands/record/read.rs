//! Listing, showing and opening records.

use super::{ListArgs, OpenArgs};
use crate::commands::scan;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, printable, utc};
use medring_node::api::types::{
    HistoryResponse, RecordNote, RecordState, RecordSummary, RecordsResponse, WalletRecordInfo, WalletRecordsResponse,
    WalletResponse,
};
use medring_node::wallet::Checks;
use medring_protocol::RecordId;
use medring_testnet::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Largest answer read when a record is opened, bytes: content of 16 MiB, and what surrounds it.
const ANSWER_BYTES_MAX: u64 = 40 * 1024 * 1024;

/// As in the API.
pub(crate) fn state(state: RecordState) -> &'static str {
    match state {
        RecordState::Pending => "pending",
        RecordState::Confirmed => "confirmed",
        RecordState::Settled => "settled",
    }
}

/// Whether a fork moved it, for its state.
fn again(record: &RecordSummary) -> &'static str {
    match record.state {
        _ if !record.went_back => "",
        RecordState::Pending => " again",
        RecordState::Confirmed | RecordState::Settled => " again, after a fork",
    }
}

/// What became of a record, a line each.
fn history(notes: &[RecordNote]) -> String {
    let mut confirmed = false;
    let line = |note: &RecordNote| {
        let block =
            note.height.zip(note.block_id).map(|(height, id)| format!("block {height}, {id}")).unwrap_or_default();
        let what = match note.what.as_str() {
            "submitted" => "submitted".into(),
            "confirmed" if std::mem::replace(&mut confirmed, true) => format!("confirmed again in {block}"),
            "confirmed" => format!("confirmed in {block}"),
            "went-back" => format!("a fork sent it back to pending (was in {block})"),
            other => format!("{other}: {}", printable(note.reason.as_deref().unwrap_or_default())),
        };
        format!("{}  {what}\n", utc(note.at_ms))
    };
    notes.iter().map(line).collect()
}

/// As the API gives it: a record that is neither on the chain nor in the pool.
#[derive(Serialize)]
#[serde(transparent)]
struct HistoryReport(HistoryResponse);

impl Report for HistoryReport {
    fn text(&self, style: Style) -> String {
        let id = self.0.record_id;
        format!("record {id} is {}\n\n{}", style.bad("neither on the chain nor in the pool"), history(&self.0.notes))
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
                format!("{}{}", state(r.state), again(r)),
                r.bytes.to_string(),
                r.uploader.short(),
                utc(r.stamp_ms),
            ]
        };
        let rows: Vec<_> = self.0.records.iter().map(row).collect();
        style.table(&["record", "kind", "height", "state", "bytes", "uploader", "stamp"], &rows)
    }
}

/// As the API gives both.
#[derive(Serialize)]
struct MineReport {
    #[serde(flatten)]
    own: WalletRecordsResponse,
    wallet: WalletResponse,
}

impl Report for MineReport {
    fn text(&self, style: Style) -> String {
        let behind = match scan::is_behind(&self.wallet) {
            true => format!("The wallet is {}; more records may turn up.\n", scan::how_far(&self.wallet)),
            false => String::new(),
        };
        if self.own.records.is_empty() {
            return format!("No records yet at height {}.\n{behind}", self.wallet.tip_height);
        }
        let row = |r: &WalletRecordInfo| {
            let problem = r.problem.as_ref().map_or_else(String::new, |problem| style.bad(problem));
            vec![
                r.record_id.to_string(),
                r.kind.to_string(),
                r.height.map_or_else(|| "-".into(), |height| height.to_string()),
                state(r.state).into(),
                r.bytes.to_string(),
                r.uploader.short(),
                utc(r.stamp_ms),
                problem,
            ]
        };
        let rows: Vec<_> = self.own.records.iter().map(row).collect();
        style.table(&["record", "kind", "height", "state", "bytes", "uploader", "stamp", ""], &rows) + &behind
    }
}

/// Most records that a node gives at once.
const PAGE_MAX: usize = 200;

/// `medring record list`.
pub(super) fn list(args: &ListArgs, context: &Context) -> Outcome {
    let client = context.client()?;
    if args.mine {
        // Asked first, so that it claims no more than the list has.
        let wallet: WalletResponse = client.get("/v1/wallet")?;
        let mut own: WalletRecordsResponse = client.get("/v1/wallet/records")?;
        let surplus = own.records.len().saturating_sub(args.limit);
        own.records.drain(..surplus);
        context.output.report(&MineReport { own, wallet });
        return Ok(Exit::Ok);
    }
    let (path, mut from) = match (args.pool, args.before) {
        (true, _) => ("/v1/pool", String::new()),
        (false, Some(height)) => ("/v1/records", format!("&before_height={height}")),
        (false, None) => ("/v1/records", String::new()),
    };
    let mut records = Vec::new();
    while records.len() < args.limit {
        let page = (args.limit - records.len()).min(PAGE_MAX);
        let list: RecordsResponse = client.get(&format!("{path}?limit={page}{from}"))?;
        records.extend(list.records);
        let Some(next) = list.next else { break };
        from = format!("&cursor={next}");
    }
    context.output.report(&ListReport(RecordsResponse { records, next: None }));
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
            ("stamp", utc(r.stamp_ms)),
            ("expires", format!("after height {}", r.expiry_height)),
            ("public part", r.public.to_string()),
        ]);
        let fields = style.fields(&rows);
        if r.history.is_empty() { fields } else { format!("{fields}\n{}", history(&r.history)) }
    }
}

/// `medring record show`.
pub(super) fn show(id: &RecordId, context: &Context) -> Outcome {
    let client = context.client()?;
    let found: Option<RecordSummary> = client.find(&format!("/v1/records/{id}"))?;
    if found.is_none()
        && let Some(history) = client.find(&format!("/v1/records/{id}/history"))?
    {
        context.output.report(&HistoryReport(history));
        return Ok(Exit::NotSo);
    }
    let found = found.ok_or_else(|| {
        let what =
            "is neither on this node's best chain nor in its pool; if you just submitted it elsewhere, wait a moment";
        Failure::new(Exit::NotSo, format!("record {id} {what}"))
    })?;
    context.output.report(&ShowReport(found));
    Ok(Exit::Ok)
}

/// What of `/v1/wallet/records/{id}` surrounds the content. (A flattened struct cannot hold raw JSON when it is read.)
#[derive(Deserialize)]
struct Around {
    checks: Checks,
    content: Box<RawValue>,
}

/// A record opened.
#[derive(Serialize)]
pub(crate) struct OpenReport {
    #[serde(flatten)]
    info: WalletRecordInfo,
    checks: Checks,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Byte for byte as it was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
}

impl Report for OpenReport {
    fn text(&self, style: Style) -> String {
        let info = &self.info;
        let role = info.uploader_role.map_or("not enrolled", |role| role.name());
        let block = match (info.height, info.block_id) {
            (Some(height), Some(id)) => format!("height {height}, {id}"),
            _ => "none yet: it waits in the pool".into(),
        };
        let mut out = style.fields(&[
            ("record", info.record_id.to_string()),
            ("kind", style.strong(info.kind.name())),
            ("uploader", format!("{} ({role})", info.uploader)),
            ("block", block),
        ]);
        out.push('\n');
        self.checks.each().iter().for_each(|(_, passed, what)| out += &style.check(*passed, what));
        if let Some(file) = &self.file {
            out += &format!("\nContent written to {}\n", file.display());
        }
        if let Some(content) = &self.content {
            out += &format!("\n{content}\n");
        }
        out
    }
}

impl OpenReport {
    /// Asks the node to open a record, and writes its content into this new file if one is named.
    pub(crate) fn fetch(client: &Client, path: &str, out: Option<&PathBuf>) -> Outcome<Self> {
        let answer = Zeroizing::new(client.get_bytes(path, ANSWER_BYTES_MAX)?);
        let malformed = |e| Failure::new(Exit::Protocol, format!("the node's answer is not understood: {e}"));
        let info: WalletRecordInfo = serde_json::from_slice(&answer).map_err(malformed)?;
        let Around { checks, content } = serde_json::from_slice(&answer).map_err(malformed)?;
        if let Some(path) = out {
            input::write_new(path, content.get().as_bytes())?;
        }
        let (file, passed) = (out.cloned(), checks.passed());
        let content = file.is_none().then_some(content);
        Ok(Self { info, checks, passed, file, content })
    }

    /// Whether every check passed.
    pub(crate) fn passed(&self) -> bool {
        self.passed
    }
}

/// `medring record open`.
pub(super) fn open(args: &OpenArgs, context: &Context) -> Outcome {
    let path = format!("/v1/wallet/records/{}", args.record.id);
    let report = OpenReport::fetch(&context.client()?, &path, args.out.as_ref())?;
    context.output.report(&report);
    Ok(if report.passed { Exit::Ok } else { Exit::NotSo })
}
