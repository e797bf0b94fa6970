//! What a simulation reports, and how it fails.

use super::Simulation;
use super::stats::{Delays, Sent, ratio};
use super::theory::stale_rate;
use medring_protocol::block::{Block, Header};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// Widest bar of a histogram, characters.
const BAR_CHARS: usize = 40;

/// How a simulation went; every check has passed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimReport {
    /// What brings it back, with the faults.
    pub seed: u64,
    /// Nodes, malicious ones included.
    pub nodes: usize,
    /// What went wrong on purpose, each in its text form.
    pub faults: Vec<String>,
    /// Virtual time from start to agreement, ms.
    pub virtual_ms: u64,
    /// The one tip, in hex.
    pub tip: String,
    /// Its height.
    pub height: u64,
    /// Blocks found, those on left branches included.
    pub blocks: u64,
    /// Blocks of honest nodes that are not on the chain.
    pub stale: Stale,
    /// From a block's finding until it is a node's tip, over all honest blocks and all nodes.
    pub block_delays: Delays,
    /// The same along the fastest way in the network, without queues and faults.
    pub least_block_delays: Delays,
    /// From a record's submission until a node admits it.
    pub record_delays: Delays,
    /// Changes of tip that left blocks, over all nodes.
    pub reorgs: Reorgs,
    /// What became of submissions.
    pub records: RecordCounts,
    /// Messages by kind, the most bytes first.
    pub sent: Vec<Sent>,
    /// Gossip dropped since its sender's uplink was busy for too long.
    pub gossip_dropped: u64,
    /// Segments lost and sent again.
    pub retransmitted: u64,
    /// Deaths of nodes.
    pub crashes: u64,
    /// Batches that power cuts took.
    pub batches_lost: u64,
    /// Times an honest node blamed a malicious one.
    pub blamed: u64,
    /// Signature checks that cores asked for.
    pub signatures_asked: u64,
    /// Of these, done: the others were known from before.
    pub signatures_verified: u64,
    /// Events handled.
    pub events: u64,
    /// SHA-256 of the log, in hex: equal for equal configurations.
    pub log_hash: String,
    /// The log's lines, if they were kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// Stale blocks against theory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stale {
    /// Blocks honest nodes found in the busy time.
    pub found: usize,
    /// Of these, not on the chain.
    pub stale: usize,
    /// Their share.
    pub rate: f64,
    /// 1 − exp(−D/T): D is the measured mean delay of blocks, T the mean time between them.
    pub expected: f64,
}

/// Changes of tip that left blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reorgs {
    /// How many.
    pub count: u64,
    /// Blocks the deepest left.
    pub deepest: usize,
    /// (blocks left, how often), ascending.
    pub by_depth: Vec<(usize, u64)>,
}

/// What became of submissions. Those to malicious nodes count as submitted only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// Submissions.
    pub submitted: usize,
    /// Different records that an honest node admitted.
    pub admitted: usize,
    /// Of these, on the chain.
    pub confirmed: usize,
    /// Of these, reported as expired or in conflict, or plainly expired.
    pub dropped: usize,
    /// Submissions refused with a reason.
    pub refused: u64,
}

fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

fn bars(f: &mut fmt::Formatter<'_>, rows: &[(String, u64)]) -> fmt::Result {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    for (name, count) in rows {
        let width = usize::try_from(u128::from(*count) * BAR_CHARS as u128 / u128::from(most)).unwrap_or(0);
        let bar = if width == 0 && *count > 0 { "·".into() } else { "▇".repeat(width) };
        writeln!(f, "  {name:>12}  {bar} {count}")?;
    }
    Ok(())
}

fn delays(f: &mut fmt::Formatter<'_>, name: &str, delays: &Delays) -> fmt::Result {
    let Delays { count, mean_ms, p50_ms, p90_ms, p99_ms, max_ms, .. } = delays;
    writeln!(
        f,
        "{name}: 50 % within {p50_ms} ms, 90 % {p90_ms} ms, 99 % {p99_ms} ms, all {max_ms} ms (mean {mean_ms:.0} ms, {count} arrivals)"
    )
}

fn histogram(f: &mut fmt::Formatter<'_>, delays: &Delays) -> fmt::Result {
    let rows: Vec<_> = delays.histogram.iter().map(|(bound, n)| (format!("< {bound} ms"), *n as u64)).collect();
    bars(f, &rows)
}

