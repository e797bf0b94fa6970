//! A node as a process: what `medring node run` does.

use super::{Node, Shutdown, StartError, Stopped};
use crate::config::Config;
use crate::telemetry;
use std::io::Write;
use tokio::signal::unix::{SignalKind, signal};

/// Why the process ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its disk failed.
    #[error("{0}; the node stopped. What it confirmed is kept: make room or check the disk, then start it again")]
    Failed(String),
}

impl RunError {
    /// The process's exit code: sysexits, see docs/operator.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::Failed(_) => 74,
        }
    }
}

/// Runs one node until SIGTERM or SIGINT, or until its disk fails. Starts logging for the process; says
/// `medring node ready ADDRESS api URL` on standard output when it is ready.
pub fn run(config: Config) -> Result<(), RunError> {
    config.validate().map_err(StartError::from)?;
    telemetry::init(&config.log).map_err(StartError::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("node")
        .build()
        .map_err(StartError::Thread)?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        stop_on_signals(&shutdown).map_err(StartError::Thread)?;
        let node = Node::start(config, shutdown).await?;
        let info = node.info();
        let address = info.listen.first().map(ToString::to_string).unwrap_or_default();
        // Nobody may read it: the node runs all the same.
        let _ = writeln!(std::io::stdout(), "medring node ready {address} api http://{}", info.api);
        let _ = std::io::stdout().flush();
        match node.stopped().await {
            Stopped::Asked => Ok(()),
            Stopped::Failed(problem) => Err(RunError::Failed(problem)),
        }
    })
}

/// SIGTERM and SIGINT ask the node to stop.
fn stop_on_signals(shutdown: &Shutdown) -> std::io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, shutdown) = (signal(kind)?, shutdown.clone());
        tokio::spawn(async move {
            signals.recv().await;
            tracing::info!("asked to stop");
            shutdown.cancel();
        });
    }
    Ok(())
}
