//! What two records can contradict each other in: the facts of a resource, with a key that is equal for the same thing.

use serde_json::{Value, json};

use super::items::{Item, Items, Target};
use super::when::when;
use crate::fhir::{codes, str_at};

/// LOINC codes of blood groups: a person has one, whenever it was determined.
const BLOOD_GROUPS: [&str; 3] = ["882-1", "883-9", "10331-7"];

/// A statement about one thing.
pub(super) struct Fact {
    /// What sort of thing, for example `medication`; the conflict's code begins with it.
    pub(super) sort: &'static str,
    /// Equal for the same thing.
    pub(super) key: String,
    /// What people call it.
    pub(super) label: String,
    /// What is said: aspect, and the value said of it.
    pub(super) says: Vec<(&'static str, String)>,
    /// When it was said; of two statements in one record the newer counts.
    pub(super) when: Option<i64>,
}

/// The facts of one resource; none for what was entered in error or cannot contradict.
pub(super) fn facts(items: &Items<'_>, item: &Item<'_>) -> Vec<Fact> {
    let value = item.resource.value();
    let in_error = str_at(value, "status").is_some_and(|s| matches!(s, "entered-in-error" | "cancelled"))
        || code_of(&value["verificationStatus"]).as_deref() == Some("entered-in-error");
    if in_error {
        return Vec::new();
    }
    let one = |sort, (key, label): (String, String), says| vec![Fact { sort, key, label, says, when: when(value) }];
    match item.resource.resource_type() {
        "Patient" if items.subject_of(item.source).is_some() => {
            one("profile", (String::new(), "the patient".to_owned()), profile(value))
        }
        "AllergyIntolerance" => concept(&value["code"]).map_or_else(Vec::new, |c| one("allergy", c, allergy(value))),
        "Condition" => concept(&value["code"])
            .map_or_else(Vec::new, |c| one("condition", c, coded(value, &["clinicalStatus", "verificationStatus"]))),
        "MedicationRequest" | "MedicationStatement" => {
            medicine(items, item).map_or_else(Vec::new, |c| one("medication", c, medication(value)))
        }
        "Immunization" => concept(&value["vaccineCode"]).map_or_else(Vec::new, |(key, label)| {
            let day = str_at(value, "occurrenceDateTime").and_then(|d| d.get(..10)).unwrap_or_default();
            one("immunization", (format!("{key} {day}"), label), plain(value, &["status"]))
        }),
        "Observation" => observation(value),
        _ => Vec::new(),
    }
}

fn observation(value: &Value) -> Vec<Fact> {
    let Some((key, label)) = concept(&value["code"]) else {
        return Vec::new();
    };
    let lasting = codes(&value["code"]).any(|(s, c)| s == "http://loinc.org" && BLOOD_GROUPS.contains(&c));
    let (sort, time) = if lasting {
        ("blood-group", String::new())
    } else {
        // Two readings of one moment can contradict; two readings of different moments are a course.
        match str_at(value, "effectiveDateTime").or_else(|| str_at(value, "effectiveInstant")) {
            Some(time) => ("observation", super::when::parse(time).map_or(time.to_owned(), |ms| ms.to_string())),
            None => return Vec::new(),
        }
    };
    let components = value.get("component").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let parts = components.iter().filter_map(|c| concept(&c["code"]).map(|(k, l)| (c, format!("{key} {k}"), l)));
    std::iter::once((value, key.clone(), label.clone()))
        .chain(parts)
        .filter_map(|(part, key, label)| {
            let says = vec![("value", measured(part)?)];
            Some(Fact { sort, key: format!("{key} {time}"), label, says, when: when(value) })
        })
        .collect()
}

/// `value[x]` of an observation or component, so that equal values are equal text. Sample series do not take part.
fn measured(part: &Value) -> Option<String> {
    let (name, value) =
        part.as_object()?.iter().filter(|(n, _)| n.starts_with("value")).min_by_key(|(name, _)| name.as_str())?;
    match name.as_str() {
        "valueSampledData" => None,
        "valueQuantity" => {
            let unit = str_at(value, "code").or_else(|| str_at(value, "unit")).unwrap_or_default();
            Some(format!("{} {unit}", text_of(value.get("value")?)?).trim_end().to_owned())
        }
        "valueCodeableConcept" => concept(value).map(|(key, _)| key),
        _ => text_of(value),
    }
}

fn profile(value: &Value) -> Vec<(&'static str, String)> {
    let mut says = plain(value, &["birthDate", "gender"]);
    let died = value.get("deceasedDateTime").map(|_| true);
    if let Some(died) = died.or_else(|| value.get("deceasedBoolean")?.as_bool()) {
        says.push(("deceased", if died { "yes" } else { "no" }.to_owned()));
    }
    says
}

fn allergy(value: &Value) -> Vec<(&'static str, String)> {
    let mut says = coded(value, &["clinicalStatus", "verificationStatus"]);
    says.extend(plain(value, &["criticality"]));
    says
}

fn medication(value: &Value) -> Vec<(&'static str, String)> {
    let mut says = plain(value, &["status"]);
    let dosage = value.get("dosageInstruction").or_else(|| value.get("dosage")).and_then(Value::as_array);
    if let Some(dosage) = dosage.filter(|d| !d.is_empty()) {
        let strip = |d: &Value| {
            let mut d = d.clone();
            if let Some(members) = d.as_object_mut() {
                members.remove("sequence");
                members.remove("id");
            }
            d
        };
        says.extend(text_of(&dosage.iter().map(strip).collect()).map(|text| ("dosage", text)));
    }
    says
}

/// The code of a medication, its own or that of the Medication it refers to.
fn medicine(items: &Items<'_>, item: &Item<'_>) -> Option<(String, String)> {
    let value = item.resource.value();
    if let Some(found) = concept(&value["medicationCodeableConcept"]) {
        return Some(found);
    }
    let reference = str_at(&value["medicationReference"], "reference")?;
    match items.resolve(item.source, reference) {
        Target::Item(i) => concept(&items.list[i].resource.value()["code"]),
        _ => None,
    }
}

/// Key and label of a CodeableConcept: the key is the smallest of its `system|code`, or else its text in lower case.
pub(super) fn concept(value: &Value) -> Option<(String, String)> {
    let smallest = codes(value).map(|(system, code)| format!("{system}|{code}")).min();
    let display = || value["coding"].as_array()?.iter().find_map(|c| str_at(c, "display"));
    let text = str_at(value, "text").or_else(display).map(str::trim).filter(|t| !t.is_empty());
    let key = smallest.or_else(|| text.map(|t| format!("text:{}", t.to_lowercase())))?;
    Some((key.clone(), text.map_or(key, str::to_owned)))
}

/// The code of a concept of which only the code counts, such as a status.
pub(super) fn code_of(value: &Value) -> Option<String> {
    codes(value).map(|(_, code)| code.to_owned()).min()
}

fn coded(value: &Value, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().filter_map(|name| Some((*name, code_of(&value[*name])?))).collect()
}

fn plain(value: &Value, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().filter_map(|name| Some((*name, str_at(value, name)?.to_owned()))).collect()
}

/// A string as it is, anything else in canonical JSON.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        other => String::from_utf8(super::canonical(&json!(other)).ok()?).ok(),
    }
}
