//! Brings `peers.json` to the disk, one write at a time, off the event loop; of what comes faster only the newest is written.

use super::file::Contents;
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};

/// What is to be written, and who waits until it is.
type Job = (Contents, Option<oneshot::Sender<()>>);

/// The way to the writing task.
#[derive(Debug)]
pub(in crate::net) struct Writer {
    jobs: Option<mpsc::UnboundedSender<Job>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Writer {
    /// Writes to `path` from now on, or nowhere.
    pub(in crate::net) fn start(path: Option<PathBuf>) -> Self {
        let Some(path) = path else { return Self { jobs: None, task: None } };
        // Filled by a timer and by people's commands only, and emptied whole at each turn.
        let (jobs, received) = mpsc::unbounded_channel();
        Self { jobs: Some(jobs), task: Some(tokio::spawn(run(path, received))) }
    }

    /// Writes this soon; `written` is told when it, or something newer, is on disk, and dropped if that failed.
    pub(in crate::net) fn write(&self, contents: Contents, written: Option<oneshot::Sender<()>>) {
        match &self.jobs {
            // Err: the task ends only with this.
            Some(jobs) => drop(jobs.send((contents, written))),
            None => drop(written.map(|written| written.send(()))),
        }
    }

    /// Waits until everything is written.
    pub(in crate::net) async fn finish(&mut self) {
        self.jobs = None;
        if let Some(task) = self.task.take() {
            // Err: it panicked, and that has been said.
            let _ = task.await;
        }
    }
}

async fn run(path: PathBuf, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some((mut contents, written)) = jobs.recv().await {
        let mut waiting = vec![written];
        while let Ok((newer, written)) = jobs.try_recv() {
            contents = newer;
            waiting.push(written);
        }
        let path = path.clone();
        let done = tokio::task::spawn_blocking(move || contents.write(&path)).await;
        match done {
            Ok(Ok(())) => {
                for written in waiting.into_iter().flatten() {
                    // Err: whoever waited went away.
                    let _ = written.send(());
                }
            }
            Ok(Err(error)) => tracing::warn!("known peers and bans are not stored: {error}"),
            Err(error) => tracing::error!(%error, "known peers and bans are not stored"),
        }
    }
}
