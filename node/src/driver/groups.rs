//! What the node gives its groups: keys, a folder, the chain, and ways out and in.

use super::handle::NodeInfo;
use super::{Submitter, clock};
use crate::config::GroupConfig;
use crate::core::Snapshot;
use crate::group::Parts;
use crate::net::Link;
use crate::net::address::bare;
use crate::net::ring::{Incoming, RingStreams};
use crate::wallet::Wallet;
use libp2p::Multiaddr;
use medring_protocol::group::machine::{Config, Me};
use medring_protocol::group::message::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, Endpoint};
use medring_storage::{ChainStore, RocksEngine};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

/// Where groups lie, and the keystore's key for them.
pub(super) type Place = (PathBuf, Zeroizing<[u8; 32]>);

/// What of the running node groups hold.
pub(super) struct Ties {
    pub(super) store: ChainStore<RocksEngine>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) links: watch::Receiver<Vec<Link>>,
    pub(super) core: Submitter,
    pub(super) ring: RingStreams,
    pub(super) incoming: mpsc::Receiver<Incoming>,
}

/// Everything that the groups of `wallet`'s participant are made of.
pub(super) fn parts(config: &GroupConfig, info: &NodeInfo, wallet: &Wallet, (dir, key): Place, ties: Ties) -> Parts {
    let Ties { store, snapshots, links, core, ring, incoming } = ties;
    let endpoint = Endpoint { peer_id: info.peer_id.to_bytes(), addresses: addresses(&info.listen) };
    Parts {
        me: Me { identity: wallet.identity().clone(), endpoint },
        params: info.params.clone(),
        config: machine_config(config, u64::from(info.params.confirmations)),
        dir,
        key,
        store,
        snapshots,
        core,
        links,
        transport: Arc::new(ring),
        incoming,
        rng: clock::os_rng(),
        now_ms: clock::now_ms,
        crash_after: config.crash_after,
    }
}

fn machine_config(config: &GroupConfig, confirmations: u64) -> Config {
    let standard = Config::new(confirmations);
    Config {
        step_timeout_ms: config.step_timeout_ms.unwrap_or(standard.step_timeout_ms),
        // At most 256.
        members_max: usize::try_from(config.members_max).unwrap_or(standard.members_max),
        archive: config.archive,
        ..standard
    }
}

/// As others are told them: the peer id stands beside them.
fn addresses(listen: &[Multiaddr]) -> Vec<String> {
    let text = |address: &Multiaddr| bare(address).to_string();
    listen.iter().map(text).filter(|text| text.len() <= ADDRESS_BYTES_MAX).take(ADDRESSES_MAX).collect()
}
