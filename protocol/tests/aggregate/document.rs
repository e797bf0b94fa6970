//! Sections, sources, references and duplicates.

use medring_protocol::ParticipantId;
use medring_protocol::aggregate::{AggregateError, BUDGETS_BYTES, Source, aggregate, budget_of};
use medring_protocol::record::Kind;
use serde_json::{Value, json};

use crate::common::*;

fn condition(id: &str, encounter: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "subject": {"reference": "Patient/p"},
        "encounter": {"reference": encounter}, "code": coded("http://snomed.info/sct", "44054006", "diabetes")})
}

fn encounter(id: &str, condition: &str) -> Value {
    json!({"resourceType": "Encounter", "id": id, "status": "finished", "period": {"start": "2020-01-01"},
        "identifier": [{"system": "urn:x", "value": id}], "diagnosis": [{"condition": {"reference": condition}}]})
}

#[test]
fn a_document_begins_with_its_composition_and_follows_table_1() {
    let d = document(&[
        (Kind::Ehr, bundle(&[patient(), allergy("91935009", "peanut")])),
        (Kind::Phr, bundle(&[patient()])),
    ]);
    assert_eq!((&d["resourceType"], &d["type"]), (&json!("Bundle"), &json!("document")));
    assert_eq!(composition(&d)["resourceType"], "Composition");
    let titles = |s: &Value| s["section"].as_array().unwrap().iter().map(|s| s["title"].clone()).collect::<Vec<_>>();
    assert_eq!(titles(composition(&d)), ["EHR", "EMR", "PHR", "Latest vital signs", "Conflicts between the records"]);
    assert_eq!(
        titles(section(&d, "EHR")),
        [
            "Patient's profile",
            "Medical history",
            "Laboratory and test",
            "Medications",
            "Treatment plans",
            "Immunization dates",
            "Allergies",
            "Radiology images",
            "Diagnoses"
        ],
        "the paper's column"
    );
    assert_eq!((listed(&d, "EHR-1"), listed(&d, "EHR-7"), listed(&d, "PHR-1"), listed(&d, "PHR-3")), (1, 1, 1, 0));
    for (code, reason) in [("EMR", "unavailable"), ("EHR-4", "unavailable")] {
        assert_eq!(section(&d, code)["emptyReason"]["coding"][0]["code"], reason, "{code}");
    }
    assert_eq!(composition(&d)["author"][0]["identifier"]["value"], PATIENT.to_string());
}

#[test]
fn every_entry_names_its_records_and_the_composition_names_all_sources() {
    let d = document(&[(Kind::Ehr, bundle(&[patient()])), (Kind::Emr, bundle(&[allergy("1", "x"), patient()]))]);
    let sources = composition(&d)["relatesTo"].as_array().unwrap();
    let named: Vec<_> = sources.iter().map(|s| s["targetIdentifier"]["value"].as_str().unwrap()).collect();
    assert_eq!(named, [0, 1].map(|i| format!("urn:medring:record:{}", record(i))));
    assert_eq!(sources[1]["targetIdentifier"]["type"]["text"], "EMR");
    let person = of_type(&d, "Patient");
    assert_eq!(person.len(), 1, "the same profile in two records is one entry");
    assert_eq!(person[0]["meta"]["source"], place(0, 0));
    assert_eq!(person[0]["meta"]["extension"], json!([{"url": "urn:medring:also-in", "valueUri": place(1, 1)}]));
    for entry in &d["entry"].as_array().unwrap()[1..] {
        assert!(entry["resource"]["meta"]["source"].as_str().unwrap().starts_with("urn:medring:record:"));
        assert_eq!(entry["fullUrl"], format!("urn:uuid:{}", entry["resource"]["id"].as_str().unwrap()));
    }
}

#[test]
fn the_same_content_under_other_ids_and_circular_references_is_one_entry() {
    let ehr = bundle(&[patient(), condition("c1", "Encounter/e1"), encounter("e1", "Condition/c1")]);
    let other = json!({"resourceType": "Patient", "id": "p", "birthDate": "1950-04-01", "gender": "female",
        "meta": {"versionId": "3"}, "text": {"status": "generated", "div": "<div>Jo</div>"}});
    let emr = bundle(&[encounter("e9", "Condition/c9"), condition("c9", "Encounter/e9"), other]);
    let d = document(&[(Kind::Ehr, ehr), (Kind::Emr, emr)]);
    assert_eq!(d["entry"].as_array().unwrap().len(), 1 + 3, "composition, patient, condition, encounter");
    let (condition, encounter) = (of_type(&d, "Condition")[0], of_type(&d, "Encounter")[0]);
    let url = |r: &Value| format!("urn:uuid:{}", r["id"].as_str().unwrap());
    assert_eq!(condition["encounter"]["reference"], url(encounter), "references lead to the document's entries");
    assert_eq!(encounter["diagnosis"][0]["condition"]["reference"], url(condition));
    assert_eq!(condition["subject"]["reference"], url(of_type(&d, "Patient")[0]));
    assert_eq!(condition["meta"]["extension"][0]["valueUri"], place(1, 1));
    assert_eq!((listed(&d, "EHR-9"), listed(&d, "EMR-7")), (1, 1), "it stands in both columns");
}

