//! A copy of what a core knows of itself, for the API, metrics and tests.

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
    /// The last reorganisation deeper than D, if there ever was one and it is not forgotten.
    pub deep_reorg: Option<DeepReorg>,
    /// Blocks that wait for their parents, in order of arrival.
    pub orphans: Vec<OrphanBlock>,
    /// What peers are told.
    pub status: Status,
}

/// A reorganisation deeper than D, at which records count as settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeepReorg {
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Blocks that left the best chain.
    pub depth: u64,
    /// The tip that was left.
    pub from: BlockId,
    /// The tip that was reached.
    pub to: BlockId,
}

/// A block that waits for its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrphanBlock {
    /// The block.
    pub id: BlockId,
    /// The parent that is not here.
    pub prev: BlockId,
    /// Its height, by its own word.
    pub height: u64,
}

/// What sync is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncSnapshot {
    /// What is under way.
    pub phase: SyncPhase,
    /// Peers that are asked for it.
    pub peers: usize,
    /// Bodies fetched of the branch aimed at.
    pub bodies: u64,
    /// Bodies of it that were missing when fetching began.
    pub bodies_total: u64,
    /// Height aimed at; the tip's where no bodies are fetched.
    pub to: u64,
    /// Bodies stored per second, over the last seconds.
    pub blocks_per_second: u64,
    /// How long the rest will take at this rate, ms; `None`: not known, or nothing is left.
    pub left_ms: Option<u64>,
}

/// What sync is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPhase {
    /// Nobody is known to have more work than we.
    Idle,
    /// Headers are fetched, and no bodies yet.
    Headers,
    /// Bodies are fetched, and perhaps more headers.
    Bodies,
}

impl SyncPhase {
    /// For people and machines: `idle`, `headers` or `bodies`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
        }
    }
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
    /// Of these, off the branch with most work.
    pub side_headers: usize,
    /// Bodies off the best chain.
    pub side_bodies: usize,
    /// Their bytes.
    pub side_bytes: usize,
    /// Left branches whose records still have to return.
    pub leftovers: usize,
    /// Records submitted here whose fate is kept.
    pub watched_records: usize,
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
            deep_reorg: self.alarm,
            orphans: self.held.orphans().collect(),
            status,
        }
    }

    /// How full the tables are.
    pub fn tables(&self) -> TableSizes {
        TableSizes {
            headers: self.tree.len(),
            side_headers: self.side_headers(),
            side_bodies: self.side.len(),
            side_bytes: self.side.bytes(),
            leftovers: self.leftovers.len(),
            watched_records: self.watch.len(),
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
