//! The fields of policy `coarse`: how each is taken from a record, and the closed set its value comes from.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Field, Input};
use crate::{
    fhir::{Bundle, Topic, codes, str_at, topic},
    vitals::{Decimal, Recording},
};

const AGE_BANDS: [&str; 10] = ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+"];
/// Chapters of ICD-10 (I to XXII) by their first and last block.
const CHAPTERS: [&str; 22] = [
    "A00-B99", "C00-D48", "D50-D89", "E00-E90", "F00-F99", "G00-G99", "H00-H59", "H60-H95", "I00-I99", "J00-J99",
    "K00-K93", "L00-L99", "M00-M99", "N00-N99", "O00-O99", "P00-P96", "Q00-Q99", "R00-R99", "S00-T98", "U00-U99",
    "V01-Y98", "Z00-Z99",
];
/// Codes statistics may name: LOINC vital signs, and the pulse wave of ISO 11073.
const SIGNALS: [&str; 12] = [
    "150452", "2708-6", "59408-5", "8310-5", "8462-4", "8478-0", "8480-6", "8867-4", "8889-8", "9279-1", "29463-7",
    "39156-5",
];
/// Rounding step of the values, and of the coverage in percent.
const STEP: i64 = 5;
const COVERAGE_STEP: i64 = 10;
/// Statistics stay within ± this; what lies outside is no vital sign and is left out.
const STAT_MAX: i64 = 10_000;

/// The members `field` adds to m; none where the input does not tell.
pub(super) fn members(field: Field, input: Input<'_>) -> Vec<(String, Value)> {
    let one = |name: &str, value: Option<Value>| value.map(|v| (name.to_owned(), v)).into_iter().collect();
    match (field, input) {
        (Field::AgeBand, Input::Bundle(b)) => one("age_band", age_band(b).map(Value::from)),
        (Field::Year, Input::Bundle(b)) => one("year", newest_year(b).map(Value::from)),
        (Field::Year, Input::Vitals(r)) => one("year", year_of(&crate::vitals::instant(r.start_ms())).map(Value::from)),
        (Field::Categories, Input::Bundle(b)) => {
            let chapters = chapters(b);
            let chapters = (!chapters.is_empty()).then(|| json!(chapters));
            let mut members: Vec<_> = one("icd10", chapters);
            members.push(("categories".to_owned(), json!(categories(b))));
            members
        }
        (Field::WindowStats, Input::Vitals(r)) => one("stats", Some(stats(r))),
        _ => Vec::new(),
    }
}

/// A topic's name in m; None for what says nothing about health.
const fn category(topic: Topic) -> Option<&'static str> {
    Some(match topic {
        Topic::PastIllness | Topic::Procedure => "history",
        Topic::FamilyHistory => "family_history",
        Topic::Diagnosis => "diagnoses",
        Topic::Laboratory => "laboratory",
        Topic::Medication => "medications",
        Topic::TreatmentPlan | Topic::Diet | Topic::Goal => "plans",
        Topic::Immunization => "immunizations",
        Topic::Allergy => "allergies",
        Topic::Imaging => "imaging",
        Topic::VitalSign | Topic::BloodPressure => "vital_signs",
        Topic::Habits => "habits",
        Topic::Administrative => "administrative",
        Topic::Note => "notes",
        Topic::AdvanceDirective => "directives",
        Topic::Profile | Topic::Supporting | Topic::Other => return None,
    })
}

const CATEGORIES: [&str; 14] = [
    "administrative",
    "allergies",
    "diagnoses",
    "directives",
    "family_history",
    "habits",
    "history",
    "imaging",
    "immunizations",
    "laboratory",
    "medications",
    "notes",
    "plans",
    "vital_signs",
];

fn categories(bundle: &Bundle) -> BTreeSet<&'static str> {
    bundle.entries().iter().filter_map(|e| category(topic(&e.resource))).collect()
}

fn chapters(bundle: &Bundle) -> BTreeSet<&'static str> {
    let conditions = bundle.entries().iter().filter(|e| e.resource.resource_type() == "Condition");
    conditions
        .flat_map(|e| codes(&e.resource.value()["code"]))
        .filter(|(system, _)| system.starts_with("http://hl7.org/fhir/sid/icd-10"))
        .filter_map(|(_, code)| chapter(code))
        .collect()
}

/// The chapter whose blocks hold `code`, by its letter and two characters (`C7A` and the like belong to their letter).
fn chapter(code: &str) -> Option<&'static str> {
    let block = code.get(..3).filter(|b| b.starts_with(|c: char| c.is_ascii_uppercase()))?;
    CHAPTERS.into_iter().find(|range| {
        let (first, last) = range.split_at(4);
        let first = first.trim_end_matches('-');
        (first..=last).contains(&block)
    })
}

fn age_band(bundle: &Bundle) -> Option<&'static str> {
    let patient = bundle.entries().iter().find(|e| e.resource.resource_type() == "Patient")?;
    let born = str_at(patient.resource.value(), "birthDate").and_then(year_of)?;
    let age = newest_year(bundle)?.checked_sub(born)?;
    let band = usize::try_from(age / 10).ok()?;
    AGE_BANDS.get(band.min(AGE_BANDS.len() - 1)).copied()
}

