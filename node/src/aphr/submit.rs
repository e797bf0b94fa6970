//! Sealing an APHR to its group and submitting it; on test networks also one that lies.

use super::gather::{self, Skipped};
use super::make::{self, AphrError};
use super::source;
use crate::core::SubmitError;
use crate::driver::{NodeHandle, now_ms, os_rng};
use crate::group::GroupError;
use crate::wallet::{Draft, Moment, ProduceError, Wallet, seal_to_group};
use medring_protocol::RecordId;
use medring_protocol::aggregate::{AggregateError, Source, aggregate};
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::identity::Signature;
use medring_protocol::record::Record;
use medring_protocol::seal::{AphrContent, AphrSource, RecordSecret};
use medring_storage::{ChainStore, RocksEngine, StorageError};
use zeroize::Zeroizing;

/// Why no APHR was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The node has no wallet, so no groups.
    #[error("this node has no wallet; set wallet.keystore and wallet.passphrase_file in its configuration")]
    NoWallet,
    /// The group's part.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The aggregate's part.
    #[error(transparent)]
    Aphr(#[from] AphrError),
    /// Sealing.
    #[error(transparent)]
    Produce(#[from] ProduceError),
    /// The chain could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The core refused it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A source of a played APHR that this node knows too little of.
    #[error("{0}")]
    Source(String),
}

impl From<AggregateError> for PublishError {
    fn from(error: AggregateError) -> Self {
        Self::Aphr(error.into())
    }
}

/// An APHR in the pool and on disk.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Which.
    pub(crate) record_id: RecordId,
    /// Records it was made from.
    pub(crate) sources: usize,
    /// Length of the aggregate.
    pub(crate) bytes: usize,
    /// Records that would have been sources and did not verify.
    pub(crate) skipped: Vec<Skipped>,
}

/// One source of an APHR to be played; what is not given is what it is.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) record: RecordId,
    pub(crate) r: Option<RecordSecret>,
    pub(crate) signature: Option<Signature>,
}

/// Gathers, aggregates, seals to the epoch in force and submits.
pub(crate) async fn publish(node: &NodeHandle, group: &GroupUid) -> Result<Published, PublishError> {
    let (groups, wallet) = node.groups().zip(node.wallet()).ok_or(PublishError::NoWallet)?;
    let access = groups.sealing(group)?;
    let (params, store, gid) = (node.params().clone(), node.store().clone(), access.gid);
    let sealing = move || -> Result<(Record, usize, usize, Vec<Skipped>), PublishError> {
        let depth = u64::from(params.confirmations);
        let (gathered, skipped) = gather::gather(&wallet, &store, &access.patient_ids, depth)?;
        let made = make::make(&params, &wallet.participant(), &gathered)?;
        let record = seal(&store, &wallet, &access, &made.record)?;
        Ok((record, gathered.len(), made.bytes, skipped))
    };
    let (record, sources, bytes, skipped) = blocking(sealing).await??;
    // Aggregating takes a while: a removal may have been proposed meanwhile.
    still(&groups.sealing(group)?, gid)?;
    let record_id = node.submit(record).await?;
    Ok(Published { record_id, sources, bytes, skipped })
}

/// Seals exactly what it is told, to play a patient who cheats. For test networks only.
pub(crate) async fn play(
    node: &NodeHandle,
    group: &GroupUid,
    chosen: Vec<Chosen>,
    aggregate: Option<String>,
) -> Result<Published, PublishError> {
    let (groups, wallet) = node.groups().zip(node.wallet()).ok_or(PublishError::NoWallet)?;
    let access = groups.sealing(group)?;
    let (params, store, gid) = (node.params().clone(), node.store().clone(), access.gid);
    let sealing = move || -> Result<(Record, usize, usize), PublishError> {
        let named = chosen.into_iter().map(|one| complete(&store, &wallet, one));
        let named = named.collect::<Result<Vec<_>, _>>()?;
        let aggregate = match aggregate {
            Some(text) => Zeroizing::new(text.into_bytes()),
            None => honest(&store, &wallet, &access, &named)?,
        };
        let (sources, bytes) = (named.len(), aggregate.len());
        let content = AphrContent { sources: named, aggregate };
        let draft = make::draft(&params, &wallet.participant(), &content)?;
        Ok((seal(&store, &wallet, &access, &draft)?, sources, bytes))
    };
    let (record, sources, bytes) = blocking(sealing).await??;
    still(&groups.sealing(group)?, gid)?;
    let record_id = node.submit(record).await?;
    Ok(Published { record_id, sources, bytes, skipped: Vec::new() })
}

/// Fills in what a chosen source does not give: r from the wallet, Sig from the chain.
fn complete(store: &ChainStore<RocksEngine>, wallet: &Wallet, one: Chosen) -> Result<AphrSource, PublishError> {
    let missing = |what: &str| {
        PublishError::Source(format!("the {what} of record {} is not given and not known here; give it", one.record))
    };
    let r = one.r.clone().or_else(|| wallet.record(&one.record).and_then(|noted| noted.secret().cloned()));
    let on_chain = source::on_chain(store, &one.record)?.map(|(record, ..)| record.signature);
    Ok(AphrSource {
        record: one.record,
        r: r.ok_or_else(|| missing("r"))?,
        signature: one.signature.or(on_chain).ok_or_else(|| missing("signature"))?,
    })
}

/// The aggregate that the sources give, those that open.
fn honest(
    store: &ChainStore<RocksEngine>,
    wallet: &Wallet,
    access: &EpochAccess,
    named: &[AphrSource],
) -> Result<Zeroizing<Vec<u8>>, PublishError> {
    let mut opened = Vec::new();
    for one in named {
        let checked = source::check(store, &access.patient_ids, one)?;
        if let (Some(kind), Some(uploader), Some(bundle)) =
            (checked.report.kind, checked.report.uploader, checked.bundle)
        {
            opened.push((one.record, kind, uploader, bundle));
        }
    }
    let sources: Vec<Source<'_>> = opened
        .iter()
        .map(|(record, kind, uploader, bundle)| Source { record: *record, kind: *kind, uploader: *uploader, bundle })
        .collect();
    Ok(aggregate(&wallet.participant(), &sources)?)
}

fn seal(
    store: &ChainStore<RocksEngine>,
    wallet: &Wallet,
    access: &EpochAccess,
    draft: &Draft,
) -> Result<Record, PublishError> {
    let at = Moment { now_ms: now_ms(), tip_height: store.tip()?.1 };
    // r is for the group alone; the owner reads its sources in its own wallet.
    Ok(seal_to_group(store.params(), wallet.identity(), access, draft, at, &mut os_rng())?.record)
}

fn still(access: &EpochAccess, gid: medring_protocol::Gid) -> Result<(), GroupError> {
    if access.gid == gid {
        return Ok(());
    }
    Err(GroupError::NotSealing("the epoch changed while the aggregate was made; aggregate again".to_owned()))
}

/// Runs what takes a while where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PublishError> {
    // Err: it panicked.
    tokio::task::spawn_blocking(work).await.map_err(|_| GroupError::Gone.into())
}
