//! Alerts over a timeline: a pure board that takes the time as an argument (docs/monitoring.md). Not a medical device.
//!
//! What arrives late is history, and raises nothing: only a sample that is newer than all before it, and no older than a value may be
//! before it counts as stale, is judged.

use medring_protocol::vitals::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Channels with limits, of one group.
pub const CHANNELS_MAX: usize = 32;
/// Alerts that are over and still told.
pub const PAST_MAX: usize = 256;
/// Longest snooze, ms: a day.
pub const SNOOZE_MS_MAX: u64 = 86_400_000;
/// How far a device's clock may run ahead; what is stamped later is not judged.
pub const AHEAD_MS: u64 = 300_000;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// Below the lower limit.
    Low,
    /// Above the upper limit.
    High,
    /// No value for too long.
    Stale,
}

/// What is normal for this patient, in this member's eyes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// UCUM; values in another unit are not judged.
    pub unit: String,
    /// Below is low.
    pub low: Option<Decimal>,
    /// Above is high.
    pub high: Option<Decimal>,
    /// An older value is stale, ms.
    pub stale_ms: u64,
}

/// An alert: one condition from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// Counts upwards in a group.
    pub id: u64,
    /// As in the API: a LOINC code, or `mdc:` and a code.
    pub channel: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// When what began it was measured; of a stale channel, its last value. ms since 1970.
    pub since_ms: u64,
    /// When it was raised last; `None`: snoozed from its beginning. ms since 1970.
    pub raised_ms: Option<u64>,
    /// The value that began it.
    #[schemars(with = "crate::api::schema::DecimalText")]
    pub value: Decimal,
    /// When somebody acknowledged it. ms since 1970.
    pub acknowledged_ms: Option<u64>,
    /// When the condition ended. ms since 1970.
    pub ended_ms: Option<u64>,
    /// Whether it waits for the end of a snooze.
    pub snoozed: bool,
}

/// What happened on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody should look.
    Raised(u64),
    /// The condition is over.
    Ended(u64),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// No such alert, or it is over.
    #[error("there is no open alert {0}")]
    Unknown(u64),
    /// No limits for this channel.
    #[error("channel {0:?} has no thresholds here")]
    NoLimits(String),
    /// A bound, or limits that cannot be.
    #[error("{0}")]
    Refused(String),
}

/// One channel under watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Watch {
    limits: Limits,
    latest: Option<(u64, Decimal)>,
    /// Whether a value was ever fresh: a channel that never lived does not fall silent.
    lived: bool,
    snoozed: BTreeMap<AlertKind, u64>,
}

/// The latest value of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Which.
    pub channel: String,
    /// Its limits.
    pub limits: Limits,
    /// When and how much; `None`: nothing yet.
    pub value: Option<(u64, Decimal)>,
    /// Too old to be relied on.
    pub stale: bool,
    /// Until when which kinds are snoozed.
    pub snoozed: BTreeMap<AlertKind, u64>,
}

/// All alerts of one group on one member's node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    watches: BTreeMap<String, Watch>,
    open: Vec<Alert>,
    past: VecDeque<Alert>,
    next_id: u64,
}

impl Limits {
    /// Whether they can be.
    fn check(&self) -> Result<(), AlertError> {
        let refuse = |what: &str| Err(AlertError::Refused(what.to_owned()));
        if self.unit.is_empty() || self.unit.len() > 100 {
            return refuse("name the unit, 1 to 100 bytes, for example /min");
        }
        if !(60_000..=SNOOZE_MS_MAX).contains(&self.stale_ms) {
            return refuse("a value becomes stale after 1 minute to a day");
        }
        match (self.low, self.high) {
            (Some(low), Some(high)) if low >= high => refuse("the lower limit is not below the upper one"),
            _ => Ok(()),
        }
    }

    fn is_stale(&self, time_ms: u64, now_ms: u64) -> bool {
        now_ms.saturating_sub(time_ms) > self.stale_ms
    }

    fn breaks(&self, kind: AlertKind, value: Decimal) -> bool {
        match kind {
            AlertKind::Low => self.low.is_some_and(|low| value.is_below(low)),
            AlertKind::High => self.high.is_some_and(|high| high.is_below(value)),
            AlertKind::Stale => false,
        }
    }
}

