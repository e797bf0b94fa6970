//! aggregate/1 of small records, whole, and of the committed sample patients, by hash.

use crate::settle;
use medring_protocol::aggregate::{BUDGETS_BYTES, Source, aggregate_within};
use medring_protocol::fhir::{Bundle, split};
use medring_protocol::record::Kind;
use medring_protocol::vitals::{Layout, Recording};
use medring_protocol::{ParticipantId, RecordId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The committed samples (testnet/samples).
const PATIENTS: [(&str, &[u8]); 4] = [
    ("anaemia", include_bytes!("../../../testnet/samples/fhir/anaemia-2-0000.json")),
    ("kidney disease", include_bytes!("../../../testnet/samples/fhir/ckd_stage3-3-0000.json")),
    ("hypertension", include_bytes!("../../../testnet/samples/fhir/hypertension-7-0000.json")),
    ("type 2 diabetes", include_bytes!("../../../testnet/samples/fhir/type2_diabetes-6-0000.json")),
];
const PULSE: &[u8] = include_bytes!("../../../testnet/samples/vitals/pulse_heartpy_1min.csv");
/// 2020-01-01T00:00:00Z.
const START_MS: u64 = 1_577_836_800_000;

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ehr => "EHR",
        Kind::Emr => "EMR",
        _ => "PHR",
    }
}

fn made(opened: &[(Kind, Bundle)], budget: usize) -> (ParticipantId, Vec<Value>, Vec<u8>) {
    let patient = ParticipantId([7; 32]);
    let sources: Vec<Source<'_>> = (1..)
        .zip(opened)
        .map(|(i, (kind, bundle))| Source {
            record: RecordId([i; 32]),
            kind: *kind,
            uploader: ParticipantId([0x10 + i; 32]),
            bundle,
        })
        .collect();
    let named = sources.iter().map(
        |s| json!({"record": s.record.to_string(), "kind": kind_name(s.kind), "uploader": s.uploader.to_string()}),
    );
    (patient, named.collect(), aggregate_within(&patient, &sources, budget).unwrap().to_vec())
}

/// A case with its sources and the whole aggregate as text.
fn whole(name: &str, opened: &[(Kind, Bundle)], budget: usize) -> Value {
    let (patient, mut sources, aggregate) = made(opened, budget);
    for (source, (_, bundle)) in sources.iter_mut().zip(opened) {
        source["bundle"] = json!(String::from_utf8(bundle.to_bytes()).unwrap());
    }
    json!({"name": name, "patient": patient.to_string(), "budget": budget, "sources": sources,
        "aggregate": String::from_utf8(aggregate).unwrap()})
}

/// A case by the length and the SHA-256 of its aggregate.
fn hashed(name: &str, opened: &[(Kind, Bundle)], budget: usize) -> Value {
    let (patient, sources, aggregate) = made(opened, budget);
    json!({"name": name, "patient": patient.to_string(), "budget": budget, "sources": sources,
        "bytes": aggregate.len(), "sha256": hex::encode(Sha256::digest(&aggregate))})
}

fn bundle(resources: Value) -> Bundle {
    let entries: Vec<Value> = resources.as_array().unwrap().iter().map(|r| json!({"resource": r})).collect();
    Bundle::parse(json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string().as_bytes())
        .unwrap()
}

fn code(system: &str, code: &str, text: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}], "text": text})
}

/// An EHR and an EMR that agree on the patient, share a diagnosis under other ids, and contradict each other.
fn small() -> [(Kind, Bundle); 3] {
    let diagnosis = |id: &str, encounter: &str| {
        json!({"resourceType": "Condition", "id": id, "subject": {"reference": "Patient/p"},
            "encounter": {"reference": encounter}, "code": code("http://snomed.info/sct", "44054006", "diabetes")})
    };
    let visit = |id: &str| {
        json!({"resourceType": "Encounter", "id": id, "status": "finished", "period": {"start": "2019-05-01"},
            "identifier": [{"value": id}], "subject": {"reference": "Patient/p"}})
    };
    let medicine = |status: &str| {
        json!({"resourceType": "MedicationRequest", "status": status, "intent": "order", "authoredOn": "2019-05-01",
            "subject": {"reference": "Patient/p"},
            "medicationCodeableConcept": code("http://www.nlm.nih.gov/research/umls/rxnorm", "860975", "metformin")})
    };
    let patient = json!({"resourceType": "Patient", "id": "p", "birthDate": "1950-04-01",
        "name": [{"family": "Ångström", "given": ["Jo €"]}]});
    let allergy = json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"},
        "code": code("http://snomed.info/sct", "91935009", "peanut")});
    let creatinine = json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": "2019-05-01T08:00:00+02:00",
        "code": code("http://loinc.org", "2160-0", "creatinine"), "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": 1.50, "unit": "mg/dL"}, "note": [{"text": "numbers: see 1e21 and 0.0000001"}],
        "extension": [{"url": "urn:x", "valueDecimal": 1e21}, {"url": "urn:y", "valueDecimal": 0.000_000_1}]});
    let phr = Recording::from_csv(PULSE, &Layout::default(), START_MS).unwrap().to_fhir("Patient/p");
    [
        (
            Kind::Ehr,
            bundle(json!([patient, diagnosis("c1", "Encounter/e1"), visit("e1"), allergy, medicine("active")])),
        ),
        (
            Kind::Emr,
            bundle(json!([visit("e9"), diagnosis("c9", "Encounter/e9"), patient, medicine("stopped"), creatinine])),
        ),
        (Kind::Phr, phr),
    ]
}

#[test]
fn the_committed_file_is_what_the_code_computes() {
    let (all, smallest) = (BUDGETS_BYTES[0], BUDGETS_BYTES[BUDGETS_BYTES.len() - 1]);
    let mut cases = vec![whole("an EHR, an EMR and a PHR", &small(), all), whole("one source", &small()[..1], all)];
    for (name, bytes) in PATIENTS {
        let parts = split(&Bundle::parse(bytes).unwrap());
        let mut opened = vec![(Kind::Ehr, parts.ehr.unwrap()), (Kind::Emr, parts.emr.unwrap())];
        opened
            .push((Kind::Phr, Recording::from_csv(PULSE, &Layout::default(), START_MS).unwrap().to_fhir("Patient/1")));
        cases.push(hashed(name, &opened, all));
        cases.push(hashed(&format!("{name}, the smallest budget"), &opened, smallest));
    }
    let about = "aggregate = aggregate/1 of the sources, canonical JSON (RFC 8785) as text, or its length and SHA-256. \
        The hashed cases are testnet/samples: fhir/* divided into EHR and EMR, and vitals/pulse_heartpy_1min.csv from \
        2020-01-01T00:00:00Z as PHR.";
    settle("aggregate.json", about, cases);
}
