//! Logs and metrics of a running node. Neither ever holds a key, a token, a passphrase or anything of a record's inside.

mod limiter;
mod log;
mod metrics;

pub(crate) use self::limiter::Limiter;
pub use self::log::{LogError, init};
pub(crate) use self::metrics::gauge_value;
pub use self::metrics::{Metrics, RingOutcome};
