//! How the node is, and its figures.

use super::Body;
use super::problem::{ApiError, Problems};
use super::schema;
use super::table::Table;
use super::types::{GenesisFile, Health, Isolation, MiningInfo, ParticipantInfo, PoolInfo, StatusResponse, TipInfo};
use crate::core::SyncPhase;
use crate::driver::{NodeHandle, now_ms};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use libp2p::Multiaddr;
use medring_protocol::chain::StateRead;

pub(super) fn endpoints(table: &mut Table) {
    table.get("/health", "Whether it runs; needs no token", health).open().answers::<Health>(200, "It does");
    table.get("/metrics", "Figures for Prometheus", metrics).viewer().gives(
        200,
        "text/plain",
        "Prometheus's text format 0.0.4",
    );
    table
        .get("/v1/status", "Chain, tip, sync, peers, pool, mining, participant, clock", status)
        .viewer()
        .answers::<StatusResponse>(200, "As of now");
    table
        .get("/v1/genesis", "The genesis file of the network", genesis)
        .viewer()
        .tag("chain")
        .answers::<schema::Genesis>(200, "As `medring genesis new` wrote it, but for white space");
    table
        .post("/v1/testnet/isolate", "Cuts and refuses all links, or ends that; test networks only", isolate)
        .tag("testnet")
        .body::<Isolation>(serde_json::json!({"on": true}))
        .answers::<Isolation>(200, "It is so")
        .problems(&[Problems::Unreachable]);
}

async fn health() -> Json<Health> {
    Json(Health { ok: true })
}

async fn metrics(State(node): State<NodeHandle>) -> impl IntoResponse {
    node.hash_rate();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], node.metrics().render())
}

async fn status(State(node): State<NodeHandle>) -> Result<Json<StatusResponse>, ApiError> {
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

async fn genesis(State(node): State<NodeHandle>) -> Json<GenesisFile> {
    Json(GenesisFile::new(node.params().clone()))
}

async fn isolate(State(node): State<NodeHandle>, body: Body<Isolation>) -> Result<Json<Isolation>, ApiError> {
    let Json(isolation) = body?;
    if !node.params().is_testnet() {
        let detail = format!("{:?} is a production network: links are not cut on request", node.params().name);
        return Err(ApiError::forbidden(detail, "stop the node to take it off the network"));
    }
    node.isolate(isolation.on).await?;
    Ok(Json(isolation))
}
