//! Bundles are read without change and divided without loss.

use std::{collections::BTreeSet, fs};

use medring_protocol::fhir::{Bundle, Column, Topic, split, table1_sections, topic};
use serde_json::{Value, json};

use crate::data;

fn bundle_of(resources: &[Value]) -> Bundle {
    let entries: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    Bundle::parse(bundle.to_string().as_bytes()).unwrap()
}

/// References of a bundle that one of its own entries answers.
fn answered(bundle: &Bundle) -> BTreeSet<String> {
    let names: BTreeSet<String> = bundle
        .entries()
        .iter()
        .flat_map(|e| {
            let local = e.resource.id().map(|id| format!("{}/{id}", e.resource.resource_type()));
            e.full_url.iter().cloned().chain(local)
        })
        .collect();
    references(bundle).into_iter().filter(|r| names.contains(r)).collect()
}

fn references(bundle: &Bundle) -> BTreeSet<String> {
    fn walk(value: &Value, out: &mut BTreeSet<String>) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| walk(v, out)),
            Value::Object(members) => {
                out.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|v| walk(v, out));
            }
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    bundle.entries().iter().for_each(|e| walk(e.resource.value(), &mut out));
    out
}

#[test]
fn every_resource_of_every_sample_stays_as_it_was() {
    for (path, bytes) in data::bundles() {
        let bundle = Bundle::parse(&bytes).unwrap();
        let original: Value = serde_json::from_slice(&bytes).unwrap();
        let resources: Vec<&Value> = match original["resourceType"].as_str() {
            Some("Bundle") => original["entry"].as_array().unwrap().iter().map(|e| &e["resource"]).collect(),
            _ => vec![&original],
        };
        let carried: Vec<&Value> = bundle.entries().iter().map(|e| e.resource.value()).collect();
        assert_eq!(carried, resources, "{}", path.display());
        for entry in bundle.entries() {
            assert_eq!(&serde_json::from_str::<Value>(entry.resource.text()).unwrap(), entry.resource.value());
        }
        let again = Bundle::parse(&bundle.to_bytes()).unwrap();
        assert_eq!(again.entries(), bundle.entries(), "{}", path.display());
        assert_eq!(again.to_bytes(), bundle.to_bytes());
    }
}

#[test]
fn decimals_escapes_and_order_of_members_stay_as_written() {
    let text = r#"{ "status" : "final", "resourceType":"Observation",
        "valueQuantity":{"value": 1.50, "x":0.010, "y":1E-3,"z":123456789012345678901234567890},"a":"\u00e9 \" \\ \\\" b" }"#;
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    let expected = r#"{"status":"final","resourceType":"Observation","valueQuantity":{"value":1.50,"x":0.010,"y":1E-3,"z":123456789012345678901234567890},"a":"\u00e9 \" \\ \\\" b"}"#;
    assert_eq!(bundle.entries()[0].resource.text(), expected);
    let wrapped = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{expected}}}]}}"#);
    assert_eq!(String::from_utf8(bundle.to_bytes()).unwrap(), wrapped);
}

#[test]
fn no_resource_is_lost_and_no_reference_is_left_dangling() {
    for (path, bundle) in data::parsed() {
        let parts = split(&bundle);
        let texts = |b: &Option<Bundle>| -> Vec<String> {
            b.iter().flat_map(Bundle::entries).map(|e| e.resource.text().to_owned()).collect()
        };
        let covered: BTreeSet<String> = texts(&parts.ehr).into_iter().chain(texts(&parts.emr)).collect();
        for entry in bundle.entries() {
            assert!(covered.contains(entry.resource.text()), "{}: {:?} is lost", path.display(), entry);
        }
        let resolvable = answered(&bundle);
        for part in [&parts.ehr, &parts.emr, &parts.phr].into_iter().flatten() {
            let dangling: Vec<_> = references(part).intersection(&resolvable).cloned().collect();
            let dangling: Vec<_> = dangling.into_iter().filter(|r| !answered(part).contains(r)).collect();
            assert!(dangling.is_empty(), "{}: {dangling:?}", path.display());
            let order: Vec<_> = part.entries().iter().map(|e| bundle.entries().iter().position(|o| o == e)).collect();
            assert!(order.is_sorted(), "entries keep their order");
        }
        let has_patient = bundle.entries().iter().any(|e| e.resource.resource_type() == "Patient");
        for part in [&parts.ehr, &parts.emr].into_iter().filter(|_| has_patient) {
            assert!(part.iter().any(|p| table1_sections(Column::Ehr, p)[0].count > 0), "the patient is in both");
        }
    }
}

#[test]
fn each_part_of_a_real_patient_fits_a_record() {
    for (path, bundle) in data::parsed() {
        let parts = split(&bundle);
        for part in [&parts.ehr, &parts.emr, &parts.phr].into_iter().flatten() {
            let packed = zstd::encode_all(part.to_bytes().as_slice(), 3).unwrap().len();
            // The next power of two has to stay below the record's 128 KiB.
            assert!(packed < 64 * 1024, "{}: {packed} bytes", path.display());
        }
    }
}

