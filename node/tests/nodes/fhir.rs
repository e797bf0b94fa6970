//! FHIR at the edges: bundles in by one node, verified documents out of another.

use crate::common::*;
use medring_node::api::types::*;
use medring_node::driver::NodeHandle;
use medring_protocol::deid::identifying_strings;
use medring_protocol::fhir::{self, Bundle};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The patients to try with: those that are committed, and the larger collection that `MEDRING_DATA` names, or that lies in
/// ../shared/data beside the workspace; says loudly when there is none.
#[expect(clippy::print_stderr, reason = "whoever reads the output has to know what was left out")]
fn patients() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let beside = || root.join("../shared/data");
    let synthea = std::env::var_os("MEDRING_DATA").map_or_else(beside, PathBuf::from).join("fhir/synthea");
    if !synthea.is_dir() {
        eprintln!("SKIPPED: no larger collection at {}; set MEDRING_DATA to test on it", synthea.display());
    }
    let samples = root.join("testnet/samples/fhir");
    let mut found: Vec<_> = [samples, synthea]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("INDEX.json"))
        .collect();
    found.sort();
    assert!(found.len() >= 4, "the committed samples are not there");
    found
}

async fn post_fhir(node: &NodeHandle, query: &str, bytes: &[u8]) -> Answer {
    call(node, "POST", &format!("/v1/fhir/Bundle?{query}"), "application/fhir+json", bytes).await
}

/// A network with a healthcare center, a doctor and a patient, each on a node of its own, all enrolled.
struct Clinic {
    world: World,
    center: NodeHandle,
    doctor: NodeHandle,
    patient: NodeHandle,
}

impl Clinic {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let center = with_wallet(&world, "center", &world.kit.healthcare_center, &[]).await;
        let others = [address(&center)];
        let doctor = with_wallet(&world, "doctor", &world.kit.doctor, &others).await;
        let patient = with_wallet(&world, "patient", &world.kit.patient, &others).await;
        center.submit(world.kit.enrol_all(1)).await.unwrap();
        let clinic = Self { world, center, doctor, patient };
        clinic.mine(1).await;
        clinic
    }

    /// Mines what waits, and waits until all have it and the patient's wallet has looked through it.
    async fn mine(&self, blocks: u32) {
        let tip = *self.center.mine_blocks(blocks).await.unwrap().last().unwrap();
        for node in [&self.doctor, &self.patient] {
            until(node, "the center's tip", |snapshot| snapshot.tip == tip).await;
        }
        let height = self.center.snapshot().height;
        let wallet = self.patient.wallet().unwrap();
        until_true("the patient's scan", || wallet.status().scanned_height.is_some_and(|h| h >= height)).await;
    }

    async fn stop(self) {
        for node in [self.center, self.doctor, self.patient] {
            stop(node).await;
        }
    }
}

