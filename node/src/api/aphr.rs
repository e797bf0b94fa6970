//! Aggregates: making one for the group, when the node makes one by itself, and what a member finds in one.

use super::blocking;
use super::groups::groups_of;
use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{AggregateRequest, AggregateResponse, AphrPolicy, AphrReport, PlayRequest};
use super::{BUNDLE_JSON_BYTES_MAX, Body};
use crate::aphr::{self, AphrError, Chosen, PublishError, Published, ReportError};
use crate::driver::NodeHandle;
use crate::group::{GroupError, GroupHandle, GroupView};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::{CommandError, EpochAccess};
use medring_protocol::seal::RecordSecret;
use serde::Deserialize;
use serde_json::json;

pub(super) fn endpoints(table: &mut Table) {
    table
        .post("/v1/wallet/groups/{group}/aggregate", "Gathers, aggregates, and seals to the epoch in force", aggregate)
        .tag("groups")
        .idempotent()
        .id("group", "The group")
        .body::<AggregateRequest>(json!({}))
        .answers::<AggregateResponse>(202, "It is in the pool and on disk")
        .problems(&[Problems::TooMany]);
    table
        .get("/v1/wallet/groups/{group}/policy", "When this node aggregates besides at every new epoch", policy)
        .reader()
        .tag("groups")
        .id("group", "The group")
        .answers::<AphrPolicy>(200, "`null`: never");
    table
        .put("/v1/wallet/groups/{group}/policy", "Says when this node aggregates", set_policy)
        .tag("groups")
        .id("group", "The group")
        .body::<AphrPolicy>(json!({"every_records": 10, "every_minutes": null}))
        .answers::<AphrPolicy>(200, "Stored");
    table
        .get(
            "/v1/wallet/groups/{group}/report",
            "The newest aggregate that opens here, checked source by source",
            report,
        )
        .reader()
        .tag("groups")
        .id("group", "The group")
        .query::<ReportQuery>()
        .answers::<AphrReport>(200, "What it turned out to be (docs/spec/aggregate.md)")
        .problems(&[Problems::Unprocessable]);
    table
        .post(
            "/v1/testnet/aggregate",
            "An aggregate exactly as told, to play a patient who cheats; test networks only",
            play,
        )
        .tag("testnet")
        .body::<PlayRequest>(json!({"group": "0".repeat(64), "sources": []}))
        .body_bytes_max(BUNDLE_JSON_BYTES_MAX)
        .answers::<AggregateResponse>(202, "It is in the pool and on disk")
        .problems(&[Problems::NotFound, Problems::Conflict, Problems::Unprocessable, Problems::TooMany]);
}

type PathGroup = Result<Path<GroupUid>, PathRejection>;

/// What concerns one participant's people is for nobody's cache.
fn private<T>(value: T) -> impl IntoResponse
where
    Json<T>: IntoResponse,
{
    ([(header::CACHE_CONTROL, "no-store")], Json(value))
}

fn made(published: Published) -> impl IntoResponse {
    let Published { record_id, sources, bytes, skipped } = published;
    (StatusCode::ACCEPTED, private(AggregateResponse { record_id, sources, bytes, skipped }))
}

async fn aggregate(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<AggregateRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Json(AggregateRequest {})) = (group?, body?);
    groups_of(&node)?;
    Ok(made(aphr::publish(&node, &group).await?))
}

async fn policy(State(node): State<NodeHandle>, group: PathGroup) -> Result<Json<AphrPolicy>, ApiError> {
    let Path(group) = group?;
    Ok(Json(groups_of(&node)?.view(&group)?.policy))
}

async fn set_policy(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<AphrPolicy>,
) -> Result<Json<AphrPolicy>, ApiError> {
    let (Path(group), Json(policy)) = (group?, body?);
    if policy.every_records == Some(0) || policy.every_minutes == Some(0) {
        return Err(ApiError::bad_request(
            "a policy of every 0 records or minutes",
            "give 1 or more, or null for never",
        ));
    }
    let groups = groups_of(&node)?;
    let view = groups.view(&group)?;
    if !view.status.mine {
        return Err(GroupError::from(CommandError::NotOwner { owner: view.status.owner }).into());
    }
    groups.set_policy(group, policy).await?;
    Ok(Json(policy))
}

/// Parameters of a report.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReportQuery {
    /// The APHR; the newest of the newest epoch that opens here, if absent.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    record: Option<RecordId>,
    /// Whether the aggregate comes along.
    #[serde(default)]
    aggregate: bool,
}

async fn report(
    State(node): State<NodeHandle>,
    group: PathGroup,
    query: Result<Query<ReportQuery>, QueryRejection>,
) -> Result<impl IntoResponse, ApiError> {
    let (Path(group), Query(ReportQuery { record, aggregate })) = (group?, query?);
    let groups = groups_of(&node)?;
    let view = groups.view(&group)?;
    let report = blocking(move || reported(&node, &groups, &view, record, aggregate)).await?;
    Ok(private::<AphrReport>(report))
}

