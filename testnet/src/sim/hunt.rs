//! Seed after seed with random faults until one fails; then its list of faults made as short as it gets.

use super::{Fault, SimConfig, SimFailure, SimReport, Simulation, random_faults, shrink};
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// What to hunt in.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The network; its seed and faults are replaced.
    pub network: SimConfig,
    /// The first seed.
    pub first_seed: u64,
    /// How many.
    pub seeds: u64,
    /// Threads, each running one seed at a time.
    pub threads: usize,
}

/// A seed that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Which, and how.
    pub failure: SimFailure,
    /// The faults drawn from it.
    #[serde(serialize_with = "texts")]
    pub faults: Vec<Fault>,
    /// Those of them that are needed to make it fail.
    #[serde(serialize_with = "texts")]
    pub shrunk: Vec<Fault>,
    /// How it fails with these.
    pub shrunk_failure: SimFailure,
    /// Runs that took.
    pub runs: u64,
}

fn texts<S: serde::Serializer>(faults: &[Fault], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(faults.iter().map(ToString::to_string))
}

/// Runs one network to its end. A panic is a failure too.
pub fn run_one(config: SimConfig) -> Result<SimReport, SimFailure> {
    let seed = config.seed;
    let run = || Simulation::new(config).and_then(Simulation::run);
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let problem = format!("panicked: {}", text.unwrap_or_default());
        Err(SimFailure { seed, at_ms: 0, problem, log_tail: Vec::new() })
    })
}

/// Runs seeds until one fails, and shrinks its faults; see [`search`].
pub fn hunt(hunt: &Hunt, tell: &(dyn Fn(&SimReport) + Sync)) -> Option<Found> {
    search(hunt, tell).map(|failure| hunt.explain(failure))
}

/// Runs seeds until one fails; `None`: all went well. `tell` is called after each seed that passed, from any thread, with its
/// report. Which seed is found does not depend on the threads: it is the lowest that fails.
pub fn search(hunt: &Hunt, tell: &(dyn Fn(&SimReport) + Sync)) -> Option<SimFailure> {
    let (next, lowest) = (AtomicU64::new(hunt.first_seed), AtomicU64::new(u64::MAX));
    let failure: Mutex<Option<SimFailure>> = Mutex::new(None);
    let end = hunt.first_seed.saturating_add(hunt.seeds);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end || seed > lowest.load(Ordering::SeqCst) {
                return;
            }
            match run_one(hunt.config(seed)) {
                Ok(report) => tell(&report),
                Err(found) => {
                    lowest.fetch_min(seed, Ordering::SeqCst);
                    let mut kept = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.as_ref().is_none_or(|kept| kept.seed > seed) {
                        *kept = Some(found);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..hunt.threads.max(1) {
            scope.spawn(work);
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Hunt {
    /// The network of a seed, with the faults drawn from it.
    pub fn config(&self, seed: u64) -> SimConfig {
        let network = self.network.clone();
        let faults = random_faults(seed, network.nodes, network.busy_ms);
        SimConfig { seed, faults, ..network }
    }

    fn explain(&self, failure: SimFailure) -> Found {
        let config = self.config(failure.seed);
        let (mut runs, mut last) = (0, failure.clone());
        let mut fails = |faults: &[Fault]| {
            runs += 1;
            let config = SimConfig { faults: faults.to_vec(), ..config.clone() };
            run_one(config).map_err(|failed| last = failed).is_err()
        };
        let shrunk = shrink(&config.faults, &mut fails);
        Found { failure, faults: config.faults, shrunk, shrunk_failure: last, runs }
    }
}
