//! The HTTP API of a node, on loopback only: JSON under `/v1`, behind tokens; see docs/api.md.
//!
//! Each module lists its endpoints in the table (`table`): the router, the gate in front of each endpoint and the OpenAPI document
//! are made from it.

mod access;
mod access_types;
mod alert_types;
mod alerts;
mod aphr;
mod aphr_types;
mod blocks;
mod chain;
mod cursor;
mod document;
mod event_types;
mod events;
mod faults;
mod fhir;
mod fhir_types;
mod fork_types;
mod forks;
mod group_types;
mod groups;
mod guard;
mod headers;
mod monitor;
mod monitor_types;
mod patient;
mod peer_types;
mod peers;
mod people;
mod problem;
mod problems;
mod records;
pub(crate) mod schema;
mod server;
mod status;
mod table;
pub mod types;
mod vitals;
mod wallet;
mod wallet_types;

pub(crate) use access::Tokens;
pub use access::TokensError;
pub use document::openapi;

use crate::driver::{NodeHandle, Shutdown, StartError};
use access::Refusals;
use axum::Json;
use axum::Router;
use axum::extract::FromRef;
use axum::extract::rejection::JsonRejection;
use axum::middleware::{from_fn_with_state, map_response};
use events::Hub;
use guard::Guard;
use problem::ApiError;
use std::net::SocketAddr;
use std::sync::Arc;
use table::Table;
use table::idempotency::Answered;
use tokio::net::TcpListener;

/// A JSON body, bytes, where no endpoint says otherwise.
pub(crate) const JSON_BYTES_MAX: usize = 16 * 1024;
/// An aggregate in a JSON body, bytes: what parses at all, and the request around it.
pub(crate) const BUNDLE_JSON_BYTES_MAX: usize = medring_protocol::fhir::BUNDLE_BYTES_MAX + 1024;
/// Items in one list, unless fewer are asked for.
pub(crate) const LIST_MAX: usize = 200;

/// A JSON body, or why it is none.
pub(crate) type Body<T> = Result<Json<T>, JsonRejection>;

/// What handlers and gates share. Handlers that need the node alone ask for `State<NodeHandle>`.
#[derive(Clone)]
pub(crate) struct Api {
    node: NodeHandle,
    answered: Answered,
    refusals: Arc<Refusals>,
    hub: Hub,
}

impl FromRef<Api> for NodeHandle {
    fn from_ref(api: &Api) -> Self {
        api.node.clone()
    }
}

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
    let hub = Hub::new(node.info().started_ms);
    let feed = tokio::spawn(events::feed(hub.clone(), node.clone(), stop.clone()));
    let api = Api { node, answered: Answered::default(), refusals: Arc::default(), hub };
    let guard = Guard::new(api.node.tokens().clone(), address, api.refusals.clone());
    let router = router(&api).layer(from_fn_with_state(guard, guard::guard)).layer(map_response(headers::add));
    server::run(listener, router, server::Limits::NODE, stop).await;
    // It ends with the node.
    let _ = feed.await;
}

/// Every endpoint there is.
fn table() -> Table {
    let mut table = Table::default();
    for endpoints in [
        status::endpoints,
        peers::endpoints,
        blocks::endpoints,
        forks::endpoints,
        chain::endpoints,
        records::endpoints,
        people::endpoints,
        wallet::endpoints,
        groups::endpoints,
        aphr::endpoints,
        fhir::endpoints,
        monitor::endpoints,
        events::endpoints,
        access::endpoints,
        document::endpoints,
        faults::endpoints,
    ] {
        endpoints(&mut table);
    }
    table
}

fn router(api: &Api) -> Router {
    table().into_router(api).fallback(unknown).method_not_allowed_fallback(wrong_method).with_state(api.clone())
}

async fn unknown() -> ApiError {
    ApiError::not_found("there is no such path", "GET /v1/openapi.json lists all, and docs/api.md explains them")
}

async fn wrong_method() -> ApiError {
    let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
    let next = "GET /v1/openapi.json lists the methods of each path";
    ApiError::new(status, "method", "Wrong method", "this path does not take this method", next)
}

/// Runs what blocks (the store, files) where it may.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(read).await.map_err(|_| ApiError::lost())?
}
