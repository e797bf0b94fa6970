//! Records: submitting them, finding them on the chain or in the pool, and proving where they are.

use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{
    ProofResponse, ReceiverInfo, RecordState, RecordSummary, RecordsResponse, SubmitResponse, history, went_back,
};
use super::{LIST_MAX, blocking};
use crate::driver::NodeHandle;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use medring_protocol::chain::{Location, StateRead};
use medring_protocol::limits::RECORD_BYTES_MAX;
use medring_protocol::record::{Receiver, Record};
use medring_protocol::{Gid, RecordId, merkle};
use serde::Deserialize;

/// Blocks looked through for one list: a chain of empty blocks must not cost a request minutes.
const LIST_BLOCKS_MAX: u64 = 10_000;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/records", "Records of the best chain, newest first", list)
        .viewer()
        .tag("records")
        .query::<ListQuery>()
        .answers::<RecordsResponse>(200, "The records");
    table
        .post("/v1/records", "Submits a sealed record", submit)
        .tag("records")
        .idempotent()
        .bytes("application/octet-stream", RECORD_BYTES_MAX, "The file that `medring record seal` wrote")
        .answers::<SubmitResponse>(202, "It is in the pool and on disk")
        .problems(&[Problems::TooMany]);
    table
        .get("/v1/records/{id}", "One record as anyone sees it", one)
        .viewer()
        .tag("records")
        .id("id", "The record")
        .answers::<RecordSummary>(200, "On the best chain, or in the pool");
    table
        .get("/v1/records/{id}/raw", "One record's bytes", raw)
        .viewer()
        .tag("records")
        .id("id", "The record")
        .gives(200, "application/octet-stream", "As it was submitted (docs/spec/records.md)");
    table
        .get("/v1/records/{id}/proof", "Where it stands, to be checked against a chain of one's own", proof)
        .viewer()
        .tag("records")
        .id("id", "The record")
        .answers::<ProofResponse>(200, "A Merkle path to a header");
    table
        .get("/v1/pool", "Records that wait", pool)
        .viewer()
        .tag("records")
        .answers::<RecordsResponse>(200, "In order of admission");
    table
        .get("/v1/groups/{gid}/records", "Records sealed to an epoch of a group, as anyone sees them", group)
        .viewer()
        .tag("records")
        .id("gid", "The epoch")
        .answers::<RecordsResponse>(200, "Newest first");
}

async fn submit(
    State(node): State<NodeHandle>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<SubmitResponse>), ApiError> {
    let bytes = body?;
    let record = Record::decode(&bytes).map_err(|error| {
        let detail = format!("the body is no record: {error}");
        ApiError::bad_request(detail, "send the file that `medring record seal` wrote, unchanged")
    })?;
    let wire_id = record.wire_id(&node.chain_id());
    let record_id = node.submit(record).await?;
    Ok((StatusCode::ACCEPTED, Json(SubmitResponse { record_id, wire_id })))
}

/// Parameters of the list.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Most records, at most [`LIST_MAX`].
    limit: Option<usize>,
    /// Only records below this height.
    before_height: Option<u64>,
}

