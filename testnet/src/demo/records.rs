//! The records of the demo, each made where its maker's keys are.

use super::{DemoError, Inputs};
use crate::procs::{Testnet, identity, now_ms, rng};
use medring_node::wallet::{Draft, DraftError, Moment, seal_record};
use medring_protocol::RecordId;
use medring_protocol::deid::Policy;
use medring_protocol::identity::{IdentitySecret, PublicKeys};
use medring_protocol::params::Params;
use medring_protocol::record::{Kind, Record};
use medring_protocol::seal::RecordSecret;
use serde_json::Value;

/// A record as its maker keeps it in mind.
#[derive(Debug)]
pub struct Sealed {
    /// Index of the patient it is for.
    pub patient: usize,
    /// What it is.
    pub kind: Kind,
    /// Who made it: `healthcenter`, `doctor` or `patient`.
    pub by: String,
    /// Its id.
    pub id: RecordId,
    /// The record.
    pub record: Record,
    /// What opens it for anyone.
    pub r: RecordSecret,
    /// What was sealed: a FHIR bundle.
    pub plain: Vec<u8>,
    /// The public part, for people.
    pub public: String,
}

/// Now, at node 0's tip.
fn moment(testnet: &Testnet) -> Result<Moment, DemoError> {
    let status: Value = testnet.client(0)?.get("/v1/status")?;
    Ok(Moment { now_ms: now_ms(), tip_height: status["tip"]["height"].as_u64().unwrap_or_default() })
}

/// EHR, EMR and PHR of every patient. A part too large for one record becomes several.
pub(super) fn seal_all(testnet: &Testnet, inputs: &Inputs) -> Result<Vec<Sealed>, DemoError> {
    let (seed, params) = (testnet.state().seed, testnet.genesis()?.params);
    let (center, doctor) = (identity(seed, "healthcenter"), identity(seed, "doctor"));
    let at = moment(testnet)?;
    let mut out = Vec::new();
    for (patient, input) in inputs.patients.iter().enumerate() {
        let name = super::patient_name(patient);
        let own = identity(seed, &name);
        let recipient = own.public();
        let fail = |e: String| DemoError::Seal(format!("{}: {e}", input.file));
        let drafts = |kind| match Draft::from_bundle(kind, &input.bundle, &Policy::Minimal, &params, &recipient) {
            // Not every bundle has something of each kind.
            Err(DraftError::Nothing(_)) => Ok(Vec::new()),
            drafts => drafts.map_err(|e| fail(e.to_string())),
        };
        let vitals = Draft::from_vitals(&inputs.vitals, &Policy::Minimal, &params, &recipient);
        let vitals = vitals.map_err(|e| fail(e.to_string()))?;
        let maker = Maker { params: &params, recipient: &recipient, patient, at, seed };
        let makers = [("healthcenter", &center), ("doctor", &doctor), (name.as_str(), &own)];
        for (drafts, by) in [drafts(Kind::Ehr)?, drafts(Kind::Emr)?, vitals].iter().zip(makers) {
            for draft in drafts {
                out.push(maker.make(draft, by, out.len())?);
            }
        }
    }
    Ok(out)
}

/// An EHR of someone who is not the demo's patient, by the same healthcare center: what a cheat would pass off.
pub(super) fn foreign(testnet: &Testnet, inputs: &Inputs) -> Result<Sealed, DemoError> {
    let (seed, params) = (testnet.state().seed, testnet.genesis()?.params);
    let stranger = identity(seed, "another patient").public();
    let bundle = &inputs.patients.first().ok_or_else(|| DemoError::Seal("there is no patient".into()))?.bundle;
    let drafts = Draft::from_bundle(Kind::Ehr, bundle, &Policy::Minimal, &params, &stranger);
    let draft = drafts.map_err(|e| DemoError::Seal(e.to_string()))?.swap_remove(0);
    let maker = Maker { params: &params, recipient: &stranger, patient: usize::MAX, at: moment(testnet)?, seed };
    maker.make(&draft, ("healthcenter", &identity(seed, "healthcenter")), usize::MAX)
}

struct Maker<'a> {
    params: &'a Params,
    recipient: &'a PublicKeys,
    patient: usize,
    at: Moment,
    seed: u64,
}

impl Maker<'_> {
    fn make(&self, draft: &Draft, (name, by): (&str, &IdentitySecret), number: usize) -> Result<Sealed, DemoError> {
        let mut rng = rng(self.seed, &format!("record {number}"));
        let produced = seal_record(self.params, by, self.recipient, draft, self.at, &mut rng)
            .map_err(|e| DemoError::Seal(e.to_string()))?;
        Ok(Sealed {
            patient: self.patient,
            kind: draft.kind,
            by: name.into(),
            id: produced.record.id(&self.params.chain_id()),
            record: produced.record,
            r: produced.r,
            plain: draft.sensitive.bytes.to_vec(),
            public: String::from_utf8_lossy(&draft.public).into_owned(),
        })
    }
}
