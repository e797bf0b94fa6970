//! What all commands that make records share: where the chain stands, and bringing records to a node or into files.

use super::record::VerifyReport;
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, quoted};
use clap::Args;
use medring_node::wallet::Moment;
use medring_protocol::identity::PublicKeys;
use medring_protocol::params::Params;
use medring_protocol::record::{Kind, Record};
use medring_protocol::{ChainId, ParticipantId, RecordId, WireId};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The chain, its tip, and where made records go.
#[derive(Args, Debug)]
pub(crate) struct Anchor {
    /// The network's genesis file [default: genesis.json in the data folder, or what the node there says]
    #[arg(long, value_name = "FILE", env = "MEDRING_GENESIS")]
    pub(crate) genesis: Option<PathBuf>,
    /// Write the record into a file instead of submitting it; several get -2, -3 … before the extension
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Height of the chain, where no node can be asked
    #[arg(long, value_name = "HEIGHT", requires = "out")]
    pub(crate) tip_height: Option<u64>,
}

/// What of `/v1/status` is used here.
#[derive(Deserialize)]
struct Status {
    chain_id: ChainId,
    tip: Tip,
}

#[derive(Deserialize)]
struct Tip {
    height: u64,
}

/// The height of the node's best chain, if the node is on this chain.
pub(crate) fn tip_height(context: &Context, params: &Params) -> Outcome<u64> {
    let status: Status = context.client()?.get("/v1/status")?;
    if status.chain_id != params.chain_id() {
        let what = format!(
            "the node is on chain {} and the genesis file is of chain {}; give the genesis file of the node's network",
            status.chain_id,
            params.chain_id()
        );
        return Err(Failure::new(Exit::Protocol, what));
    }
    Ok(status.tip.height)
}

/// Refuses whoever the genesis file does not name.
pub(super) fn require_authority(params: &Params, id: ParticipantId) -> Outcome<()> {
    if params.authorities.iter().any(|keys: &PublicKeys| keys.id() == id) {
        return Ok(());
    }
    let what = format!("{id} is no authority of network {}; see `medring genesis show`", params.name);
    Err(Failure::new(Exit::Data, what))
}

/// A record on its way.
#[derive(Serialize)]
pub(crate) struct Delivered {
    /// Its id.
    pub(crate) record_id: RecordId,
    /// Its Merkle leaf.
    pub(crate) wire_id: WireId,
    /// What it is.
    pub(crate) kind: Kind,
    /// Length in the codec.
    pub(crate) bytes: usize,
    /// Last height at which it may be mined.
    pub(crate) expiry_height: u64,
    /// The file it was written to, if it was not submitted.
    pub(crate) file: Option<PathBuf>,
    /// Whether its envelope was made anew.
    pub(crate) renewed: bool,
}

#[derive(Serialize)]
struct DeliveredReport {
    submitted: bool,
    records: Vec<Delivered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verifications: Option<Vec<VerifyReport>>,
    #[serde(skip)]
    next: String,
}

impl Report for DeliveredReport {
    fn text(&self, style: Style) -> String {
        let mut out = String::new();
        for record in &self.records {
            let kind = record.kind.name().to_uppercase();
            out += &format!("{} {} ({} bytes)\n", style.strong(&kind), record.record_id, record.bytes);
            record.file.iter().for_each(|file| out += &format!("  written to {}\n", file.display()));
        }
        for report in self.verifications.iter().flatten() {
            out += &format!("\n{}", report.text(style));
        }
        if !self.next.is_empty() {
            out += &format!("\nNext: {}\n", self.next);
        }
        out
    }
}

#[derive(Deserialize)]
struct Accepted {
    record_id: RecordId,
}

impl Anchor {
    /// Parameters, clock and tip.
    pub(crate) fn resolve(&self, context: &Context) -> Outcome<(Params, Moment)> {
        let params = context.params(self.genesis.as_ref())?;
        let tip_height = match self.tip_height {
            Some(height) => height,
            None => tip_height(context, &params)?,
        };
        Ok((params, Moment { now_ms: now_ms()?, tip_height }))
    }

    /// Writes the records to files or submits them, and reports.
    pub(crate) fn deliver(&self, context: &Context, params: &Params, records: Vec<Record>) -> Outcome {
        let delivered = self.place(context, params, records)?;
        self.report(context, delivered, None)
    }

    /// Writes the records to files or submits them.
    pub(crate) fn place(&self, context: &Context, params: &Params, records: Vec<Record>) -> Outcome<Vec<Delivered>> {
        let chain = params.chain_id();
        let mut delivered = Vec::new();
        for (number, record) in records.iter().enumerate() {
            let file = self.out.as_ref().map(|out| numbered(out, number));
            match &file {
                Some(path) => input::write_new(path, &record.encode())?,
                None => submit(context, &chain, record)?,
            }
            delivered.push(Delivered {
                record_id: record.id(&chain),
                wire_id: record.wire_id(&chain),
                kind: record.content.kind,
                bytes: record.encoded_len(),
                expiry_height: record.envelope.expiry_height,
                file,
                renewed: false,
            });
        }
        Ok(delivered)
    }

    /// Tells what became of the records, and what was found when they were waited for.
    pub(crate) fn report(
        &self,
        context: &Context,
        records: Vec<Delivered>,
        verifications: Option<Vec<VerifyReport>>,
    ) -> Outcome {
        let files: Vec<_> = (records.iter().flat_map(|r| &r.file)).map(|f| quoted(&f.display().to_string())).collect();
        let next = match records.first() {
            _ if verifications.is_some() => String::new(),
            Some(first) if files.is_empty() => {
                let show = context.command(&format!("record show {}", first.record_id));
                format!("{show} tells when it is in a block")
            }
            Some(first) => {
                let submit = context.command(&format!("record submit {}", files.join(" ")));
                format!("{submit} before height {}, or later with its uploader's keystore", first.expiry_height)
            }
            None => String::new(),
        };
        let passed = verifications.iter().flatten().all(|report| report.verified);
        let submitted = self.out.is_none();
        context.output.report(&DeliveredReport { submitted, records, verifications, next });
        Ok(if passed { Exit::Ok } else { Exit::NotSo })
    }
}

/// Gives one record to the node.
pub(crate) fn submit(context: &Context, chain: &ChainId, record: &Record) -> Outcome<()> {
    let accepted: Accepted = context.client()?.post_bytes("/v1/records", &record.encode())?;
    if accepted.record_id == record.id(chain) {
        return Ok(());
    }
    let what = format!("the node names the record {}: it is on another chain", accepted.record_id);
    Err(Failure::new(Exit::Protocol, what))
}

/// `file.rec`, `file-2.rec`, `file-3.rec` …
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", number + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
