//! The JSON of the routes about tokens, as types for the server and for its clients.

use super::access::Scope;
use serde::{Deserialize, Serialize};

/// `POST /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it may do.
    pub scope: Scope,
    /// For people: 1 to 40 characters; its scope, if absent.
    #[serde(default)]
    #[schemars(length(min = 1, max = 40))]
    pub name: Option<String>,
    /// How long it is good, at most 5,270,400 minutes (ten years); absent: until it is revoked.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5_270_400))]
    pub minutes: Option<u64>,
}

/// A token, without itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenInfo {
    /// By which it is revoked; no secret.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// ms since 1970.
    pub created_ms: u64,
    /// ms since 1970; `null`: good until it is revoked.
    pub expires_ms: Option<u64>,
}

/// The answer of `POST /v1/tokens`. Not shown by `Debug`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokenCreated {
    /// What it is.
    #[serde(flatten)]
    pub info: TokenInfo,
    /// The token: 64 hex digits. The node keeps only their SHA-256, so nobody can be told again.
    pub token: String,
}

impl std::fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCreated").field("info", &self.info).finish_non_exhaustive()
    }
}

/// `GET /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TokensResponse {
    /// Those made by request, oldest first, also those that ran out.
    pub tokens: Vec<TokenInfo>,
}
