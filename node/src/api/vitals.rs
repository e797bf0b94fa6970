//! Vital signs as a member reads them: every sample that opens here, by time. Not a medical device.

use super::blocking;
use super::groups::groups_of;
use super::monitor::monitor_of;
use super::problem::ApiError;
use super::types::{ChannelInfo, CoverInfo, RefusedInfo, SampleOut, VitalsResponse};
use crate::driver::NodeHandle;
use crate::group::{GroupHandle, GroupView};
use crate::monitor::{Point, ReadError, Timeline, channel_name};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use medring_protocol::Gid;
use medring_protocol::group::GroupUid;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Samples of one answer, unless fewer are asked for.
const SAMPLES_DEFAULT: usize = 1000;
/// Samples of one answer at most.
const SAMPLES_MAX: usize = 10_000;

/// What part of the timeline.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeQuery {
    /// One channel: a LOINC code, or `mdc:` and a code; all if absent.
    channel: Option<String>,
    /// From this time on, ms since 1970.
    from: Option<u64>,
    /// Up to and with this time, ms since 1970.
    to: Option<u64>,
    /// Samples of this answer, at most 10,000; 1,000 if absent.
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<usize>,
    /// What the last answer gave as `next`.
    after: Option<String>,
}

/// A group of this participant's, by its uid or by the GID of an epoch.
pub(super) fn group_of(node: &NodeHandle, id: &GroupUid) -> Result<(GroupHandle, Arc<GroupView>), ApiError> {
    let groups = groups_of(node)?;
    if let Ok(view) = groups.view(id) {
        return Ok((groups, view));
    }
    let gid = Gid(id.0);
    let has = |view: &GroupView| {
        let status = &view.status;
        status.active.as_ref().is_some_and(|a| a.gid == gid) || status.history.iter().any(|past| past.gid == gid)
    };
    let found = groups.groups().groups.values().find(|view| has(view)).cloned();
    let view = match found {
        Some(view) => view,
        None => groups.view(id)?,
    };
    Ok((groups, view))
}

pub(super) async fn vitals(
    State(node): State<NodeHandle>,
    group: Result<Path<GroupUid>, PathRejection>,
    query: Result<Query<RangeQuery>, QueryRejection>,
) -> Result<Json<VitalsResponse>, ApiError> {
    let (Path(group), Query(query)) = (group?, query?);
    let (after_ms, skip) = after(query.after.as_deref())?;
    let (groups, view) = group_of(&node, &group)?;
    let monitor = monitor_of(&node)?;
    let timeline = blocking(move || Ok(monitor.timeline(&node, &groups, &view)?)).await?;
    // Within a page's first millisecond some were told already.
    let from = query.from.unwrap_or(0);
    let (from, skip) = if after_ms >= from { (after_ms, skip) } else { (from, 0) };
    let limit = query.limit.unwrap_or(SAMPLES_DEFAULT).clamp(1, SAMPLES_MAX);
    Ok(Json(response(group, &timeline, &query, (from, skip), limit)))
}

/// `TIME.N`: go on at that time, behind the first N samples of it.
fn after(cursor: Option<&str>) -> Result<(u64, usize), ApiError> {
    let Some(cursor) = cursor else { return Ok((0, 0)) };
    let parsed = cursor.split_once('.').and_then(|(at, n)| Some((at.parse().ok()?, n.parse().ok()?)));
    parsed.ok_or_else(|| {
        ApiError::bad_request("after is no place in the samples", "use what the last answer gave as next")
    })
}

fn response(
    group: GroupUid,
    timeline: &Timeline,
    query: &RangeQuery,
    (from, skip): (u64, usize),
    limit: usize,
) -> VitalsResponse {
    let wanted: Vec<bool> = timeline
        .channels
        .iter()
        .map(|channel| query.channel.as_ref().is_none_or(|wanted| *wanted == channel_name(channel)))
        .collect();
    let all = timeline.range(&wanted, from, query.to.unwrap_or(u64::MAX), skip);
    let mut page: Vec<&Point> = all.take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| {
        let told = page.iter().rev().take_while(|p| p.time_ms == last.time_ms).count();
        let before = if last.time_ms == from { skip } else { 0 };
        format!("{}.{}", last.time_ms, told + before)
    });
    let sample = |point: &&Point| {
        let channel = timeline.channels.get(point.channel)?;
        let (record_id, mined) = *timeline.records.get(point.record)?;
        let (channel, unit) = (channel_name(channel), channel.unit.clone());
        Some(SampleOut { time_ms: point.time_ms, channel, value: point.value.to_string(), unit, record_id, mined })
    };
    let streams = timeline.streams.iter().map(|cover| CoverInfo {
        stream: cover.stream.clone(),
        windows: cover.windows,
        next_seq: cover.next,
        missing: cover.missing.clone(),
    });
    let refused = timeline.refused.iter().map(|(id, why)| RefusedInfo { record_id: *id, why: why.to_string() });
    VitalsResponse {
        group,
        channels: channels(timeline),
        samples: page.iter().filter_map(sample).collect(),
        next,
        streams: streams.collect(),
        refused: refused.collect(),
    }
}

fn channels(timeline: &Timeline) -> Vec<ChannelInfo> {
    let mut found: BTreeMap<usize, ChannelInfo> = BTreeMap::new();
    for point in &timeline.points {
        let Some(channel) = timeline.channels.get(point.channel) else { continue };
        let info = found.entry(point.channel).or_insert_with(|| ChannelInfo {
            channel: channel_name(channel),
            name: channel.name.clone(),
            unit: channel.unit.clone(),
            samples: 0,
            first_ms: point.time_ms,
            last_ms: point.time_ms,
            latest: String::new(),
        });
        info.samples += 1;
        info.last_ms = point.time_ms;
        info.latest = point.value.to_string();
    }
    found.into_values().collect()
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Storage(error) => error.into(),
            ReadError::Wallet(error) => error.into(),
        }
    }
}
