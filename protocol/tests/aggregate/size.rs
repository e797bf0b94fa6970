//! It fits a record, and says what it left out.

use medring_protocol::aggregate::BUDGETS_BYTES;
use medring_protocol::fhir::split;
use medring_protocol::record::Kind;
use medring_protocol::seal::{PlainKind, SensitivePlain};
use serde_json::{Value, json};

use crate::common::*;
use crate::patients;

fn lab(i: usize, note: &str) -> Value {
    json!({"resourceType": "Observation", "id": format!("o{i}"), "status": "final", "code": {"text": format!("lab {i}")},
        "effectiveDateTime": format!("2020-01-01T{:02}:{:02}:00Z", i / 60, i % 60), "subject": {"reference": "Patient/p"},
        "note": [{"text": note}]})
}

#[test]
fn a_small_budget_keeps_what_matters_most_and_counts_the_rest() {
    let mut resources: Vec<Value> = (0..100).map(|i| lab(i, &"x".repeat(200))).collect();
    let report = json!({"resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"text": "all"},
        "effectiveDateTime": "2021", "result": [{"reference": "Observation/o0"}, {"reference": "Observation/o99"}]});
    resources.extend([allergy("91935009", "peanut"), patient(), report]);
    let opened = [(Kind::Ehr, bundle(&resources))];
    let d: Value = serde_json::from_slice(&within(&opened, 1 << 14).unwrap()).unwrap();
    assert_eq!((of_type(&d, "Patient").len(), of_type(&d, "AllergyIntolerance").len()), (1, 1), "first things first");
    let kept = of_type(&d, "Observation");
    assert!((10..60).contains(&kept.len()), "{} of 100", kept.len());
    assert!(kept.iter().all(|o| o["code"]["text"].as_str().unwrap() > "lab 5"), "the newest are kept");
    let left_out = 100 - kept.len();
    assert_eq!(section(&d, "EHR-3")["extension"][0]["valueUnsignedInt"], left_out);
    assert_eq!(composition(&d)["extension"][1]["valueUnsignedInt"], left_out);
    // A reference to what is left out names its place in the source.
    let report = of_type(&d, "DiagnosticReport")[0];
    assert_eq!(report["result"][0]["reference"], place(0, 0));
    assert!(report["result"][1]["reference"].as_str().unwrap().starts_with("urn:uuid:"));
    assert_eq!(of_type(&document(&opened), "Observation").len(), 100, "the largest budget takes all");
}

#[test]
fn one_giant_does_not_crowd_out_the_rest() {
    let opened = [(Kind::Ehr, bundle(&[lab(1, &"x".repeat(20_000)), lab(0, "small")]))];
    let d: Value = serde_json::from_slice(&within(&opened, 1 << 14).unwrap()).unwrap();
    assert_eq!(of_type(&d, "Observation")[0]["code"]["text"], "lab 0");
}

#[test]
fn attachments_and_narratives_beyond_their_limits_stay_in_their_source() {
    let note = |bytes: usize| {
        json!({"resourceType": "DocumentReference", "status": "current", "date": "2020-01-01T00:00:00Z",
            "text": {"status": "generated", "div": "<div>x</div>"},
            "content": [{"attachment": {"contentType": "text/plain", "data": "A".repeat(bytes)}}]})
    };
    let mut long = note(16 * 1024 + 4);
    long["text"]["div"] = "x".repeat(1025).into();
    let d = document(&[(Kind::Emr, bundle(&[note(16 * 1024), long]))]);
    let notes = of_type(&d, "DocumentReference");
    assert!(notes[0]["content"][0]["attachment"]["data"].is_string() && notes[0]["text"].is_object());
    assert!(notes[0]["meta"].get("tag").is_none());
    assert_eq!(notes[1]["content"][0]["attachment"], json!({"contentType": "text/plain"}));
    assert_eq!((notes[1].get("text"), &notes[1]["meta"]["tag"][0]["code"]), (None, &json!("SUBSETTED")));
}

#[test]
fn every_sample_patient_fits_a_record_with_the_largest_budget() {
    for (path, whole) in patients::patients() {
        let parts = split(&whole);
        let opened: Vec<Opened> = [(Kind::Ehr, parts.ehr), (Kind::Emr, parts.emr), (Kind::Phr, parts.phr)]
            .into_iter()
            .filter_map(|(kind, part)| Some((kind, part?)))
            .collect();
        let aggregate = bytes(&opened);
        let d: Value = serde_json::from_slice(&aggregate).unwrap();
        // Everything the three records hold is in it, each thing once.
        let distinct = d["entry"].as_array().unwrap().iter().filter(|e| {
            let kind = &e["resource"]["resourceType"];
            kind != "Composition" && kind != "DetectedIssue"
        });
        let own = listed(&d, "vital-signs");
        assert!(distinct.count() - own <= whole.entries().len(), "{}", path.display());
        assert_eq!(conflicts(&d), [], "{}: parts of one record do not contradict each other", path.display());
        assert_eq!(composition(&d)["extension"][1]["valueUnsignedInt"], 0);
        let sealed = SensitivePlain::new(PATIENT, PlainKind::Aphr, aggregate.clone()).encode(1024).unwrap();
        eprintln!("{}: {} bytes, {} sealed", path.file_name().unwrap().display(), aggregate.len(), sealed.len());
        assert!(sealed.len() <= 64 * 1024);
    }
}

#[test]
fn incompressible_records_fit_with_a_smaller_budget() {
    // 120 KB of text that zstd cannot shrink below three quarters.
    let mut state = 1_u64;
    let mut noise = |bytes: usize| -> String {
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                    [usize::try_from(state >> 58).unwrap()],
            )
        };
        (0..bytes).map(|_| draw()).collect()
    };
    let opened: Vec<Opened> = (0..80).map(|i| (Kind::Emr, bundle(&[lab(i, &noise(1500)), patient()]))).collect();
    let fits = |budget: usize| {
        let aggregate = within(&opened, budget).unwrap();
        SensitivePlain::new(PATIENT, PlainKind::Aphr, aggregate).encode(1024).is_ok()
    };
    let chosen = BUDGETS_BYTES.into_iter().find(|b| fits(*b)).expect("one of them fits");
    assert_eq!(chosen, 1 << 16, "90 KB of noise in 64 KiB: one of the smaller budgets, and not the smallest");
}
