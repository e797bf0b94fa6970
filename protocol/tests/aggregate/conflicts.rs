//! What counts as a contradiction, and what does not.

use medring_protocol::record::Kind;
use serde_json::{Value, json};

use crate::common::*;

fn between(ehr: &[Value], emr: &[Value]) -> Vec<(String, String)> {
    let with = |resources: &[Value]| {
        let mut all = resources.to_vec();
        if !all.iter().any(|r| r["resourceType"] == "Patient") {
            all.push(patient());
        }
        bundle(&all)
    };
    conflicts(&document(&[(Kind::Ehr, with(ehr)), (Kind::Emr, with(emr))]))
}

fn codes(found: Vec<(String, String)>) -> Vec<String> {
    found.into_iter().map(|(code, _)| code).collect()
}

#[test]
fn equal_records_have_no_conflict() {
    let all = [allergy("91935009", "peanut"), medicine("active", "2020-01-01", "1 daily")];
    assert_eq!(between(&all, &all), []);
}

#[test]
fn an_allergy_in_one_source_only_is_named_with_what_the_other_says() {
    let peanut = [allergy("91935009", "peanut")];
    let told = |emr: &[Value]| between(&peanut, emr);
    let silent = told(&[]);
    assert_eq!(silent.len(), 1);
    assert_eq!(silent[0].0, "allergy-not-everywhere");
    assert_eq!(silent[0].1, "“peanut”: in EHR 01010101, but not in EMR 02020202, which names no allergy");
    let denied = told(&[allergy("716186003", "no known allergy")]);
    assert_eq!(denied[0].1, "“peanut”: in EHR 01010101, but denied by EMR 02020202");
    let others = told(&[allergy("300916003", "latex")]);
    assert_eq!(others.len(), 2, "each is missing from the other: {others:?}");
    assert!(others[1].1.contains("not among the allergies of EMR 02020202"), "{others:?}");
    // A PHR that speaks of something else does not deny.
    let phr = (Kind::Phr, bundle(&[reading("8867-4", "/min", "2020-01-01T00:00:00Z", 60.0)]));
    assert_eq!(conflicts(&document(&[(Kind::Ehr, bundle(&peanut)), phr])), []);
}

#[test]
fn a_denial_of_one_category_denies_only_that() {
    let of = |category: &str| {
        let mut allergy = allergy("91936005", "penicillin");
        allergy["category"] = json!([category]);
        between(&[allergy], &[allergy_none("409137002")])
    };
    assert!(of("medication")[0].1.contains("denied by"));
    assert!(of("food")[0].1.contains("not among"), "“no known drug allergy” does not deny food");
}

fn allergy_none(code: &str) -> Value {
    allergy(code, "none known")
}

#[test]
fn the_same_medicine_with_another_status_or_dose_is_a_conflict() {
    let day = "2020-01-01";
    let active = [medicine("active", day, "1 daily")];
    assert_eq!(codes(between(&active, &[medicine("stopped", day, "1 daily")])), ["medication-status"]);
    let dose = between(&active, &[medicine("active", day, "2 daily")]);
    assert_eq!(codes(dose.clone()), ["medication-dosage"]);
    assert!(dose[0].1.contains("1 daily") && dose[0].1.contains("EMR 02020202"), "{dose:?}");
    let both = codes(between(&active, &[medicine("stopped", day, "2 daily")]));
    assert_eq!(both, ["medication-dosage", "medication-status"]);
}

#[test]
fn a_course_within_one_record_is_no_conflict() {
    let course = [medicine("stopped", "2019-01-01", "2 daily"), medicine("active", "2020-01-01", "1 daily")];
    assert_eq!(between(&course, &[]), []);
    // The newest statement of each record counts, wherever it stands.
    let turned = [course[1].clone(), course[0].clone()];
    assert_eq!(between(&turned, &course[1..]), []);
    assert_eq!(codes(between(&course[..1], &course)), ["medication-dosage", "medication-status"]);
}

