//! What a simulation reports, and how it fails.

use super::Simulation;
use medring_protocol::BlockId;
use medring_protocol::testkit::GENESIS_TIME_MS;

/// Counted while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub(super) events: u64,
    pub(super) messages: u64,
    pub(super) blocks: u64,
    pub(super) crashes: u64,
    reorgs: u64,
    deepest: usize,
}

impl Stats {
    pub(super) fn tip_moved(&mut self, disconnected: usize) {
        self.reorgs += u64::from(disconnected > 0);
        self.deepest = self.deepest.max(disconnected);
    }
}

/// How a simulation went; every check has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimReport {
    /// What brings it back.
    pub seed: u64,
    /// The one tip.
    pub tip: BlockId,
    /// Its height.
    pub height: u64,
    /// Blocks mined, those on left branches included.
    pub blocks: u64,
    /// Changes of tip that left blocks, over all nodes.
    pub reorgs: u64,
    /// Blocks the deepest of them left.
    pub deepest_reorg: usize,
    /// Deaths of nodes.
    pub crashes: u64,
    /// Records submitted.
    pub submitted: u64,
    /// Of these, admitted.
    pub admitted: usize,
    /// Of these, on the chain.
    pub confirmed: usize,
    /// Of these, reported as expired or in conflict, or plainly expired.
    pub dropped: usize,
    /// Submissions refused with a reason.
    pub refused: u64,
    /// Messages sent.
    pub messages: u64,
    /// Events handled.
    pub events: u64,
    /// Virtual time from start to agreement, ms.
    pub virtual_ms: u64,
    /// SHA-256 of the log: equal for equal configurations.
    pub log_hash: [u8; 32],
    /// Its lines, if they were kept.
    pub log: Vec<String>,
}

impl std::fmt::Display for SimReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: one tip {} at height {}", self.seed, self.tip, self.height)?;
        writeln!(
            f,
            "{} blocks mined, {} reorgs (deepest {}), {} crashes, {} s of virtual time, {} events, {} messages",
            self.blocks,
            self.reorgs,
            self.deepest_reorg,
            self.crashes,
            self.virtual_ms / 1_000,
            self.events,
            self.messages
        )?;
        writeln!(
            f,
            "{} records submitted: {} admitted ({} confirmed, {} expired or in conflict), {} refused",
            self.submitted, self.admitted, self.confirmed, self.dropped, self.refused
        )?;
        write!(f, "log {}", hex::encode(self.log_hash))
    }
}

/// A check failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}, {at_ms} ms after genesis: {problem}{}", tail(log_tail))]
pub struct SimFailure {
    /// What brings it back.
    pub seed: u64,
    /// When, in virtual ms after genesis.
    pub at_ms: u64,
    /// What.
    pub problem: String,
    /// The last lines of the log, if it was kept ([`super::SimConfig::keep_log`]).
    pub log_tail: Vec<String>,
}

fn tail(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

impl Simulation {
    pub(super) fn report(self) -> SimReport {
        use medring_protocol::chain::StateRead;
        let core = self.nodes.first().and_then(|node| node.core.as_ref());
        let (tip, height) = core.map_or((BlockId([0; 32]), 0), |core| {
            let snapshot = core.snapshot();
            (snapshot.tip, snapshot.height)
        });
        let admitted: std::collections::BTreeSet<_> = self.nodes.iter().flat_map(|node| &node.admitted).collect();
        let on_chain = |id: &&&medring_protocol::RecordId| {
            core.is_some_and(|core| core.store().location(id).is_ok_and(|place| place.is_some()))
        };
        let confirmed = admitted.iter().filter(on_chain).count();
        SimReport {
            seed: self.config.seed,
            tip,
            height,
            blocks: self.stats.blocks,
            reorgs: self.stats.reorgs,
            deepest_reorg: self.stats.deepest,
            crashes: self.stats.crashes,
            submitted: self.submitted,
            admitted: admitted.len(),
            confirmed,
            dropped: admitted.len() - confirmed,
            refused: self.refused,
            messages: self.stats.messages,
            events: self.stats.events,
            virtual_ms: self.now_ms - GENESIS_TIME_MS,
            log_hash: self.log.hash(),
            log: self.log.lines().to_vec(),
        }
    }
}
