//! Links to other nodes: whom this one is linked to, whom it remembers, whom it does not let in.

use super::Body;
use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{
    BanRequest, BansResponse, ConnectRequest, ConnectResponse, KnownResponse, PeerInfo, PeersResponse, UnbanRequest,
    UnbanResponse,
};
use crate::config::{ADDRESS_FORM, check_address};
use crate::driver::{NodeHandle, now_ms};
use crate::net::{Ban, Target};
use axum::Json;
use axum::extract::State;
use libp2p::Multiaddr;
use serde_json::json;

/// The longest ban by request, minutes: a year.
const BAN_MINUTES_MAX: u64 = 366 * 24 * 60;
/// The longest reason, bytes.
const REASON_BYTES_MAX: usize = 200;

pub(super) fn endpoints(table: &mut Table) {
    table.get("/v1/peers", "Linked peers", list).viewer().answers::<PeersResponse>(200, "Oldest link first");
    table
        .post("/v1/peers", "Dials an address once", connect)
        .slow()
        .body::<ConnectRequest>(json!({"address": "/ip4/127.0.0.1/tcp/4001"}))
        .answers::<ConnectResponse>(200, "The peer found there")
        .problems(&[Problems::Unreachable]);
    table
        .get("/v1/peers/known", "Peers it remembers, linked or not", known)
        .viewer()
        .answers::<KnownResponse>(200, "By id")
        .problems(&[Problems::Unreachable]);
    table
        .get("/v1/peers/bans", "Who is banned", bans)
        .viewer()
        .answers::<BansResponse>(200, "Those that end first in front")
        .problems(&[Problems::Unreachable]);
    table
        .post("/v1/peers/bans", "Bans a peer id or an IP address (IPv6 by its /64)", ban)
        .body::<BanRequest>(json!({"target": "192.0.2.7", "minutes": 60, "reason": "by hand"}))
        .answers::<Ban>(200, "On disk")
        .problems(&[Problems::Unreachable]);
    table
        .post("/v1/peers/unban", "Ends a ban", unban)
        .body::<UnbanRequest>(json!({"target": "192.0.2.7"}))
        .answers::<UnbanResponse>(200, "It is gone, also on disk")
        .problems(&[Problems::NotFound, Problems::Unreachable]);
}

async fn list(State(node): State<NodeHandle>) -> Json<PeersResponse> {
    let snapshot = node.snapshot();
    let said = |peer| snapshot.peers.iter().find(|p| p.peer == peer).and_then(|p| p.status.as_ref());
    let peers = node.links().into_iter().map(|link| {
        let status = said(link.peer);
        PeerInfo {
            peer_id: link.peer_id.to_string(),
            address: link.address.to_string(),
            direction: link.direction,
            agent: status.map(|s| s.agent.clone()),
            height: status.map(|s| s.height),
            tip: status.map(|s| s.tip),
            connected_ms: link.since_ms,
        }
    });
    Json(PeersResponse { peers: peers.collect() })
}

async fn connect(
    State(node): State<NodeHandle>,
    body: Body<ConnectRequest>,
) -> Result<Json<ConnectResponse>, ApiError> {
    let Json(ConnectRequest { address }) = body?;
    let form = format!("use {ADDRESS_FORM}, with or without /p2p/PEERID after it");
    let address: Multiaddr =
        address.parse().map_err(|e| ApiError::bad_request(format!("{address:?} is no address: {e}"), form.clone()))?;
    check_address(&address, true).map_err(|problem| ApiError::bad_request(format!("the request {problem}"), form))?;
    let peer_id = node.connect(address).await?.to_string();
    Ok(Json(ConnectResponse { peer_id }))
}

async fn known(State(node): State<NodeHandle>) -> Result<Json<KnownResponse>, ApiError> {
    Ok(Json(KnownResponse { peers: node.known_peers().await? }))
}

async fn bans(State(node): State<NodeHandle>) -> Result<Json<BansResponse>, ApiError> {
    Ok(Json(BansResponse { bans: node.bans().await? }))
}

async fn ban(State(node): State<NodeHandle>, body: Body<BanRequest>) -> Result<Json<Ban>, ApiError> {
    let Json(BanRequest { target, minutes, reason }) = body?;
    let target = target_of(&target)?;
    if !(1..=BAN_MINUTES_MAX).contains(&minutes) {
        let what = format!("a ban of {minutes} minutes is asked for");
        return Err(ApiError::bad_request(what, format!("use 1 … {BAN_MINUTES_MAX} minutes")));
    }
    if reason.len() > REASON_BYTES_MAX {
        let what = format!("the reason has {} bytes", reason.len());
        return Err(ApiError::bad_request(what, format!("use at most {REASON_BYTES_MAX}")));
    }
    if target == Target::Peer(node.info().peer_id) {
        return Err(ApiError::bad_request("this is the node's own peer id", "ban another"));
    }
    let since_ms = now_ms();
    let ban = Ban { target, since_ms, until_ms: since_ms + minutes * 60_000, reason };
    node.ban(ban.clone()).await?;
    Ok(Json(ban))
}

async fn unban(State(node): State<NodeHandle>, body: Body<UnbanRequest>) -> Result<Json<UnbanResponse>, ApiError> {
    let Json(UnbanRequest { target }) = body?;
    let target = target_of(&target)?;
    if !node.unban(target).await? {
        return Err(ApiError::not_found(format!("{target} is not banned"), "`medring peers banned` lists who is"));
    }
    Ok(Json(UnbanResponse { target }))
}

fn target_of(text: &str) -> Result<Target, ApiError> {
    text.parse().map_err(|problem: String| ApiError::bad_request(problem, "give a peer id, an IPv4 or an IPv6 address"))
}
