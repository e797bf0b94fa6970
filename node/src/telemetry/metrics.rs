//! Figures of one node, rendered at `GET /metrics`. They belong to the node and not to the process, so that many nodes can
//! live in one test.

use crate::core::Verdict;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Upper ends of the buckets of `medring_commit_seconds`.
const COMMIT_BUCKETS: [f64; 8] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

/// Every figure of a node.
pub struct Metrics {
    handle: PrometheusHandle,
    /// Height of the best chain.
    pub height: Gauge,
    /// Height of the best header known.
    pub headers_height: Gauge,
    /// Linked peers.
    pub peers: Gauge,
    /// Records in the mempool.
    pub pool_records: Gauge,
    /// Their bytes.
    pub pool_bytes: Gauge,
    /// Blocks stamped too far ahead, kept until their time comes.
    pub future_blocks: Gauge,
    /// Blocks of ours that joined the tree.
    pub blocks_found: Counter,
    /// Hashes per second of our miner.
    pub hash_rate: Gauge,
    /// Reorganisations of the best chain.
    pub reorgs: Counter,
    /// Blocks that the last of them disconnected.
    pub reorg_depth: Gauge,
    /// Bans that followed from what peers sent, or from a command.
    pub bans: Counter,
    /// Reorganisations deeper than D.
    pub deep_reorgs: Counter,
    /// Blocks that the deepest of them disconnected.
    pub reorg_depth_max: Gauge,
    /// Signature jobs waiting or running.
    pub verify_queue: Gauge,
    /// Seconds per batch of signatures verified.
    pub verify_seconds: Histogram,
    /// Seconds per input that moved the tip.
    pub commit_seconds: Histogram,
    /// Bodies that peers were asked for.
    pub bodies_asked: Counter,
    /// Bodies that came as answers.
    pub bodies_received: Counter,
    /// Bodies that peers were given.
    pub bodies_served: Counter,
    gossip_accepted: Counter,
    gossip_ignored: Counter,
    gossip_rejected: Counter,
    ring_in: [Counter; 3],
    ring_out: [Counter; 3],
    ring_bytes_in: Counter,
    ring_bytes_out: Counter,
}

/// How an exchange with a member of a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingOutcome {
    /// With an answer.
    Done,
    /// At once, since too many were open.
    Refused,
    /// Without an answer: time, a broken link, bytes that are no frame.
    Failed,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics(…)")
    }
}

impl RingOutcome {
    fn of(self, counters: &[Counter; 3]) -> &Counter {
        let [done, refused, failed] = counters;
        match self {
            Self::Done => done,
            Self::Refused => refused,
            Self::Failed => failed,
        }
    }
}

/// Registers figures under their names.
struct Registry(PrometheusRecorder);

impl Registry {
    const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

    fn gauge(&self, name: &'static str, unit: Unit, help: &'static str) -> Gauge {
        self.0.describe_gauge(KeyName::from(name), Some(unit), help.into());
        self.0.register_gauge(&Key::from_name(name), &Self::METADATA)
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>, help: &'static str) -> Counter {
        self.0.describe_counter(KeyName::from(name), Some(Unit::Count), help.into());
        self.0.register_counter(&Key::from_parts(name, labels), &Self::METADATA)
    }

