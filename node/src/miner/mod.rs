//! Mining threads: they look for nonces of the newest template, one SHA-256 compression each, and drop it within
//! milliseconds when a newer one comes.

mod pace;

use crate::core::Template;
use medring_protocol::block::{Header, NonceSearch};
use pace::{CHUNK_MAX, Pace};
use sha2::{Digest, Sha256};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How to mine.
#[derive(Clone, Debug)]
pub struct MinerConfig {
    /// Mine all the time, or only on demand.
    pub enabled: bool,
    /// Threads.
    pub threads: u32,
    /// Cap of all threads together.
    pub hashes_per_second: Option<u64>,
    /// Where searches start, with the header and the thread's number.
    pub seed: u64,
    /// How much the threads yield to others, 0 … 19.
    pub nice: u32,
}

/// What the threads share.
#[derive(Debug, Default)]
struct Work {
    template: Option<Template>,
    /// Changes with every change of the work.
    generation: u64,
    /// Blocks still to be found on demand, without a cap.
    demanded: u64,
    stopped: bool,
}

#[derive(Debug)]
struct Shared {
    config: MinerConfig,
    work: Mutex<Work>,
    changed: Condvar,
    /// Copy of [`Work::generation`] that a searching thread reads without locking.
    generation: AtomicU64,
    hashes: AtomicU64,
}

/// One template a thread is to search.
struct Job {
    header: Header,
    generation: u64,
    capped: bool,
}

/// All mining threads.
#[derive(Debug)]
pub struct Miner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    rate: Mutex<Rate>,
}

/// Hashes per second between two looks.
#[derive(Debug)]
struct Rate {
    at: Instant,
    hashes: u64,
    per_second: f64,
}

/// A rate is taken over at least this long.
const RATE_WINDOW: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the miner paces itself; nothing it computes depends on the time")]
fn now() -> Instant {
    Instant::now()
}

impl Miner {
    /// Starts the threads; each calls `found` with the header of every block it finds. `Err` if the system has no threads
    /// left.
    pub fn start(config: MinerConfig, found: impl Fn(Header) + Clone + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            work: Mutex::default(),
            changed: Condvar::new(),
            generation: AtomicU64::new(0),
            hashes: AtomicU64::new(0),
            config,
        });
        let rate = Mutex::new(Rate { at: now(), hashes: 0, per_second: 0.0 });
        let miner = Self { shared: shared.clone(), threads: Mutex::default(), rate };
        for number in 0..shared.config.threads {
            let (shared, found) = (shared.clone(), found.clone());
            let run = move || shared.run(number, &found);
            let thread = std::thread::Builder::new().name(format!("miner-{number}")).spawn(run)?;
            lock(&miner.threads).push(thread);
        }
        Ok(miner)
    }

    /// Mine on this from now on, and on nothing earlier.
    pub fn set_template(&self, template: Template) {
        self.shared.change(|work| work.template = Some(template));
    }

    /// Find `blocks` more, without a cap, and then return to what was configured.
    pub fn demand(&self, blocks: u64) {
        self.shared.change(|work| work.demanded = work.demanded.saturating_add(blocks));
    }

    /// Blocks demanded and not found yet.
    pub fn demanded(&self) -> u64 {
        lock(&self.shared.work).demanded
    }

    /// Take back what was demanded and is not found yet.
    pub fn cancel_demand(&self) {
        self.shared.change(|work| work.demanded = 0);
    }

    /// Hashes per second, lately.
    pub fn hash_rate(&self) -> f64 {
        let mut rate = lock(&self.rate);
        let (now, hashes) = (now(), self.shared.hashes.load(Ordering::Relaxed));
        let elapsed = now - rate.at;
        if elapsed >= RATE_WINDOW {
            // Below 2^32 hashes between two looks, or the rate is a lower bound.
            let done = f64::from(u32::try_from(hashes - rate.hashes).unwrap_or(u32::MAX));
            *rate = Rate { at: now, hashes, per_second: done / elapsed.as_secs_f64() };
        }
        rate.per_second
    }

    /// Ends the threads and waits for them: a chunk's time.
    pub fn stop(&self) {
        self.shared.change(|work| work.stopped = true);
        for thread in lock(&self.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a mining thread panicked");
            }
        }
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every holder leaves the value whole, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Work)) {
        let mut work = lock(&self.work);
        change(&mut work);
        work.generation += 1;
        self.generation.store(work.generation, Ordering::Release);
        self.changed.notify_all();
    }

    /// Waits until there is something to search; `None` when the miner is stopped.
    fn next_job(&self) -> Option<Job> {
        let mut work = lock(&self.work);
        loop {
            if work.stopped {
                return None;
            }
            let on_demand = work.demanded > 0;
            if let Some(template) = work.template.as_ref().filter(|_| on_demand || self.config.enabled) {
                let capped = !on_demand;
                return Some(Job { header: template.header, generation: work.generation, capped });
            }
            work = self.changed.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the template away from all threads, if it is still the one `job` was made of.
    fn take(&self, job: &Job) -> bool {
        let mut mine = false;
        self.change(|work| {
            if work.generation == job.generation {
                mine = true;
                work.template = None;
                work.demanded = work.demanded.saturating_sub(1);
            }
        });
        mine
    }

    /// Waits until `until`, or until the work changes.
    fn wait(&self, job: &Job, until: Instant) {
        let mut work = lock(&self.work);
        while work.generation == job.generation {
            let Some(left) = until.checked_duration_since(now()).filter(|left| !left.is_zero()) else { return };
            work = self.changed.wait_timeout(work, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// One thread's life.
    fn run(&self, number: u32, found: &impl Fn(Header)) {
        let nice = i32::try_from(self.config.nice).unwrap_or(19);
        // On Linux this concerns the calling thread alone. Without it mining is merely less polite.
        if let Err(error) = rustix::process::nice(nice) {
            tracing::warn!(%error, "mining threads keep their priority");
        }
        let share = |rate: u64| rate / u64::from(self.config.threads.max(1));
        let mut pace = self.config.hashes_per_second.map(|rate| Pace::new(share(rate), now()));
        while let Some(job) = self.next_job() {
            self.search(number, &job, pace.as_mut().filter(|_| job.capped), found);
        }
    }

    /// Searches one template until a block is found or the work changes.
    fn search(&self, number: u32, job: &Job, mut pace: Option<&mut Pace>, found: &impl Fn(Header)) {
        let search = NonceSearch::new(&job.header);
        let mut nonce = start_nonce(self.config.seed, &job.header, number);
        while self.generation.load(Ordering::Acquire) == job.generation {
            let chunk = pace.as_ref().map_or(CHUNK_MAX, |pace| pace.chunk());
            let hit = search.run(nonce, chunk);
            let done = hit.map_or(chunk, |hit| hit.wrapping_sub(nonce) + 1);
            self.hashes.fetch_add(done, Ordering::Relaxed);
            if let Some(nonce) = hit {
                if self.take(job) {
                    found(Header { nonce, ..job.header });
                }
                return;
            }
            nonce = nonce.wrapping_add(chunk);
            if let Some(until) = pace.as_mut().map(|pace| pace.after(done, now())) {
                self.wait(job, until);
            }
        }
    }
}

/// Where a thread starts: far from every other thread and node, and the same again under the same seed.
fn start_nonce(seed: u64, header: &Header, thread: u32) -> u64 {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(thread.to_be_bytes())
        .chain_update(header.to_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests;