#[test]
fn sections_count_every_resource_once() {
    for (path, bundle) in data::parsed() {
        for column in [Column::Ehr, Column::Emr, Column::Phr] {
            let sections = table1_sections(column, &bundle);
            let sum: usize = sections.iter().map(|s| s.count).sum();
            assert_eq!(sum, bundle.entries().len(), "{}", path.display());
            assert!(sections.iter().take(column.rows().len()).zip(1..).all(|(s, row)| s.row == row));
        }
    }
}

#[test]
fn the_samples_fill_the_rows_they_claim() {
    let mut rows: BTreeSet<(Column, u8)> = BTreeSet::new();
    for (path, bundle) in data::parsed().into_iter().filter(|(path, _)| path.starts_with(data::samples())) {
        for column in [Column::Ehr, Column::Emr, Column::Phr] {
            let filled = table1_sections(column, &bundle).into_iter().filter(|s| s.count > 0);
            rows.extend(filled.map(|s| (column, s.row)));
        }
        let transaction = bundle.bundle_type() == "transaction" && !bundle.not_carried().is_empty();
        assert!(transaction, "{}: the generator writes transactions", path.display());
    }
    let filled = |column, list: &[u8]| list.iter().all(|row| rows.contains(&(column, *row)));
    assert!(filled(Column::Ehr, &[1, 3, 4, 7, 9]), "{rows:?}");
    assert!(filled(Column::Emr, &[1, 3, 4, 5, 6, 7, 8]), "{rows:?}");
    assert!(filled(Column::Phr, &[1, 2, 3, 5, 9]), "{rows:?}");
}

