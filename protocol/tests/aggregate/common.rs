//! Sources made for a test, and looking into a document.

use medring_protocol::aggregate::{AggregateError, Source, aggregate, aggregate_within};
use medring_protocol::fhir::Bundle;
use medring_protocol::record::Kind;
use medring_protocol::{ParticipantId, RecordId};
use serde_json::{Value, json};

pub(crate) const PATIENT: ParticipantId = ParticipantId([7; 32]);

/// An opened record: kind and bundle.
pub(crate) type Opened = (Kind, Bundle);

pub(crate) fn bundle(resources: &[Value]) -> Bundle {
    let entries: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    parsed(&json!({"resourceType": "Bundle", "type": "collection", "entry": entries}))
}

pub(crate) fn parsed(bundle: &Value) -> Bundle {
    Bundle::parse(bundle.to_string().as_bytes()).unwrap()
}

/// The i-th record's id: 32 times i + 1.
pub(crate) fn record(i: usize) -> RecordId {
    RecordId([u8::try_from(i + 1).unwrap(); 32])
}

pub(crate) fn sources(opened: &[Opened]) -> Vec<Source<'_>> {
    opened
        .iter()
        .enumerate()
        .map(|(i, (kind, bundle))| Source { record: record(i), kind: *kind, uploader: ParticipantId([9; 32]), bundle })
        .collect()
}

pub(crate) fn bytes(opened: &[Opened]) -> Vec<u8> {
    aggregate(&PATIENT, &sources(opened)).unwrap().to_vec()
}

pub(crate) fn within(opened: &[Opened], budget: usize) -> Result<Vec<u8>, AggregateError> {
    aggregate_within(&PATIENT, &sources(opened), budget).map(|b| b.to_vec())
}

pub(crate) fn document(opened: &[Opened]) -> Value {
    serde_json::from_slice(&bytes(opened)).unwrap()
}

/// The document's resources of one type, the Composition left out.
pub(crate) fn of_type<'a>(document: &'a Value, kind: &str) -> Vec<&'a Value> {
    let entries = document["entry"].as_array().unwrap().iter().map(|e| &e["resource"]);
    entries.filter(|r| r["resourceType"] == kind).collect()
}

pub(crate) fn composition(document: &Value) -> &Value {
    &document["entry"][0]["resource"]
}

/// The section with this code, at any depth.
pub(crate) fn section<'a>(document: &'a Value, code: &str) -> &'a Value {
    fn find<'a>(sections: &'a Value, code: &str) -> Option<&'a Value> {
        sections
            .as_array()?
            .iter()
            .find_map(|s| if s["code"]["coding"][0]["code"] == code { Some(s) } else { find(&s["section"], code) })
    }
    find(&composition(document)["section"], code).unwrap_or_else(|| panic!("no section {code}"))
}

/// How many entries a section lists.
pub(crate) fn listed(document: &Value, code: &str) -> usize {
    section(document, code)["entry"].as_array().map_or(0, Vec::len)
}

/// The conflicts: code and sentence.
pub(crate) fn conflicts(document: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let issues = of_type(document, "DetectedIssue");
    issues.into_iter().map(|i| (text(&i["code"]["coding"][0]["code"]), text(&i["detail"]))).collect()
}

/// `urn:medring:record:<id>#<entry>` of the i-th record.
pub(crate) fn place(i: usize, entry: usize) -> String {
    format!("urn:medring:record:{}#{entry}", record(i))
}

pub(crate) fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p", "birthDate": "1950-04-01", "gender": "female"})
}

pub(crate) fn coded(system: &str, code: &str, text: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}], "text": text})
}

pub(crate) fn allergy(code: &str, text: &str) -> Value {
    json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"},
        "code": coded("http://snomed.info/sct", code, text)})
}

pub(crate) fn medicine(status: &str, date: &str, dose: &str) -> Value {
    json!({"resourceType": "MedicationRequest", "status": status, "intent": "order", "authoredOn": date,
        "subject": {"reference": "Patient/p"}, "dosageInstruction": [{"sequence": 1, "text": dose}],
        "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "860975", "metformin 500 mg")})
}

pub(crate) fn reading(code: &str, unit: &str, when: &str, value: f64) -> Value {
    json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": when,
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": coded("http://loinc.org", code, code), "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}})
}
