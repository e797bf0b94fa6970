//! What is wrong with the node on purpose (test networks only).

use super::Body;
use super::problem::ApiError;
use super::table::Table;
use crate::driver::NodeHandle;
use crate::faults::{FaultError, Faults};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get("/v1/testnet/faults", "What is wrong with the node on purpose", show)
        .viewer()
        .tag("testnet")
        .answers::<Faults>(200, "All of it");
    table
        .put("/v1/testnet/faults", "From now on exactly these faults are in force; test networks only", set)
        .tag("testnet")
        .body::<Faults>(serde_json::json!({"clock_skew_ms": 2_000}))
        .answers::<Faults>(200, "It is so");
}

async fn show(State(node): State<NodeHandle>) -> Json<Faults> {
    Json(node.faults().await)
}

async fn set(State(node): State<NodeHandle>, body: Body<Faults>) -> Result<Json<Faults>, ApiError> {
    let Json(faults) = body?;
    node.set_faults(faults.clone()).await?;
    Ok(Json(faults))
}

impl From<FaultError> for ApiError {
    fn from(error: FaultError) -> Self {
        let detail = error.to_string();
        match error {
            FaultError::Production(_) => Self::forbidden(detail, "try faults on a test network (`medring testnet up`)"),
            FaultError::Value(_) => Self::bad_request(detail, "docs/testnet.md lists the faults and their bounds"),
            FaultError::Stopping => {
                let next = "start it again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The node is stopping", detail, next)
            }
        }
    }
}
