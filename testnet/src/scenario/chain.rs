//! Numbers of a scenario's chain that are the same in every world, so that one file means one thing.

/// Steps of record stamps, ms.
pub(crate) const STAMP_GRANULARITY_MS: u64 = 1_000;
/// How far a record's stamp may lie from a node's clock, ms.
pub(crate) const STAMP_WINDOW_MS: u64 = 120_000;
/// Heights for which a record may ask to live.
pub(crate) const EXPIRY_WINDOW_HEIGHTS: u64 = 10_000;
/// How deep a record is settled.
pub(crate) const CONFIRMATIONS: u32 = 3;

/// How far ahead of a node's clock a block may be stamped, ms.
pub(crate) fn future_limit_ms(block_time_ms: u64) -> u64 {
    (block_time_ms * 72 / 20).min(10_000)
}