impl Board {
    /// Watches a channel by these limits from now on; `None`: no more, and its alerts are over. What was measured before is not
    /// judged, but for the latest value, if it is fresh.
    pub fn set_limits(
        &mut self,
        channel: &str,
        limits: Option<Limits>,
        now_ms: u64,
    ) -> Result<Vec<Change>, AlertError> {
        let mut changes = Vec::new();
        let Some(limits) = limits else {
            self.watches.remove(channel).ok_or_else(|| AlertError::NoLimits(channel.to_owned()))?;
            for kind in [AlertKind::Low, AlertKind::High, AlertKind::Stale] {
                self.end(channel, kind, now_ms, &mut changes);
            }
            return Ok(changes);
        };
        limits.check()?;
        if channel.is_empty() || channel.len() > 100 {
            return Err(AlertError::Refused("name the channel by its code, for example 8867-4".to_owned()));
        }
        if !self.watches.contains_key(channel) && self.watches.len() >= CHANNELS_MAX {
            return Err(AlertError::Refused(format!("{CHANNELS_MAX} channels have thresholds, the most there may be")));
        }
        match self.watches.get_mut(channel) {
            Some(watch) if watch.limits.unit == limits.unit => watch.limits = limits,
            _ => {
                let watch = Watch { limits, latest: None, lived: false, snoozed: BTreeMap::new() };
                self.watches.insert(channel.to_owned(), watch);
                for kind in [AlertKind::Low, AlertKind::High, AlertKind::Stale] {
                    self.end(channel, kind, now_ms, &mut changes);
                }
            }
        }
        self.judge(channel, now_ms, &mut changes);
        Ok(changes)
    }

    /// Channels under watch, their units, and the time of the newest value of each.
    pub fn watched(&self) -> impl Iterator<Item = (&str, &str, Option<u64>)> {
        self.watches.iter().map(|(name, w)| (name.as_str(), w.limits.unit.as_str(), w.latest.map(|(at, _)| at)))
    }

    /// Takes samples of one channel in any order; those of other units are the caller's to leave out. Of a channel that has no
    /// value yet only the newest counts.
    pub fn observe(&mut self, channel: &str, samples: &[(u64, Decimal)], now_ms: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        let Some(watch) = self.watches.get(channel) else { return changes };
        let known = watch.latest.map(|(at, _)| at);
        let ahead = now_ms.saturating_add(AHEAD_MS);
        let mut new: Vec<_> = samples.iter().filter(|(at, _)| *at <= ahead && known.is_none_or(|k| *at > k)).collect();
        new.sort_by_key(|(at, _)| *at);
        let skip = if known.is_none() { new.len().saturating_sub(1) } else { 0 };
        for (at, value) in new.into_iter().skip(skip) {
            let Some(watch) = self.watches.get_mut(channel) else { break };
            if watch.latest.is_some_and(|(latest, _)| *at <= latest) {
                continue;
            }
            watch.latest = Some((*at, *value));
            if !watch.limits.is_stale(*at, now_ms) {
                watch.lived = true;
                self.end(channel, AlertKind::Stale, now_ms, &mut changes);
            }
            self.judge(channel, now_ms, &mut changes);
        }
        changes
    }

