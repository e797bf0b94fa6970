//! Nothing identifying becomes public: by construction, and by a filter that refuses whatever it does not know.

use std::collections::BTreeSet;

use medring_protocol::{
    deid::{
        DeidError, Field, Input, PAPER_WARNING, Policy, PublicKind, check_public, identifying_strings, public_part,
    },
    fhir::Bundle,
    vitals::{Layout, Recording},
};
use serde_json::{Value, json};

use crate::data;

const KINDS: [PublicKind; 4] = [PublicKind::Ehr, PublicKind::Emr, PublicKind::Phr, PublicKind::Aphr];

fn coarse(fields: &[Field]) -> Policy {
    Policy::Coarse(fields.iter().copied().collect())
}

/// Every policy that says something about a bundle.
fn bundle_policies() -> [Policy; 3] {
    [Policy::Minimal, coarse(&[Field::AgeBand, Field::Categories, Field::Year]), Policy::Paper]
}

fn vitals() -> Recording {
    let csv = "minute,heart_rate_bpm,spo2_percent,temp\n0,61.2,97,36.6\n1,,96.1,36.7\n2,88,95,\n";
    let layout: Layout =
        "@minute=60s,heart_rate_bpm=8867-4:/min,spo2_percent=59408-5:%,temp=99999-9:Cel".parse().unwrap();
    Recording::from_csv(csv.as_bytes(), &layout, 1_577_836_800_000).unwrap()
}

fn m(kind: PublicKind, policy: &Policy, input: Input<'_>) -> Value {
    serde_json::from_slice(&public_part(kind, policy, input, true).unwrap().bytes).unwrap()
}

#[test]
fn no_identifying_string_of_any_sample_is_in_m() {
    for (path, bundle) in data::parsed() {
        let secret = identifying_strings(&bundle);
        for kind in KINDS {
            for policy in bundle_policies() {
                let part = public_part(kind, &policy, Input::Bundle(&bundle), true).unwrap();
                let text = String::from_utf8(part.bytes).unwrap();
                let leak = secret.iter().find(|s| text.contains(s.as_str()));
                assert_eq!(leak, None, "{} under {policy}: {text}", path.display());
                check_public(kind, text.as_bytes(), &policy, true).unwrap();
            }
        }
    }
}

#[test]
fn minimal_says_kind_and_version_and_nothing_else() {
    let (_, bundle) = data::parsed().remove(0);
    for kind in KINDS {
        let part = public_part(kind, &Policy::Minimal, Input::Bundle(&bundle), false).unwrap();
        assert_eq!(String::from_utf8(part.bytes).unwrap(), format!(r#"{{"kind":"{}","v":1}}"#, kind.text()));
        assert_eq!(part.warning, None);
    }
}

#[test]
fn coarse_says_what_was_opted_in_and_nothing_else() {
    let bundle = Bundle::parse(
        json!({"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": {"resourceType": "Patient", "birthDate": "1931-05-06"}},
            {"resource": {"resourceType": "Condition", "recordedDate": "2021-03-04",
                "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10"}]}}},
            {"resource": {"resourceType": "CarePlan", "period": {"start": "2019-01-01", "end": "2035-01-01"}}},
        ]})
        .to_string()
        .as_bytes(),
    )
    .unwrap();
    let of = |fields: &[Field]| m(PublicKind::Emr, &coarse(fields), Input::Bundle(&bundle));
    assert_eq!(of(&[]), json!({"kind": "EMR", "policy": "coarse", "v": 1}));
    assert_eq!(of(&[Field::AgeBand]), json!({"age_band": "90+", "kind": "EMR", "policy": "coarse", "v": 1}));
    assert_eq!(of(&[Field::Year]), json!({"kind": "EMR", "policy": "coarse", "v": 1, "year": 2021}));
    let categories = of(&[Field::Categories]);
    assert_eq!(categories["categories"], json!(["diagnoses", "plans"]));
    assert_eq!(categories["icd10"], json!(["I00-I99"]));
}

#[test]
fn window_statistics_are_rounded_and_only_for_known_signals() {
    let policy = coarse(&[Field::WindowStats]);
    let m = m(PublicKind::Phr, &policy, Input::Vitals(&vitals()));
    let expected = json!([
        {"code": "8867-4", "coverage": 70, "max": 90, "mean": 75, "min": 60},
        {"code": "59408-5", "coverage": 100, "max": 95, "mean": 95, "min": 95},
    ]);
    assert_eq!(m["stats"], expected);
}

#[test]
fn paper_warns_loudly_and_names_findings_conditions_and_advice() {
    let part = public_part(PublicKind::Phr, &Policy::Paper, Input::Vitals(&vitals()), true).unwrap();
    assert_eq!(part.warning, Some(PAPER_WARNING));
    let text = String::from_utf8(part.bytes).unwrap();
    assert!(text.contains("Heart rate: 88 /min (mean 74.60, 61.2 to 88)"), "{text}");
    let bundles = data::parsed().into_iter().filter(|(path, _)| path.starts_with(data::samples()));
    for (path, bundle) in bundles {
        let m = m(PublicKind::Emr, &Policy::Paper, Input::Bundle(&bundle));
        assert!(!m["physiological"].as_array().unwrap().is_empty(), "{}", path.display());
        assert!(!m["condition"].as_array().unwrap().is_empty(), "{}", path.display());
    }
}

