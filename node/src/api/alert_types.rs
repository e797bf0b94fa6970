//! The JSON of alerts, as types for the server and for its clients (docs/monitoring.md).

use medring_protocol::group::GroupUid;
use medring_protocol::vitals::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::monitor::{Alert, AlertKind};

/// `GET /v1/groups/{gid}/alerts`, and the answer to every change: this member's own alerts for the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AlertsResponse {
    /// The group.
    #[schemars(with = "crate::api::schema::Id")]
    pub group: GroupUid,
    /// Conditions that last, the oldest first. `raised_ms` `null`: snoozed from its beginning.
    pub open: Vec<Alert>,
    /// Those that are over, the newest first, at most 256.
    pub past: Vec<Alert>,
    /// Every channel under watch.
    pub channels: Vec<WatchInfo>,
    /// Why there are no alerts, and what to do; absent if all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One channel under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WatchInfo {
    /// A LOINC code, or `mdc:` and a code.
    pub channel: String,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// When the latest value was measured, ms since 1970; absent if there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// The latest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::DecimalText>")]
    pub value: Option<Decimal>,
    /// It is too old to be relied on: show it struck through.
    pub stale: bool,
    /// Until when which kinds are snoozed, ms since 1970.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snoozed: BTreeMap<AlertKind, u64>,
}

/// What is normal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// UCUM; values in another unit are not judged.
    pub unit: String,
    /// Below is low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::DecimalText>")]
    pub low: Option<Decimal>,
    /// Above is high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::api::schema::DecimalText>")]
    pub high: Option<Decimal>,
    /// A value older than so many minutes is stale, and raises nothing but that; 1 … 1,440. It has to be more than the window
    /// of the stream and the time to a block.
    #[serde(default = "stale_minutes")]
    pub stale_minutes: u64,
}

fn stale_minutes() -> u64 {
    30
}

/// `POST /v1/groups/{gid}/alerts/thresholds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdsRequest {
    /// A LOINC code, or `mdc:` and a code.
    pub channel: String,
    /// `null`: it is watched no more.
    pub thresholds: Option<Thresholds>,
}

/// `POST /v1/groups/{gid}/alerts/acknowledge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// An open alert: it is not raised again while its condition lasts.
    pub id: u64,
}

/// `POST /v1/groups/{gid}/alerts/snooze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozeRequest {
    /// Which channel.
    pub channel: String,
    /// `low`, `high` or `stale`; the others are raised as before.
    pub kind: AlertKind,
    /// For so long, at most 1,440; 0 ends a snooze.
    pub minutes: u64,
}
