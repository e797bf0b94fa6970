//! Vital signs on their way in: samples of devices, and how far each stream is. Not a medical device.

use super::groups::groups_of;
use super::problem::{ApiError, Problems};
use super::table::Table;
use super::types::{
    AcknowledgeRequest, AlertsResponse, SampleIn, SamplesRequest, SamplesResponse, SnoozeRequest, StreamInfo,
    StreamsResponse, ThresholdsRequest, ValueIn, VitalsResponse,
};
use super::{Body, alerts, blocking};
use crate::driver::{NodeHandle, os_rng};
use crate::group::GroupError;
use crate::monitor::{BATCH_SAMPLES_MAX, Batch, Incoming, IntakeError, Monitor, StreamStatus};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use medring_protocol::group::GroupUid;
use medring_protocol::vitals::{Channel, LOINC, MDC};
use serde_json::json;

/// A batch of samples, in JSON.
const SAMPLES_JSON_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn endpoints(table: &mut Table) {
    const GROUP: &str = "The group's uid, or the GID of one of its epochs";
    table
        .post("/v1/vitals/samples", "Takes samples of vital signs for one of this patient's groups", samples)
        .device()
        .notes("On disk once it answers. The same samples under the same numbers again change nothing, so a request without an answer is sent again. Not a medical device.")
        .body::<SamplesRequest>(json!({
            "stream": "wrist", "group": "07".repeat(32), "first_seq": 0,
            "samples": [{"time_ms": 1_700_000_000_000u64, "channel": "8867-4", "name": "Heart rate", "value": "72", "unit": "/min"}],
        }))
        .body_bytes_max(SAMPLES_JSON_BYTES_MAX)
        .answers::<SamplesResponse>(200, "How far the stream is")
        .problems(&[Problems::Forbidden, Problems::NotFound, Problems::Conflict, Problems::Unprocessable, Problems::Full]);
    table
        .get("/v1/vitals/streams", "Streams of vital signs that this node takes", streams)
        .device()
        .answers::<StreamsResponse>(200, "By name")
        .problems(&[Problems::NotFound]);
    table
        .get("/v1/vitals/streams/{stream}", "How far one stream is", stream)
        .device()
        .text("stream", "The stream, as its device calls it", "wrist")
        .answers::<StreamInfo>(200, "It")
        .problems(&[Problems::NotFound]);
    table
        .get(
            "/v1/groups/{gid}/vitals",
            "The live vital signs of a group that open here, each sample once",
            super::vitals::vitals,
        )
        .reader()
        .id("gid", GROUP)
        .query::<super::vitals::RangeQuery>()
        .answers::<VitalsResponse>(200, "By time")
        .problems(&[Problems::NotFound, Problems::Internal]);
    table
        .get("/v1/groups/{gid}/alerts", "This member's alerts for a group", alerts::list)
        .reader()
        .id("gid", GROUP)
        .answers::<AlertsResponse>(200, "How they stand")
        .problems(&[Problems::NotFound]);
    table
        .post("/v1/groups/{gid}/alerts/thresholds", "Watches a channel, or no more", alerts::thresholds)
        .id("gid", GROUP)
        .body::<ThresholdsRequest>(json!({
            "channel": "8867-4", "thresholds": {"unit": "/min", "low": "50", "high": "110", "stale_minutes": 30},
        }))
        .answers::<AlertsResponse>(200, "How alerts stand")
        .problems(&[Problems::NotFound]);
    table
        .post(
            "/v1/groups/{gid}/alerts/acknowledge",
            "Acknowledges an alert: it is not raised again while it lasts",
            alerts::acknowledge,
        )
        .id("gid", GROUP)
        .body::<AcknowledgeRequest>(json!({"id": 1}))
        .answers::<AlertsResponse>(200, "How alerts stand")
        .problems(&[Problems::NotFound]);
    table
        .post("/v1/groups/{gid}/alerts/snooze", "Silences one kind of alert of a channel for a while", alerts::snooze)
        .id("gid", GROUP)
        .body::<SnoozeRequest>(json!({"channel": "8867-4", "kind": "high", "minutes": 30}))
        .answers::<AlertsResponse>(200, "How alerts stand")
        .problems(&[Problems::NotFound]);
}

pub(super) fn monitor_of(node: &NodeHandle) -> Result<Monitor, ApiError> {
    node.monitor().ok_or_else(|| {
        let next = "set wallet.keystore and wallet.passphrase_file in its configuration, and start it again";
        ApiError::not_found("this node has no wallet, so it monitors nobody", next)
    })
}

/// Whether a group of one's own can be sealed to, and why not.
fn sealing(node: &NodeHandle, group: &GroupUid) -> (bool, Option<String>) {
    match groups_of(node).map(|groups| groups.sealing(group)) {
        Ok(Ok(_)) => (true, None),
        Ok(Err(error)) => (false, Some(error.to_string())),
        Err(_) => (false, Some("this node has no groups".into())),
    }
}

