//! The latest vital signs and where they are going: exact sums, no float, the same on every machine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::items::{Item, Items};
use super::merge::Merged;
use super::{AggregateError, TRENDS_MAX, VALUES_MAX, when};
use crate::fhir::{Bundle, Entry, Topic, codes, str_at};
use crate::vitals::{Channel, Decimal, LOINC, Recording, Signal, Stats, known_name};

/// Values from which a trend is told; half of them on each side.
const TREND_VALUES_MIN: usize = 4;
/// Signals sampled faster than this are waves, of which a mean says nothing.
const PERIOD_NS_MIN: u64 = 1_000_000_000;
const NANOS: i128 = 1_000_000_000;

/// The least difference between two means that counts as a change, in billionths of the unit: LOINC code, unit, step.
/// A convention of this specification, not a clinical judgement.
const STEPS: [(&str, &str, i128); 11] = [
    ("8867-4", "/min", 5 * NANOS),
    ("8889-8", "/min", 5 * NANOS),
    ("9279-1", "/min", 2 * NANOS),
    ("2708-6", "%", 2 * NANOS),
    ("59408-5", "%", 2 * NANOS),
    ("8310-5", "Cel", 3 * NANOS / 10),
    ("8480-6", "mm[Hg]", 5 * NANOS),
    ("8462-4", "mm[Hg]", 5 * NANOS),
    ("8478-0", "mm[Hg]", 5 * NANOS),
    ("29463-7", "kg", NANOS),
    ("39156-5", "kg/m2", 5 * NANOS / 10),
];

/// Where a vital sign is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Rising,
    Falling,
    Steady,
    /// Fewer than four values.
    Unknown,
}

/// One vital sign over all sources.
pub(super) struct Trend {
    pub(super) channel: Channel,
    /// What people call it.
    pub(super) name: String,
    pub(super) stats: Stats,
    /// First and last value, in milliseconds since 1970.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) direction: Direction,
    /// The item of the latest value, then those of all others that gave one.
    pub(super) items: Vec<usize>,
}

/// What identifies a series: code system, code, unit.
type Key = (String, String, String);

#[derive(Default)]
struct Series {
    name: String,
    /// Time, value, item.
    values: Vec<(u64, Decimal, usize)>,
}

/// The vital signs of all sources by code system, code and unit. Merged duplicates count once, as does a value that
/// overlapping recordings give twice for one moment.
pub(super) fn trends(items: &Items<'_>, merged: &Merged) -> Result<Vec<Trend>, AggregateError> {
    let mut all: BTreeMap<Key, Series> = BTreeMap::new();
    let mut count = 0;
    for class in &merged.classes {
        let Some((i, item)) = class.places.first().and_then(|&i| Some((i, items.list.get(i)?))) else {
            continue;
        };
        for (channel, values) in readings(item) {
            count += values.len();
            if count > VALUES_MAX {
                return Err(AggregateError::TooLarge { what: "vital signs", limit: VALUES_MAX });
            }
            let series = all.entry((channel.system.clone(), channel.code.clone(), channel.unit.clone())).or_default();
            if series.name.is_empty() {
                series.name = known_name(&channel).map_or(channel.name, str::to_owned);
            }
            series.values.extend(values.into_iter().map(|(time, value)| (time, value, i)));
        }
    }
    Ok(all.into_iter().filter_map(|(key, series)| trend(key, series)).take(TRENDS_MAX).collect())
}

fn trend((system, code, unit): Key, mut series: Series) -> Option<Trend> {
    series.values.sort_unstable();
    series.values.dedup_by(|a, b| a.0 == b.0 && a.1.nanos() == b.1.nanos());
    let channel = Channel { name: series.name.clone(), system, code, unit };
    let samples: Vec<Option<Decimal>> = series.values.iter().map(|(_, value, _)| Some(*value)).collect();
    let direction = direction(&channel, &samples);
    let stats = Signal { channel: channel.clone(), samples }.stats()?;
    let (from_ms, (to_ms, _, latest)) = (series.values.first()?.0, *series.values.last()?);
    let others: BTreeSet<usize> = series.values.iter().map(|(_, _, i)| *i).filter(|i| *i != latest).collect();
    let items = std::iter::once(latest).chain(others).collect();
    Some(Trend { channel, name: series.name, stats, from_ms, to_ms, direction, items })
}