/// The year of the newest thing that was done or seen; plans and expiry dates do not count.
fn newest_year(bundle: &Bundle) -> Option<u64> {
    const MOMENTS: [&str; 9] = [
        "effectiveDateTime",
        "occurrenceDateTime",
        "performedDateTime",
        "onsetDateTime",
        "recordedDate",
        "authoredOn",
        "created",
        "issued",
        "started",
    ];
    const PERIODS: [&str; 3] = ["period", "effectivePeriod", "performedPeriod"];
    let years = bundle.entries().iter().flat_map(|e| {
        let value = e.resource.value();
        let moments = MOMENTS.into_iter().filter_map(move |name| str_at(value, name));
        let periods = PERIODS.into_iter().filter_map(move |name| str_at(&value[name], "start"));
        moments.chain(periods).filter_map(year_of)
    });
    years.filter(|y| YEARS.contains(y)).max()
}

const YEARS: std::ops::RangeInclusive<u64> = 1900..=2199;

fn year_of(date: &str) -> Option<u64> {
    date.get(..4)?.parse().ok().filter(|y| YEARS.contains(y))
}

fn stats(recording: &Recording) -> Value {
    let known = recording.signals().iter().filter(|s| SIGNALS.contains(&s.channel.code.as_str()));
    let rows = known.filter_map(|signal| {
        let stats = signal.stats()?;
        let percent = i128::try_from(stats.present * 100 / stats.total.max(1)).ok()?;
        Some(json!({
            "code": signal.channel.code,
            "coverage": i64::try_from(nearest(percent, i128::from(COVERAGE_STEP))).ok()?,
            "max": rounded(stats.max)?,
            "mean": rounded(stats.mean)?,
            "min": rounded(stats.min)?,
        }))
    });
    rows.collect()
}

fn rounded(value: Decimal) -> Option<i64> {
    const UNIT: i128 = 1_000_000_000;
    let whole = i64::try_from(nearest(value.nanos(), i128::from(STEP) * UNIT) / UNIT).ok()?;
    (whole.abs() <= STAT_MAX).then_some(whole)
}

/// The multiple of `step` nearest to `n`; halves go away from zero.
fn nearest(n: i128, step: i128) -> i128 {
    (2 * n.abs() + step) / (2 * step) * step * n.signum()
}

pub(super) fn is_age_band(value: &Value) -> bool {
    value.as_str().is_some_and(|v| AGE_BANDS.contains(&v))
}

pub(super) fn is_year(value: &Value) -> bool {
    value.as_u64().is_some_and(|y| YEARS.contains(&y))
}

pub(super) fn is_categories(value: &Value) -> bool {
    is_sorted_subset(value, &CATEGORIES)
}

pub(super) fn is_chapters(value: &Value) -> bool {
    is_sorted_subset(value, &CHAPTERS)
}

/// A list without repetition, in order, of strings from `of`: no freedom to hide anything in.
fn is_sorted_subset(value: &Value, of: &[&str]) -> bool {
    let strings: Option<Vec<&str>> = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    strings.is_some_and(|s| s.iter().all(|v| of.contains(v)) && s.is_sorted_by(|a, b| a < b))
}

pub(super) fn is_stats(value: &Value) -> bool {
    let Some(rows) = value.as_array() else {
        return false;
    };
    let mut seen = BTreeSet::new();
    rows.iter().all(|row| {
        let multiple = |name: &str, step: i64| row[name].as_i64().filter(|n| n % step == 0 && n.abs() <= STAT_MAX);
        let values = ["min", "mean", "max"].map(|name| multiple(name, STEP));
        row.as_object().is_some_and(|m| m.len() == 5)
            && str_at(row, "code").is_some_and(|c| SIGNALS.contains(&c) && seen.insert(c))
            && values.iter().all(Option::is_some)
            && values.is_sorted()
            && multiple("coverage", COVERAGE_STEP).is_some_and(|c| (0..=100).contains(&c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icd10_codes_fall_into_their_chapters() {
        for (code, expected) in [
            ("I10", "I00-I99"),
            ("E11.9", "E00-E90"),
            ("C7A.00", "C00-D48"),
            ("D49", "none"),
            ("H60", "H60-H95"),
            ("M54.5", "M00-M99"),
        ] {
            assert_eq!(chapter(code).unwrap_or("none"), expected, "{code}");
        }
        assert_eq!(chapter("i10"), None);
        assert_eq!(chapter("é10"), None);
    }

    #[test]
    fn values_round_to_the_nearest_step() {
        for (n, expected) in [(0, 0), (2, 0), (3, 5), (7, 5), (8, 10), (-3, -5), (-2, 0)] {
            assert_eq!(nearest(n, 5), expected, "{n}");
        }
        assert_eq!(nearest(95, 10), 100);
        for (text, expected) in [("62.4", 60), ("62.5", 65), ("-62.5", -65), ("97.499999999", 95), ("0", 0)] {
            assert_eq!(rounded(text.parse().unwrap()), Some(expected), "{text}");
        }
        assert_eq!(rounded("10003".parse().unwrap()), None);
    }
}
