//! What is wrong with the node on purpose (test networks only).

use super::problem::ApiError;
use crate::driver::NodeHandle;
use crate::faults::{FaultError, Faults};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;

pub(super) async fn show(State(node): State<NodeHandle>) -> Json<Faults> {
    Json(node.faults().await)
}

pub(super) async fn set(
    State(node): State<NodeHandle>,
    body: Result<Json<Faults>, JsonRejection>,
) -> Result<Json<Faults>, ApiError> {
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
