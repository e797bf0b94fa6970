//! `/v1/tokens`: making, listing and revoking tokens.

use super::{NewToken, TokenError};
use crate::api::problem::{ApiError, Problems};
use crate::api::table::Table;
use crate::api::types::{TokenCreated, TokenInfo, TokenRequest, TokensResponse};
use crate::api::{Body, blocking};
use crate::driver::{NodeHandle, now_ms, os_rng};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;

/// The longest life of a token that ends, minutes: ten years.
const MINUTES_MAX: u64 = 10 * 366 * 24 * 60;

pub(in crate::api) fn endpoints(table: &mut Table) {
    table
        .post("/v1/tokens", "Makes a token; the answer is the only place where it is ever shown", create)
        .tag("access")
        .body::<TokenRequest>(
            serde_json::json!({"scope": "viewer", "name": "the daughter's tablet", "minutes": 43_200}),
        )
        .answers::<TokenCreated>(201, "The token")
        .problems(&[Problems::Conflict]);
    table
        .get("/v1/tokens", "The tokens there are, without themselves", list)
        .tag("access")
        .answers::<TokensResponse>(200, "Oldest first");
    table
        .delete("/v1/tokens/{id}", "Revokes a token, at once and for good", revoke)
        .tag("access")
        .text("id", "Its id, as the list shows it", "1a2b3c4d")
        .answers::<TokenInfo>(200, "What it was");
}

async fn create(
    State(node): State<NodeHandle>,
    body: Body<TokenRequest>,
) -> Result<(StatusCode, Json<TokenCreated>), ApiError> {
    let Json(TokenRequest { scope, name, minutes }) = body?;
    if minutes.is_some_and(|minutes| !(1..=MINUTES_MAX).contains(&minutes)) {
        let next = format!("use 1 … {MINUTES_MAX} minutes, or leave it out for a token that lasts until it is revoked");
        return Err(ApiError::bad_request(format!("minutes is {}", minutes.unwrap_or_default()), next));
    }
    let now_ms = now_ms();
    let expires_ms = minutes.map(|minutes| now_ms.saturating_add(minutes * 60_000));
    let new = NewToken { name: name.unwrap_or_else(|| scope.name().into()), scope, expires_ms };
    let tokens = node.tokens().clone();
    let (info, token) = blocking(move || Ok(tokens.create(new, now_ms, &mut os_rng())?)).await?;
    tracing::info!(id = info.id, scope = info.scope.name(), "made a token for the API");
    Ok((StatusCode::CREATED, Json(TokenCreated { info, token: token.expose().to_owned() })))
}

async fn list(State(node): State<NodeHandle>) -> Json<TokensResponse> {
    Json(TokensResponse { tokens: node.tokens().list() })
}

async fn revoke(
    State(node): State<NodeHandle>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TokenInfo>, ApiError> {
    let Path(id) = id?;
    let tokens = node.tokens().clone();
    let gone = blocking(move || tokens.revoke(&id).map_err(TokenError::File).map_err(ApiError::from)).await?;
    let Some(gone) = gone else {
        return Err(ApiError::not_found("there is no token of this id", "GET /v1/tokens lists all"));
    };
    tracing::info!(id = gone.id, scope = gone.scope.name(), "revoked a token of the API");
    Ok(Json(gone))
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::Name => Self::bad_request(detail, "give it another name"),
            TokenError::Full => {
                let next = "revoke one first; GET /v1/tokens lists them";
                Self::new(StatusCode::CONFLICT, "tokens-full", "Too many tokens", detail, next)
            }
            TokenError::File(_) => {
                let next = "make room on the node's disk, or mend what is named, and try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage", "The tokens cannot be stored", detail, next)
            }
        }
    }
}
