//! The gate of one endpoint: whether the token is for it, how large a body may be, how long it may take, and whether it was
//! answered before.

use super::super::access::{Identity, Why};
use super::super::problem::ApiError;
use super::super::{Api, JSON_BYTES_MAX};
use super::endpoint::Endpoint;
use super::idempotency;
use crate::api::access::Needs;
use crate::driver::now_ms;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use std::time::Duration;

/// What a gate knows of its endpoint.
#[derive(Clone)]
struct Gate {
    api: Api,
    path: &'static str,
    needs: Needs,
    time: Duration,
    body_bytes_max: usize,
    idempotent: bool,
}

/// The endpoint's handler behind its gate.
pub(super) fn shut(endpoint: Endpoint, api: &Api) -> MethodRouter<Api> {
    let body_bytes_max = endpoint.body_bytes_max.unwrap_or(JSON_BYTES_MAX);
    let Endpoint { path, needs, time, idempotent, .. } = endpoint;
    let gate = Gate { api: api.clone(), path, needs, time, body_bytes_max, idempotent };
    endpoint.router.route_layer(DefaultBodyLimit::max(body_bytes_max)).route_layer(middleware::from_fn(
        move |request: Request, next: Next| {
            let gate = gate.clone();
            async move { gate.pass(request, next).await.unwrap_or_else(IntoResponse::into_response) }
        },
    ))
}

impl Gate {
    async fn pass(&self, request: Request, next: Next) -> Result<Response, ApiError> {
        self.admit(request.extensions().get::<Identity>())?;
        let answer = async {
            match self.idempotent {
                true => idempotency::once(&self.api.answered, self.body_bytes_max, request, next).await,
                false => Ok(next.run(request).await),
            }
        };
        tokio::time::timeout(self.time, answer).await.unwrap_or_else(|_| {
            let detail = format!("no answer within {} s", self.time.as_secs());
            let next = "try again, or ask for less";
            Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "Time is up", detail, next))
        })
    }

    fn admit(&self, identity: Option<&Identity>) -> Result<(), ApiError> {
        let admitted = match identity {
            Some(identity) => self.needs.admits(identity.scope),
            None => self.needs == Needs::Nothing,
        };
        if admitted {
            return Ok(());
        }
        let token = identity.and_then(|identity| identity.token.as_deref());
        self.api.refusals.note(Why::Scope, self.path, token, now_ms());
        let scope = identity.map_or("none", |identity| identity.scope.name());
        let detail = format!("the token's scope is {scope}, and this takes {}", self.needs.scopes().join(" or "));
        let next = "ask the node's operator for a token of that scope (`medring token create`)";
        Err(ApiError::new(StatusCode::FORBIDDEN, "scope", "The token is for something else", detail, next))
    }
}