    fn histogram(&self, name: &'static str, help: &'static str) -> Histogram {
        self.0.describe_histogram(KeyName::from(name), Some(Unit::Seconds), help.into());
        self.0.register_histogram(&Key::from_name(name), &Self::METADATA)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero.
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // Only an empty list of buckets is refused.
        let builder = builder.set_buckets(&COMMIT_BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let registry = Registry(builder.build_recorder());
        let gossip = |verdict: &'static str| {
            let labels = vec![Label::new("verdict", verdict)];
            registry.counter("medring_gossip_messages_total", labels, "Gossip messages judged, by verdict")
        };
        let ring = |direction: &'static str| {
            ["done", "refused", "failed"].map(|outcome| {
                let labels = vec![Label::new("direction", direction), Label::new("outcome", outcome)];
                registry.counter("medring_ring_exchanges_total", labels, "Exchanges with members of groups, by outcome")
            })
        };
        let ring_bytes = |direction: &'static str| {
            let labels = vec![Label::new("direction", direction)];
            registry.counter("medring_ring_bytes_total", labels, "Bytes of messages and answers between members")
        };
        let gauge = |name, unit, help| registry.gauge(name, unit, help);
        Self {
            handle: registry.0.handle(),
            height: gauge("medring_height", Unit::Count, "Height of the best chain"),
            headers_height: gauge("medring_headers_height", Unit::Count, "Height of the best header known"),
            peers: gauge("medring_peers", Unit::Count, "Linked peers"),
            pool_records: gauge("medring_pool_records", Unit::Count, "Records in the mempool"),
            pool_bytes: gauge("medring_pool_bytes", Unit::Bytes, "Bytes of the records in the mempool"),
            blocks_found: registry.counter("medring_blocks_found_total", Vec::new(), "Blocks mined here"),
            future_blocks: gauge("medring_future_blocks", Unit::Count, "Blocks kept until their time comes"),
            hash_rate: gauge("medring_hash_rate", Unit::CountPerSecond, "Hashes per second of the miner"),
            reorgs: registry.counter("medring_reorgs_total", Vec::new(), "Reorganisations of the best chain"),
            reorg_depth: gauge("medring_reorg_depth", Unit::Count, "Blocks the last reorganisation disconnected"),
            bans: registry.counter("medring_bans_total", Vec::new(), "Bans, by what peers sent or by command"),
            deep_reorgs: registry.counter(
                "medring_deep_reorgs_total",
                Vec::new(),
                "Reorganisations deeper than the confirmations at which records count as settled",
            ),
            reorg_depth_max: gauge(
                "medring_reorg_depth_max",
                Unit::Count,
                "Blocks the deepest reorganisation since the start disconnected",
            ),
            verify_queue: gauge("medring_verify_queue", Unit::Count, "Signature jobs waiting or running"),
            verify_seconds: registry.histogram("medring_verify_seconds", "Time of a batch of signatures on one worker"),
            bodies_asked: registry.counter("medring_bodies_asked_total", Vec::new(), "Bodies peers were asked for"),
            bodies_received: registry.counter(
                "medring_bodies_received_total",
                Vec::new(),
                "Bodies that came as answers",
            ),
            bodies_served: registry.counter("medring_bodies_served_total", Vec::new(), "Bodies peers were given"),
            commit_seconds: registry
                .histogram("medring_commit_seconds", "Time of an input that moved the tip, commit included"),
            gossip_accepted: gossip("accept"),
            gossip_ignored: gossip("ignore"),
            gossip_rejected: gossip("reject"),
            ring_in: ring("in"),
            ring_out: ring("out"),
            ring_bytes_in: ring_bytes("in"),
            ring_bytes_out: ring_bytes("out"),
        }
    }

    /// Counts one judged gossip message.
    pub fn gossip(&self, verdict: Verdict) {
        match verdict {
            Verdict::Accept => self.gossip_accepted.increment(1),
            Verdict::Ignore => self.gossip_ignored.increment(1),
            Verdict::Reject => self.gossip_rejected.increment(1),
        }
    }

    /// Counts an exchange that a peer began.
    pub fn ring_in(&self, outcome: RingOutcome) {
        outcome.of(&self.ring_in).increment(1);
    }

    /// Counts an exchange that this node began.
    pub fn ring_out(&self, outcome: RingOutcome) {
        outcome.of(&self.ring_out).increment(1);
    }

    /// Counts bytes received from members of groups.
    pub fn ring_bytes_in(&self, bytes: usize) {
        self.ring_bytes_in.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Counts bytes sent to members of groups.
    pub fn ring_bytes_out(&self, bytes: usize) {
        self.ring_bytes_out.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// In the Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// A count as a gauge's value; exact below 2^32, which every count here is in practice.
pub(crate) fn gauge_value(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_in_one_process_count_apart() {
        let (a, b) = (Metrics::new(), Metrics::new());
        a.gossip(Verdict::Reject);
        a.height.set(gauge_value(7));
        a.commit_seconds.record(0.002);
        let text = a.render();
        assert!(text.contains("medring_gossip_messages_total{verdict=\"reject\"} 1"), "{text}");
        assert!(text.contains("medring_height 7"), "{text}");
        assert!(text.contains("medring_commit_seconds_bucket{le=\"0.003\"} 1"), "{text}");
        assert!(!b.render().contains("medring_height 7"));
    }
}
