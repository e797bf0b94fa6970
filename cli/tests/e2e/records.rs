//! Records for the tests, made by the wallet's producer with the testnet's own keys.

use medring_node::wallet::{Draft, Moment, seal_record};
use medring_protocol::deid::Policy;
use medring_protocol::fhir::Bundle;
use medring_protocol::identity::{IdentitySecret, PublicKeys};
use medring_protocol::params::Params;
use medring_protocol::record::{Kind, Record};
use medring_testnet::procs::{Testnet, identity, rng};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes records that differ, all for one patient.
pub(crate) struct Maker {
    pub(crate) params: Params,
    pub(crate) seed: u64,
    patient: PublicKeys,
    made: u64,
}

/// Now, ms since 1970.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A bundle of a patient and one finding, with `text_bytes` of text that no compression shortens much.
pub(crate) fn bundle(number: u64, text_bytes: usize) -> Bundle {
    use rand::Rng;
    let mut bytes = vec![0; text_bytes / 2];
    rng(number, "text").fill_bytes(&mut bytes);
    let json = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            { "fullUrl": "urn:uuid:p", "resource": { "resourceType": "Patient", "id": format!("patient-{number}") } },
            { "fullUrl": "urn:uuid:o", "resource": {
                "resourceType": "Observation", "status": "final", "id": format!("finding-{number}"),
                "category": [{ "coding": [{ "code": "laboratory",
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category" }] }],
                "code": { "coding": [{ "system": "http://loinc.org", "code": "4548-4" }] },
                "subject": { "reference": "urn:uuid:p" },
                "valueString": hex::encode(bytes),
            } },
        ],
    });
    Bundle::parse(json.to_string().as_bytes()).unwrap()
}

impl Maker {
    /// For the patient of a testnet: `node2`, or whoever is node 0 of a smaller one.
    pub(crate) fn new(net: &Testnet) -> Self {
        let nodes = &net.state().nodes;
        let patient = nodes.get(2).unwrap_or(&nodes[0]).keys.clone();
        Self { params: net.genesis().unwrap().params, seed: net.state().seed, patient, made: 0 }
    }

    /// The secret keys of a node's participant.
    pub(crate) fn identity(&self, name: &str) -> IdentitySecret {
        identity(self.seed, name)
    }

    /// An EHR by node 0's healthcare center, made now.
    pub(crate) fn ehr(&mut self, tip_height: u64) -> Record {
        self.record(Kind::Ehr, "node0", Moment { now_ms: now_ms(), tip_height }, 64)
    }

    /// Any record, at any time, by anyone.
    pub(crate) fn record(&mut self, kind: Kind, by: &str, at: Moment, text_bytes: usize) -> Record {
        self.made += 1;
        let bundle = bundle(self.made, text_bytes);
        let drafts = Draft::from_bundle(Kind::Ehr, &bundle, &Policy::Minimal, &self.params, &self.patient).unwrap();
        let mut draft = drafts.into_iter().next().unwrap();
        if kind != Kind::Ehr {
            let of_kind = Draft::from_bundle(kind, &bundle, &Policy::Minimal, &self.params, &self.patient).unwrap();
            draft = of_kind.into_iter().next().unwrap();
        }
        let mut rng = rng(self.seed, &format!("record {}", self.made));
        seal_record(&self.params, &self.identity(by), &self.patient, &draft, at, &mut rng).unwrap().record
    }
}
