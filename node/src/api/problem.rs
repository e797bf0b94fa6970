//! Errors as `application/problem+json`: what was wrong, and what to do next.

pub(crate) use super::problems::Problems;
use super::types::Problem;
use crate::core::SubmitError;
use crate::driver::MineError;
use crate::net::ConnectError;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use medring_storage::StorageError;

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    rule: Option<&'static str>,
    next: String,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { status, kind, title, detail: detail.into(), rule: None, next: next.into() }
    }

    pub(crate) fn not_found(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail, next)
    }

    pub(crate) fn bad_request(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request", detail, next)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::larger(format!("the body is larger than {limit} bytes, the most this path takes"))
    }

    fn larger(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large", detail, "send less at once")
    }

    /// No token that opens.
    pub(crate) fn token(detail: &'static str) -> Self {
        let next = "send Authorization: Bearer TOKEN, with one that `medring token create` made, or with api.token of the node's data folder (new at each start)";
        Self::new(StatusCode::UNAUTHORIZED, "token", "No or wrong token", detail, next)
    }

    /// A path that does not exist on this network or node.
    pub(crate) fn forbidden(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-allowed-here", "Not allowed on this network", detail, next)
    }

    /// A blocking task was lost.
    pub(crate) fn lost() -> Self {
        let next = "try again; if it stays, restart the node";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", "the node lost the request", next)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("urn:medring:problem:{}", self.kind),
            title: self.title.into(),
            status: self.status.as_u16(),
            detail: self.detail,
            rule: self.rule.map(Into::into),
            next: self.next,
        };
        // A struct of texts and numbers cannot fail to serialise.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        let detail = error.to_string();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "storage", "The store failed", detail, "look at the node's log")
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::Invalid(violation) => Self {
                rule: Some(violation.rule),
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid-record",
                    "The record breaks a rule",
                    detail,
                    format!(
                        "docs/spec/rules.md says what {} asks for; correct the record and submit it anew",
                        violation.rule
                    ),
                )
            },
            SubmitError::Stamp { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "stamp",
                "The record's time is off",
                detail,
                "check both clocks (timedatectl), then seal or renew the record",
            ),
            SubmitError::Pending(id) => Self::new(
                StatusCode::CONFLICT,
                "pending",
                "The record waits already",
                detail,
                format!("GET /v1/records/{id} tells where it stands"),
            ),
            SubmitError::Full(_) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "pool-full",
                "The pool is full",
                detail,
                "submit it again after the next blocks",
            ),
            SubmitError::Storage(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage",
                "The record was not stored",
                detail,
                "look at the node's log; make room on its disk and start it again",
            ),
        }
    }
}

impl From<MineError> for ApiError {
    fn from(error: MineError) -> Self {
        let detail = error.to_string();
        match error {
            MineError::Production(_) => Self::forbidden(detail, "set mining.enabled = true to take part in mining"),
            MineError::TooMany { .. } => Self::bad_request(detail, "ask for fewer at once"),
            MineError::Storage(_) | MineError::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The node cannot mine now",
                detail,
                "look at the node's log",
            ),
        }
    }
}

impl From<ConnectError> for ApiError {
    fn from(error: ConnectError) -> Self {
        let next = "check the address and that node, then try again";
        Self::new(StatusCode::BAD_GATEWAY, "unreachable", "The peer was not reached", error.to_string(), next)
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::larger("the body is larger than this path takes");
        }
        Self::bad_request(rejection.body_text(), "send JSON with Content-Type: application/json, as docs/api.md shows")
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::larger("the body is larger than this path takes");
        }
        Self::bad_request(rejection.body_text(), "send the bytes as the body, all of them")
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text(), "ids are 64 hex digits")
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text(), "docs/api.md lists the parameters of each path")
    }
}