fn coded(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

#[test]
fn each_row_of_table_1_takes_its_resources() {
    let observation = |code: &str, category: &str| json!({"resourceType": "Observation", "code": coded("http://loinc.org", code), "category": [coded("c", category)]});
    let condition = |status: &str| json!({"resourceType": "Condition", "clinicalStatus": coded("s", status)});
    let plain = |name: &str| json!({"resourceType": name});
    let directive =
        json!({"resourceType": "Consent", "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "adr")});
    // (resource, rows in EHR, EMR, PHR; 0 for none)
    let table = [
        (plain("Patient"), Topic::Profile, [1, 1, 1]),
        (condition("resolved"), Topic::PastIllness, [2, 2, 4]),
        (condition("active"), Topic::Diagnosis, [9, 7, 5]),
        (json!({"resourceType": "Condition", "abatementDateTime": "2001"}), Topic::PastIllness, [2, 2, 4]),
        (plain("Procedure"), Topic::Procedure, [2, 2, 4]),
        (plain("FamilyMemberHistory"), Topic::FamilyHistory, [2, 2, 7]),
        (observation("2345-7", "laboratory"), Topic::Laboratory, [3, 3, 0]),
        (observation("2345-7", "survey"), Topic::Laboratory, [3, 3, 0]),
        (plain("DiagnosticReport"), Topic::Laboratory, [3, 3, 0]),
        (plain("MedicationRequest"), Topic::Medication, [4, 8, 2]),
        (plain("MedicationStatement"), Topic::Medication, [4, 8, 2]),
        (plain("CarePlan"), Topic::TreatmentPlan, [5, 0, 0]),
        (plain("NutritionOrder"), Topic::Diet, [5, 0, 10]),
        (plain("Goal"), Topic::Goal, [5, 0, 11]),
        (json!({"resourceType": "Immunization", "status": "not-done"}), Topic::Immunization, [6, 9, 8]),
        (plain("AllergyIntolerance"), Topic::Allergy, [7, 4, 3]),
        (plain("ImagingStudy"), Topic::Imaging, [8, 11, 0]),
        (plain("Media"), Topic::Imaging, [8, 11, 0]),
        (json!({"resourceType": "DiagnosticReport", "category": [coded("v", "RAD")]}), Topic::Imaging, [8, 11, 0]),
        (observation("8867-4", "vital-signs"), Topic::VitalSign, [0, 5, 0]),
        (observation("8867-4", ""), Topic::VitalSign, [0, 5, 0]),
        (observation("85354-9", "vital-signs"), Topic::BloodPressure, [0, 5, 9]),
        (observation("55284-4", "vital-signs"), Topic::BloodPressure, [0, 5, 9]),
        (observation("72166-2", "social-history"), Topic::Habits, [2, 2, 10]),
        (plain("Claim"), Topic::Administrative, [0, 6, 0]),
        (plain("Coverage"), Topic::Administrative, [0, 6, 0]),
        (plain("ExplanationOfBenefit"), Topic::Administrative, [0, 6, 0]),
        (plain("Encounter"), Topic::Administrative, [0, 6, 0]),
        (plain("Consent"), Topic::Administrative, [0, 6, 0]),
        (directive, Topic::AdvanceDirective, [0, 6, 6]),
        (plain("DocumentReference"), Topic::Note, [0, 10, 0]),
        (plain("Organization"), Topic::Supporting, [0, 0, 0]),
        (plain("Basic"), Topic::Other, [0, 0, 0]),
    ];
    for (resource, expected, rows) in table {
        let bundle = bundle_of(std::slice::from_ref(&resource));
        let found = topic(&bundle.entries()[0].resource);
        assert_eq!(found, expected, "{resource}");
        for (column, row) in [Column::Ehr, Column::Emr, Column::Phr].into_iter().zip(rows) {
            assert_eq!(found.row(column).unwrap_or(0), row, "{resource} in {column:?}");
        }
    }
}

#[test]
fn the_official_examples_land_in_their_rows() {
    let Some(shared) = data::shared() else {
        return;
    };
    let expected = [
        ("immunization-example-refused", Topic::Immunization),
        ("familymemberhistory-example", Topic::FamilyHistory),
        ("nutritionorder-example-diabeticdiet", Topic::Diet),
        ("observation-example-bloodpressure", Topic::BloodPressure),
        ("observation-example-heart-rate", Topic::VitalSign),
        ("consent-example", Topic::Administrative),
        ("claim-example", Topic::Administrative),
        ("coverage-example", Topic::Administrative),
        ("goal-example-stop-smoking", Topic::Goal),
        ("imagingstudy-example-xr", Topic::Imaging),
        ("media-example-xray", Topic::Imaging),
        ("medicationstatementexample1", Topic::Medication),
        ("documentreference-example", Topic::Note),
        ("device-example", Topic::Supporting),
    ];
    for (name, topic_expected) in expected {
        let bytes = fs::read(shared.join(format!("fhir/hl7_examples/{name}.json"))).unwrap();
        let bundle = Bundle::parse(&bytes).unwrap();
        assert_eq!(topic(&bundle.entries()[0].resource), topic_expected, "{name}");
    }
}

#[test]
fn what_is_referred_to_follows_its_referrer_and_the_rest_goes_to_the_emr() {
    let bundle = bundle_of(&[
        json!({"resourceType": "Patient", "id": "p", "generalPractitioner": [{"reference": "Practitioner/gp"}]}),
        json!({"resourceType": "Observation", "id": "lab", "encounter": {"reference": "Encounter/e"},
               "subject": {"reference": "Patient/p"}}),
        json!({"resourceType": "Encounter", "id": "e", "serviceProvider": {"reference": "Organization/o"}}),
        json!({"resourceType": "Organization", "id": "o"}),
        json!({"resourceType": "Practitioner", "id": "gp"}),
        json!({"resourceType": "Provenance", "target": [{"reference": "Observation/lab"}],
               "agent": [{"who": {"reference": "Practitioner/author"}}]}),
        json!({"resourceType": "Practitioner", "id": "author"}),
        json!({"resourceType": "Organization", "id": "nobody-asks-for-me"}),
        json!({"resourceType": "Basic"}),
    ]);
    let parts = split(&bundle);
    let (ehr, emr) = (parts.ehr.unwrap(), parts.emr.unwrap());
    assert_eq!(ehr.entries(), &bundle.entries()[..7]);
    assert_eq!(emr.entries(), bundle.entries());
}

#[test]
fn what_no_row_takes_brings_along_what_it_refers_to() {
    let bundle = bundle_of(&[
        json!({"resourceType": "CarePlan", "id": "plan"}),
        json!({"resourceType": "Basic", "subject": {"reference": "CarePlan/plan"}}),
    ]);
    let parts = split(&bundle);
    assert_eq!(parts.ehr.unwrap().entries(), &bundle.entries()[..1]);
    assert_eq!(parts.emr.unwrap().entries(), bundle.entries());
    assert_eq!(parts.phr, None);
}

#[test]
fn what_is_no_resource_is_reported() {
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "timestamp": "2020-01-01T00:00:00Z", "entry": [
        {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "DELETE", "url": "Patient/2"}},
    ]});
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
    let at: Vec<String> = split(&bundle).unmapped.into_iter().map(|n| n.at).collect();
    assert_eq!(at, ["Bundle.timestamp", "Bundle.entry[0].request", "Bundle.entry[1].request"]);
}

#[test]
fn debug_shows_shapes_and_no_health_data() {
    let bundle =
        bundle_of(&[json!({"resourceType": "Patient", "id": "secret-id", "name": [{"family": "Secretname"}]})]);
    let shown = format!("{bundle:?} {:?} {:?}", bundle.entries(), split(&bundle));
    assert!(!shown.contains("ecret"), "{shown}");
}
