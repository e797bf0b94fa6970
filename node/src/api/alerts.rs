//! Alerts of a group on this member's node: what is open, thresholds, acknowledging, snoozing. Not a medical device.

use super::monitor::monitor_of;
use super::problem::ApiError;
use super::types::{AcknowledgeRequest, AlertsResponse, SnoozeRequest, Thresholds, ThresholdsRequest, WatchInfo};
use super::vitals::group_of;
use super::{Body, blocking};
use crate::driver::{NodeHandle, now_ms};
use crate::monitor::{AlertError, BoardError, Boards, Limits};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use medring_protocol::group::GroupUid;

const MINUTE_MS: u64 = 60_000;

type PathGroup = Result<Path<GroupUid>, PathRejection>;

pub(super) async fn list(State(node): State<NodeHandle>, group: PathGroup) -> Result<Json<AlertsResponse>, ApiError> {
    let Path(group) = group?;
    change(node, group, |_, _| Ok(())).await
}

pub(super) async fn thresholds(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<ThresholdsRequest>,
) -> Result<Json<AlertsResponse>, ApiError> {
    let (Path(group), Json(ThresholdsRequest { channel, thresholds })) = (group?, body?);
    let limits = thresholds.map(|t| Limits {
        unit: t.unit,
        low: t.low,
        high: t.high,
        stale_ms: t.stale_minutes.saturating_mul(MINUTE_MS),
    });
    change(node, group, move |boards, group| boards.set_limits(group, &channel, limits)).await
}

pub(super) async fn acknowledge(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<AcknowledgeRequest>,
) -> Result<Json<AlertsResponse>, ApiError> {
    let (Path(group), Json(AcknowledgeRequest { id })) = (group?, body?);
    change(node, group, move |boards, group| boards.acknowledge(group, id)).await
}

pub(super) async fn snooze(
    State(node): State<NodeHandle>,
    group: PathGroup,
    body: Body<SnoozeRequest>,
) -> Result<Json<AlertsResponse>, ApiError> {
    let (Path(group), Json(SnoozeRequest { channel, kind, minutes })) = (group?, body?);
    let ms = minutes.saturating_mul(MINUTE_MS);
    change(node, group, move |boards, group| boards.snooze(group, &channel, kind, ms)).await
}

/// Does something with a group's alerts, and tells how they then stand.
async fn change(
    node: NodeHandle,
    group: GroupUid,
    change: impl FnOnce(&Boards, &GroupUid) -> Result<(), BoardError> + Send + 'static,
) -> Result<Json<AlertsResponse>, ApiError> {
    let (_, view) = group_of(&node, &group)?;
    let (monitor, group) = (monitor_of(&node)?, view.status.group);
    blocking(move || {
        change(&monitor.alerts, &group)?;
        Ok(Json(response(&monitor.alerts, group)))
    })
    .await
}

fn response(boards: &Boards, group: GroupUid) -> AlertsResponse {
    let board = boards.board(&group);
    let channels = board.latest(now_ms()).into_iter().map(|latest| WatchInfo {
        channel: latest.channel,
        thresholds: Thresholds {
            unit: latest.limits.unit,
            low: latest.limits.low,
            high: latest.limits.high,
            stale_minutes: latest.limits.stale_ms / MINUTE_MS,
        },
        time_ms: latest.value.map(|(at, _)| at),
        value: latest.value.map(|(_, value)| value),
        stale: latest.stale,
        snoozed: latest.snoozed,
    });
    AlertsResponse {
        group,
        open: board.open().to_vec(),
        past: board.past().cloned().collect(),
        channels: channels.collect(),
        problem: boards.problem().map(str::to_owned),
    }
}

impl From<BoardError> for ApiError {
    fn from(error: BoardError) -> Self {
        let detail = error.to_string();
        match error {
            BoardError::Alert(AlertError::Unknown(_) | AlertError::NoLimits(_)) => {
                Self::not_found(detail, "GET /v1/groups/{gid}/alerts lists what there is")
            }
            BoardError::Alert(AlertError::Refused(_)) | BoardError::Full => {
                Self::bad_request(detail, "docs/monitoring.md says what thresholds are")
            }
            BoardError::File(_) | BoardError::Damaged(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage",
                "Alerts cannot be stored",
                detail,
                "look at the node's log; make room on its disk, or mend what it names",
            ),
        }
    }
}
