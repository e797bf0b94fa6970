//! Log lines: for people or as JSON, to standard error or a file.
//!
//! What a peer can cause at will is logged at `debug` only, so no peer fills a disk.

use crate::config::{LogConfig, LogFormat};
use std::fs::OpenOptions;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("log.filter {filter:?}: {problem}; write for example \"info,medring_node::net=debug\"")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The file cannot be opened.
    #[error("log.file {path}: {source}; choose a file this user may write to")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A subscriber is installed already.
    #[error("logging was started twice in one process: this is a bug in medring, please report it")]
    Twice,
}

/// Starts logging for the whole process; once.
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|e| LogError::Filter { filter: config.filter.clone(), problem: e.to_string() })?;
    let writer = match &config.file {
        None => BoxMakeWriter::new(std::io::stderr),
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|source| LogError::File { path: path.clone(), source })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| LogError::Twice)
}
