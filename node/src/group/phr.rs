//! A patient's live PHR, sealed by its own node to the group, or to itself under the group's name.

use super::GroupError;
use crate::api::types::SealedTo;
use crate::core::SubmitError;
use crate::driver::{NodeHandle, now_ms, os_rng};
use crate::wallet::{Draft, DraftError, Moment, ProduceError, Produced, WalletError};
use crate::wallet::{seal_to_group, seal_to_owner};
use medring_protocol::RecordId;
use medring_protocol::deid::Policy;
use medring_protocol::fhir::{Bundle, Entry};
use medring_protocol::group::GroupUid;
use medring_protocol::identity::PublicKeys;
use medring_protocol::params::Params;
use medring_protocol::record::Kind;
use medring_protocol::vitals::Recording;
use medring_storage::StorageError;

/// Why no PHR was sealed to a group.
#[derive(Debug, thiserror::Error)]
pub enum PhrError {
    /// The node has no wallet, so no groups.
    #[error("this node has no wallet; set wallet.keystore and wallet.passphrase_file in its configuration")]
    NoWallet,
    /// The group's part.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The bundle's part.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// Sealing.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// The wallet could not note what opens it.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The chain could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The core refused it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Seals `bundle`, a recording or what of it belongs into a PHR, and submits it; several records, in order, if it is too large for one. Each is in the pool
/// and on disk once this returns, and the wallet holds what opens it, so that an aggregate can include it later. After an
/// error in the middle, those before it stand.
pub async fn seal_phr(
    node: &NodeHandle,
    group: &GroupUid,
    bundle: Bundle,
    to: SealedTo,
    policy: Policy,
) -> Result<Vec<RecordId>, PhrError> {
    let (Some(groups), Some(wallet)) = (node.groups(), node.wallet()) else { return Err(PhrError::NoWallet) };
    let (params, group, store) = (node.params().clone(), *group, node.store().clone());
    let sealing = move || -> Result<Vec<(Produced, u64)>, PhrError> {
        let mut rng = os_rng();
        let me = wallet.identity();
        let drafts = drafts(&bundle, &policy, &params, &me.public())?;
        let at = Moment { now_ms: now_ms(), tip_height: store.tip()?.1 };
        let mut seal = |draft: &Draft| -> Result<(Produced, u64), PhrError> {
            // Asked for each record anew: nothing is sealed under an epoch once a removal is proposed.
            let access = groups.sealing(&group)?;
            let made = match to {
                SealedTo::Group => seal_to_group(&params, me, &access, draft, at, &mut rng)?,
                SealedTo::Owner => seal_to_owner(&params, me, access.gid, draft, at, &mut rng)?,
            };
            Ok((made, u64::try_from(draft.sensitive.bytes.len()).unwrap_or(u64::MAX)))
        };
        drafts.iter().map(&mut seal).collect()
    };
    // Err: sealing panicked.
    let sealed = tokio::task::spawn_blocking(sealing).await.map_err(|_| GroupError::Gone)??;
    let mut ids = Vec::new();
    for (made, bytes) in sealed {
        ids.push(submit_made(node, made, bytes).await?);
    }
    Ok(ids)
}

/// A recording of vital signs is a PHR whole; of any other bundle, what Table 1 gives a PHR.
pub(crate) fn drafts(
    bundle: &Bundle,
    policy: &Policy,
    params: &Params,
    me: &PublicKeys,
) -> Result<Vec<Draft>, DraftError> {
    let sampled = |entry: &Entry| {
        let value = entry.resource.value();
        let parts = value["component"].as_array().map_or(&[][..], Vec::as_slice);
        std::iter::once(value).chain(parts).any(|part| part.get("valueSampledData").is_some())
    };
    match Recording::from_fhir(bundle) {
        Ok(recording) if bundle.entries().iter().all(sampled) => Draft::from_vitals(&recording, policy, params, me),
        _ => Draft::from_bundle(Kind::Phr, bundle, policy, params, me),
    }
}

/// Submits a record of this node's own making, of content so many bytes long: what opens it is in the wallet first, so that
/// neither a crash nor the end of its epoch's key loses it to its maker.
pub(crate) async fn submit_made(node: &NodeHandle, made: Produced, bytes: u64) -> Result<RecordId, PhrError> {
    let wallet = node.wallet().ok_or(PhrError::NoWallet)?;
    let (chain, Produced { record, r }) = (node.chain_id(), made);
    let id = record.id(&chain);
    let (noting, copy) = (wallet.clone(), record.clone());
    // Err: noting panicked.
    let noted = tokio::task::spawn_blocking(move || noting.note_made(&chain, &copy, r, bytes)).await;
    noted.map_err(|_| GroupError::Gone)??;
    if let Err(error) = node.submit(record).await {
        let forgotten = tokio::task::spawn_blocking(move || wallet.forget_made(&id)).await;
        forgotten.map_err(|_| GroupError::Gone)??;
        return Err(error.into());
    }
    Ok(id)
}