/// The newer half's mean against the older half's; of an odd number the middle value counts on neither side.
fn direction(channel: &Channel, samples: &[Option<Decimal>]) -> Direction {
    let values: Vec<i128> = samples.iter().flatten().map(|v| v.nanos()).collect();
    if values.len() < TREND_VALUES_MIN {
        return Direction::Unknown;
    }
    let half = values.len() / 2;
    let (older, newer): (i128, i128) = (values.iter().take(half).sum(), values.iter().rev().take(half).sum());
    let known =
        STEPS.iter().find(|(code, unit, _)| channel.system == LOINC && channel.code == *code && channel.unit == *unit);
    // Sums instead of means: both sides times half. Without a step of its own a sign changes by a twentieth.
    let (change, step) = match known.zip(i128::try_from(half).ok()) {
        Some(((_, _, step), half)) => (newer - older, step * half),
        None => (20 * (newer - older), older.abs()),
    };
    if change == 0 || change.abs() < step {
        Direction::Steady
    } else if change > 0 {
        Direction::Rising
    } else {
        Direction::Falling
    }
}

/// What an Observation of a vital sign measured, with times.
fn readings(item: &Item<'_>) -> Vec<(Channel, Vec<(u64, Decimal)>)> {
    let value = item.resource.value();
    let in_error = str_at(value, "status").is_some_and(|s| matches!(s, "entered-in-error" | "cancelled"));
    if in_error || item.resource.resource_type() != "Observation" {
        return Vec::new();
    }
    if !matches!(item.topic, Topic::VitalSign | Topic::BloodPressure) {
        return Vec::new();
    }
    let alone = Bundle::collection(vec![Entry { full_url: None, resource: item.resource.clone() }]);
    if let Ok(recording) = Recording::from_fhir(&alone) {
        return if recording.period_ns() < PERIOD_NS_MIN { Vec::new() } else { sampled(&recording) };
    }
    let Some(time) =
        when::when(value).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms < crate::vitals::YEAR_10000_MS)
    else {
        return Vec::new();
    };
    let components = value.get("component").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    std::iter::once(value)
        .chain(components)
        .filter_map(|part| {
            let quantity = part.get("valueQuantity")?;
            Some((channel(part, quantity)?, vec![(time, decimal(quantity.get("value")?)?)]))
        })
        .collect()
}

fn sampled(recording: &Recording) -> Vec<(Channel, Vec<(u64, Decimal)>)> {
    let signals = recording.signals().iter();
    signals
        .map(|signal| {
            let present =
                signal.samples.iter().enumerate().filter_map(|(row, s)| Some((recording.time_ms(row), (*s)?)));
            (signal.channel.clone(), present.collect())
        })
        .collect()
}

/// The LOINC code if there is one, else the first; a vital sign without a code has no series.
fn channel(part: &Value, quantity: &Value) -> Option<Channel> {
    let coded: Vec<(&str, &str)> = codes(&part["code"]).collect();
    let (system, code) = coded.iter().find(|(s, _)| *s == LOINC).or(coded.first())?;
    let name = str_at(&part["code"], "text").unwrap_or(code);
    let unit = str_at(quantity, "code").or_else(|| str_at(quantity, "unit")).unwrap_or_default();
    Some(Channel {
        name: name.to_owned(),
        system: (*system).to_owned(),
        code: (*code).to_owned(),
        unit: unit.to_owned(),
    })
}

/// A JSON number as a decimal, cut after nine digits behind the point; none if it has an exponent or too many digits.
fn decimal(value: &Value) -> Option<Decimal> {
    let text = value.as_number()?.to_string();
    let text = match text.split_once('.') {
        Some((whole, part)) if part.len() > 9 => format!("{whole}.{}", part.get(..9)?),
        _ => text,
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str, unit: &str, values: &[&str]) -> Direction {
        let samples: Vec<Option<Decimal>> = values.iter().map(|v| Some(v.parse().unwrap())).collect();
        direction(&Channel::loinc("x", code, unit), &samples)
    }

    #[test]
    fn a_trend_compares_the_means_of_two_halves_exactly() {
        let temperature = |values: &[&str]| told("8310-5", "Cel", values);
        assert_eq!(temperature(&["36.6", "36.6", "36.9", "36.9"]), Direction::Rising, "0.3 is the step");
        assert_eq!(temperature(&["36.6", "36.6", "36.9", "36.899999999"]), Direction::Steady, "just below it");
        assert_eq!(temperature(&["36.9", "36.9", "36.6", "36.6"]), Direction::Falling);
        assert_eq!(
            temperature(&["36.6", "36.6", "99", "36.6", "36.6"]),
            Direction::Steady,
            "the middle one is on no side"
        );
        assert_eq!(temperature(&["36.6", "36.6", "40"]), Direction::Unknown, "three values are too few");
        // Another unit, another code: a twentieth of the older mean.
        assert_eq!(told("8310-5", "[degF]", &["100", "100", "105", "105"]), Direction::Rising);
        assert_eq!(told("8310-5", "[degF]", &["100", "100", "104.9", "105"]), Direction::Steady);
        assert_eq!(told("1-1", "1", &["0", "0", "0", "0"]), Direction::Steady);
        assert_eq!(told("1-1", "1", &["-10", "-10", "-11", "-11"]), Direction::Falling);
    }
}
