//! Aggregates between real nodes: made at a new epoch and by policy, read and checked by members, and forged.

use crate::common::*;
use crate::groups::{Family, parsed, path, phr};
use medring_node::api::types::*;
use medring_node::driver::NodeHandle;
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use medring_protocol::record::Kind;
use serde_json::json;

const EHR: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"AllergyIntolerance",
"code":{"text":"peanut"}}}]}"#;
const EMR: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Condition",
"code":{"text":"diabetes"}}}]}"#;

/// Submits an EHR and an EMR for the patient and mines until they are settled.
async fn two_records(family: &Family) -> [RecordId; 2] {
    let kit = &family.world.kit;
    let height = family.patient.snapshot().height;
    let mut ids = Vec::new();
    for (number, (kind, text)) in (1..).zip([(Kind::Ehr, EHR), (Kind::Emr, EMR)]) {
        let record = kit.sealed_record(kind, text, &kit.patient, number, height);
        ids.push(family.patient.submit(record).await.unwrap());
    }
    family.mine(kit.params.confirmations).await;
    [ids[0], ids[1]]
}

/// Waits until an APHR of the patient's node's own accord is in its pool, and mines it.
async fn aggregated(family: &Family) {
    until(&family.patient, "an aggregate in the pool", |s| s.pool_records > 0).await;
    family.mine(1).await;
}

async fn report(node: &NodeHandle, group: &GroupUid, query: &str) -> AphrReport {
    parsed(&get(node, &path(group, &format!("/report{query}"))).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_node_aggregates_by_itself_and_members_verify_on_their_own() {
    let family = Family::new(71).await;
    let group = family.together().await;
    assert_eq!(get(&family.doctor, &path(&group, "/report")).await.status, 404, "nothing to aggregate yet");
    let ids = two_records(&family).await;
    aggregated(&family).await;
    for node in family.nodes() {
        let report = report(node, &group, "").await;
        assert!(report.passed && !report.stale && report.epoch == 0, "{report:?}");
        assert_eq!(report.sources.iter().map(|s| s.record_id).collect::<Vec<_>>(), ids);
    }
    // By policy: a live PHR makes one due, and until it is there the old one is stale.
    let policy = json!({"every_records": 1, "every_minutes": null});
    assert_eq!(put(&family.patient, &path(&group, "/policy"), policy.clone()).await.status, 200);
    let told: serde_json::Value = parsed(&get(&family.patient, &path(&group, "/policy")).await);
    assert_eq!(told, policy);
    let live = json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {
        "resourceType": "Observation", "status": "final", "effectiveDateTime": "2020-01-01T00:00:00Z",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
        "valueQuantity": {"value": 131, "unit": "mm[Hg]", "code": "mm[Hg]"}}}]});
    let sealed: BundleResponse = parsed(&post(&family.patient, &phr(&group, ""), live).await);
    family.mine(1).await;
    let stale = report(&family.doctor, &group, "").await;
    assert_eq!((stale.stale, stale.newer, stale.passed), (true, Some(sealed.record_ids[0]), true));
    family.mine(family.world.kit.params.confirmations).await;
    aggregated(&family).await;
    let newest = report(&family.doctor, &group, "?aggregate=true").await;
    assert!(newest.passed && !newest.stale && newest.sources.len() == 3, "{newest:?}");
    assert_eq!(newest.summary.unwrap().vital_signs[0].name, "Systolic blood pressure");
    let aggregate = newest.aggregate.unwrap();
    assert!(aggregate.get().contains("peanut"));
    let document = get(&family.doctor, &format!("/v1/fhir/groups/{group}/aggregate")).await;
    assert_eq!((document.status, document.body.as_slice()), (200, aggregate.get().as_bytes()));
    let head = document.head.to_lowercase();
    assert!(head.contains("content-type: application/fhir+json") && head.contains("medring-stale: false"), "{head}");
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheating_patient_is_found_out_by_each_member() {
    let family = Family::new(72).await;
    let group = family.together().await;
    let ids = two_records(&family).await;
    aggregated(&family).await;
    let play = |sources: serde_json::Value, aggregate: serde_json::Value| json!({"group": group, "sources": sources, "aggregate": aggregate});
    let foreign_r = hex::encode([7; 32]);
    let unmined = RecordId([9; 32]);
    for (what, body, verdict) in [
        ("a wrong r", play(json!([{"record_id": ids[0], "r": foreign_r}]), json!("{}")), Some("altered")),
        (
            "no such record",
            play(json!([{"record_id": unmined, "r": foreign_r, "signature": "07".repeat(64)}]), json!("{}")),
            Some("missing"),
        ),
        ("another aggregate", play(json!([{"record_id": ids[0]}]), json!("{}")), None),
    ] {
        let made: AggregateResponse = parsed(&post(&family.patient, "/v1/testnet/aggregate", body).await);
        family.mine(1).await;
        let report = report(&family.caregiver, &group, &format!("?record={}", made.record_id)).await;
        assert!(!report.passed && !report.aggregate_matches, "{what}: {report:?}");
        let path = format!("/v1/fhir/groups/{group}/aggregate?record={}", made.record_id);
        let document = get(&family.caregiver, &path).await;
        assert_eq!((document.status, document.json()["title"].as_str()), (422, Some("It did not verify")), "{what}");
        let told = serde_json::to_value(report.sources[0].verdict).unwrap();
        assert_eq!(told, verdict.unwrap_or("verified"), "{what}");
    }
    // Told nothing else, it seals an honest one.
    let honest = play(json!([{"record_id": ids[0]}, {"record_id": ids[1]}]), json!(null));
    let made: AggregateResponse = parsed(&post(&family.patient, "/v1/testnet/aggregate", honest).await);
    family.mine(1).await;
    assert!(report(&family.doctor, &group, &format!("?record={}", made.record_id)).await.passed);
    // Members seal nothing.
    assert_eq!(post(&family.doctor, &path(&group, "/aggregate"), json!({})).await.status, 409);
    assert_eq!(put(&family.patient, &path(&group, "/policy"), json!({"every_records": 0})).await.status, 400);
    family.stop().await;
}
