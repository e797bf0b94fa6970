//! The fields of policy `paper`: what the paper publishes (physiological information, condition, advice), for
//! demonstration; even here direct identifiers are kept out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Input, identifying_strings};
use crate::{
    fhir::{Bundle, Topic, str_at, topic},
    vitals::{Recording, known_name},
};

/// Lines of one list.
const LINES_MAX: usize = 32;
/// Characters of one line.
const LINE_CHARS_MAX: usize = 120;

/// The paper's three lists.
pub(super) fn members(input: Input<'_>) -> Vec<(String, Value)> {
    let [physiological, condition, advice] = match input {
        Input::Bundle(bundle) => of_bundle(bundle),
        Input::Vitals(recording) => [of_vitals(recording), Vec::new(), Vec::new()],
        Input::Nothing => [const { Vec::new() }; 3],
    };
    let list = |lines: Vec<String>| json!(lines);
    vec![
        ("physiological".to_owned(), list(physiological)),
        ("condition".to_owned(), list(condition)),
        ("advice".to_owned(), list(advice)),
    ]
}

/// Names of codes only, never free text, and none that holds a string of an identifying field.
fn of_bundle(bundle: &Bundle) -> [Vec<String>; 3] {
    let secret = identifying_strings(bundle);
    let mut latest: BTreeMap<&str, (&str, String)> = BTreeMap::new();
    let (mut condition, mut advice) = (BTreeSet::new(), BTreeSet::new());
    for entry in bundle.entries() {
        let value = entry.resource.value();
        match topic(&entry.resource) {
            Topic::VitalSign | Topic::Laboratory => observed(value, &mut latest),
            Topic::Diagnosis | Topic::PastIllness | Topic::Allergy => condition.extend(display(&value["code"])),
            Topic::Medication => advice.extend(display(&value["medicationCodeableConcept"])),
            Topic::TreatmentPlan => {
                let categories = value.get("category").and_then(Value::as_array).into_iter().flatten();
                advice.extend(categories.filter_map(display));
            }
            _ => {}
        }
    }
    let physiological: BTreeSet<String> = latest.into_values().map(|(_, line)| line).collect();
    let owned = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
    [physiological, owned(condition), owned(advice)].map(|lines: BTreeSet<String>| {
        lines.into_iter().filter(|line| is_line(line) && !holds_any(line, &secret)).take(LINES_MAX).collect()
    })
}

fn holds_any(line: &str, secret: &BTreeSet<String>) -> bool {
    let line = line.to_lowercase();
    secret.iter().any(|s| line.contains(&s.to_lowercase()))
}

/// Keeps the newest value of each code.
fn observed<'a>(value: &'a Value, latest: &mut BTreeMap<&'a str, (&'a str, String)>) {
    let quantity = &value["valueQuantity"];
    let (Some(name), Some(number)) = (display(&value["code"]), quantity["value"].as_f64()) else {
        return;
    };
    let when = str_at(value, "effectiveDateTime").unwrap_or_default();
    let line = format!("{name}: {number:.1} {}", str_at(quantity, "code").unwrap_or_default());
    match latest.get(name) {
        Some((known, _)) if *known >= when => {}
        _ => drop(latest.insert(name, (when, line.trim_end().to_owned()))),
    }
}

/// The name the code system gives the first code of a concept.
fn display(concept: &Value) -> Option<&str> {
    str_at(concept.get("coding")?.get(0)?, "display")
}

fn of_vitals(recording: &Recording) -> Vec<String> {
    let lines = recording.signals().iter().filter_map(|signal| {
        let (stats, name) = (signal.stats()?, known_name(&signal.channel)?);
        let unit = &signal.channel.unit;
        Some(format!("{name}: {} {unit} (mean {}, {} to {})", stats.latest, stats.mean, stats.min, stats.max))
    });
    lines.filter(|line| is_line(line)).take(LINES_MAX).collect()
}

/// A list of at most 32 lines.
pub(super) fn is_list(value: &Value) -> bool {
    let Some(list) = value.as_array() else {
        return false;
    };
    list.len() <= LINES_MAX && list.iter().all(|line| line.as_str().is_some_and(is_line))
}

/// A short line without what addresses, links, dates, telephone or document numbers are made of.
fn is_line(line: &str) -> bool {
    let lower = line.to_lowercase();
    let marks = ["@", "://", "urn:", "www.", "uuid"];
    line.chars().count() <= LINE_CHARS_MAX
        && !line.chars().any(char::is_control)
        && !marks.iter().any(|m| lower.contains(m))
        && !has_number_like_an_identifier(&lower)
}

/// Five digits in one run, or seven in one word joined by dashes or slashes (dates, telephone numbers, UUIDs).
fn has_number_like_an_identifier(line: &str) -> bool {
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let longest_run = line.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let longest_word = line.split_whitespace().filter(|w| w.contains(['-', '/'])).map(digits).max().unwrap_or(0);
    longest_run >= 5 || longest_word >= 7
}
