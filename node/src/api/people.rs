//! Who is enrolled.

use super::blocking;
use super::problem::ApiError;
use super::table::Table;
use super::types::ParticipantResponse;
use crate::driver::NodeHandle;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use medring_protocol::ParticipantId;
use medring_protocol::chain::StateRead;

pub(super) fn endpoints(table: &mut Table) {
    table
        .get(
            "/v1/participants/{id}",
            "Who is enrolled: keys, role, validity, revocation; or that it is an authority",
            participant,
        )
        .viewer()
        .tag("chain")
        .id("id", "The participant")
        .answers::<ParticipantResponse>(200, "As of the tip");
}

async fn participant(
    State(node): State<NodeHandle>,
    id: Result<Path<ParticipantId>, PathRejection>,
) -> Result<Json<ParticipantResponse>, ApiError> {
    let Path(id) = id?;
    blocking(move || find(&node, id)).await.map(Json)
}

fn find(node: &NodeHandle, id: ParticipantId) -> Result<ParticipantResponse, ApiError> {
    if let Some(keys) = node.params().authorities.iter().find(|keys| keys.id() == id) {
        return Ok(ParticipantResponse {
            id,
            authority: true,
            keys: keys.clone(),
            role: None,
            valid_from: None,
            valid_until: None,
            enrolled_at: None,
            revoked_at: None,
            invalid_from: None,
        });
    }
    let Some(participant) = node.store().participant(&id)? else {
        let detail = format!("participant {id} is not enrolled on the best chain");
        return Err(ApiError::not_found(detail, "ask an authority to enrol it, or wait until its enrolment is mined"));
    };
    Ok(ParticipantResponse {
        id,
        authority: false,
        keys: participant.keys,
        role: Some(participant.role),
        valid_from: Some(participant.valid_from),
        valid_until: Some(participant.valid_until),
        enrolled_at: Some(participant.enrolled_at),
        revoked_at: participant.revoked.map(|revoked| revoked.at),
        invalid_from: participant.revoked.map(|revoked| revoked.invalid_from),
    })
}
