//! The chain as a whole: its branches, its export, and blocks on demand.

use super::blocking;
use super::problem::ApiError;
use super::types::{Branch, BranchState, MineRequest, MineResponse, TipsResponse};
use crate::driver::NodeHandle;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use medring_protocol::BlockId;
use medring_storage::StoredHeader;
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn tips(State(node): State<NodeHandle>) -> Result<Json<TipsResponse>, ApiError> {
    blocking(move || {
        let (tip, _) = node.store().tip()?;
        let mut headers = BTreeMap::new();
        node.store().visit_headers(&mut |entry| drop(headers.insert(entry.header.id(), entry)))?;
        let parents: BTreeSet<BlockId> = headers.values().map(|entry| entry.header.prev).collect();
        let mut tips = Vec::new();
        for (id, entry) in headers.iter().filter(|(id, _)| !parents.contains(id) || **id == tip) {
            let (length, state) = (branch_length(&node, &headers, *id)?, branch_state(*id == tip, entry));
            tips.push(Branch { id: *id, height: entry.header.height, length, state, reason: entry.invalid.clone() });
        }
        tips.sort_by_key(|branch| std::cmp::Reverse(branch.height));
        Ok(Json(TipsResponse { tips }))
    })
    .await
}

fn branch_state(best: bool, entry: &StoredHeader) -> BranchState {
    match entry {
        _ if best => BranchState::Active,
        StoredHeader { invalid: Some(_), .. } => BranchState::Invalid,
        StoredHeader { arrival: Some(_), .. } => BranchState::Side,
        _ => BranchState::HeadersOnly,
    }
}

/// Blocks from the best chain up to `id`.
fn branch_length(node: &NodeHandle, headers: &BTreeMap<BlockId, StoredHeader>, id: BlockId) -> Result<u64, ApiError> {
    let (mut at, mut length) = (id, 0);
    while let Some(entry) = headers.get(&at) {
        if node.store().id_at(entry.header.height)? == Some(at) {
            break;
        }
        length += 1;
        at = entry.header.prev;
    }
    Ok(length)
}

pub(super) async fn mine(
    State(node): State<NodeHandle>,
    body: Result<Json<MineRequest>, JsonRejection>,
) -> Result<Json<MineResponse>, ApiError> {
    let Json(MineRequest { blocks }) = body?;
    Ok(Json(MineResponse { ids: node.mine_blocks(blocks).await? }))
}

pub(super) async fn export(State(_node): State<NodeHandle>) -> ApiError {
    ApiError::not_found("not yet", "not yet")
}