impl fmt::Display for SimReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.virtual_ms / 1_000;
        writeln!(
            f,
            "seed {}: {} nodes, {seconds} s of virtual time; one tip at height {}",
            self.seed, self.nodes, self.height
        )?;
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        let Self { crashes, batches_lost, retransmitted, gossip_dropped, blamed, .. } = self;
        writeln!(
            f,
            "{crashes} crashes ({batches_lost} unsynced batches lost), {retransmitted} segments sent again, {gossip_dropped} gossip messages dropped by full uplinks, malicious nodes blamed {blamed} times"
        )?;
        let Stale { found, stale, rate, expected } = &self.stale;
        let expected = percent(*expected);
        writeln!(f, "blocks: {found} found, {stale} stale: {}, 1 − exp(−D/T) = {expected}", percent(*rate))?;
        delays(f, "blocks arrive", &self.block_delays)?;
        delays(f, "  least the links allow", &self.least_block_delays)?;
        histogram(f, &self.block_delays)?;
        delays(f, "records arrive", &self.record_delays)?;
        histogram(f, &self.record_delays)?;
        writeln!(f, "reorgs: {}, the deepest left {} blocks", self.reorgs.count, self.reorgs.deepest)?;
        let rows: Vec<_> = self.reorgs.by_depth.iter().map(|(depth, n)| (format!("{depth} deep"), *n)).collect();
        bars(f, &rows)?;
        let RecordCounts { submitted, admitted, confirmed, dropped, refused } = &self.records;
        writeln!(
            f,
            "records: {submitted} submissions, {refused} refused; {admitted} admitted, of these {confirmed} on the chain, {dropped} expired or in conflict"
        )?;
        let (messages, bytes) = self.sent.iter().fold((0, 0), |sum, s| (sum.0 + s.messages, sum.1 + s.bytes));
        writeln!(f, "messages: {messages}, {bytes} bytes")?;
        for Sent { kind, messages, bytes } in &self.sent {
            writeln!(f, "  {kind:<16} {messages:>10} {bytes:>14} bytes")?;
        }
        let Self { events, signatures_asked, signatures_verified, log_hash, .. } = self;
        writeln!(f, "{events} events, {signatures_asked} signature checks, {signatures_verified} of them done")?;
        write!(f, "log {log_hash}")
    }
}

/// A check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("seed {seed}, {at_ms} ms from the start: {problem}")]
pub struct SimFailure {
    /// What brings it back, with the faults.
    pub seed: u64,
    /// When, in virtual ms from the start.
    pub at_ms: u64,
    /// What.
    pub problem: String,
    /// The last lines of the log.
    pub log_tail: Vec<String>,
}

impl Simulation {
    /// The figures of a run that ended well on `chain`.
    pub(super) fn report(&self, chain: &[Block]) -> SimReport {
        let blocks: BTreeSet<_> = chain.iter().map(Block::id).collect();
        let busy = self.stats.found_ms.iter().filter(|(_, found_ms)| **found_ms < self.busy_until_ms);
        let (on, off): (Vec<_>, Vec<_>) = busy.map(|(id, _)| *id).partition(|id| blocks.contains(id));
        let found = on.len() + off.len();
        let block_delays = Delays::of(self.stats.block_delays_ms.clone());
        let bytes: u64 = chain.iter().map(|block| (block.records_len() + Header::LEN) as u64).sum();
        #[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^52 ms")]
        let expected = stale_rate(block_delays.mean_ms, self.config.block_interval_ms as f64);
        let reorgs = &self.stats.reorgs;
        SimReport {
            seed: self.config.seed,
            nodes: self.config.nodes,
            faults: self.config.faults.iter().map(ToString::to_string).collect(),
            virtual_ms: self.now_ms - self.start_ms,
            tip: chain.last().map_or(self.kit.params.genesis().id(), Block::id).to_string(),
            height: chain.len() as u64,
            blocks: self.stats.blocks,
            stale: Stale { found, stale: off.len(), rate: ratio(off.len() as u128, found as u128), expected },
            block_delays,
            least_block_delays: self.least_delays(bytes / (chain.len() as u64).max(1)),
            record_delays: Delays::of(self.stats.record_delays_ms.clone()),
            reorgs: Reorgs {
                count: reorgs.values().sum(),
                deepest: reorgs.keys().last().copied().unwrap_or(0),
                by_depth: reorgs.iter().map(|(depth, count)| (*depth, *count)).collect(),
            },
            records: self.record_counts(chain),
            sent: self.stats.sent_by_kind(),
            gossip_dropped: self.stats.gossip_dropped,
            retransmitted: self.stats.retransmitted,
            crashes: self.stats.crashes,
            batches_lost: self.stats.batches_lost,
            blamed: self.stats.blamed,
            signatures_asked: self.stats.signatures_asked,
            signatures_verified: self.stats.signatures_verified,
            events: self.stats.events,
            log_hash: hex::encode(self.log.hash()),
            log: self.log.lines().to_vec(),
        }
    }

    fn record_counts(&self, chain: &[Block]) -> RecordCounts {
        let honest = self.nodes.iter().filter(|node| node.is_honest());
        let admitted: BTreeSet<_> = honest.flat_map(|node| node.admitted.keys()).collect();
        let records = chain.iter().flat_map(|block| &block.records);
        let placed: BTreeSet<_> = records.map(|record| record.id(&self.kit.chain)).collect();
        let confirmed = admitted.iter().filter(|id| placed.contains(id)).count();
        RecordCounts {
            submitted: self.expiries.len(),
            admitted: admitted.len(),
            confirmed,
            dropped: admitted.len() - confirmed,
            refused: self.refused,
        }
    }
}
