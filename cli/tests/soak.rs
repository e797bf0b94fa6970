//! What takes long: short figures in `make test`, long ones with `MEDRING_SOAK=1` in `make soak`, which keeps what they print.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail, and tell, as tests do"
)]

#[path = "soak/crash.rs"]
mod crash;
#[path = "soak/figures.rs"]
mod figures;
#[path = "soak/flood.rs"]
mod flood;
#[path = "soak/group.rs"]
mod group;
#[path = "e2e/harness.rs"]
#[allow(dead_code, reason = "shared with the e2e tests, which use the rest")]
mod harness;
#[path = "soak/hostile.rs"]
mod hostile;
#[path = "e2e/live.rs"]
mod live;
#[path = "e2e/records.rs"]
#[allow(dead_code, reason = "shared with the e2e tests, which use the rest")]
mod records;
#[path = "soak/reorg.rs"]
mod reorg;
#[path = "soak/streams.rs"]
mod streams;
#[path = "soak/sync.rs"]
mod sync;
#[path = "soak/vitals.rs"]
mod vitals;

/// The short figure, or with `MEDRING_SOAK=1` the long one.
fn short_or_long<T>(short: T, long: T) -> T {
    if std::env::var_os("MEDRING_SOAK").is_some_and(|v| v == "1") { long } else { short }
}
