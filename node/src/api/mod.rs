//! The HTTP API of a node, on loopback only: JSON under `/v1`, behind a token; see docs/api.md.

mod alert_types;
mod alerts;
mod aphr;
mod aphr_types;
mod blocks;
mod chain;
mod faults;
mod fork_types;
mod forks;
mod group_types;
mod groups;
mod guard;
mod monitor;
mod monitor_types;
mod peer_types;
mod peers;
mod people;
mod problem;
mod records;
mod server;
mod status;
pub mod types;
mod vitals;
mod wallet;

use crate::driver::{NodeHandle, Shutdown, StartError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use guard::Guard;
use problem::ApiError;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A JSON body.
pub(crate) const JSON_BYTES_MAX: usize = 16 * 1024;
/// A bundle to be sealed, in a JSON body: what parses at all, and the request around it.
pub(crate) const BUNDLE_JSON_BYTES_MAX: usize = medring_protocol::fhir::BUNDLE_BYTES_MAX + 1024;
/// Items in one list, unless fewer are asked for.
pub(crate) const LIST_MAX: usize = 200;

/// Listens on `address`; refuses one that others can reach.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let fail = |source| StartError::Api { address, source };
    if !address.ip().is_loopback() {
        return Err(fail(std::io::Error::other("it is no loopback address")));
    }
    TcpListener::bind(address).await.map_err(fail)
}

/// Serves until `stop` is cancelled, and then what is under way.
pub(crate) async fn serve(listener: TcpListener, node: NodeHandle, stop: Shutdown) {
    let address = node.info().api;
    let guard = Guard::new(node.token().clone(), address);
    let router = router(node).layer(axum::middleware::from_fn_with_state(guard, guard::guard));
    server::run(listener, router, server::Limits::NODE, stop).await;
}

fn router(node: NodeHandle) -> Router {
    let record_limit = DefaultBodyLimit::max(medring_protocol::limits::RECORD_BYTES_MAX);
    Router::new()
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .route("/v1/status", get(status::status))
        .route("/v1/genesis", get(status::genesis))
        .route("/v1/peers", get(peers::list).post(peers::connect))
        .route("/v1/peers/known", get(peers::known))
        .route("/v1/peers/bans", get(peers::bans).post(peers::ban))
        .route("/v1/peers/unban", post(peers::unban))
        .route("/v1/testnet/isolate", post(status::isolate))
        .route("/v1/testnet/faults", get(faults::show).put(faults::set))
        .route("/v1/records", get(records::list).post(records::submit).layer(record_limit))
        .route("/v1/records/{id}", get(records::one))
        .route("/v1/records/{id}/raw", get(records::raw))
        .route("/v1/records/{id}/proof", get(records::proof))
        .route("/v1/records/{id}/history", get(forks::record_history))
        .route("/v1/pool", get(records::pool))
        .route("/v1/groups/{gid}/records", get(records::group))
        .route("/v1/blocks", get(blocks::list))
        .route("/v1/blocks/{id}", get(blocks::one))
        .route("/v1/blocks/{id}/raw", get(blocks::raw))
        .route("/v1/chain/tips", get(forks::tips))
        .route("/v1/chain/tree", get(forks::tree))
        .route("/v1/chain/reorgs", get(forks::reorgs))
        .route("/v1/chain/invalidate", post(forks::invalidate))
        .route("/v1/chain/reconsider", post(forks::reconsider))
        .route("/v1/chain/prefer", post(forks::prefer))
        .route("/v1/chain/export", get(chain::export))
        .route("/v1/chain/mine", post(chain::mine))
        .route("/v1/participants/{id}", get(people::participant))
        .route("/v1/wallet", get(wallet::status))
        .route("/v1/wallet/records", get(wallet::records))
        .route("/v1/wallet/records/{id}", get(wallet::one))
        .merge(group_routes())
        .merge(monitor::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .with_state(node)
}

fn group_routes() -> Router<NodeHandle> {
    let bundle_limit = DefaultBodyLimit::max(BUNDLE_JSON_BYTES_MAX);
    Router::new()
        .route("/v1/wallet/groups", get(groups::list).post(groups::create))
        .route("/v1/wallet/groups/accept", post(groups::accept))
        .route("/v1/wallet/groups/recall", post(groups::recall))
        .route("/v1/wallet/groups/{group}", get(groups::one))
        .route("/v1/wallet/groups/{group}/invitations", post(groups::invite))
        .route("/v1/wallet/groups/{group}/changes", post(groups::change))
        .route("/v1/wallet/groups/{group}/start-alone", post(groups::start_alone))
        .route("/v1/wallet/groups/{group}/cancel", post(groups::cancel))
        .route("/v1/wallet/groups/{group}/retry", post(groups::retry))
        .route("/v1/wallet/groups/{group}/ask", post(groups::ask))
        .route("/v1/wallet/groups/{group}/records", get(groups::records))
        .route("/v1/wallet/groups/{group}/records/{id}", get(groups::record))
        .route("/v1/wallet/groups/{group}/phr", post(groups::phr).layer(bundle_limit))
        .route("/v1/wallet/groups/{group}/aggregate", post(aphr::aggregate))
        .route("/v1/wallet/groups/{group}/policy", get(aphr::policy).put(aphr::set_policy))
        .route("/v1/wallet/groups/{group}/report", get(aphr::report))
        .route("/v1/testnet/aggregate", post(aphr::play).layer(bundle_limit))
}

async fn unknown() -> ApiError {
    ApiError::not_found("there is no such path", "docs/api.md lists all")
}

async fn wrong_method() -> ApiError {
    let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
    ApiError::new(status, "method", "Wrong method", "this path does not take this method", "docs/api.md lists all")
}

/// Runs a reader of the store where it may block.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(read).await.map_err(|_| ApiError::lost())?
}
