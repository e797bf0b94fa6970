//! When the owner's node aggregates by itself: in every new epoch, and by the group's policy.

use super::{gather, submit};
use crate::driver::{NodeHandle, Shutdown, now_ms};
use crate::group::{AphrPolicy, GroupHandle};
use crate::wallet::{Wallet, WalletRecord, confirmations};
use medring_protocol::chain::{Location, StateRead};
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::record::{Kind, Receiver, Record};
use medring_protocol::seal::{self, AphrContent};
use medring_protocol::{RecordId, seal::PlainKind};
use medring_storage::{ChainStore, Engine, StorageError};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// Why an aggregate is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The epoch has none yet.
    Epoch,
    /// So many records came since the last.
    Records(usize),
    /// It is so many minutes old, and a record came since.
    Minutes(u64),
}

/// What might be a source: which record, what it is, where it stands.
pub type Candidate = (RecordId, Kind, Location);

/// Whether an aggregate is due that would be made from `candidates`, by place. None is while one waits in the pool, or
/// while it would say nothing new.
pub fn due<E: Engine>(
    store: &ChainStore<E>,
    access: &EpochAccess,
    policy: &AphrPolicy,
    candidates: &[Candidate],
    now_ms: u64,
) -> Result<Option<Why>, StorageError> {
    let own = |record: &Record| {
        let content = &record.content;
        content.kind == Kind::Aphr
            && content.receiver == Receiver::Group(access.gid)
            && content.uploader == access.uploader
    };
    if candidates.is_empty() || store.pool()?.iter().any(|entry| own(&entry.record)) {
        return Ok(None);
    }
    let Some(last) = super::newest(store, access)? else { return Ok(Some(Why::Epoch)) };
    let Some(at) = store.location(&last)? else { return Ok(Some(Why::Epoch)) };
    let Some(record) = store.record_at(&at)? else { return Ok(Some(Why::Epoch)) };
    let named = sources_of(store, access, &record);
    let new = candidates.iter().filter(|candidate| is_new(&named, candidates, candidate)).count();
    if new == 0 {
        return Ok(None);
    }
    if policy.every_records.is_some_and(|n| n > 0 && new >= usize::try_from(n).unwrap_or(usize::MAX)) {
        return Ok(Some(Why::Records(new)));
    }
    let minutes = now_ms.saturating_sub(record.envelope.stamp_ms) / 60_000;
    Ok(policy.every_minutes.filter(|m| minutes >= u64::from(*m)).map(|_| Why::Minutes(minutes)))
}

/// Not named by the last aggregate, and behind every record of its kind that is: older ones did not fit.
fn is_new(named: &BTreeSet<RecordId>, all: &[Candidate], (id, kind, at): &Candidate) -> bool {
    let place = |at: &Location| (at.height, at.index);
    let covered = all.iter().filter(|(id, of, _)| of == kind && named.contains(id)).map(|(.., at)| place(at)).max();
    !named.contains(id) && covered.is_none_or(|covered| place(at) > covered)
}

/// The records that an APHR of one's own names; none if it is not as this node makes them.
fn sources_of<E: Engine>(store: &ChainStore<E>, access: &EpochAccess, record: &Record) -> BTreeSet<RecordId> {
    let opened = seal::open_in_group(&store.chain_id(), &record.content, &access.k_rec).ok().flatten();
    let aphr = opened.filter(|o| o.plain.kind == PlainKind::Aphr);
    let content = aphr.and_then(|o| AphrContent::decode(&o.plain.bytes).ok());
    content.map(|c| c.sources.iter().map(|s| s.record).collect()).unwrap_or_default()
}

/// The settled records of a wallet that gather would look at, by place.
pub(super) fn candidates<E: Engine>(
    wallet: &Wallet,
    store: &ChainStore<E>,
    depth: u64,
) -> Result<Vec<Candidate>, StorageError> {
    let (_, tip) = store.tip()?;
    let candidate = |r: WalletRecord| {
        let place = r.place.filter(|place| confirmations(place.height, tip) >= depth.max(1))?;
        let source = matches!(r.kind, Kind::Ehr | Kind::Emr | Kind::Phr) && r.secret().is_some();
        source.then_some((r.record_id, r.kind, Location { height: place.height, index: place.index }))
    };
    Ok(wallet.records().into_iter().filter_map(candidate).collect())
}

/// Runs until the node stops. Looks at every group of its owner's whenever the wallet has followed the chain or a group
/// changed; what failed is tried again then.
pub(crate) async fn run(node: NodeHandle, mut scanned: watch::Receiver<u64>, stop: Shutdown) {
    let (Some(groups), Some(wallet)) = (node.groups(), node.wallet()) else { return };
    let mut changes = groups.watch();
    loop {
        changes.borrow_and_update();
        scanned.borrow_and_update();
        for group in mine(&groups) {
            if let Err(error) = consider(&node, &groups, &wallet, &group).await {
                tracing::warn!(%error, "no aggregate was made; it is tried again when the chain or the group moves");
            }
        }
        tokio::select! {
            moved = scanned.changed() => if moved.is_err() { return },
            moved = changes.changed() => if moved.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

/// Groups of one's own under which something may be sealed now.
fn mine(groups: &GroupHandle) -> Vec<GroupUid> {
    let all = groups.groups();
    all.groups.iter().filter(|(_, view)| view.status.mine && view.sealing.is_some()).map(|(uid, _)| *uid).collect()
}

async fn consider(
    node: &NodeHandle,
    groups: &GroupHandle,
    wallet: &Arc<Wallet>,
    group: &GroupUid,
) -> Result<(), submit::PublishError> {
    let (Ok(view), Ok(access)) = (groups.view(group), groups.sealing(group)) else { return Ok(()) };
    let (store, wallet, depth) = (node.store().clone(), wallet.clone(), u64::from(node.params().confirmations));
    let look = move || -> Result<Option<Why>, StorageError> {
        let possible = candidates(&wallet, &store, depth)?;
        if due(&store, &access, &view.policy, &possible, now_ms())?.is_none() {
            return Ok(None);
        }
        // Only what verifies counts: a record that never becomes a source must not make an aggregate due for ever.
        let (gathered, _) = gather(&wallet, &store, &access.patient_ids, depth)?;
        let sources: Vec<Candidate> =
            possible.into_iter().filter(|(id, ..)| gathered.iter().any(|g| g.source.record == *id)).collect();
        due(&store, &access, &view.policy, &sources, now_ms())
    };
    let Some(why) = submit::blocking(look).await?? else { return Ok(()) };
    let published = submit::publish(node, group).await?;
    tracing::info!(?why, sources = published.sources, bytes = published.bytes, "aggregated for the group");
    Ok(())
}
