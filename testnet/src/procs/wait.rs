//! Waiting on a condition, never on time alone: a deadline that names what was awaited.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *.interrupted {
    format!("interrupted while waiting for {what}")
} else {
    format!("waited {seconds:.0} s for {what}; last seen: {seen}")
})]
pub struct WaitError {
    /// What was awaited.
    pub what: String,
    /// What was seen instead at the end.
    pub seen: String,
    /// How long, seconds.
    pub seconds: f64,
    /// Whether it was [`interrupt`] that ended the wait.
    pub interrupted: bool,
}

/// Time between two looks at a condition that lies in another process.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Whether someone asked this process to end. A signal reaches the whole process, so there is one flag for all of it.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends every [`until`] of this process, now and from now on, so that whatever awaits something cleans up and returns.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether [`interrupt`] was called.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Looks again and again until `look` gives `Ok`, which is returned; `Err` says what was seen instead.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Result<T, String>) -> Result<T, WaitError> {
    look_until(what, limit, interrupted, look)
}

/// The same, whatever [`interrupt`] says: for cleaning up.
pub(super) fn until_in_any_case<T>(
    what: &str,
    limit: Duration,
    look: impl FnMut() -> Result<T, String>,
) -> Result<T, WaitError> {
    look_until(what, limit, || false, look)
}

fn look_until<T>(
    what: &str,
    limit: Duration,
    stop: impl Fn() -> bool,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, WaitError> {
    let start = Instant::now();
    loop {
        let interrupted = stop();
        let seen = match look() {
            Ok(value) => return Ok(value),
            Err(seen) if interrupted || start.elapsed() >= limit => seen,
            Err(_) => {
                std::thread::park_timeout(LOOK_EVERY);
                continue;
            }
        };
        return Err(WaitError { what: what.into(), seen, seconds: start.elapsed().as_secs_f64(), interrupted });
    }
}
