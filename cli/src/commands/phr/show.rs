//! `medring phr show`: the group's vital signs as they open on this node.

use super::ShowArgs;
use crate::commands::group::Target;
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable, span, utc};
use medring_node::api::types::{ChannelInfo, SampleOut, VitalsResponse};
use medring_protocol::vitals::instant;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Samples of one request.
const PAGE: usize = 10_000;
/// Samples that are read in all; more are asked for in parts.
const SAMPLES_MAX: usize = 2_000_000;

/// As the API gives it, all pages together.
#[derive(Serialize)]
struct VitalsReport {
    #[serde(flatten)]
    vitals: VitalsResponse,
    #[serde(skip)]
    now_ms: u64,
}

impl Report for VitalsReport {
    fn text(&self, style: Style) -> String {
        let vitals = &self.vitals;
        if vitals.channels.is_empty() {
            return "No vital signs of this group open here yet. Its owner feeds some with `medring phr stream`.\n"
                .into();
        }
        let row = |c: &ChannelInfo| {
            vec![
                printable(if c.name.is_empty() { &c.channel } else { &c.name }),
                format!("{} {}", c.latest, printable(&c.unit)),
                match self.now_ms.checked_sub(c.last_ms) {
                    Some(age) => format!("{} ago", span(age / 1000 * 1000)),
                    None => "ahead of this clock".into(),
                },
                utc(c.last_ms),
                c.samples.to_string(),
                utc(c.first_ms),
            ]
        };
        let rows: Vec<_> = vitals.channels.iter().map(row).collect();
        let mut out = style.table(&["channel", "latest", "age", "at", "samples", "since"], &rows);
        for cover in vitals.streams.iter().filter(|cover| !cover.missing.is_empty()) {
            let missing: u64 = cover.missing.iter().map(|(from, to)| to - from).sum();
            let what = format!("{missing} samples of stream {} are not here", printable(&cover.stream));
            out += &style.check(false, &format!("{what}: not mined yet, or sealed under a key that is gone"));
        }
        for refused in &vitals.refused {
            out += &style.check(false, &format!("record {}: {}", refused.record_id, printable(&refused.why)));
        }
        out + "\nNot a medical device. `medring phr show --csv` gives every sample.\n"
    }
}

/// `medring phr show`.
pub(super) fn run(args: &ShowArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    // An overview needs no sample but the latest of each channel, which comes along.
    let all = args.csv || context.output.is_json();
    let vitals = fetch(args, &target, all)?;
    if args.csv {
        context.output.raw(csv(&vitals).as_bytes());
    } else {
        context.output.report(&VitalsReport { vitals, now_ms: now_ms()? });
    }
    Ok(Exit::Ok)
}

fn fetch(args: &ShowArgs, target: &Target, all: bool) -> Outcome<VitalsResponse> {
    let path = format!("/v1/groups/{}/vitals", target.info.status.group);
    let get = |limit: usize, channel: Option<&str>, after: Option<&str>| -> Outcome<VitalsResponse> {
        let mut query = format!("{path}?limit={limit}");
        for (name, ms) in [("from", args.from), ("to", args.to)] {
            if let Some(ms) = ms {
                let _ = write!(query, "&{name}={ms}");
            }
        }
        for (name, text) in [("channel", channel), ("after", after)] {
            if let Some(text) = text {
                let _ = write!(query, "&{name}={text}");
            }
        }
        Ok(target.client.get(&query)?)
    };
    let first = get(1, None, None)?;
    let channel = args.channel.as_ref().map(|wanted| code(wanted, &first.channels)).transpose()?;
    if !all {
        let mut first = first;
        first.channels.retain(|c| channel.as_ref().is_none_or(|code| c.channel == *code));
        return Ok(first);
    }
    let mut whole = get(PAGE, channel.as_deref(), None)?;
    while let Some(next) = whole.next.take() {
        let page = get(PAGE, channel.as_deref(), Some(&next))?;
        whole.samples.extend(page.samples);
        whole.next = page.next;
        if whole.samples.len() > SAMPLES_MAX {
            let what = format!("more than {SAMPLES_MAX} samples; ask for less with --from and --to");
            return Err(Failure::new(Exit::Usage, what));
        }
    }
    Ok(whole)
}

/// The code of a channel that was named by code or name.
fn code(wanted: &str, channels: &[ChannelInfo]) -> Outcome<String> {
    let found = channels.iter().find(|c| c.channel == wanted || c.name == wanted);
    found.map(|c| c.channel.clone()).ok_or_else(|| {
        let all: Vec<&str> = channels.iter().map(|c| c.channel.as_str()).collect();
        let what = format!("no channel is called {wanted:?}; there are: {}", printable(&all.join(", ")));
        Failure::new(Exit::NotSo, what)
    })
}

/// A row for each time, a column for each channel. What was measured twice at one time takes two rows.
fn csv(vitals: &VitalsResponse) -> String {
    let shown = |c: &&ChannelInfo| vitals.samples.iter().any(|s| is_of(s, c));
    let channels: Vec<&ChannelInfo> = vitals.channels.iter().filter(shown).collect();
    let title = |c: &&ChannelInfo| field(if c.name.is_empty() { &c.channel } else { &c.name });
    let titles: Vec<String> = channels.iter().map(title).collect();
    let mut out = format!("time,{}\n", titles.join(","));
    let mut rows: BTreeMap<(u64, usize), Vec<&str>> = BTreeMap::new();
    for sample in &vitals.samples {
        let Some(column) = channels.iter().position(|c| is_of(sample, c)) else { continue };
        let free = (0..).find(|n| rows.get(&(sample.time_ms, *n)).is_none_or(|row| row[column].is_empty()));
        let row = rows.entry((sample.time_ms, free.unwrap_or(0))).or_insert_with(|| vec![""; channels.len()]);
        row[column] = &sample.value;
    }
    for ((time_ms, _), row) in rows {
        let _ = writeln!(out, "{},{}", instant(time_ms), row.join(","));
    }
    out
}

fn is_of(sample: &SampleOut, channel: &ChannelInfo) -> bool {
    sample.channel == channel.channel && sample.unit == channel.unit
}

/// A field of a CSV.
fn field(text: &str) -> String {
    let text = printable(text);
    let plain = text.chars().all(|c| !matches!(c, ',' | '"' | '\n' | '\r'));
    if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
