//! What is counted while a simulation runs, and how delays are summed up.

use medring_protocol::BlockId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Counted while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    pub(super) events: u64,
    /// Blocks found, and those that malicious nodes made up besides.
    pub(super) blocks: u64,
    pub(super) forged: u64,
    pub(super) crashes: u64,
    pub(super) batches_lost: u64,
    pub(super) blamed: u64,
    pub(super) gossip_dropped: u64,
    pub(super) retransmitted: u64,
    pub(super) connections_lost: u64,
    pub(super) signatures_asked: u64,
    pub(super) signatures_verified: u64,
    /// Blocks that honest nodes found, and when, virtual ms.
    pub(super) found_ms: BTreeMap<BlockId, u64>,
    /// Changes of tip by the number of blocks they left, over all nodes.
    pub(super) reorgs: BTreeMap<usize, u64>,
    /// From finding to being a tip, per block and node; from submission to admission, per record and node.
    pub(super) block_delays_ms: Vec<u64>,
    pub(super) record_delays_ms: Vec<u64>,
    sent: BTreeMap<&'static str, (u64, u64)>,
}

impl Stats {
    pub(super) fn found(&mut self, now_ms: u64, block: BlockId, honest: bool) {
        self.blocks += 1;
        if honest {
            self.found_ms.insert(block, now_ms);
        }
    }

    pub(super) fn tip_moved(&mut self, now_ms: u64, disconnected: usize, connected: &[BlockId]) {
        if disconnected > 0 {
            *self.reorgs.entry(disconnected).or_default() += 1;
        }
        let found = connected.iter().filter_map(|block| self.found_ms.get(block));
        self.block_delays_ms.extend(found.map(|found_ms| now_ms - found_ms));
    }

    pub(super) fn sent(&mut self, kind: &'static str, bytes: usize) {
        let (messages, all) = self.sent.entry(kind).or_default();
        (*messages, *all) = (*messages + 1, *all + bytes as u64);
    }

    pub(super) fn sent_by_kind(&self) -> Vec<Sent> {
        let kind = |(kind, (messages, bytes)): (&&'static str, &(u64, u64))| Sent {
            kind: (*kind).to_owned(),
            messages: *messages,
            bytes: *bytes,
        };
        let mut kinds: Vec<Sent> = self.sent.iter().map(kind).collect();
        kinds.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.kind.cmp(&b.kind)));
        kinds
    }
}

/// Messages of one kind, with what carries them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// For example `gossiped blocks`.
    pub kind: String,
    /// How many.
    pub messages: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
}

/// A set of delays, ms.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Delays {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean_ms: f64,
    /// Half are at most this.
    pub p50_ms: u64,
    /// Of ten, nine are at most this.
    pub p90_ms: u64,
    /// Of a hundred, 99 are at most this.
    pub p99_ms: u64,
    /// The longest.
    pub max_ms: u64,
    /// How many lie below each bound and not below the one before: (bound in ms, count).
    pub histogram: Vec<(u64, usize)>,
}

impl Delays {
    /// Sums them up.
    pub fn of(mut delays_ms: Vec<u64>) -> Self {
        delays_ms.sort_unstable();
        let Some(max_ms) = delays_ms.last().copied() else { return Self::default() };
        let count = delays_ms.len();
        let percentile = |percent: usize| delays_ms[(count * percent).div_ceil(100).clamp(1, count) - 1];
        let sum: u128 = delays_ms.iter().map(|ms| u128::from(*ms)).sum();
        let (mut histogram, mut below, mut bound_ms) = (Vec::new(), 0, 4);
        while below < count {
            let upto = delays_ms.partition_point(|ms| *ms < bound_ms);
            if upto > 0 {
                histogram.push((bound_ms, upto - below));
            }
            (below, bound_ms) = (upto, bound_ms.saturating_mul(2));
        }
        Self {
            count,
            mean_ms: ratio(sum, count as u128),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            max_ms,
            histogram,
        }
    }
}

/// A quotient for people; 0 where nothing is divided.
#[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
pub(super) fn ratio(a: u128, b: u128) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_summed_up_by_rank() {
        let delays = Delays::of((1..=100).rev().collect());
        assert_eq!((delays.p50_ms, delays.p90_ms, delays.p99_ms, delays.max_ms), (50, 90, 99, 100));
        assert!((delays.mean_ms - 50.5).abs() < 1e-9);
        assert_eq!(delays.histogram, [(4, 3), (8, 4), (16, 8), (32, 16), (64, 32), (128, 37)]);
        assert_eq!(Delays::of(vec![7]).p99_ms, 7);
        assert_eq!(Delays::of(Vec::new()), Delays::default());
    }
}
