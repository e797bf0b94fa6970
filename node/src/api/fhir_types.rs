//! The JSON of FHIR at the edges, as types for the server and for its clients.

use medring_protocol::record::Kind;
use medring_protocol::{ParticipantId, RecordId};
use serde::{Deserialize, Serialize};

/// What a bundle is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BundleKind {
    /// By a healthcare center, for a patient.
    Ehr,
    /// By a doctor, for a patient.
    Emr,
    /// By a patient, for itself or its group.
    Phr,
}

impl From<BundleKind> for Kind {
    fn from(kind: BundleKind) -> Self {
        match kind {
            BundleKind::Ehr => Self::Ehr,
            BundleKind::Emr => Self::Emr,
            BundleKind::Phr => Self::Phr,
        }
    }
}

/// To whom a PHR is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SealedTo {
    /// All members of the epoch in force: receiver type 2.
    Group,
    /// The owner alone, under the epoch's name: receiver type 3.
    Owner,
}

/// `POST /v1/fhir/Bundle`: in the pool and on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BundleResponse {
    /// One record, or several in order if the bundle is too large for one.
    #[schemars(with = "Vec<crate::api::schema::Id>")]
    pub record_ids: Vec<RecordId>,
}

/// `POST /v1/fhir/Bundle?dry_run=true`: what would become of the bundle, field by field. Nothing is sealed or submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BundlePreview {
    /// What it would become.
    pub kind: BundleKind,
    /// `minimal`, `coarse:FIELD,…` or `paper`.
    pub policy: String,
    /// Who alone could open it; members of a group, if one is named, as well.
    #[schemars(with = "crate::api::schema::Id")]
    pub recipient: ParticipantId,
    /// The records, in order.
    pub records: Vec<RecordPreview>,
    /// What would be public, to everyone and for ever, member by member (docs/spec/deid.md).
    pub public: Vec<PublicField>,
    /// What would be sealed: each element of FHIR that has a value, and how many it has.
    pub sealed: Vec<SealedField>,
    /// Further elements that are sealed and not listed.
    pub sealed_more: usize,
    /// What would be neither: resources that Table 1 gives to other kinds, and what is no resource (docs/spec/mapping.md).
    pub left_out: Vec<LeftOut>,
    /// What the user has to be told, loudly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// One record of a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RecordPreview {
    /// Resources in it.
    pub resources: usize,
    /// Length of what is sealed, before it is compressed and padded.
    pub bytes: usize,
    /// Its public part, whole.
    pub public: serde_json::Value,
}

/// One member of the public part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PublicField {
    /// Which of the records, from 0.
    pub record: usize,
    /// For example `age_band`.
    pub field: String,
    /// As everyone would read it.
    pub value: serde_json::Value,
}

/// An element of FHIR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SealedField {
    /// For example `Patient.name.family`.
    pub element: String,
    /// Values of it.
    pub values: usize,
}

/// Something of the bundle that does not travel with this kind of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LeftOut {
    /// A type of resource, or where in the bundle.
    pub what: String,
    /// How many.
    pub count: usize,
    /// Why.
    pub why: String,
}
