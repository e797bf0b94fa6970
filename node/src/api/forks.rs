//! Branches: which there are, what the operator says of blocks, and what reorganisations there were.

use super::Body;
use super::blocking;
use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{
    BlockRequest, HistoryResponse, Orphan, ReorgInfo, ReorgsResponse, TipResponse, TipsResponse, TreeResponse, history,
};
use crate::core::limits::TREE_HEIGHTS_MAX;
use crate::core::{OperatorAnswer, OperatorCommand, OperatorError};
use crate::driver::NodeHandle;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use medring_protocol::{BlockId, RecordId};
use serde::Deserialize;
use serde_json::json;

/// Heights drawn, unless another number is asked for.
const TREE_HEIGHTS: u64 = 20;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/chain/tips", "Every branch", tips)
        .viewer()
        .tag("chain")
        .answers::<TipsResponse>(200, "The most work first");
    table
        .get("/v1/chain/tree", "The blocks of the last heights on every branch", tree)
        .viewer()
        .tag("chain")
        .query::<TreeQuery>()
        .answers::<TreeResponse>(200, "Ascending by height");
    table
        .get("/v1/chain/reorgs", "The last 256 reorganisations", reorgs)
        .viewer()
        .tag("chain")
        .answers::<ReorgsResponse>(200, "The last first");
    let id = json!({"id": "0".repeat(64)});
    table
        .post(
            "/v1/chain/invalidate",
            "Neither this block nor one above it is chosen until it is reconsidered",
            invalidate,
        )
        .tag("chain")
        .body::<BlockRequest>(id.clone())
        .answers::<TipResponse>(200, "Where the best chain ends now")
        .problems(&[Problems::NotFound, Problems::Conflict]);
    table
        .post(
            "/v1/chain/reconsider",
            "Takes back what speaks against a block, those below and those above it",
            reconsider,
        )
        .tag("chain")
        .body::<BlockRequest>(id.clone())
        .answers::<TipResponse>(200, "Where the best chain ends now")
        .problems(&[Problems::NotFound, Problems::Conflict]);
    table
        .post("/v1/chain/prefer", "Among branches of equal work this block's goes first", prefer)
        .tag("chain")
        .body::<BlockRequest>(id)
        .answers::<TipResponse>(200, "Where the best chain ends now")
        .problems(&[Problems::NotFound, Problems::Conflict]);
    table
        .get(
            "/v1/records/{id}/history",
            "What became of a record submitted to this node, also of one that is gone",
            record_history,
        )
        .viewer()
        .tag("records")
        .id("id", "The record")
        .answers::<HistoryResponse>(200, "Oldest first");
}

impl From<OperatorError> for ApiError {
    fn from(error: OperatorError) -> Self {
        let detail = error.to_string();
        match error {
            OperatorError::Unknown(_) => Self::not_found(detail, "GET /v1/chain/tips lists what is known"),
            OperatorError::Stopping => Self::lost(),
            _ => {
                let (kind, title) = ("operator", "Not done");
                Self::new(StatusCode::CONFLICT, kind, title, detail, "GET /v1/chain/tree shows where blocks stand")
            }
        }
    }
}

async fn tips(State(node): State<NodeHandle>) -> Result<Json<TipsResponse>, ApiError> {
    match node.operate(OperatorCommand::Tips).await? {
        OperatorAnswer::Tips(tips) => Ok(Json(TipsResponse { tips: tips.into_iter().map(Into::into).collect() })),
        _ => Err(ApiError::lost()),
    }
}

/// Parameters of the tree.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TreeQuery {
    /// How many heights, from the tip down; at most 1,000.
    #[schemars(range(min = 0, max = 1000))]
    heights: Option<u64>,
}

async fn tree(
    State(node): State<NodeHandle>,
    query: Result<Query<TreeQuery>, QueryRejection>,
) -> Result<Json<TreeResponse>, ApiError> {
    let Query(TreeQuery { heights }) = query?;
    let heights = heights.unwrap_or(TREE_HEIGHTS);
    if heights > TREE_HEIGHTS_MAX {
        return Err(ApiError::bad_request(format!("heights is {heights}"), format!("use 0 … {TREE_HEIGHTS_MAX}")));
    }
    let OperatorAnswer::Tree(blocks) = node.operate(OperatorCommand::Tree { heights }).await? else {
        return Err(ApiError::lost());
    };
    let snapshot = node.snapshot();
    Ok(Json(TreeResponse {
        tip: snapshot.tip,
        blocks: blocks.into_iter().map(Into::into).collect(),
        orphans: snapshot.orphans.iter().map(Orphan::from).collect(),
    }))
}

/// A block of the operator's choice, in JSON.
type Chosen = Body<BlockRequest>;

async fn invalidate(node: State<NodeHandle>, body: Chosen) -> Result<Json<TipResponse>, ApiError> {
    moved(node, body, OperatorCommand::Invalidate).await
}

async fn reconsider(node: State<NodeHandle>, body: Chosen) -> Result<Json<TipResponse>, ApiError> {
    moved(node, body, OperatorCommand::Reconsider).await
}

async fn prefer(node: State<NodeHandle>, body: Chosen) -> Result<Json<TipResponse>, ApiError> {
    moved(node, body, OperatorCommand::Prefer).await
}

async fn moved(
    State(node): State<NodeHandle>,
    body: Chosen,
    command: fn(BlockId) -> OperatorCommand,
) -> Result<Json<TipResponse>, ApiError> {
    let Json(BlockRequest { id }) = body?;
    let before = node.snapshot().tip;
    match node.operate(command(id)).await? {
        OperatorAnswer::Tip { id, height } => Ok(Json(TipResponse { before, id, height })),
        _ => Err(ApiError::lost()),
    }
}

async fn reorgs(State(node): State<NodeHandle>) -> Result<Json<ReorgsResponse>, ApiError> {
    blocking(move || {
        let confirmations = node.params().confirmations;
        let reports = node.store().reorgs()?.into_iter().rev();
        let reorgs = reports.map(|(_, report)| ReorgInfo::new(report, confirmations)).collect();
        Ok(Json(ReorgsResponse { reorgs, returning: node.store().records_are_returning()? }))
    })
    .await
}

async fn record_history(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<Json<HistoryResponse>, ApiError> {
    let Path(record_id) = id?;
    blocking(move || {
        let notes = history(node.store().watched(&record_id)?);
        if notes.is_empty() {
            let detail = format!("record {record_id} was not submitted to this node, or long ago");
            return Err(ApiError::not_found(detail, "ask the node it was submitted to, or GET /v1/records/{id}"));
        }
        Ok(Json(HistoryResponse { record_id, notes }))
    })
    .await
}