/// The resources of a bundle as they are written, in order.
fn resources(bytes: &[u8]) -> Vec<String> {
    let bundle = Bundle::parse(bytes).unwrap();
    bundle.entries().iter().map(|entry| entry.resource.text().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clinic_submits_comes_out_on_the_patients_node_resource_by_resource() {
    let clinic = Clinic::new(91).await;
    let whose = clinic.world.kit.patient.id;
    let mut compared = 0;
    for path in patients() {
        let bytes = std::fs::read(&path).unwrap();
        let parts = fhir::split(&Bundle::parse(&bytes).unwrap());
        for (node, kind, part) in [(&clinic.center, "ehr", parts.ehr), (&clinic.doctor, "emr", parts.emr)] {
            let answer = post_fhir(node, &format!("kind={kind}&patient={whose}"), &bytes).await;
            let part = part.unwrap();
            assert_eq!(answer.status, 202, "{} {kind}: {answer:?}", path.display());
            let BundleResponse { record_ids } = serde_json::from_slice(&answer.body).unwrap();
            until(&clinic.center, "the records in its pool", |s| s.pool_records >= record_ids.len()).await;
            clinic.mine(1).await;
            let mut found = Vec::new();
            for id in record_ids {
                let answer = get(&clinic.patient, &format!("/v1/fhir/Bundle/{id}")).await;
                assert_eq!(answer.status, 200, "{} {kind}: {answer:?}", path.display());
                assert!(answer.head.to_lowercase().contains("content-type: application/fhir+json"), "{}", answer.head);
                found.extend(resources(&answer.body));
                assert_eq!(get(node, &format!("/v1/fhir/Bundle/{id}")).await.status, 404, "its maker cannot open it");
            }
            assert_eq!(found, resources(&part.to_bytes()), "{} {kind}", path.display());
            compared += found.len();
        }
    }
    assert!(compared > 100, "{compared} resources");
    clinic.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_be_public_and_submits_nothing() {
    let clinic = Clinic::new(92).await;
    let bytes = std::fs::read(&patients()[0]).unwrap();
    let bundle = Bundle::parse(&bytes).unwrap();
    let whose = clinic.world.kit.patient.id;
    let query = format!("kind=ehr&patient={whose}&public=coarse:age_band,year&dry_run=true");
    let answer = post_fhir(&clinic.center, &query, &bytes).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let preview: BundlePreview = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((clinic.center.snapshot().pool_records, preview.recipient), (0, whose));
    assert!(preview.sealed.iter().any(|one| one.element == "Patient.name.family"), "{preview:?}");
    let text = String::from_utf8(answer.body).unwrap();
    for secret in identifying_strings(&bundle) {
        assert!(!text.contains(&secret), "{secret:?} is in the dry run");
    }
    // What was foretold is what is public then.
    let sealed = post_fhir(&clinic.center, &query.replace("&dry_run=true", ""), &bytes).await;
    let BundleResponse { record_ids } = serde_json::from_slice(&sealed.body).unwrap();
    assert_eq!(record_ids.len(), preview.records.len());
    for (id, foretold) in record_ids.iter().zip(&preview.records) {
        let summary: RecordSummary =
            serde_json::from_slice(&get(&clinic.center, &format!("/v1/records/{id}")).await.body).unwrap();
        assert_eq!(summary.public, foretold.public);
    }
    clinic.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_name() {
    let clinic = Clinic::new(93).await;
    let bytes = std::fs::read(&patients()[0]).unwrap();
    let whose = clinic.world.kit.patient.id;
    let nobody = "0".repeat(64);
    for (node, query, body, status, word) in [
        (&clinic.center, "kind=ehr".to_owned(), bytes.as_slice(), 400, "whose"),
        (&clinic.center, format!("kind=ehr&patient={nobody}"), &bytes, 404, "not enrolled"),
        (&clinic.center, format!("kind=ehr&patient={whose}"), b"{}", 400, "bundle"),
        (&clinic.center, format!("kind=ehr&patient={whose}&public=all"), &bytes, 400, "public"),
        (&clinic.center, format!("kind=ehr&patient={whose}&public=paper"), &bytes, 422, "demo"),
        (&clinic.center, format!("kind=emr&patient={whose}"), &bytes, 422, "R-ROLE"),
        (&clinic.center, format!("kind=xyz&patient={whose}"), &bytes, 400, "kind"),
        (&clinic.patient, format!("kind=phr&patient={whose}"), &bytes, 400, "own maker"),
        (&clinic.patient, "kind=phr&to=owner".into(), &bytes, 400, "group"),
        (&clinic.patient, format!("kind=ehr&group={nobody}&patient={whose}"), &bytes, 400, "PHR"),
        (&clinic.patient, format!("kind=phr&group={nobody}"), &bytes, 404, "none of this node"),
    ] {
        let answer = post_fhir(node, &query, body).await;
        let problem: Value = answer.json();
        let said = format!("{} {}", problem["detail"].as_str().unwrap(), problem["rule"]);
        assert!(answer.status == status && said.contains(word), "{query}: {answer:?}");
    }
    assert_eq!(get(&clinic.patient, &format!("/v1/fhir/Bundle/{nobody}")).await.status, 404);
    clinic.stop().await;
}