    /// Time has passed: what has fallen silent is told, and what a snooze kept back.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        let silent = |w: &Watch| w.lived && w.latest.is_some_and(|(at, _)| w.limits.is_stale(at, now_ms));
        let silent: Vec<String> =
            self.watches.iter().filter(|(_, w)| silent(w)).map(|(name, _)| name.clone()).collect();
        for channel in silent {
            let Some((at, value)) = self.watches.get(&channel).and_then(|w| w.latest) else { continue };
            self.begin(&channel, AlertKind::Stale, (at, value), now_ms, &mut changes);
        }
        let watches = &self.watches;
        for alert in self.open.iter_mut().filter(|a| a.snoozed && a.acknowledged_ms.is_none()) {
            let until = watches.get(&alert.channel).and_then(|w| w.snoozed.get(&alert.kind)).copied();
            if until.is_none_or(|until| now_ms >= until) {
                (alert.snoozed, alert.raised_ms) = (false, Some(now_ms));
                changes.push(Change::Raised(alert.id));
            }
        }
        for watch in self.watches.values_mut() {
            watch.snoozed.retain(|_, until| now_ms < *until);
        }
        changes
    }

    /// Somebody has seen it: it is not raised again while its condition lasts.
    pub fn acknowledge(&mut self, id: u64, now_ms: u64) -> Result<(), AlertError> {
        let alert = self.open.iter_mut().find(|a| a.id == id).ok_or(AlertError::Unknown(id))?;
        alert.acknowledged_ms.get_or_insert(now_ms);
        alert.snoozed = false;
        Ok(())
    }

    /// Alerts of this kind of this channel wait until then; the other kinds do not. A time that is over ends a snooze.
    pub fn snooze(&mut self, channel: &str, kind: AlertKind, until_ms: u64, now_ms: u64) -> Result<(), AlertError> {
        let watch = self.watches.get_mut(channel).ok_or_else(|| AlertError::NoLimits(channel.to_owned()))?;
        if until_ms.saturating_sub(now_ms) > SNOOZE_MS_MAX {
            return Err(AlertError::Refused("a snooze lasts a day at most".to_owned()));
        }
        watch.snoozed.insert(kind, until_ms);
        for alert in self.open.iter_mut().filter(|a| a.channel == channel && a.kind == kind) {
            alert.snoozed = alert.acknowledged_ms.is_none();
        }
        Ok(())
    }

    /// Alerts whose condition lasts, the oldest first.
    pub fn open(&self) -> &[Alert] {
        &self.open
    }

    /// Alerts that are over, the newest first.
    pub fn past(&self) -> impl Iterator<Item = &Alert> {
        self.past.iter().rev()
    }

    /// The latest value of every channel under watch, marked if it is stale.
    pub fn latest(&self, now_ms: u64) -> Vec<Latest> {
        let latest = |(name, watch): (&String, &Watch)| Latest {
            channel: name.clone(),
            limits: watch.limits.clone(),
            value: watch.latest,
            stale: watch.latest.is_some_and(|(at, _)| watch.limits.is_stale(at, now_ms)),
            snoozed: watch.snoozed.clone(),
        };
        self.watches.iter().map(latest).collect()
    }

    /// Begins or ends what the latest value says of the limits.
    fn judge(&mut self, channel: &str, now_ms: u64, changes: &mut Vec<Change>) {
        let Some(watch) = self.watches.get(channel) else { return };
        let Some((at, value)) = watch.latest else { return };
        let fresh = !watch.limits.is_stale(at, now_ms);
        let breaks = [AlertKind::Low, AlertKind::High].map(|kind| (kind, watch.limits.breaks(kind, value)));
        for (kind, breaks) in breaks {
            if !breaks {
                self.end(channel, kind, now_ms, changes);
            } else if fresh {
                self.begin(channel, kind, (at, value), now_ms, changes);
            }
        }
    }

    fn begin(
        &mut self,
        channel: &str,
        kind: AlertKind,
        (since_ms, value): (u64, Decimal),
        now_ms: u64,
        changes: &mut Vec<Change>,
    ) {
        if self.open.iter().any(|a| a.channel == channel && a.kind == kind) {
            return;
        }
        let until = self.watches.get(channel).and_then(|w| w.snoozed.get(&kind)).copied();
        let (id, snoozed) = (self.next_id, until.is_some_and(|until| now_ms < until));
        self.next_id += 1;
        if !snoozed {
            changes.push(Change::Raised(id));
        }
        self.open.push(Alert {
            id,
            channel: channel.to_owned(),
            kind,
            since_ms,
            raised_ms: (!snoozed).then_some(now_ms),
            value,
            acknowledged_ms: None,
            ended_ms: None,
            snoozed,
        });
    }

    fn end(&mut self, channel: &str, kind: AlertKind, now_ms: u64, changes: &mut Vec<Change>) {
        let Some(at) = self.open.iter().position(|a| a.channel == channel && a.kind == kind) else { return };
        let alert = self.open.remove(at);
        changes.push(Change::Ended(alert.id));
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Alert { ended_ms: Some(now_ms), snoozed: false, ..alert });
    }
}