#[test]
fn a_difference_behind_a_reference_keeps_two_entries_apart() {
    let other = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "period": {"start": "2020-01-02"},
        "diagnosis": [{"condition": {"reference": "Condition/c1"}}]});
    let ehr = bundle(&[condition("c1", "Encounter/e1"), encounter("e1", "Condition/c1")]);
    let emr = bundle(&[condition("c1", "Encounter/e1"), other]);
    let d = document(&[(Kind::Ehr, ehr), (Kind::Emr, emr)]);
    assert_eq!(of_type(&d, "Condition").len(), 2, "one was found on another day");
    let ids: Vec<_> = of_type(&d, "Condition").into_iter().map(|c| c["id"].clone()).collect();
    assert_ne!(ids[0], ids[1], "equal ids in the sources are told apart");
}

#[test]
fn an_identifier_of_its_own_keeps_two_entries_apart() {
    let with = |id: &str, value: &str| {
        json!({"resourceType": "Immunization", "id": id, "status": "completed", "vaccineCode": {"text": "flu"},
            "identifier": [{"value": value}], "patient": {"reference": "Patient/p"}})
    };
    let both = |a: Value, b: Value| {
        let d = document(&[(Kind::Ehr, bundle(&[patient(), a])), (Kind::Emr, bundle(&[patient(), b]))]);
        of_type(&d, "Immunization").len()
    };
    assert_eq!(both(with("a", "a"), with("b", "urn:uuid:b")), 1, "an identifier that repeats the id says nothing");
    assert_eq!(both(with("a", "1"), with("b", "2")), 2);
}

#[test]
fn a_recording_without_a_patient_speaks_of_the_documents_patient() {
    let phr = bundle(&[reading("8867-4", "/min", "2020-01-01T00:00:00Z", 60.0)]);
    let d = document(&[(Kind::Ehr, bundle(&[patient()])), (Kind::Phr, phr)]);
    let subject = format!("urn:uuid:{}", of_type(&d, "Patient")[0]["id"].as_str().unwrap());
    for observation in of_type(&d, "Observation") {
        assert_eq!(observation["subject"]["reference"], subject);
    }
    let conditional = bundle(&[json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "performer": [{"reference": "Practitioner?identifier=1"}]})]);
    let d = document(&[(Kind::Ehr, conditional)]);
    let kept = &of_type(&d, "Observation")[0]["performer"][0]["reference"];
    assert_eq!(kept, "Practitioner?identifier=1", "a server's business stays as it is");
}

#[test]
fn what_cannot_be_aggregated_is_refused() {
    let (b, uploader) = (bundle(&[patient()]), ParticipantId([9; 32]));
    let source = |i, kind| Source { record: record(i), kind, uploader, bundle: &b };
    let refused = |sources: &[Source<'_>]| aggregate(&PATIENT, sources).unwrap_err();
    assert_eq!(refused(&[]), AggregateError::Sources(0));
    let too_many: Vec<_> = (0..257_u16)
        .map(|i| {
            let mut s = source(0, Kind::Phr);
            s.record.0[..2].copy_from_slice(&i.to_be_bytes());
            s
        })
        .collect();
    assert_eq!(refused(&too_many), AggregateError::Sources(257));
    assert!(aggregate(&PATIENT, &too_many[..256]).is_ok());
    assert_eq!(refused(&[source(0, Kind::Ehr), source(0, Kind::Ehr)]), AggregateError::Twice(record(0)));
    for kind in [Kind::Aphr, Kind::EpochCommit, Kind::Enrol] {
        assert_eq!(refused(&[source(0, kind)]), AggregateError::Kind(kind));
    }
    assert_eq!(within(&[(Kind::Ehr, b)], 12345), Err(AggregateError::Budget(12345)));
}

#[test]
fn the_patient_the_order_and_the_budget_are_part_of_it() {
    let opened = [(Kind::Ehr, bundle(&[patient()])), (Kind::Phr, bundle(&[allergy("1", "x")]))];
    let (first, list) = (bytes(&opened), sources(&opened));
    assert_eq!(budget_of(&first), Some(BUDGETS_BYTES[0]));
    assert_ne!(aggregate(&ParticipantId([8; 32]), &list).unwrap().as_slice(), first);
    assert_ne!(aggregate(&PATIENT, &[list[1], list[0]]).unwrap().as_slice(), first);
    let smaller = within(&opened, BUDGETS_BYTES[3]).unwrap();
    assert_ne!(smaller, first);
    assert_eq!(budget_of(&smaller), Some(BUDGETS_BYTES[3]));
    assert_eq!(budget_of(b"{}"), None);
}
