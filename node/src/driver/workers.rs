//! Threads that verify signatures, one per core of the machine.
//!
//! Jobs wait in a queue as long as the core's own bound on them; results go to a queue that never makes a worker wait, so
//! core and workers cannot wait for each other. A worker takes several small jobs at once: a batch of many signatures costs
//! less than many batches of few.

use super::clock;
use crate::core::{Input, JobId};
use crate::telemetry::Metrics;
use medring_protocol::record::{SigCheck, verify_all};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::UnboundedSender;

/// Signatures after which a worker takes no further job into its batch: more of them make each hardly cheaper.
const BATCH_SIGNATURES: usize = 256;

struct Job {
    id: JobId,
    checks: Vec<SigCheck>,
}

/// Jobs that wait; the core keeps no more than its own bound under way.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work: one job, and those behind it up to a batch, but never more than one worker's share of what waits.
    /// `None`: the pool is gone.
    fn take(&self, workers: usize) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let share = state.jobs.iter().map(|job| job.checks.len()).sum::<usize>().div_ceil(workers);
        let most = share.min(BATCH_SIGNATURES);
        let (mut taken, mut signatures) = (Vec::new(), 0);
        while taken.is_empty() || signatures < most {
            let Some(job) = state.jobs.pop_front() else { break };
            signatures += job.checks.len();
            taken.push(job);
        }
        Some(taken)
    }
}

/// The pool of workers. They end when it is dropped.
pub(super) struct Workers {
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    _threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one worker per core of the machine.
    pub(super) fn start(done: &UnboundedSender<Input>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut threads = Vec::new();
        for number in 0..count {
            let (queue, done, metrics) = (queue.clone(), done.clone(), metrics.clone());
            let run = move || work(&queue, count, &done, &metrics);
            threads.push(std::thread::Builder::new().name(format!("verify-{number}")).spawn(run)?);
        }
        Ok(Self { queue, metrics, _threads: threads })
    }

    /// Hands over a job.
    pub(super) fn verify(&self, id: JobId, checks: Vec<SigCheck>) {
        self.metrics.verify_queue.increment(1);
        self.queue.lock().jobs.push_back(Job { id, checks });
        self.queue.changed.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
    }
}

fn work(queue: &Queue, workers: usize, done: &UnboundedSender<Input>, metrics: &Metrics) {
    let mut rng = clock::os_rng();
    while let Some(jobs) = queue.take(workers) {
        let began = clock::instant();
        let results = verify_jobs(jobs, &mut rng);
        metrics.verify_seconds.record(clock::seconds_since(began));
        for (job, result) in results {
            metrics.verify_queue.decrement(1);
            if done.send(Input::Verified { job, result }).is_err() {
                return;
            }
        }
    }
}

/// All jobs in one batch; where that is not all good, each by itself, as its own bad signature must be named.
fn verify_jobs(mut jobs: Vec<Job>, rng: &mut impl rand::CryptoRng) -> Vec<(JobId, Result<(), usize>)> {
    if let [_, _, ..] = jobs.as_slice() {
        let all: Vec<SigCheck> = jobs.iter().flat_map(|job| job.checks.iter().cloned()).collect();
        if verify_all(&all, rng).is_ok() {
            return jobs.into_iter().map(|job| (job.id, Ok(()))).collect();
        }
    }
    jobs.drain(..).map(|job| (job.id, verify_all(&job.checks, rng))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use medring_protocol::record::Kind;
    use medring_protocol::testkit::Kit;

    fn checks(kit: &Kit, number: u64) -> Vec<SigCheck> {
        let record = kit.record(Kind::Ehr, number, 1);
        record.signature_checks(&kit.chain, &kit.uploader(Kind::Ehr).keys).unwrap().to_vec()
    }

    #[test]
    fn a_bad_signature_is_told_of_its_own_job_only() {
        let kit = Kit::new(1);
        let job = |id| Job { id: JobId(id), checks: checks(&kit, id) };
        let mut rng = clock::os_rng();
        let good = verify_jobs((1..5).map(job).collect(), &mut rng);
        assert_eq!(good, (1..5).map(|id| (JobId(id), Ok(()))).collect::<Vec<_>>());
        let mut jobs: Vec<Job> = (1..5).map(job).collect();
        jobs[2].checks[1].hash[0] ^= 1;
        let told = verify_jobs(jobs, &mut rng);
        assert_eq!(told.iter().map(|(_, result)| *result).collect::<Vec<_>>(), [Ok(()), Ok(()), Err(1), Ok(())]);
    }

    #[test]
    fn small_jobs_are_shared_among_workers_and_big_ones_stay_alone() {
        let kit = Kit::new(2);
        let queue = Queue::default();
        let small = checks(&kit, 1);
        let push = |checks: Vec<SigCheck>| queue.lock().jobs.push_back(Job { id: JobId(0), checks });
        (0..8).for_each(|_| push(small.clone()));
        assert_eq!(queue.take(2).unwrap().len(), 4, "half for each of two");
        assert_eq!(queue.take(2).unwrap().len(), 2);
        queue.lock().jobs.clear();
        (0..3).for_each(|_| push(small.iter().cycle().take(BATCH_SIGNATURES).cloned().collect()));
        assert_eq!(queue.take(1).unwrap().len(), 1);
        queue.lock().jobs.clear();
        queue.lock().closed = true;
        assert!(queue.take(1).is_none());
    }
}
