//! Why a configuration is refused: each error names the key, where it stands, and what would be right.

use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}. Check the path given with --config")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{path} is not valid TOML: {problem}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and what was expected.
        problem: String,
    },
    /// There is no such key.
    #[error("{origin}: unknown key {key:?}{}; docs/operator.md lists every key", meant(*.nearest))]
    Unknown {
        /// The file, variable or flag.
        origin: String,
        /// The key as written.
        key: String,
        /// The known key that is near enough to be meant.
        nearest: Option<&'static str>,
    },
    /// A key's value is of another kind.
    #[error("{origin}: {key} must be {expected}; got {got}")]
    Kind {
        /// The file, variable or flag.
        origin: String,
        /// The key.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was there.
        got: String,
    },
    /// A value is out of bounds.
    #[error("configuration: {key} {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A value of the right kind that cannot be read, for example a malformed address.
    #[error("configuration: {0}")]
    Parse(String),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean {key:?}?")).unwrap_or_default()
}
