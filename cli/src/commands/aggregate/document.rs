//! An aggregate for people: the sections of its Composition, each entry in a line.

use crate::output::{Style, printable};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Entries of one section that are shown, unless all are wished.
const ENTRIES_SHOWN: usize = 8;
/// Longest line of an entry, characters.
const LINE_CHARS_MAX: usize = 110;

/// The document as it was sealed.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Document(Value);

impl Document {
    /// From its bytes; nothing is taken for granted but that they are JSON.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self)
    }

    /// Its sections; with `all` every entry of them.
    pub(super) fn text(&self, style: Style, all: bool) -> String {
        let entries: Vec<&Value> = list(&self.0["entry"]).collect();
        let by_url: BTreeMap<&str, &Value> =
            entries.iter().filter_map(|e| Some((e["fullUrl"].as_str()?, &e["resource"]))).collect();
        let composition = entries.first().map_or(&Value::Null, |e| &e["resource"]);
        let mut out = String::new();
        if let Some(date) = composition["date"].as_str() {
            let _ = writeln!(out, "as of {}, from {}", line(date), sources(composition));
        }
        for section in list(&composition["section"]) {
            let _ = writeln!(out, "\n{}", style.strong(&title(section)));
            if list(&section["section"]).next().is_none() {
                out += &rows(section, &by_url, "  ", all);
                continue;
            }
            // Rows of Table 1 without entries say nothing to a person.
            for row in list(&section["section"]).filter(|row| row["emptyReason"].is_null() || left_out(row) > 0) {
                let _ = writeln!(out, "  {}", title(row));
                out += &rows(row, &by_url, "    ", all);
            }
        }
        let left_out = left_out(composition);
        if left_out > 0 {
            let _ = writeln!(out, "\n{left_out} more resources did not fit and stay in the sources alone.");
        }
        out
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn title(section: &Value) -> String {
    line(section["title"].as_str().unwrap_or("?"))
}

/// `EHR 1a2b3c4d, EMR …`.
fn sources(composition: &Value) -> String {
    let source = |relation: &Value| {
        let target = &relation["targetIdentifier"];
        let kind = target["type"]["text"].as_str().unwrap_or("?");
        let id = target["value"].as_str().and_then(|v| v.strip_prefix("urn:medring:record:")).unwrap_or("?");
        line(&format!("{kind} {}", id.get(..8).unwrap_or(id)))
    };
    list(&composition["relatesTo"]).map(source).collect::<Vec<_>>().join(", ")
}

fn left_out(element: &Value) -> u64 {
    let counted = list(&element["extension"]).find(|e| e["url"] == "urn:medring:left-out");
    counted.and_then(|e| e["valueUnsignedInt"].as_u64()).unwrap_or(0)
}

/// The entries of a section, a line each.
fn rows(section: &Value, by_url: &BTreeMap<&str, &Value>, indent: &str, all: bool) -> String {
    let mut out = String::new();
    let references: Vec<_> = list(&section["entry"]).filter_map(|e| e["reference"].as_str()).collect();
    let shown = if all { references.len() } else { ENTRIES_SHOWN };
    for reference in references.iter().take(shown) {
        let _ = writeln!(out, "{indent}{}", by_url.get(reference).map_or_else(|| line(reference), |r| words(r)));
    }
    if references.len() > shown {
        let _ = writeln!(out, "{indent}and {} more; --all shows them", references.len() - shown);
    }
    match (left_out(section), references.is_empty()) {
        (0, true) => out += &format!("{indent}none\n"),
        (0, false) => {}
        (n, _) => out += &format!("{indent}{n} did not fit and stay in the sources\n"),
    }
    out
}

/// A resource in a line: what it is, what it says, how it stands, when.
fn words(resource: &Value) -> String {
    if resource["resourceType"] == "DetectedIssue" {
        return line(resource["detail"].as_str().unwrap_or("?"));
    }
    if list(&resource["interpretation"]).any(|i| i["coding"][0]["system"] == "urn:medring:trend") {
        return vital_sign(resource);
    }
    let mut parts = vec![name(resource)];
    parts.extend(value(resource));
    for component in list(&resource["component"]) {
        let said = value(component).map(|value| format!("{} {value}", concept(&component["code"]).unwrap_or_default()));
        parts.extend(said);
    }
    parts.extend(status(resource));
    parts.extend(when(resource));
    line(&parts.join(", "))
}

/// A vital sign of the document's own making: the latest value, and where it comes from.
fn vital_sign(resource: &Value) -> String {
    let part = |wanted: &str| list(&resource["component"]).find(|c| c["code"]["text"] == wanted);
    let said = |wanted: &str| part(wanted).and_then(value).unwrap_or_default();
    let mut parts = vec![name(resource), value(resource).unwrap_or_default()];
    parts.extend(when(resource));
    if part("values").and_then(|c| c["valueInteger"].as_i64()).is_some_and(|n| n > 1) {
        let number = |wanted: &str| part(wanted).map_or_else(String::new, |c| c["valueQuantity"]["value"].to_string());
        let from = said("from");
        let (min, max, mean, count) = (number("minimum"), number("maximum"), number("mean"), said("values"));
        parts.push(format!("{min} to {max}, mean {mean} of {count} since {}", from.get(..10).unwrap_or(&from)));
        let trend = list(&resource["interpretation"]).filter_map(concept).filter(|trend| trend != "too-few-values");
        parts.extend(trend);
    }
    line(&parts.join(", "))
}

fn name(resource: &Value) -> String {
    let kind = resource["resourceType"].as_str().unwrap_or("?");
    if kind == "Patient" {
        return patient(resource);
    }
    let fields = ["code", "vaccineCode", "medicationCodeableConcept", "type", "class", "scope"];
    let coded = fields.iter().find_map(|field| match &resource[*field] {
        Value::Array(several) => several.iter().find_map(concept),
        one => concept(one),
    });
    let texts = ["description", "title", "name", "display"];
    let text = || texts.iter().find_map(|field| resource[*field].as_str().map(str::to_owned));
    coded.or_else(text).unwrap_or_else(|| kind.to_owned())
}

fn patient(resource: &Value) -> String {
    let name = &resource["name"][0];
    let mut parts: Vec<&str> = list(&name["given"]).filter_map(Value::as_str).collect();
    parts.extend(name["family"].as_str());
    let full = name["text"].as_str().map_or_else(|| parts.join(" "), str::to_owned);
    let rest = ["gender", "birthDate"].iter().filter_map(|field| resource[*field].as_str());
    std::iter::once(full.as_str()).chain(rest).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The text of a CodeableConcept or Coding, else what its first code is displayed as, else that code.
fn concept(value: &Value) -> Option<String> {
    let coding = if value["coding"].is_array() { &value["coding"][0] } else { value };
    let found = value["text"].as_str().or(coding["display"].as_str()).or(coding["code"].as_str())?;
    Some(found.to_owned())
}

fn value(element: &Value) -> Option<String> {
    let quantity = &element["valueQuantity"];
    if let Some(number) = quantity["value"].as_number() {
        let unit = quantity["unit"].as_str().or(quantity["code"].as_str()).unwrap_or_default();
        return Some(format!("{number} {unit}").trim().to_owned());
    }
    let plain = ["valueString", "valueDateTime"].iter().find_map(|field| element[*field].as_str().map(str::to_owned));
    let number = || element["valueInteger"].as_i64().map(|n| n.to_string());
    concept(&element["valueCodeableConcept"]).or(plain).or_else(number)
}

fn status(resource: &Value) -> Option<String> {
    let clinical = concept(&resource["clinicalStatus"]);
    let status = resource["status"].as_str().filter(|status| !["final", "completed", "current"].contains(status));
    clinical.or_else(|| status.map(str::to_owned))
}

/// The day.
fn when(resource: &Value) -> Option<String> {
    let fields = [
        "effectiveDateTime",
        "performedDateTime",
        "occurrenceDateTime",
        "onsetDateTime",
        "recordedDate",
        "authoredOn",
        "date",
    ];
    let periods = ["effectivePeriod", "performedPeriod", "period"];
    let one = fields.iter().find_map(|field| resource[*field].as_str());
    let found = one.or_else(|| periods.iter().find_map(|field| resource[*field]["start"].as_str()))?;
    Some(found.get(..10).unwrap_or(found).to_owned())
}

/// Text from a record, fit for one line of a terminal.
fn line(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= LINE_CHARS_MAX {
        return text;
    }
    text.chars().take(LINE_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::aggregate::{Source, aggregate};
    use medring_protocol::fhir::{self, Bundle};
    use medring_protocol::record::Kind;
    use medring_protocol::{ParticipantId, RecordId};

    /// The aggregate of a committed patient.
    fn document() -> Document {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/samples/fhir/type2_diabetes-6-0000.json");
        let parts = fhir::split(&Bundle::parse(&std::fs::read(path).unwrap()).unwrap());
        let parts = [(Kind::Ehr, parts.ehr), (Kind::Emr, parts.emr), (Kind::Phr, parts.phr)];
        let parts: Vec<_> = parts.into_iter().filter_map(|(kind, part)| Some((kind, part?))).collect();
        let sources: Vec<_> = (1..)
            .zip(&parts)
            .map(|(n, (kind, bundle))| Source {
                record: RecordId([n; 32]),
                kind: *kind,
                uploader: ParticipantId([n; 32]),
                bundle,
            })
            .collect();
        Document::parse(&aggregate(&ParticipantId([7; 32]), &sources).unwrap()).unwrap()
    }

    #[test]
    fn sections_are_shown_with_their_entries_and_nothing_empty() {
        let document = document();
        let (short, all) = (document.text(Style::plain(), false), document.text(Style::plain(), true));
        for title in ["EHR", "EMR", "Latest vital signs", "Conflicts between the records"] {
            assert!(short.lines().any(|line| line == title), "{title} is not in\n{short}");
        }
        assert!(short.contains("from EHR 01010101") && !all.contains("--all"), "{short}");
        assert!(all.lines().count() > short.lines().count() && all.lines().all(|l| l.chars().count() <= 120), "{all}");
        // Every entry of the sections is a line of its own.
        let entries: usize = list(&document.0["entry"][0]["resource"]["section"])
            .flat_map(|s| std::iter::once(s).chain(list(&s["section"])))
            .map(|s| list(&s["entry"]).count())
            .sum();
        let said =
            all.lines().filter(|line| line.starts_with("    ") || line.starts_with("  ") && !line.ends_with("none"));
        assert!(entries > 20 && said.count() >= entries, "{entries} entries in\n{all}");
    }

    #[test]
    fn a_document_that_is_none_is_shown_without_harm() {
        for text in ["null", "[]", r#"{"entry":[{"resource":{"section":[{"title":"\u001b[2J"}],"date":"x"}}]}"#] {
            let shown = Document::parse(text.as_bytes()).unwrap().text(Style::plain(), true);
            assert!(!shown.contains('\x1b'), "{shown}");
        }
    }
}