#[test]
fn a_medicine_by_reference_is_the_same_medicine() {
    let mut by_reference = medicine("stopped", "2020-01-01", "1 daily");
    let concept = by_reference["medicationCodeableConcept"].take();
    by_reference.as_object_mut().unwrap().remove("medicationCodeableConcept");
    by_reference["medicationReference"] = json!({"reference": "Medication/m"});
    let medication = json!({"resourceType": "Medication", "id": "m", "code": concept});
    let found = between(&[medicine("active", "2020-01-01", "1 daily")], &[by_reference, medication]);
    assert_eq!(codes(found), ["medication-status"]);
}

#[test]
fn profile_blood_group_and_one_moments_values_can_contradict() {
    let born =
        |date: &str, gender: &str| json!({"resourceType": "Patient", "id": "p", "birthDate": date, "gender": gender});
    let found = between(&[born("1950-04-01", "female")], &[born("1950-01-04", "male")]);
    assert_eq!(codes(found), ["profile-birth-date", "profile-gender"]);
    let group = |text: &str, day: &str| {
        json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": day,
            "code": coded("http://loinc.org", "882-1", "blood group"),
            "valueCodeableConcept": {"text": text}})
    };
    assert_eq!(codes(between(&[group("A+", "2001-01-01")], &[group("0+", "2020-01-01")])), ["blood-group-value"]);
    assert_eq!(between(&[group("A+", "2001-01-01")], &[group("A+", "2020-01-01")]), []);
    let pulse = |when: &str, value: f64| reading("8867-4", "/min", when, value);
    let moment = "2020-01-01T10:00:00Z";
    assert_eq!(
        codes(between(&[pulse(moment, 60.0)], &[pulse("2020-01-01T11:00:00+01:00", 80.0)])),
        ["observation-value"]
    );
    assert_eq!(between(&[pulse(moment, 60.0)], &[pulse("2020-01-01T10:00:01Z", 80.0)]), [], "a course");
}

#[test]
fn what_was_entered_in_error_contradicts_nothing() {
    let mut wrong = medicine("entered-in-error", "2020-01-01", "9 daily");
    assert_eq!(between(&[medicine("active", "2020-01-01", "1 daily")], &[wrong.clone()]), []);
    wrong["status"] = json!("active");
    assert_eq!(between(&[medicine("active", "2020-01-01", "1 daily")], &[wrong]).len(), 1);
}

#[test]
fn a_conflict_names_and_refers_to_both_sides() {
    let (a, b) = (medicine("active", "2020-01-01", "1 daily"), medicine("stopped", "2020-01-01", "1 daily"));
    let d = document(&[(Kind::Ehr, bundle(&[patient(), a])), (Kind::Emr, bundle(&[b]))]);
    let issue = of_type(&d, "DetectedIssue")[0];
    assert_eq!(issue["meta"]["source"], place(0, 1));
    assert_eq!(issue["meta"]["extension"][0]["valueUri"], place(1, 0));
    let urls: Vec<_> = of_type(&d, "MedicationRequest")
        .into_iter()
        .map(|r| format!("urn:uuid:{}", r["id"].as_str().unwrap()))
        .collect();
    let named: Vec<_> =
        issue["implicated"].as_array().unwrap().iter().map(|i| i["reference"].as_str().unwrap()).collect();
    assert_eq!(named, urls);
    assert_eq!(listed(&d, "conflicts"), 1);
}

#[test]
fn conflicts_beyond_the_limit_are_counted() {
    let many = |value: f64| -> Vec<Value> {
        (0..70).map(|i| reading(&format!("{i}-0"), "1", "2020-01-01T10:00:00Z", value)).collect()
    };
    let d = document(&[(Kind::Ehr, bundle(&many(1.0))), (Kind::Emr, bundle(&many(2.0)))]);
    assert_eq!(listed(&d, "conflicts"), 64);
    assert_eq!(section(&d, "conflicts")["extension"][0]["valueUnsignedInt"], 6);
}

#[test]
fn of_many_records_a_conflict_quotes_eight() {
    let one = |i: usize| (Kind::Emr, bundle(&[medicine("active", "2020-01-01", &format!("{i} daily"))]));
    let many: Vec<Opened> = (0..20).map(one).collect();
    let d = document(&many);
    let detail = &conflicts(&d)[0].1;
    assert!(detail.contains("7 daily") && !detail.contains("8 daily") && detail.ends_with("and 12 more"), "{detail}");
    assert_eq!(of_type(&d, "DetectedIssue")[0]["implicated"].as_array().unwrap().len(), 8);
}
