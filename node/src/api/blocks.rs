//! Blocks, by height or id.

use super::blocking;
use super::cursor::{self, Cursor, List};
use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{BlockResponse, BlockSummary, BlocksResponse};
use crate::driver::NodeHandle;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use medring_protocol::BlockId;
use medring_protocol::block::Block;
use serde::Deserialize;

pub(super) fn endpoints(table: &mut Table) {
    let place = "Its id, or a height of the best chain";
    table
        .get("/v1/blocks", "Blocks of the best chain, ascending; the last ones unless a height is named", list)
        .viewer()
        .tag("chain")
        .query::<ListQuery>()
        .answers::<BlocksResponse>(200, "The blocks")
        .problems(&[Problems::Conflict]);
    table
        .get("/v1/blocks/{id}", "One block", one)
        .viewer()
        .tag("chain")
        .place("id", place)
        .answers::<BlockResponse>(200, "The block without its records");
    table.get("/v1/blocks/{id}/raw", "One block's bytes", raw).viewer().tag("chain").place("id", place).gives(
        200,
        "application/octet-stream",
        "As it is hashed and gossiped (docs/spec/blocks.md)",
    );
}

/// Parameters of the list.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// First height; without it and without a cursor, the last `limit` blocks.
    from: Option<u64>,
    /// Most blocks; 20 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// An earlier page's `next`; goes without `from`.
    cursor: Option<String>,
}

async fn list(
    State(node): State<NodeHandle>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<BlocksResponse>, ApiError> {
    let Query(ListQuery { from, limit, cursor }) = query?;
    let limit = cursor::limit(limit, 20)?;
    let count = u64::try_from(limit).unwrap_or(0);
    let cursor = cursor.map(|text| Cursor::read(List::Blocks, &text)).transpose()?;
    if from.is_some() && cursor.is_some() {
        return Err(ApiError::bad_request("from and cursor are given both", "leave from out: the cursor goes on"));
    }
    blocking(move || {
        let (_, tip) = node.store().tip()?;
        if let Some(cursor) = &cursor {
            cursor.stands(node.store().id_at(cursor.height)?)?;
        }
        let from = cursor.map(|cursor| cursor.height.saturating_add(1)).or(from);
        let from = from.unwrap_or_else(|| (tip + 1).saturating_sub(count));
        let mut blocks = Vec::new();
        for height in (from..=tip).take(limit) {
            let Some(id) = node.store().id_at(height)? else { break };
            let Some(block) = node.store().block(&id)? else { break };
            blocks.push(summary(&block));
        }
        let last = blocks.last().filter(|last| last.height < tip);
        let next = last.map(|last| Cursor::new(List::Blocks, last.height, 0, &last.id).text());
        Ok(Json(BlocksResponse { blocks, next }))
    })
    .await
}

async fn one(
    State(node): State<NodeHandle>,
    place: Result<Path<String>, PathRejection>,
) -> Result<Json<BlockResponse>, ApiError> {
    let Path(place) = place?;
    blocking(move || {
        let block = find(&node, &place)?;
        let (_, tip) = node.store().tip()?;
        let (header, chain) = (&block.header, node.chain_id());
        let active = node.store().id_at(header.height)? == Some(block.id());
        Ok(Json(BlockResponse {
            summary: summary(&block),
            prev: header.prev,
            records_root: hex::encode(header.records_root),
            nonce: header.nonce,
            active,
            confirmations: if active { tip.saturating_sub(header.height) + 1 } else { 0 },
            record_ids: block.records.iter().map(|record| record.id(&chain)).collect(),
        }))
    })
    .await
}

async fn raw(
    State(node): State<NodeHandle>,
    place: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path(place) = place?;
    let bytes = blocking(move || Ok(find(&node, &place)?.encode())).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

/// A block of the best chain by height, or any block by id.
fn find(node: &NodeHandle, place: &str) -> Result<Block, ApiError> {
    let id = match place.parse::<u64>() {
        Ok(height) => node.store().id_at(height)?.ok_or_else(|| {
            let detail = format!("the best chain does not reach height {height}");
            ApiError::not_found(detail, "GET /v1/status tells its height")
        })?,
        Err(_) => place
            .parse::<BlockId>()
            .map_err(|e| ApiError::bad_request(e.to_string(), "give a height or a block id of 64 hex digits"))?,
    };
    node.store().block(&id)?.ok_or_else(|| {
        let detail = format!("block {id} is not stored here");
        ApiError::not_found(detail, "check the id, or wait until this node has caught up (GET /v1/status)")
    })
}

fn summary(block: &Block) -> BlockSummary {
    let header = &block.header;
    let work = header.target.decode().map(|target| target.work()).unwrap_or_default();
    BlockSummary {
        id: block.id(),
        height: header.height,
        time_ms: header.time_ms,
        miner_tag: hex::encode(header.miner_tag),
        records: block.records.len(),
        bytes: block.records_len(),
        target: format!("{:08x}", header.target.0),
        work: work.to_string(),
    }
}
