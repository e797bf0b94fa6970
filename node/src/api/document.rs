//! `GET /v1/openapi.json`: what this API is, for programs.

use super::table::Table;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::OnceLock;

/// The OpenAPI 3.1 document, made once from the table that the router is made from.
pub fn openapi() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        // Only maps with other than text keys can fail, and there are none.
        serde_json::to_string_pretty(&super::table().document()).unwrap_or_default() + "\n"
    })
}

pub(super) fn endpoints(table: &mut Table) {
    table.get("/v1/openapi.json", "This document", show).viewer().gives(
        200,
        "application/json",
        "OpenAPI 3.1; the same file is docs/openapi.json",
    );
}

async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}