#[test]
fn paper_keeps_names_out_that_were_smuggled_into_a_code() {
    let bundle = |display: &str| {
        let text = json!({"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": {"resourceType": "Patient", "name": [{"family": "Fakeworth", "given": ["Juno"]}]}},
            {"resource": {"resourceType": "Condition", "code": {"coding": [{"display": display}]}}},
        ]});
        Bundle::parse(text.to_string().as_bytes()).unwrap()
    };
    let condition =
        |display: &str| m(PublicKind::Emr, &Policy::Paper, Input::Bundle(&bundle(display)))["condition"].clone();
    assert_eq!(condition("Gout"), json!(["Gout"]));
    for smuggled in [
        "Gout of Ms FAKEWORTH",
        "Gout, see a@b.example",
        "Gout since 2019-03-04",
        "Gout 555-123-4567",
        "Gout 12345",
        "Gout urn:uuid:7",
        "Gout\u{7}",
        "see https://x.example",
    ] {
        assert_eq!(condition(smuggled), json!([]), "{smuggled}");
    }
}

#[test]
fn what_only_demo_chains_may_publish_is_refused_elsewhere() {
    let (_, bundle) = data::parsed().remove(0);
    let input = Input::Bundle(&bundle);
    let refused = |kind, policy: &Policy| public_part(kind, policy, input, false).unwrap_err();
    for kind in KINDS {
        assert_eq!(refused(kind, &Policy::Paper), DeidError::DemoOnly { what: "policy paper" });
    }
    for kind in [PublicKind::Phr, PublicKind::Aphr] {
        let expected = DeidError::DemoOnly { what: "policy coarse for PHR and APHR" };
        assert_eq!(refused(kind, &coarse(&[Field::Year])), expected);
    }
    for kind in [PublicKind::Ehr, PublicKind::Emr] {
        assert!(public_part(kind, &coarse(&[Field::Year]), input, false).is_ok());
    }
    for kind in [PublicKind::Ehr, PublicKind::Emr, PublicKind::Aphr] {
        let refused = public_part(kind, &coarse(&[Field::WindowStats]), input, true).unwrap_err();
        assert_eq!(refused, DeidError::NoStats { kind: kind.text() });
    }
}

#[test]
fn a_name_planted_anywhere_in_m_is_refused() {
    let name = "Fakeworth";
    let stats = coarse(&[Field::WindowStats]);
    let mut all = bundle_policies().to_vec();
    all.push(stats);
    let bundle = data::parsed().remove(0).1;
    for policy in all {
        let recording = vitals();
        let input =
            if policy.to_string().contains("window") { Input::Vitals(&recording) } else { Input::Bundle(&bundle) };
        let good = m(PublicKind::Phr, &policy, input);
        let refused =
            |planted: &Value| check_public(PublicKind::Phr, planted.to_string().as_bytes(), &policy, true).is_err();
        assert!(!refused(&good));
        // As a new member, as the name of one, and in place of each value.
        let mut planted = good.clone();
        planted["name"] = json!(name);
        assert!(refused(&planted), "{planted}");
        let mut planted = good.clone();
        planted[name] = json!(1);
        assert!(refused(&planted), "{planted}");
        for member in good.as_object().unwrap().keys() {
            let mut planted = good.clone();
            planted[member] = json!(name);
            assert!(refused(&planted), "{planted}");
            // Into lists too; the lines of policy paper are free text by their nature and are kept clean when made.
            if policy != Policy::Paper && good[member].is_array() {
                let mut planted = good.clone();
                planted[member].as_array_mut().unwrap().push(json!(name));
                assert!(refused(&planted), "{planted}");
                planted[member] = json!([{"code": "8867-4", "coverage": 10, "max": 5, "mean": 5, "min": 5, "x": name}]);
                assert!(refused(&planted), "{planted}");
            }
        }
    }
}

