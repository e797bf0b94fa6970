//! `GET /v1/fhir/…`: what goes out, and only if it verified.

use super::super::aphr::reported;
use super::super::problem::ApiError;
use super::super::wallet::wallet_of;
use super::super::{blocking, groups::groups_of};
use super::FHIR_JSON;
use crate::driver::NodeHandle;
use crate::wallet::{OpenedRecord, Wallet};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use medring_protocol::record::Receiver;
use medring_protocol::seal::PlainKind;
use serde::Deserialize;

/// Which record it is.
const RECORD: HeaderName = HeaderName::from_static("medring-record");
/// Whether the patient has published something newer.
const STALE: HeaderName = HeaderName::from_static("medring-stale");

/// Parameters of an aggregate.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregateQuery {
    /// Which; the newest that opens here, if absent.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    record: Option<RecordId>,
}

fn not_verified(detail: String) -> ApiError {
    let next = "do not rely on it; `medring record show` and `medring group verify` tell each check";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "not-verified", "It did not verify", detail, next)
}

pub(super) async fn bundle(
    State(node): State<NodeHandle>,
    id: Result<Path<RecordId>, PathRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let Path(id) = id?;
    wallet_of(&node)?;
    let opened = blocking(move || open(&node, &id)).await?;
    let failed: Vec<_> =
        opened.record.checks.each().iter().filter(|(_, passed, _)| !passed).map(|(name, ..)| *name).collect();
    if !failed.is_empty() {
        return Err(not_verified(format!("record {id} failed: {}", failed.join(", "))));
    }
    if opened.content_type != PlainKind::FhirBundle {
        let next = "GET /v1/fhir/groups/{group}/aggregate gives an aggregate, once all its sources verified";
        let (kind, title) = ("no-bundle", "It holds no bundle");
        let detail = format!("record {id} is an aggregate");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next));
    }
    let headers = [(header::CONTENT_TYPE, FHIR_JSON.to_owned()), (RECORD, id.to_string())];
    Ok((headers, opened.content.to_vec()))
}

/// With an epoch's key, if it is sealed to a group, or with the participant's own.
fn open(node: &NodeHandle, id: &RecordId) -> Result<OpenedRecord, ApiError> {
    let (record, _) = super::super::records::find(node, id)?;
    if let (Receiver::Group(gid), Some(groups)) = (record.content.receiver, node.groups())
        && let Some(access) = groups.access(&gid)
        && let Some(opened) = Wallet::open_group_record(node.store(), &access, id)?
    {
        return Ok(opened);
    }
    wallet_of(node)?.open_record(node.store(), id)?.ok_or_else(|| {
        let detail = format!("record {id} is not in this node's wallet");
        ApiError::not_found(detail, "it may not be scanned yet (GET /v1/wallet), or it is not yours")
    })
}

pub(super) async fn aggregate(
    State(node): State<NodeHandle>,
    group: Result<Path<GroupUid>, PathRejection>,
    query: Result<Query<AggregateQuery>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Query(AggregateQuery { record })) = (group?, query?);
    let groups = groups_of(&node)?;
    let view = groups.view(&group)?;
    let report = blocking(move || reported(&node, &groups, &view, record, true)).await?;
    let bad = report.sources.iter().find(|source| source.verdict != crate::aphr::Verdict::Verified);
    let why = match (report.passed, bad, report.why_not) {
        (true, ..) => None,
        (_, Some(source), _) => Some(format!("source {}: {}", source.record_id, source.why)),
        (_, _, Some(why)) => Some(why),
        (false, None, None) => Some("the record itself failed its checks".to_owned()),
    };
    if let Some(why) = why {
        return Err(not_verified(format!("aggregate {}: {why}", report.record_id)));
    }
    let Some(document) = report.aggregate else { return Err(ApiError::lost()) };
    let headers = [
        (header::CONTENT_TYPE, FHIR_JSON.to_owned()),
        (RECORD, report.record_id.to_string()),
        (STALE, report.stale.to_string()),
    ];
    Ok((headers, document.get().to_owned()))
}
