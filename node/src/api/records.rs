//! Records: submitting them, finding them on the chain or in the pool, and proving where they are.

use super::cursor::{self, Cursor, List};
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
const LIST_BLOCKS_MAX: usize = 10_000;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/records", "Records of the best chain, newest first", list)
        .viewer()
        .tag("records")
        .query::<ListQuery>()
        .answers::<RecordsResponse>(200, "The records")
        .problems(&[Problems::Conflict]);
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
    table.get("/v1/records/{id}/raw", "One record's bytes", raw).viewer().tag("records").id("id", "The record").gives(
        200,
        "application/octet-stream",
        "As it was submitted (docs/spec/records.md)",
    );
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
        .query::<PageQuery>()
        .answers::<RecordsResponse>(200, "In order of admission");
    table
        .get("/v1/groups/{gid}/records", "Records sealed to an epoch of a group, as anyone sees them", group)
        .viewer()
        .tag("records")
        .id("gid", "The epoch")
        .query::<PageQuery>()
        .problems(&[Problems::Conflict])
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
    /// Most records; 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// Only records below this height.
    before_height: Option<u64>,
    /// An earlier page's `next`; goes without `before_height`.
    cursor: Option<String>,
}

/// Parameters of a list that begins at its beginning.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Most records; 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<usize>,
    /// An earlier page's `next`.
    pub(super) cursor: Option<String>,
}

/// What a page is asked by.
pub(super) type Page = Result<Query<PageQuery>, QueryRejection>;

async fn list(
    State(node): State<NodeHandle>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<RecordsResponse>, ApiError> {
    let Query(ListQuery { limit, before_height, cursor }) = query?;
    let limit = cursor::limit(limit, 50)?;
    let cursor = cursor.map(|text| Cursor::read(List::Records, &text)).transpose()?;
    if before_height.is_some() && cursor.is_some() {
        let next = "leave before_height out: the cursor goes on";
        return Err(ApiError::bad_request("before_height and cursor are given both", next));
    }
    blocking(move || page(&node, limit, before_height, cursor).map(Json)).await
}

fn page(
    node: &NodeHandle,
    limit: usize,
    before_height: Option<u64>,
    cursor: Option<Cursor>,
) -> Result<RecordsResponse, ApiError> {
    let (_, tip) = node.store().tip()?;
    if let Some(cursor) = &cursor {
        cursor.stands(node.store().id_at(cursor.height)?)?;
    }
    let top = match (&cursor, before_height) {
        (Some(cursor), _) => cursor.height,
        (None, before) => before.map_or(tip, |before| before.saturating_sub(1).min(tip)),
    };
    let (mut records, mut next) = (Vec::new(), None);
    // Block 0 has no records.
    for height in (1..=top).rev().take(LIST_BLOCKS_MAX) {
        let Some(id) = node.store().id_at(height)? else { break };
        let Some(block) = node.store().block(&id)? else { break };
        let below = cursor.filter(|cursor| cursor.height == height).map_or(u32::MAX, |cursor| cursor.index);
        for (index, record) in
            (0u32..).zip(&block.records).take_while(|(index, _)| *index < below).collect::<Vec<_>>().into_iter().rev()
        {
            if records.len() == limit {
                return Ok(RecordsResponse { records, next });
            }
            records.push(summary(node, record, Some(Location { height, index }))?);
            next = Some(Cursor::new(List::Records, height, index, &id).text());
        }
        if height > 1 {
            // Nothing of it is left: on with the one below, also when none of so many blocks had a record.
            next = Some(Cursor::new(List::Records, height, 0, &id).text());
        } else {
            next = None;
        }
        if records.len() == limit {
            break;
        }
    }
    Ok(RecordsResponse { records, next })
}

async fn pool(State(node): State<NodeHandle>, query: Page) -> Result<Json<RecordsResponse>, ApiError> {
    let Query(PageQuery { limit, cursor }) = query?;
    let limit = cursor::limit(limit, LIST_MAX)?;
    let cursor = cursor.map(|text| Cursor::read(List::Pool, &text)).transpose()?;
    blocking(move || {
        let mut entries = node.store().pool()?;
        entries.retain(|entry| cursor.is_none_or(|cursor| entry.sequence > cursor.height));
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|last| Cursor::numbered(List::Pool, last.sequence).text());
        let records = entries.iter().map(|entry| summary(&node, &entry.record, None));
        Ok(Json(RecordsResponse { records: records.collect::<Result<_, _>>()?, next }))
    })
    .await
}

async fn group(
    State(node): State<NodeHandle>,
    gid: Result<Path<Gid>, PathRejection>,
    query: Page,
) -> Result<Json<RecordsResponse>, ApiError> {
    let (Path(gid), Query(PageQuery { limit, cursor })) = (gid?, query?);
    let limit = cursor::limit(limit, LIST_MAX)?;
    let cursor = cursor.map(|text| Cursor::read(List::Group, &text)).transpose()?;
    blocking(move || {
        let places = node.store().records_by_group(&gid)?.into_iter().map(|(height, index, _)| (height, index));
        let (places, next) = newest_first(&node, List::Group, places.collect(), cursor, limit)?;
        let mut records = Vec::new();
        for (height, index) in places {
            let at = Location { height, index };
            if let Some(record) = node.store().record_at(&at)? {
                records.push(summary(&node, &record, Some(at))?);
            }
        }
        Ok(Json(RecordsResponse { records, next }))
    })
    .await
}

/// Records by the heights of their blocks and their places in them.
pub(super) type Places = Vec<(u64, u32)>;

/// A page of places on the best chain, newest first, and the cursor of the next.
pub(super) fn newest_first(
    node: &NodeHandle,
    list: List,
    mut places: Places,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<(Places, Option<String>), ApiError> {
    if let Some(cursor) = cursor {
        cursor.stands(node.store().id_at(cursor.height)?)?;
        places.retain(|place| *place < (cursor.height, cursor.index));
    }
    places.sort_unstable_by(|a, b| b.cmp(a));
    let more = places.len() > limit;
    places.truncate(limit);
    let Some((height, index)) = places.last().copied().filter(|_| more) else { return Ok((places, None)) };
    let block = node.store().id_at(height)?;
    Ok((places, block.map(|block| Cursor::new(list, height, index, &block).text())))
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
