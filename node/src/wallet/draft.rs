//! What is to become a record: a public part made by policy and the sensitive bytes, from a FHIR bundle or a recording.

use medring_protocol::deid::{self, DeidError, Input, Policy, PublicKind};
use medring_protocol::fhir::{self, Bundle};
use medring_protocol::identity::PublicKeys;
use medring_protocol::params::{Params, Purpose};
use medring_protocol::record::Kind;
use medring_protocol::seal::{PlainKind, SealError, SensitivePlain};
use medring_protocol::vitals::{Recording, Signal, VitalsError, Window};

/// Most records one bundle or recording is divided into.
pub const PARTS_MAX: usize = 256;

/// A record not yet sealed. Its sensitive part is wiped on drop and not shown by `Debug`.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it will be: EHR, EMR or PHR.
    pub kind: Kind,
    /// How much of it is public.
    pub policy: Policy,
    /// m.
    pub public: Vec<u8>,
    /// What the recipient alone reads.
    pub sensitive: SensitivePlain,
    /// What the user has to be told, loudly.
    pub warning: Option<&'static str>,
}

/// Why no draft was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A kind that does not come from bundles or recordings.
    #[error("a record of kind {0} is not made from health data; choose ehr, emr or phr")]
    Kind(Kind),
    /// Table 1 gives this kind nothing.
    #[error("nothing in the bundle belongs into an {} by Table 1; see docs/spec/mapping.md", .0.name().to_uppercase())]
    Nothing(Kind),
    /// What may be public.
    #[error(transparent)]
    Public(#[from] DeidError),
    /// Samples that no recording holds.
    #[error(transparent)]
    Vitals(#[from] VitalsError),
    /// One resource, or one sample of each signal, is too large for a record of its own.
    #[error("{what} does not fit into a record of its own: {error}")]
    Fit {
        /// What.
        what: String,
        /// How it was too large.
        error: SealError,
    },
    /// Divided into too many records.
    #[error("it would take more than {PARTS_MAX} records; split it by date or by encounter and submit the parts")]
    TooMany,
}

/// The kind as the public part names it; `None` for records without health data.
pub fn public_kind(kind: Kind) -> Option<PublicKind> {
    match kind {
        Kind::Ehr => Some(PublicKind::Ehr),
        Kind::Emr => Some(PublicKind::Emr),
        Kind::Phr => Some(PublicKind::Phr),
        Kind::Aphr => Some(PublicKind::Aphr),
        Kind::EpochCommit | Kind::Enrol | Kind::Revoke | Kind::AuthorityUpdate => None,
    }
}

/// The public part of one record by its kind, a policy and the chain's purpose.
fn public_part(kind: Kind, policy: &Policy, input: Input<'_>, params: &Params) -> Result<deid::PublicPart, DraftError> {
    let public = public_kind(kind).ok_or(DraftError::Kind(kind))?;
    Ok(deid::public_part(public, policy, input, params.purpose == Purpose::Demo)?)
}

impl Draft {
    /// The part of a patient's bundle that goes into a record of `kind` by the paper's Table 1, for `recipient`. A part too
    /// large for one record is divided between entries, in order, each resource whole.
    pub fn from_bundle(
        kind: Kind,
        bundle: &Bundle,
        policy: &Policy,
        params: &Params,
        recipient: &PublicKeys,
    ) -> Result<Vec<Self>, DraftError> {
        let parts = fhir::split(bundle);
        let part = match kind {
            Kind::Ehr => parts.ehr,
            Kind::Emr => parts.emr,
            Kind::Phr => parts.phr,
            _ => return Err(DraftError::Kind(kind)),
        };
        let part = part.ok_or(DraftError::Nothing(kind))?;
        let make = |bundle: &Bundle| {
            let public = public_part(kind, policy, Input::Bundle(bundle), params)?;
            Ok(Self::new(kind, policy, public, recipient, bundle.to_bytes()))
        };
        divide(part, params, make, |bundle| {
            let entries = bundle.entries();
            let (left, right) = entries.split_at(entries.len() / 2);
            let halves = [Bundle::collection(left.to_vec()), Bundle::collection(right.to_vec())];
            let alone = || entries.first().map_or_else(String::new, |e| e.resource.resource_type().to_owned());
            if left.is_empty() { Err(alone()) } else { Ok(halves) }
        })
    }

    /// The PHR of a recording of vital signs, for `recipient`, who is its own producer. Too long a recording is divided
    /// into successive windows.
    pub fn from_vitals(
        recording: &Recording,
        policy: &Policy,
        params: &Params,
        recipient: &PublicKeys,
    ) -> Result<Vec<Self>, DraftError> {
        let subject = format!("Patient/{}", recipient.id());
        let make = |recording: &Recording| {
            let public = public_part(Kind::Phr, policy, Input::Vitals(recording), params)?;
            Ok(Self::new(Kind::Phr, policy, public, recipient, recording.to_fhir(&subject).to_bytes()))
        };
        divide(recording.clone(), params, make, |recording| {
            let half = recording.rows().div_ceil(2);
            match (cut(recording, 0, half), cut(recording, half, recording.rows())) {
                (Ok(first), Ok(second)) => Ok([first, second]),
                _ => Err("one sample of each signal".into()),
            }
        })
    }

    /// The PHR of a window of a live stream, for `recipient`, who is its own producer. Whether it fits into one record is the
    /// caller's to see.
    pub fn from_window(
        window: &Window,
        policy: &Policy,
        params: &Params,
        recipient: &PublicKeys,
    ) -> Result<Self, DraftError> {
        let bundle = window.to_fhir(&format!("Patient/{}", recipient.id()))?;
        let public = public_part(Kind::Phr, policy, Input::Nothing, params)?;
        Ok(Self::new(Kind::Phr, policy, public, recipient, bundle.to_bytes()))
    }

    fn new(kind: Kind, policy: &Policy, public: deid::PublicPart, recipient: &PublicKeys, bytes: Vec<u8>) -> Self {
        let sensitive = SensitivePlain::new(recipient.id(), PlainKind::FhirBundle, bytes);
        Self { kind, policy: policy.clone(), public: public.bytes, sensitive, warning: public.warning }
    }
}

/// Samples `from` … `to` of a recording; an error where there are none.
fn cut(recording: &Recording, from: usize, to: usize) -> Result<Recording, VitalsError> {
    let window = |s: &Signal| Signal {
        channel: s.channel.clone(),
        samples: s.samples.get(from..to).unwrap_or_default().to_vec(),
    };
    let signals = recording.signals().iter().map(window).collect();
    Recording::new(recording.time_ms(from), recording.period_ns(), signals)
}

/// Halves `whole` until every part fits into a record.
fn divide<T>(
    whole: T,
    params: &Params,
    make: impl Fn(&T) -> Result<Draft, DraftError>,
    halve: impl Fn(&T) -> Result<[T; 2], String>,
) -> Result<Vec<Draft>, DraftError> {
    let pad_min = usize::try_from(params.pad_min_bytes).unwrap_or(usize::MAX);
    let (mut todo, mut drafts) = (vec![whole], Vec::new());
    while let Some(part) = todo.pop() {
        let draft = make(&part)?;
        match draft.sensitive.encode(pad_min) {
            Ok(_) => drafts.push(draft),
            Err(error @ (SealError::DoesNotFit { .. } | SealError::TooLong { .. })) => {
                let [first, second] = halve(&part).map_err(|what| DraftError::Fit { what, error })?;
                todo.extend([second, first]);
            }
            Err(error) => return Err(DraftError::Fit { what: "the content".into(), error }),
        }
        if todo.len() + drafts.len() > PARTS_MAX {
            return Err(DraftError::TooMany);
        }
    }
    Ok(drafts)
}
