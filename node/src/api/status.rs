//! How the node is, and its figures.

use super::problem::ApiError;
use super::types::{GenesisFile, Health, Isolation, MiningInfo, ParticipantInfo, PoolInfo, StatusResponse, TipInfo};
use crate::core::SyncPhase;
use crate::driver::{NodeHandle, now_ms};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header;
use axum::response::IntoResponse;
use libp2p::Multiaddr;
use medring_protocol::chain::StateRead;

pub(super) async fn health() -> Json<Health> {
    Json(Health { ok: true })
}

pub(super) async fn metrics(State(node): State<NodeHandle>) -> impl IntoResponse {
    node.hash_rate();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], node.metrics().render())
}

pub(super) async fn status(State(node): State<NodeHandle>) -> Result<Json<StatusResponse>, ApiError> {
    let (info, snapshot, clock_ms) = (node.info(), node.snapshot(), node.now_ms());
    let participant = match info.participant {
        None => None,
        Some(id) => Some(ParticipantInfo { id, role: node.store().participant(&id)?.map(|p| p.role) }),
    };
    Ok(Json(StatusResponse {
        name: info.params.name.clone(),
        chain_id: info.chain_id,
        purpose: info.params.purpose,
        version: env!("CARGO_PKG_VERSION").into(),
        peer_id: info.peer_id.to_string(),
        listen: info.listen.iter().map(Multiaddr::to_string).collect(),
        tip: TipInfo {
            id: snapshot.tip,
            height: snapshot.height,
            time_ms: snapshot.time_ms,
            work: snapshot.work.to_string(),
        },
        headers_height: snapshot.headers_height,
        syncing: snapshot.sync.phase != SyncPhase::Idle,
        sync: snapshot.sync.into(),
        peers: snapshot.peers.len(),
        pool: PoolInfo { records: snapshot.pool_records, bytes: snapshot.pool_bytes },
        mining: MiningInfo {
            enabled: info.mining,
            threads: info.mining_threads,
            hash_rate: node.hash_rate(),
            blocks_found: node.blocks_found(),
        },
        miner_tag: hex::encode(info.miner_tag),
        participant,
        clock_ms,
        uptime_ms: now_ms().saturating_sub(info.started_ms),
        deep_reorg: snapshot.deep_reorg.map(Into::into),
    }))
}

pub(super) async fn genesis(State(node): State<NodeHandle>) -> Json<GenesisFile> {
    Json(GenesisFile::new(node.params().clone()))
}

pub(super) async fn isolate(
    State(node): State<NodeHandle>,
    body: Result<Json<Isolation>, JsonRejection>,
) -> Result<Json<Isolation>, ApiError> {
    let Json(isolation) = body?;
    if !node.params().is_testnet() {
        let detail = format!("{:?} is a production network: links are not cut on request", node.params().name);
        return Err(ApiError::forbidden(detail, "stop the node to take it off the network"));
    }
    node.isolate(isolation.on).await?;
    Ok(Json(isolation))
}
