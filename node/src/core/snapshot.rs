//! A copy of what a core knows of itself, for the API, metrics and tests.

use super::sync::SyncState;
use super::{NodeCore, Peer};
use medring_protocol::BlockId;
use medring_protocol::pow::Work;
use medring_protocol::wire::Status;
use medring_storage::Engine;

/// Where a core stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Tip of the best chain, as committed.
    pub tip: BlockId,
    /// Its height.
    pub height: u64,
    /// Its time stamp, ms since 1970.
    pub time_ms: u64,
    /// Its cumulative work.
    pub work: Work,
    /// Height of the header with most work, complete or not.
    pub headers_height: u64,
    /// What sync is doing.
    pub sync: SyncSnapshot,
    /// Connected peers, ascending by number.
    pub peers: Vec<PeerSnapshot>,
    /// Records waiting to be mined.
    pub pool_records: usize,
    /// Their bytes.
    pub pool_bytes: usize,
    /// How full the tables are.
    pub tables: TableSizes,
    /// What peers are told.
    pub status: Status,
}

/// What sync is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncSnapshot {
    /// `idle`, `headers` or `blocks`.
    pub phase: &'static str,
    /// Who is asked.
    pub peer: Option<Peer>,
    /// Height at which it began; the tip's where nothing is under way.
    pub from: u64,
    /// Height aimed at; the tip's where nothing is under way.
    pub to: u64,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSnapshot {
    /// Who.
    pub peer: Peer,
    /// What it last said; `None`: nothing yet.
    pub status: Option<Status>,
}

/// Entries of every table that outsiders can fill; each has its bound in [`super::limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSizes {
    /// Headers on all branches.
    pub headers: usize,
    /// Blocks that wait for their parent.
    pub held_blocks: usize,
    /// Blocks that wait for their time.
    pub future_blocks: usize,
    /// Compact blocks that lack records.
    pub compact_blocks: usize,
    /// Records that left the pool lately.
    pub recent_records: usize,
    /// Signature jobs under way.
    pub jobs: usize,
    /// Givers of blocks not connected yet.
    pub sources: usize,
    /// Records refused since the last block.
    pub refused_records: usize,
    /// Records wanted from peers.
    pub wanted_records: usize,
    /// Templates remembered.
    pub templates: usize,
}

impl<E: Engine> NodeCore<E> {
    /// Where this core stands now.
    pub fn snapshot(&self) -> Snapshot {
        let status = self.own_status();
        Snapshot {
            tip: status.tip,
            height: status.height,
            time_ms: self.tree.get(&status.tip).map_or(0, |tip| tip.header.time_ms),
            work: status.work.clone(),
            headers_height: self.best_header_height(),
            sync: self.sync_snapshot(),
            peers: self.peers.iter().map(|(peer, s)| PeerSnapshot { peer: *peer, status: s.status.clone() }).collect(),
            pool_records: self.pool.len(),
            pool_bytes: self.pool.bytes(),
            tables: self.tables(),
            status,
        }
    }

    fn sync_snapshot(&self) -> SyncSnapshot {
        let height = self.height();
        match &self.sync {
            SyncState::Idle => SyncSnapshot { phase: "idle", peer: None, from: height, to: height },
            SyncState::Headers { peer, .. } => {
                SyncSnapshot { phase: "headers", peer: Some(*peer), from: height, to: self.best_header_height() }
            }
            SyncState::Blocks { peer, target, from, .. } => {
                let to = self.tree.get(target).map_or(height, |node| node.header.height);
                SyncSnapshot { phase: "blocks", peer: Some(*peer), from: *from, to }
            }
        }
    }

    /// How full the tables are.
    pub fn tables(&self) -> TableSizes {
        TableSizes {
            headers: self.tree.len(),
            held_blocks: self.held.waiting_len(),
            future_blocks: self.held.future_len(),
            compact_blocks: self.relay.len(),
            recent_records: self.relay.recent.len(),
            jobs: self.jobs.len(),
            sources: self.sources.len(),
            refused_records: self.refused.len(),
            wanted_records: self.peers.values().map(|state| state.exchange.len()).sum(),
            templates: self.templates.len(),
        }
    }

    /// Every waiting record, in order of admission.
    pub fn pool_records(&self) -> impl Iterator<Item = medring_protocol::RecordId> {
        self.pool.iter().map(|pooled| pooled.id)
    }

    /// The store this core writes: for reading.
    pub fn store(&self) -> &medring_storage::ChainStore<E> {
        &self.store
    }

    /// The tree of headers: for lists of tips.
    pub fn tree(&self) -> &medring_protocol::chain::HeaderTree {
        &self.tree
    }
}
