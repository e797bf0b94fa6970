//! `POST /v1/fhir/Bundle`: what comes in.

use super::super::blocking;
use super::super::problem::ApiError;
use super::super::types::{BundleKind, BundleResponse, SealedTo};
use super::super::wallet::wallet_of;
use super::preview;
use crate::driver::{NodeHandle, now_ms, os_rng};
use crate::group::{PhrError, drafts, seal_phr};
use crate::wallet::{Draft, Moment, seal_record};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use medring_protocol::ParticipantId;
use medring_protocol::deid::Policy;
use medring_protocol::fhir::Bundle;
use medring_protocol::group::GroupUid;
use medring_protocol::identity::PublicKeys;
use medring_protocol::record::{Kind, Record};
use serde::Deserialize;

/// What is to become of the bundle.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BundleQuery {
    /// What it is to become.
    kind: BundleKind,
    /// EHR and EMR: whose it is.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    patient: Option<ParticipantId>,
    /// PHR: seal it to this group of the patient's own, instead of to the patient alone.
    #[schemars(with = "Option<crate::api::schema::Id>")]
    group: Option<GroupUid>,
    /// With a group: to all its members, if absent, or to its owner under the epoch's name.
    to: Option<SealedTo>,
    /// How much of it is public: `minimal`, if absent, `coarse:FIELD,…` or `paper` (docs/spec/deid.md).
    public: Option<String>,
    /// Seal nothing, and tell what would be public and what sealed.
    #[serde(default)]
    dry_run: bool,
}

/// For whom it is sealed, as the question says.
enum Addressee {
    Patient(ParticipantId),
    Oneself,
    Group(GroupUid, SealedTo),
}

impl BundleQuery {
    fn addressee(&self) -> Result<Addressee, ApiError> {
        let wrong = |detail, next| Err(ApiError::bad_request(detail, next));
        match (self.kind, self.patient, self.group) {
            (BundleKind::Phr, None, Some(group)) => Ok(Addressee::Group(group, self.to.unwrap_or(SealedTo::Group))),
            _ if self.to.is_some() => wrong("to goes with a PHR for a group", "name the group, or leave to out"),
            (BundleKind::Phr, None, None) => Ok(Addressee::Oneself),
            (BundleKind::Phr, Some(_), _) => {
                wrong("a PHR is sealed to its own maker or to its group", "leave patient out")
            }
            (_, Some(patient), None) => Ok(Addressee::Patient(patient)),
            (_, None, None) => {
                wrong("whose EHR or EMR it is is not said", "give patient, the patient's participant id")
            }
            (_, _, Some(_)) => wrong(
                "a group takes PHR only",
                "seal an EHR or EMR to its patient, who aggregates it for the group; leave group out",
            ),
        }
    }
}

pub(super) async fn bundle(
    State(node): State<NodeHandle>,
    query: Result<Query<BundleQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query?;
    let addressee = query.addressee()?;
    let policy: Policy = query
        .public
        .as_deref()
        .unwrap_or("minimal")
        .parse()
        .map_err(|e| ApiError::bad_request(format!("public: {e}"), "use minimal, coarse:FIELD,… or paper"))?;
    wallet_of(&node)?;
    let body = body?;
    // A bundle of 16 MiB takes a moment.
    let bundle = blocking(move || {
        Bundle::parse(&body)
            .map_err(|e| ApiError::bad_request(format!("the bundle is refused: {e}"), "send a FHIR R4 Bundle as it is"))
    })
    .await?;
    let kind = query.kind;
    if query.dry_run {
        let preview = blocking(move || {
            let recipient = recipient(&node, &addressee)?;
            let drafts = made(&node, kind, &bundle, &policy, &recipient)?;
            Ok(preview::of(kind, &bundle, &policy, recipient.id(), &drafts))
        });
        return Ok(Json(preview.await?).into_response());
    }
    let record_ids = match addressee {
        Addressee::Group(group, to) => seal_phr(&node, &group, bundle, to, policy).await?,
        Addressee::Patient(_) | Addressee::Oneself => {
            let (sealing, mut ids) = (node.clone(), Vec::new());
            for record in blocking(move || seal(&sealing, kind, &bundle, &policy, &addressee)).await? {
                ids.push(node.submit(record).await?);
            }
            ids
        }
    };
    Ok((StatusCode::ACCEPTED, Json(BundleResponse { record_ids })).into_response())
}

/// Whose keys it is sealed with; of a group the owner's, which a PHR is for in any case.
fn recipient(node: &NodeHandle, addressee: &Addressee) -> Result<PublicKeys, ApiError> {
    match addressee {
        Addressee::Oneself => Ok(wallet_of(node)?.identity().public()),
        Addressee::Group(group, _) => {
            super::super::groups::groups_of(node)?.sealing(group)?;
            Ok(wallet_of(node)?.identity().public())
        }
        Addressee::Patient(id) => {
            let detail = || format!("participant {id} is not enrolled on the best chain");
            let next = "ask an authority to enrol it, or wait until its enrolment is mined";
            node.store().keys_of(id)?.ok_or_else(|| ApiError::not_found(detail(), next))
        }
    }
}

fn made(
    node: &NodeHandle,
    kind: BundleKind,
    bundle: &Bundle,
    policy: &Policy,
    recipient: &PublicKeys,
) -> Result<Vec<Draft>, ApiError> {
    let drafts = match kind {
        BundleKind::Phr => drafts(bundle, policy, node.params(), recipient),
        BundleKind::Ehr | BundleKind::Emr => {
            Draft::from_bundle(Kind::from(kind), bundle, policy, node.params(), recipient)
        }
    };
    drafts.map_err(|error| PhrError::from(error).into())
}

fn seal(
    node: &NodeHandle,
    kind: BundleKind,
    bundle: &Bundle,
    policy: &Policy,
    addressee: &Addressee,
) -> Result<Vec<Record>, ApiError> {
    let (wallet, recipient) = (wallet_of(node)?, recipient(node, addressee)?);
    let drafts = made(node, kind, bundle, policy, &recipient)?;
    let at = Moment { now_ms: now_ms(), tip_height: node.store().tip()?.1 };
    let mut rng = os_rng();
    let mut seal = |draft: &Draft| {
        let made = seal_record(node.params(), wallet.identity(), &recipient, draft, at, &mut rng);
        made.map(|made| made.record).map_err(|error| PhrError::from(error).into())
    };
    drafts.iter().map(&mut seal).collect()
}

impl From<PhrError> for ApiError {
    fn from(error: PhrError) -> Self {
        let detail = error.to_string();
        match error {
            PhrError::NoWallet => Self::not_found(detail, "set wallet.keystore, and start the node again"),
            PhrError::Group(error) => error.into(),
            PhrError::Wallet(error) => error.into(),
            PhrError::Storage(error) => error.into(),
            PhrError::Submit(error) => error.into(),
            PhrError::Draft(_) | PhrError::Produce(_) => {
                let (kind, title) = ("not-sealed", "The bundle does not become such a record");
                let next = "docs/spec/mapping.md says what each kind takes from a bundle, docs/spec/deid.md what may be public";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail, next)
            }
        }
    }
}
