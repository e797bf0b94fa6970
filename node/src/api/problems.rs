//! The problems an endpoint may answer with, as the document lists them.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// By status. Within one, `type` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problems {
    /// 400.
    BadRequest,
    /// 401.
    Token,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 413.
    TooLarge,
    /// 422.
    Unprocessable,
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// 502.
    Unreachable,
    /// 503.
    Busy,
    /// 504.
    Timeout,
    /// 507.
    Full,
}

impl Problems {
    /// Every one, by status.
    pub(crate) const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Token,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::TooLarge,
        Self::Unprocessable,
        Self::TooMany,
        Self::Internal,
        Self::Unreachable,
        Self::Busy,
        Self::Timeout,
        Self::Full,
    ];

    /// Its status.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// Its name in the document.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Token => "Token",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::TooLarge => "TooLarge",
            Self::Unprocessable => "Unprocessable",
            Self::TooMany => "TooMany",
            Self::Internal => "Internal",
            Self::Unreachable => "Unreachable",
            Self::Busy => "Busy",
            Self::Timeout => "Timeout",
            Self::Full => "Full",
        }
    }

    /// When.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::BadRequest => "A malformed id, parameter, header, cursor or body",
            Self::Token => "No token, a wrong one, or one that ran out",
            Self::Forbidden => {
                "A token of another scope, a foreign host or origin, a test command on a production network, or not this participant's to do"
            }
            Self::NotFound => "Nothing of this name here, or this node has no wallet",
            Self::Conflict => "It cannot be done as things stand now",
            Self::TooLarge => "The body is too large",
            Self::Unprocessable => "It is understood and breaks a rule, or does not open",
            Self::TooMany => "The pool, or the uploader's share of it, is full, or there are too many streams",
            Self::Internal => "The disk failed, or a bug",
            Self::Unreachable => "A peer was not reached, or did not help",
            Self::Busy => "Not now: busy, stopping, or the disk is full",
            Self::Timeout => "Not answered in time",
            Self::Full => "So many samples wait that no more are taken for now",
        }
    }

    /// One.
    pub(crate) fn example(self) -> Value {
        let (kind, title, detail, next) = match self {
            Self::BadRequest => ("bad-request", "Bad request", "limit is 0", "use 1 … 200"),
            Self::Token => (
                "token",
                "No or wrong token",
                "the request has no Authorization header",
                "send Authorization: Bearer TOKEN",
            ),
            Self::Forbidden => (
                "scope",
                "The token is for something else",
                "the token's scope is viewer, and this takes operator",
                "ask for a token of that scope",
            ),
            Self::NotFound => ("not-found", "Not found", "there is no such path", "docs/api.md lists all"),
            Self::Conflict => (
                "pending",
                "The record waits already",
                "the record is waiting already",
                "GET /v1/records/{id} tells where it stands",
            ),
            Self::TooLarge => {
                ("too-large", "Body too large", "the body is larger than 16384 bytes", "send less at once")
            }
            Self::Unprocessable => (
                "invalid-record",
                "The record breaks a rule",
                "R-UPLOADER: its uploader is not enrolled",
                "docs/spec/rules.md says what is asked for",
            ),
            Self::TooMany => {
                ("pool-full", "The pool is full", "the pool has no room", "submit it again after the next blocks")
            }
            Self::Internal => {
                ("internal", "Internal error", "the node lost the request", "try again; if it stays, restart the node")
            }
            Self::Unreachable => {
                ("unreachable", "The peer was not reached", "nobody answers there", "check the address and that node")
            }
            Self::Busy => ("busy", "Busy", "64 requests are being served", "try again"),
            Self::Timeout => ("timeout", "Time is up", "no answer within 30 s", "try again, or ask for less"),
            Self::Full => ("queue-full", "No more samples are taken for now", "64 MiB wait", "send them again later"),
        };
        let kind = format!("urn:medring:problem:{kind}");
        json!({"type": kind, "title": title, "status": self.status().as_u16(), "detail": detail, "next": next})
    }
}