async fn list(
    State(node): State<NodeHandle>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<RecordsResponse>, ApiError> {
    let Query(ListQuery { limit, before_height }) = query?;
    let limit = limit.unwrap_or(50).min(LIST_MAX);
    blocking(move || {
        let (_, tip) = node.store().tip()?;
        let top = before_height.map_or(tip, |before| before.saturating_sub(1).min(tip));
        let mut records = Vec::new();
        // Block 0 has no records.
        for height in (1..=top).rev().take(usize::try_from(LIST_BLOCKS_MAX).unwrap_or(usize::MAX)) {
            let Some(id) = node.store().id_at(height)? else { break };
            let Some(block) = node.store().block(&id)? else { break };
            for (index, record) in block.records.iter().enumerate().rev() {
                let at = Location { height, index: u32::try_from(index).unwrap_or(u32::MAX) };
                records.push(summary(&node, record, Some(at))?);
            }
            if records.len() >= limit {
                break;
            }
        }
        records.truncate(limit);
        Ok(Json(RecordsResponse { records }))
    })
    .await
}

async fn pool(State(node): State<NodeHandle>) -> Result<Json<RecordsResponse>, ApiError> {
    blocking(move || {
        let entries = node.store().pool()?;
        let records = entries.iter().take(LIST_MAX).map(|entry| summary(&node, &entry.record, None));
        Ok(Json(RecordsResponse { records: records.collect::<Result<_, _>>()? }))
    })
    .await
}

async fn group(
    State(node): State<NodeHandle>,
    gid: Result<Path<Gid>, PathRejection>,
) -> Result<Json<RecordsResponse>, ApiError> {
    let Path(gid) = gid?;
    blocking(move || {
        let mut records = Vec::new();
        for (height, index, _) in node.store().records_by_group(&gid)?.into_iter().rev().take(LIST_MAX) {
            let at = Location { height, index };
            if let Some(record) = node.store().record_at(&at)? {
                records.push(summary(&node, &record, Some(at))?);
            }
        }
        Ok(Json(RecordsResponse { records }))
    })
    .await
}

async fn one(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<Json<RecordSummary>, ApiError> {
    let Path(id) = id?;
    blocking(move || {
        let (record, at) = find(&node, &id)?;
        let history = history(node.store().watched(&id)?);
        Ok(Json(RecordSummary { history, ..summary(&node, &record, at)? }))
    })
    .await
}

async fn raw(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path(id) = id?;
    let bytes = blocking(move || Ok(find(&node, &id)?.0.encode())).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

async fn proof(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<Json<ProofResponse>, ApiError> {
    let Path(id) = id?;
    blocking(move || prove(&node, id).map(Json)).await
}

fn prove(node: &NodeHandle, record_id: RecordId) -> Result<ProofResponse, ApiError> {
    let moved = || ApiError::not_found("the record's block changed while it was read", "ask again");
    let (record, at) = find(node, &record_id)?;
    let Some(at) = at else {
        let detail = format!("record {record_id} waits in the pool: no block holds it yet");
        return Err(ApiError::not_found(detail, "ask again after the next block"));
    };
    let block_id = node.store().id_at(at.height)?.ok_or_else(moved)?;
    let block = node.store().block(&block_id)?.ok_or_else(moved)?;
    let leaves = block.wire_ids(&node.chain_id());
    let index = usize::try_from(at.index).unwrap_or(usize::MAX);
    let wire_id = record.wire_id(&node.chain_id());
    if leaves.get(index) != Some(&wire_id) {
        return Err(moved());
    }
    let (_, tip) = node.store().tip()?;
    Ok(ProofResponse {
        record_id,
        wire_id,
        block_id,
        height: at.height,
        header: hex::encode(block.header.to_bytes()),
        proof: merkle::prove(&leaves, index).ok_or_else(moved)?,
        confirmations: tip.saturating_sub(at.height) + 1,
    })
}

/// A record on the best chain, with its place, or in the pool.
pub(super) fn find(node: &NodeHandle, id: &RecordId) -> Result<(Record, Option<Location>), ApiError> {
    let store = node.store();
    if let Some(at) = store.location(id)?
        && let Some(record) = store.record_at(&at)?
    {
        return Ok((record, Some(at)));
    }
    let waiting = store.pool()?.into_iter().find(|entry| entry.record.id(&node.chain_id()) == *id);
    match waiting {
        Some(entry) => Ok((entry.record, None)),
        None if store.records_are_returning()? => {
            let detail =
                format!("record {id} is neither on the best chain nor in the pool, and records of a left branch");
            Err(ApiError::not_found(detail + " are on their way back", "ask again after the next block"))
        }
        None => Err(ApiError::not_found(
            format!("record {id} is neither on the best chain nor in the pool of this node"),
            "check the id; GET /v1/records/{id}/history tells what became of one submitted here; if it was dropped, submit it again",
        )),
    }
}

fn summary(node: &NodeHandle, record: &Record, at: Option<Location>) -> Result<RecordSummary, ApiError> {
    let (_, tip) = node.store().tip()?;
    let confirmations = at.map_or(0, |at| tip.saturating_sub(at.height) + 1);
    let content = &record.content;
    let (kind, value) = match content.receiver {
        Receiver::None => ("none", None),
        Receiver::Tag(tag) => ("tag", Some(hex::encode(tag))),
        Receiver::Group(gid) => ("group", Some(gid.to_string())),
        Receiver::GroupOwner(gid) => ("group-owner", Some(gid.to_string())),
    };
    let public = serde_json::from_slice(&content.public)
        .unwrap_or_else(|_| serde_json::Value::String(hex::encode(&content.public)));
    Ok(RecordSummary {
        record_id: record.id(&node.chain_id()),
        wire_id: record.wire_id(&node.chain_id()),
        kind: content.kind,
        uploader: content.uploader,
        receiver: ReceiverInfo { kind: kind.into(), value },
        state: state_of(node, confirmations),
        height: at.map(|at| at.height),
        block_id: at.map(|at| node.store().id_at(at.height)).transpose()?.flatten(),
        index: at.map(|at| at.index),
        confirmations,
        bytes: record.encoded_len(),
        stamp_ms: record.envelope.stamp_ms,
        expiry_height: record.envelope.expiry_height,
        public,
        history: Vec::new(),
        went_back: went_back(node.store().watched(&record.id(&node.chain_id()))?.as_ref()),
    })
}

/// Where a record with so many confirmations stands; 0: in the pool.
pub(super) fn state_of(node: &NodeHandle, confirmations: u64) -> RecordState {
    match confirmations {
        0 => RecordState::Pending,
        deep if deep >= u64::from(node.params().confirmations) => RecordState::Settled,
        _ => RecordState::Confirmed,
    }
}
