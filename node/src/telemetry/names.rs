//! The names of all metrics, in one place: `GET /metrics` and docs/operator.md say the same.

/// Counter, by `verdict`: gossip messages judged.
pub const GOSSIP: &str = "medring_gossip_messages_total";