/// What the APHR that is asked for turns out to be, or the newest that opens here; with the aggregate, if that is wanted.
pub(super) fn reported(
    node: &NodeHandle,
    groups: &GroupHandle,
    view: &GroupView,
    record: Option<RecordId>,
    aggregate: bool,
) -> Result<AphrReport, ApiError> {
    let (access, id) = find(node, groups, view, record)?;
    Ok(aphr::report(node.store(), &access, &id, aggregate)?)
}

/// The APHR that is asked for, or the newest that opens here, and its epoch.
fn find(
    node: &NodeHandle,
    groups: &GroupHandle,
    view: &GroupView,
    record: Option<RecordId>,
) -> Result<(EpochAccess, RecordId), ApiError> {
    let past = view.status.history.iter().map(|past| past.gid);
    let mut gids: Vec<_> = past.chain(view.status.active.iter().map(|active| active.gid)).collect();
    gids.reverse();
    if let Some(id) = record {
        let (found, _) = super::records::find(node, &id)?;
        let gid = found.content.receiver.gid().filter(|gid| gids.contains(gid));
        let gid = gid.ok_or_else(|| {
            let detail = format!("record {id} is under no epoch of this group that this participant knows of");
            ApiError::not_found(detail, "GET …/records lists what is")
        })?;
        return groups.access(&gid).map(|access| (access, id)).ok_or_else(|| no_key(&id));
    }
    for access in gids.iter().filter_map(|gid| groups.access(gid)) {
        if let Some(id) = aphr::newest(node.store(), &access)? {
            return Ok((access, id));
        }
    }
    let detail = "no aggregate stands on this node's best chain in an epoch whose key it holds";
    Err(ApiError::not_found(detail, "wait for a block, or ask the group's owner to run `medring aggregate`"))
}

fn no_key(id: &RecordId) -> ApiError {
    let detail = format!("the key of the epoch of record {id} is not held here: it was destroyed, or never known");
    let next = "ask the group's owner to aggregate again: what it seals now is for the epoch in force";
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "no-key", "This node holds no key for it", detail, next)
}

/// Test networks: an APHR exactly as it is told.
async fn play(State(node): State<NodeHandle>, body: Body<PlayRequest>) -> Result<impl IntoResponse, ApiError> {
    let Json(PlayRequest { group, sources, aggregate }) = body?;
    if !node.params().is_testnet() {
        let detail =
            format!("{:?} is a production network: nobody plays a patient who cheats there", node.params().name);
        return Err(ApiError::forbidden(detail, "use POST /v1/wallet/groups/{group}/aggregate"));
    }
    let r = |digits: Option<String>| -> Result<Option<RecordSecret>, ApiError> {
        let Some(digits) = digits else { return Ok(None) };
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        hex::decode_to_slice(&digits, bytes.as_mut_slice())
            .map_err(|e| ApiError::bad_request(format!("r is no 32 bytes in hex: {e}"), "give 64 hex digits"))?;
        Ok(Some(RecordSecret::from_bytes(&bytes)))
    };
    let chosen = sources
        .into_iter()
        .map(|one| Ok(Chosen { record: one.record_id, r: r(one.r)?, signature: one.signature }))
        .collect::<Result<Vec<_>, ApiError>>()?;
    Ok(made(aphr::play(&node, &group, chosen, aggregate).await?))
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        let refused = |detail, next: &str| {
            let (kind, title) = ("not-aggregated", "There is no aggregate");
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next)
        };
        match error {
            PublishError::NoWallet => Self::not_found(detail, "set wallet.keystore, and start the node again"),
            PublishError::Group(error) => error.into(),
            PublishError::Storage(error) => error.into(),
            PublishError::Submit(error) => error.into(),
            PublishError::Source(_) => Self::bad_request(detail, "give what is missing"),
            PublishError::Aphr(AphrError::NoSources) => refused(detail, "GET /v1/wallet/records shows what is settled"),
            PublishError::Aphr(_) | PublishError::Produce(_) => {
                refused(detail, "docs/spec/aggregate.md states the limits")
            }
        }
    }
}

impl From<ReportError> for ApiError {
    fn from(error: ReportError) -> Self {
        let detail = error.to_string();
        match error {
            ReportError::Storage(error) => error.into(),
            ReportError::NotOnChain(_) => Self::not_found(detail, "wait until it is mined, or check the id"),
            ReportError::NotOfEpoch { .. } => Self::not_found(detail, "GET …/records lists what is of this group"),
            ReportError::Open { .. } | ReportError::Content { .. } => {
                let (kind, title) = ("does-not-open", "The record does not open");
                let next = "ask the group's owner to aggregate again";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next)
            }
        }
    }
}
