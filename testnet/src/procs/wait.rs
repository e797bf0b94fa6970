//! Waiting on a condition, never on time alone: a deadline that names what was awaited.

use std::time::{Duration, Instant};

/// A condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {seconds:.0} s for {what}; last seen: {seen}")]
pub struct WaitError {
    /// What was awaited.
    pub what: String,
    /// What was seen instead at the end.
    pub seen: String,
    /// How long, seconds.
    pub seconds: f64,
}

/// Time between two looks at a condition that lies in another process.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Looks again and again until `look` gives `Ok`, which is returned; `Err` says what was seen instead.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, WaitError> {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(seen) if start.elapsed() >= limit => {
                return Err(WaitError { what: what.into(), seen, seconds: start.elapsed().as_secs_f64() });
            }
            Err(_) => std::thread::park_timeout(LOOK_EVERY),
        }
    }
}