#[test]
fn m_has_one_spelling_and_closed_values() {
    let year = coarse(&[Field::Year]);
    let cases: [(&str, &Policy); 17] = [
        (r#"{"v":1,"kind":"EHR"}"#, &Policy::Minimal),
        (r#"{"kind":"EHR", "v":1}"#, &Policy::Minimal),
        (r#"{"kind":"EHR","kind":"EHR","v":1}"#, &Policy::Minimal),
        (r#"{"kind":"\u0045HR","v":1}"#, &Policy::Minimal),
        (r#"{"kind":"EHR","v":1}x"#, &Policy::Minimal),
        (r#"{"kind":"EHR","v":1.0}"#, &Policy::Minimal),
        (r#"{"kind":"EHR","v":2}"#, &Policy::Minimal),
        (r#"{"kind":"EMR","v":1}"#, &Policy::Minimal),
        (r#"{"kind":"EHR"}"#, &Policy::Minimal),
        (r#"{"v":1}"#, &Policy::Minimal),
        ("[]", &Policy::Minimal),
        ("", &Policy::Minimal),
        (r#"{"kind":"EHR","policy":"coarse","v":1}"#, &Policy::Minimal),
        (r#"{"kind":"EHR","v":1}"#, &year),
        (r#"{"kind":"EHR","policy":"paper","v":1,"year":2020}"#, &year),
        (r#"{"kind":"EHR","policy":"coarse","v":1,"year":20200101}"#, &year),
        (r#"{"age_band":"40-49","kind":"EHR","policy":"coarse","v":1}"#, &year),
    ];
    for (m, policy) in cases {
        assert!(check_public(PublicKind::Ehr, m.as_bytes(), policy, true).is_err(), "{m} under {policy}");
    }
    assert!(
        check_public(PublicKind::Ehr, br#"{"kind":"EHR","policy":"coarse","v":1,"year":2020}"#, &year, true).is_ok()
    );
    assert!(check_public(PublicKind::Ehr, b"\xff", &Policy::Minimal, true).is_err());
}

#[test]
fn errors_never_quote_what_they_refuse() {
    let all = coarse(&Field::ALL);
    for m in [
        r#"{"Fakeworth":1,"kind":"PHR","policy":"coarse","v":1}"#,
        r#"{"age_band":"Fakeworth","kind":"PHR","policy":"coarse","v":1}"#,
        r#"{"kind":"Fakeworth","policy":"coarse","v":1}"#,
    ] {
        let refused = check_public(PublicKind::Phr, m.as_bytes(), &all, true).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("Fakeworth"), "{refused}");
    }
}

#[test]
fn policies_read_back() {
    for policy in [Policy::Minimal, Policy::Paper, coarse(&Field::ALL), coarse(&[Field::Year])] {
        assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
    }
    for wrong in ["", "Minimal", "coarse", "coarse:", "coarse:name", "coarse:year,", "paper "] {
        assert!(wrong.parse::<Policy>().is_err(), "{wrong:?}");
    }
}

#[test]
fn the_strings_to_look_for_come_from_every_identifying_field() {
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:11111111-2222", "resource": {
            "resourceType": "Patient", "id": "patient-1", "birthDate": "1977-04-11",
            "identifier": [{"system": "http://ssn.example", "value": "999-24-3761"}],
            "name": [{"family": "Koepp Smith", "given": ["Wilhelmina", "Al"], "prefix": ["Mr."]}],
            "telecom": [{"system": "phone", "value": "555-850-7198"}],
            "address": [{"line": ["12 Some Street"], "city": "Boston", "postalCode": "021-01", "state": "MA",
                "extension": [{"url": "geolocation", "extension": [{"url": "latitude", "valueDecimal": 42.123456}]}]}],
            "extension": [{"url": "mothersMaidenName", "valueString": "Rana Gutmann"}],
            "text": {"div": "<div><p>Born in a hospital of Newton</p><b>Single</b></div>"}}},
        {"resource": {"resourceType": "Device", "serialNumber": "SN-00017", "udiCarrier": [{"deviceIdentifier": "UDI-77"}]}},
        {"resource": {"resourceType": "DocumentReference", "subject": {"reference": "Patient/patient-1", "display": "W. Koepp"},
            "content": [{"attachment": {"contentType": "text/plain", "data": "TXMgS29lcHAgd2FzIHNlZW4KUGxhbgo="}}]}},
        {"resource": {"resourceType": "DiagnosticReport", "conclusion": "Seen twice by Dr. Who\nNormal",
            "result": [{"reference": "Observation/o-1", "display": "Total Cholesterol"}]}},
        {"resource": {"resourceType": "Condition", "note": [{"text": "lives alone in Newton\n# Assessment and plan"}], "code": {"text": "Gout tophi"}}},
    ]});
    let found = identifying_strings(&Bundle::parse(bundle.to_string().as_bytes()).unwrap());
    let expected: BTreeSet<String> = [
        "urn:uuid:11111111-2222",
        "11111111-2222",
        "patient-1",
        "1977-04-11",
        "999-24-3761",
        "Koepp Smith",
        "Wilhelmina",
        "Wilhelmina Al Koepp Smith",
        "555-850-7198",
        "12 Some Street",
        "Boston",
        "021-01",
        "42.123456",
        "Rana Gutmann",
        "SN-00017",
        "UDI-77",
        "Patient/patient-1",
        "W. Koepp",
        "TXMgS29lcHAgd2FzIHNlZW4KUGxhbgo=",
        "Ms Koepp was seen",
        "Born in a hospital of Newton",
        "Seen twice by Dr. Who",
        "Observation/o-1",
        "lives alone in Newton",
    ]
    .map(str::to_owned)
    .into();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "missing {missing:?}");
    let more: Vec<_> = found.difference(&expected).collect();
    assert!(more.is_empty(), "unexpected {more:?}");
}
