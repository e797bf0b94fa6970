//! `medring phr alerts`: what is out of a member's thresholds, and what to do about the alert.

use super::AlertsArgs;
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable, span, utc};
use medring_node::api::types::{
    AcknowledgeRequest, Alert, AlertKind, AlertsResponse, SnoozeRequest, Thresholds, ThresholdsRequest, WatchInfo,
};
use serde::Serialize;

/// As the API gives it.
#[derive(Serialize)]
struct AlertsReport {
    #[serde(flatten)]
    alerts: AlertsResponse,
    #[serde(skip)]
    now_ms: u64,
    #[serde(skip)]
    past: usize,
}

const fn word(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Low => "low",
        AlertKind::High => "high",
        AlertKind::Stale => "stale",
    }
}

impl AlertsReport {
    fn age(&self, ms: u64) -> String {
        span(self.now_ms.saturating_sub(ms) / 1000 * 1000)
    }

    fn row(&self, alert: &Alert) -> Vec<String> {
        let state = match (alert.ended_ms, alert.acknowledged_ms, alert.snoozed) {
            (Some(ms), ..) => format!("over since {}", utc(ms)),
            (None, Some(ms), _) => format!("acknowledged {} ago", self.age(ms)),
            (None, None, true) => "snoozed".into(),
            (None, None, false) => "open".into(),
        };
        let (id, value) = (alert.id.to_string(), alert.value.to_string());
        vec![id, printable(&alert.channel), word(alert.kind).into(), value, utc(alert.since_ms), state]
    }

    fn watch(&self, style: Style, watch: &WatchInfo) -> Vec<String> {
        let limit = |limit: Option<String>| limit.unwrap_or_else(|| "-".into());
        let Thresholds { unit, low, high, stale_minutes } = &watch.thresholds;
        let value = match (&watch.value, watch.stale) {
            (None, _) => "nothing yet".into(),
            (Some(value), false) => format!("{value} {}", printable(unit)),
            // Struck through where the terminal can; said in words in any case.
            (Some(value), true) if style.is_coloured() => format!("\x1b[9m{value}\x1b[0m stale"),
            (Some(value), true) => format!("({value}) stale"),
        };
        let snoozed: Vec<String> =
            watch.snoozed.iter().map(|(kind, until)| format!("{} until {}", word(*kind), utc(*until))).collect();
        vec![
            printable(&watch.channel),
            value,
            watch.time_ms.map_or_else(|| "-".into(), |ms| format!("{} ago", self.age(ms))),
            limit(low.map(|v| v.to_string())),
            limit(high.map(|v| v.to_string())),
            format!("{stale_minutes} min"),
            snoozed.join(", "),
        ]
    }
}

impl Report for AlertsReport {
    fn text(&self, style: Style) -> String {
        let alerts = &self.alerts;
        let mut out = String::new();
        if let Some(problem) = &alerts.problem {
            out += &style.check(false, &printable(problem));
        }
        if alerts.channels.is_empty() {
            let next = "`medring phr alerts --set 8867-4 --unit /min --low 50 --high 120`";
            out += &format!("Nothing is watched here. Set thresholds, for example with {next}\n");
        } else {
            let head = ["channel", "latest", "age", "low", "high", "stale after", "snoozed"];
            let rows: Vec<_> = alerts.channels.iter().map(|watch| self.watch(style, watch)).collect();
            out += &(style.table(&head, &rows) + "\n");
        }
        let shown = alerts.open.iter().chain(alerts.past.iter().take(self.past));
        let rows: Vec<_> = shown.map(|alert| self.row(alert)).collect();
        out += &match rows.is_empty() {
            true => "No alerts.\n".to_owned(),
            false => style.table(&["alert", "channel", "kind", "value", "since", "state"], &rows),
        };
        out + "\nNot a medical device: a missing alert does not mean that all is well.\n"
    }
}

/// `medring phr alerts`.
pub(super) fn run(args: &AlertsArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    let path = |rest: &str| format!("/v1/groups/{}/alerts{rest}", target.info.status.group);
    let alerts: AlertsResponse = if let Some(id) = args.acknowledge {
        target.client.post(&path("/acknowledge"), &AcknowledgeRequest { id })?
    } else if let Some(what) = &args.snooze {
        let (channel, kind) = snoozed(what)?;
        target.client.post(&path("/snooze"), &SnoozeRequest { channel, kind, minutes: args.minutes })?
    } else if let Some(channel) = &args.unset {
        let request = ThresholdsRequest { channel: channel.clone(), thresholds: None };
        target.client.post(&path("/thresholds"), &request)?
    } else if let (Some(channel), Some(unit)) = (&args.set, &args.unit) {
        let thresholds =
            Thresholds { unit: unit.clone(), low: args.low, high: args.high, stale_minutes: args.stale_after };
        let request = ThresholdsRequest { channel: channel.clone(), thresholds: Some(thresholds) };
        target.client.post(&path("/thresholds"), &request)?
    } else {
        target.client.get(&path(""))?
    };
    context.output.report(&AlertsReport { alerts, now_ms: now_ms()?, past: args.past });
    Ok(Exit::Ok)
}

/// `CHANNEL:KIND`; a channel may hold a colon itself.
fn snoozed(text: &str) -> Outcome<(String, AlertKind)> {
    let wrong = || Failure::new(Exit::Usage, format!("--snooze {text:?}: use CHANNEL:KIND, for example 8867-4:high"));
    let (channel, kind) = text.rsplit_once(':').ok_or_else(wrong)?;
    let kind = [AlertKind::Low, AlertKind::High, AlertKind::Stale].into_iter().find(|k| word(*k) == kind);
    Ok((channel.to_owned(), kind.ok_or_else(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snooze_names_channel_and_kind() {
        assert_eq!(snoozed("8867-4:high").unwrap(), ("8867-4".to_owned(), AlertKind::High));
        assert_eq!(snoozed("mdc:150452:stale").unwrap(), ("mdc:150452".to_owned(), AlertKind::Stale));
        for wrong in ["8867-4", "8867-4:loud", ""] {
            assert!(snoozed(wrong).is_err(), "{wrong}");
        }
    }
}
