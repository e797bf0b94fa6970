//! The records of the demo, each made where its maker's keys are.

use super::{DemoError, Inputs};
use crate::procs::{Testnet, identity, now_ms, rng};
use medring_protocol::chebyshev::PublicKey;
use medring_protocol::deid::{self, Policy, PublicKind};
use medring_protocol::fhir::Bundle;
use medring_protocol::identity::{Enrolment, EnrolmentEntry, IdentitySecret, PublicKeys};
use medring_protocol::params::{Params, Purpose};
use medring_protocol::record::{Content, Kind, Receiver, Record};
use medring_protocol::seal::{PlainKind, SealContext, SensitivePlain, To, seal};
use medring_protocol::{Commitment, RecordId};
use serde_json::Value;

/// A record as its maker keeps it in mind.
#[derive(Debug)]
pub struct Sealed {
    /// Index of the patient it is for.
    pub patient: usize,
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: RecordId,
    /// The record.
    pub record: Record,
    /// What was sealed: a FHIR bundle.
    pub plain: Vec<u8>,
    /// The public part, for people.
    pub public: String,
}

/// Stamp and expiry for a record made now at node 0's tip.
fn timing(testnet: &Testnet, params: &Params) -> Result<(u64, u64), DemoError> {
    let status: Value = testnet.client(0)?.get("/v1/status")?;
    let height = status["tip"]["height"].as_u64().unwrap_or_default();
    let now = now_ms();
    Ok((now - now % params.stamp_granularity_ms, height + params.expiry_window_heights / 2))
}

/// The authority's record that enrols every participant of the testnet that has a role, each with its own consent.
pub fn enrolment(testnet: &Testnet) -> Result<Record, DemoError> {
    let (state, params) = (testnet.state(), testnet.genesis()?.params);
    let entry = |name: &str, role| EnrolmentEntry::new(&state.chain_id, &identity(state.seed, name), role, 0, u64::MAX);
    let entries = state.nodes.iter().filter_map(|n| Some(entry(&n.name, n.role?))).collect();
    let authority = identity(state.seed, "authority");
    let content = Content {
        kind: Kind::Enrol,
        uploader: authority.public().id(),
        receiver: Receiver::None,
        commitment: Commitment::ZERO,
        public: Enrolment::new(entries).encode(),
        sealed: Vec::new(),
    };
    let (stamp_ms, expiry) = timing(testnet, &params)?;
    Ok(Record::sign(&state.chain_id, content, stamp_ms, expiry, &authority))
}

/// EHR, EMR and PHR of every patient.
pub(super) fn seal_all(testnet: &Testnet, inputs: &Inputs) -> Result<Vec<Sealed>, DemoError> {
    let (state, params) = (testnet.state(), testnet.genesis()?.params);
    let (center, doctor) = (identity(state.seed, "healthcenter"), identity(state.seed, "doctor"));
    let mut out = Vec::new();
    for (k, patient) in inputs.patients.iter().enumerate() {
        let name = if k == 0 { "patient".to_string() } else { format!("patient{}", k + 1) };
        let own = identity(state.seed, &name);
        let subject = patient_reference(&patient.bundle);
        let phr = inputs.vitals.to_fhir(&subject);
        let maker = Maker { testnet, params: &params, recipient: own.public(), patient: k, name: &name };
        out.push(maker.make(Kind::Ehr, PublicKind::Ehr, &patient.ehr, &center)?);
        out.push(maker.make(Kind::Emr, PublicKind::Emr, &patient.emr, &doctor)?);
        out.push(maker.make(Kind::Phr, PublicKind::Phr, &phr, &own)?);
    }
    Ok(out)
}

/// How the patient's own observations refer to the patient, inside the seal.
fn patient_reference(bundle: &Bundle) -> String {
    let patient = bundle.entries().iter().find(|e| e.resource.resource_type() == "Patient");
    let id = patient.and_then(|e| e.resource.id()).unwrap_or("self");
    format!("Patient/{id}")
}

struct Maker<'a> {
    testnet: &'a Testnet,
    params: &'a Params,
    recipient: PublicKeys,
    patient: usize,
    name: &'a str,
}

impl Maker<'_> {
    fn make(&self, kind: Kind, public: PublicKind, bundle: &Bundle, by: &IdentitySecret) -> Result<Sealed, DemoError> {
        let fail = |e: String| DemoError::Seal(format!("{kind} of {}: {e}", self.name));
        let (state, demo) = (self.testnet.state(), self.params.purpose == Purpose::Demo);
        let m = deid::public_part(public, &Policy::Minimal, deid::Input::Bundle(bundle), demo)
            .map_err(|e| fail(e.to_string()))?;
        let plain = bundle.to_bytes();
        let sensitive = SensitivePlain::new(self.recipient.id(), PlainKind::FhirBundle, plain.clone());
        let key = PublicKey::validate(&self.recipient.chebyshev).map_err(|e| fail(e.to_string()))?;
        let uploader = by.public().id();
        let context = SealContext { chain: &state.chain_id, kind, uploader: &uploader, public: &m.bytes };
        let mut rng = rng(state.seed, &format!("{kind} for {}", self.name));
        let pad_min = self.params.pad_min_bytes as usize;
        let sealed = seal(&context, To::Participant(&key), &sensitive, pad_min, &mut rng).map_err(|e| fail(e.to_string()))?;
        let (stamp_ms, expiry) = timing(self.testnet, self.params)?;
        let record = Record::sign(&state.chain_id, sealed.content, stamp_ms, expiry, by);
        let public = String::from_utf8_lossy(&m.bytes).into_owned();
        Ok(Sealed { patient: self.patient, kind, id: record.id(&state.chain_id), record, plain, public })
    }
}
