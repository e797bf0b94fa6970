//! Verifying a record step by step: the node hands over bytes, and every claim about them is checked here.

use super::VerifyArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use medring_node::api::types::{BlockResponse, ParticipantResponse, ProofResponse, StatusResponse};
use medring_node::wallet::confirmations;
use medring_protocol::block::Header;
use medring_protocol::params::Params;
use medring_protocol::record::Record;
use medring_protocol::{RecordId, codec, limits};
use serde::Serialize;

/// One check.
#[derive(Serialize)]
pub(crate) struct Line {
    name: &'static str,
    passed: bool,
    detail: String,
}

/// All checks of one record.
#[derive(Serialize)]
pub(crate) struct VerifyReport {
    pub(crate) record_id: RecordId,
    pub(crate) verified: bool,
    pub(crate) confirmations: u64,
    required: u64,
    checks: Vec<Line>,
}

impl Report for VerifyReport {
    fn text(&self, style: Style) -> String {
        let mut out: String = self.checks.iter().map(|line| style.check(line.passed, &line.detail)).collect();
        out += &match self.verified {
            true => format!("\n{} record {}\n", style.good("Verified:"), self.record_id),
            false => format!("\n{} record {}\n", style.bad("Not verified:"), self.record_id),
        };
        if !self.verified && self.confirmations < self.required {
            out += &format!("Next: wait until it lies {} blocks deep, then verify it again\n", self.required);
        }
        out
    }
}

/// What the node hands over.
struct Handed {
    record: Record,
    proof: ProofResponse,
    header: Header,
    at_height: Option<BlockResponse>,
    uploader: Option<ParticipantResponse>,
    tip_height: u64,
}

fn fetch(id: &RecordId, context: &Context, params: &Params) -> Outcome<Handed> {
    let client = context.client()?;
    let status: StatusResponse = client.get("/v1/status")?;
    if status.chain_id != params.chain_id() {
        let what = format!("the node is on chain {}, the genesis file is of {}", status.chain_id, params.chain_id());
        return Err(Failure::new(Exit::Protocol, format!("{what}; give the genesis file of the node's network")));
    }
    let proof: ProofResponse = client.find(&format!("/v1/records/{id}/proof"))?.ok_or_else(|| {
        let show = context.command(&format!("record show {id}"));
        let what = "is in no block of this node's best chain";
        Failure::new(Exit::NotSo, format!("record {id} {what}; {show} tells whether it still waits"))
    })?;
    let malformed = |what: String| Failure::new(Exit::Protocol, format!("the node's answer is malformed: {what}"));
    let limit = u64::try_from(limits::RECORD_BYTES_MAX).unwrap_or(u64::MAX);
    let raw = client.get_bytes(&format!("/v1/records/{id}/raw"), limit)?;
    let record = Record::decode(&raw).map_err(|e| malformed(e.to_string()))?;
    let header = hex::decode(&proof.header).map_err(|e| malformed(e.to_string()))?;
    let header = codec::decode::<Header>(&header, Header::LEN).map_err(|e| malformed(e.to_string()))?;
    let at_height = client.find(&format!("/v1/blocks/{}", header.height))?;
    let uploader = client.find(&format!("/v1/participants/{}", record.content.uploader))?;
    Ok(Handed { record, proof, header, at_height, uploader, tip_height: status.tip.height })
}

/// `medring record verify`.
pub(super) fn run(args: &VerifyArgs, context: &Context) -> Outcome {
    let params = context.params(args.genesis.as_ref())?;
    let required = args.depth.unwrap_or(u64::from(params.confirmations));
    let report = verify(&args.record.id, required, context, &params)?;
    context.output.report(&report);
    Ok(if report.verified { Exit::Ok } else { Exit::NotSo })
}

/// Every check of a record on the best chain; a failure where it is not there.
pub(super) fn verify(id: &RecordId, required: u64, context: &Context, params: &Params) -> Outcome<VerifyReport> {
    let handed = fetch(id, context, params)?;
    let depth = confirmations(handed.header.height, handed.tip_height);
    let mut checks = of_record(id, &handed, params);
    checks.extend(of_chain(&handed, params, depth, required));
    let verified = checks.iter().all(|line| line.passed);
    Ok(VerifyReport { record_id: *id, verified, confirmations: depth, required, checks })
}

/// The record and its uploader.
fn of_record(id: &RecordId, handed: &Handed, params: &Params) -> Vec<Line> {
    let (record, chain) = (&handed.record, params.chain_id());
    let who = &record.content.uploader;
    let keys = handed.uploader.as_ref().map(|u| &u.keys).filter(|keys| keys.id() == *who);
    let pair = keys.and_then(|keys| record.signature_checks(&chain, keys));
    let [content, envelope] = pair.map_or([false, false], |pair| pair.map(|check| check.verify()));
    let height = handed.header.height;
    let role = handed.uploader.as_ref().and_then(|u| u.role);
    let due = record.content.kind.uploader_role();
    let in_time = handed.uploader.as_ref().is_some_and(|u| match due {
        None => u.authority,
        Some(_) => {
            u.enrolled_at.is_some_and(|at| at < height)
                && u.valid_from.is_some_and(|from| from <= height)
                && u.valid_until.is_some_and(|until| height <= until)
                && u.invalid_from.is_none_or(|from| height < from)
        }
    });
    let kind = record.content.kind;
    let due_name = due.map_or("an authority", |role| role.name());
    let line = |name, passed, detail: String| Line { name, passed, detail };
    vec![
        line("record_id", record.id(&chain) == *id, format!("its content hashes to the id on chain {}", params.name)),
        line(
            "uploader_keys",
            keys.is_some(),
            format!("the uploader's id {} commits to the keys used here", who.short()),
        ),
        line("signature", content, "Sig: the producer signed this content".into()),
        line("envelope", envelope, "the uploader signed stamp and expiry of this envelope".into()),
        line(
            "role",
            role == due && in_time,
            format!("at height {height} the uploader was {due_name}, who alone may upload {kind}, and not revoked"),
        ),
    ]
}

/// The block, the chain, the depth.
fn of_chain(handed: &Handed, params: &Params, depth: u64, required: u64) -> Vec<Line> {
    let Handed { record, proof, header, at_height, .. } = handed;
    let wire_id = record.wire_id(&params.chain_id());
    let included = proof.wire_id == wire_id && proof.proof.verify(&wire_id, &header.records_root);
    let id = header.id();
    let worked = header.target.decode().is_some_and(|target| target.is_met_by(&id));
    let own = at_height.as_ref().is_some_and(|block| block.active && block.summary.id == id);
    let line = |name, passed, detail: String| Line { name, passed, detail };
    let steps = proof.proof.path.len();
    vec![
        line(
            "merkle_proof",
            included,
            format!("a Merkle proof of {steps} steps ties the whole record to the block's header"),
        ),
        line("proof_of_work", worked, format!("block {} meets its target {:#010x}", id.short(), header.target.0)),
        line("best_chain", own, format!("this node's own best chain has that block at height {}", header.height)),
        line("depth", depth >= required, format!("it lies {depth} blocks deep; {required} are asked for")),
    ]
}