async fn samples(
    State(node): State<NodeHandle>,
    body: Body<SamplesRequest>,
) -> Result<Json<SamplesResponse>, ApiError> {
    let Json(request) = body?;
    let monitor = monitor_of(&node)?;
    let (stream, group) = (request.stream.clone(), request.group);
    let view = groups_of(&node)?.view(&group)?;
    if !view.status.mine {
        let what = format!("only the group's owner, {}, seals records to it", view.status.owner);
        return Err(GroupError::NotSealing(what).into());
    }
    let batch = batch(request)?;
    let accepted = blocking(move || Ok(monitor.intake.take(&batch, crate::driver::now_ms(), &mut os_rng())?)).await?;
    let (sealing, waiting_because) = sealing(&node, &group);
    Ok(Json(SamplesResponse {
        stream,
        next_seq: accepted.next,
        accepted: accepted.accepted,
        already: accepted.already,
        sealing,
        waiting_because,
    }))
}

fn batch(request: SamplesRequest) -> Result<Batch, ApiError> {
    let SamplesRequest { stream, group, first_seq, samples, window_minutes, end } = request;
    if samples.len() > BATCH_SAMPLES_MAX {
        let detail = format!("{} samples in one request; at most {BATCH_SAMPLES_MAX} are taken", samples.len());
        return Err(ApiError::bad_request(detail, "send them in several"));
    }
    let samples = samples.into_iter().enumerate().map(|(i, sample)| incoming(i, sample)).collect::<Result<_, _>>()?;
    Ok(Batch { stream, group, window_minutes, first: first_seq, samples, end })
}

fn incoming(i: usize, sample: SampleIn) -> Result<Incoming, ApiError> {
    let SampleIn { time_ms, channel, name, value, unit } = sample;
    let (system, code) = channel.strip_prefix("mdc:").map_or((LOINC, channel.as_str()), |code| (MDC, code));
    let channel = Channel { name, system: system.to_owned(), code: code.to_owned(), unit };
    let text = match value {
        ValueIn::Text(text) => text,
        ValueIn::Number(number) => number.to_string(),
    };
    let value = text.parse().map_err(|e| {
        ApiError::bad_request(format!("samples[{i}].value: it is {e}"), "send it as \"36.6\"; leave a gap out")
    })?;
    Ok(Incoming { time_ms, channel, value })
}

fn info(node: &NodeHandle, status: StreamStatus) -> StreamInfo {
    let (sealing, waiting_because) = sealing(node, &status.group);
    StreamInfo {
        stream: status.stream,
        group: status.group,
        window_minutes: status.window_minutes,
        next_seq: status.next,
        settled_seq: status.settled,
        unsealed: status.waiting,
        records_on_their_way: status.on_their_way,
        first_ms: status.first_ms,
        arrived_ms: status.arrived_ms,
        sealing,
        waiting_because,
    }
}

async fn streams(State(node): State<NodeHandle>) -> Result<Json<StreamsResponse>, ApiError> {
    let monitor = monitor_of(&node)?;
    blocking(move || {
        let (queued_bytes, queued_bytes_max) = monitor.intake.filled();
        let streams = monitor.intake.streams().into_iter().map(|status| info(&node, status)).collect();
        let problem = monitor.intake.problem();
        Ok(Json(StreamsResponse { streams, queued_bytes, queued_bytes_max, problem }))
    })
    .await
}

async fn stream(
    State(node): State<NodeHandle>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<StreamInfo>, ApiError> {
    let Path(name) = name?;
    let monitor = monitor_of(&node)?;
    blocking(move || {
        let Some(status) = monitor.intake.stream(&name) else {
            return Err(IntakeError::Unknown(name.chars().take(64).collect()).into());
        };
        Ok(Json(info(&node, status)))
    })
    .await
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        let detail = error.to_string();
        let conflict =
            |kind, next: &str| Self::new(StatusCode::CONFLICT, kind, "The samples do not follow", detail.clone(), next);
        match error {
            IntakeError::Input(_) => Self::bad_request(detail, "docs/monitoring.md shows a request"),
            IntakeError::Gap { .. } => {
                conflict("sequence", "send from the number that GET /v1/vitals/streams/{stream} gives as next_seq")
            }
            IntakeError::Other(_) => conflict("other-samples", "begin a stream of another name, from number 0"),
            IntakeError::Differs(_) => conflict("other-stream", "GET /v1/vitals/streams/{stream} tells what it is"),
            IntakeError::Unknown(_) => Self::not_found(detail, "GET /v1/vitals/streams lists all"),
            IntakeError::Full { .. } | IntakeError::Streams => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "queue-full",
                "No more samples are taken for now",
                detail,
                "send them again later; GET /v1/vitals/streams tells why they wait, monitor.queue_mib sets the bound",
            ),
            IntakeError::Disk(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage",
                "The samples were not stored",
                detail,
                "look at the node's log; make room on its disk, or mend what it names, and send them again",
            ),
        }
    }
}
