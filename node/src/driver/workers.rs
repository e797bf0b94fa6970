//! Threads that verify signatures, one per core of the machine.
//!
//! Jobs wait in a queue as long as the core's own bound on them; results go to a queue that never makes a worker wait, so
//! core and workers cannot wait for each other.

use super::clock;
use crate::core::{Input, JobId};
use crate::telemetry::Metrics;
use medring_protocol::record::{SigCheck, verify_all};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::UnboundedSender;

/// Jobs that may wait; the core keeps no more under way.
const JOBS_MAX: usize = crate::core::limits::JOBS_MAX;

struct Job {
    id: JobId,
    checks: Vec<SigCheck>,
}

/// The pool of workers. They end when it is dropped.
pub(super) struct Workers {
    jobs: SyncSender<Job>,
    metrics: Arc<Metrics>,
    _threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one worker per core of the machine.
    pub(super) fn start(done: &UnboundedSender<Input>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(JOBS_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut threads = Vec::new();
        for number in 0..count {
            let (queue, done, metrics) = (queue.clone(), done.clone(), metrics.clone());
            let run = move || work(&queue, &done, &metrics);
            threads.push(std::thread::Builder::new().name(format!("verify-{number}")).spawn(run)?);
        }
        Ok(Self { jobs, metrics, _threads: threads })
    }

    /// Hands over a job; waits only if the core broke its own bound.
    pub(super) fn verify(&self, id: JobId, checks: Vec<SigCheck>) {
        self.metrics.verify_queue.increment(1);
        // Err: every worker panicked; the node then answers nothing that needs signatures.
        if self.jobs.send(Job { id, checks }).is_err() {
            tracing::error!("no worker is left to verify signatures; restart the node");
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, done: &UnboundedSender<Input>, metrics: &Metrics) {
    let mut rng = clock::os_rng();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { id, checks }) = job else { return };
        let result = verify_all(&checks, &mut rng);
        metrics.verify_queue.decrement(1);
        if done.send(Input::Verified { job: id, result }).is_err() {
            return;
        }
    }
}
