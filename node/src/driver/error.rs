//! Why a node does not start, each with what to do next and the exit code of `medring node run`.

use crate::api::TokensError;
use crate::config::ConfigError;
use crate::faults::FaultError;
use crate::net::NetError;
use crate::telemetry::LogError;
use crate::wallet::{FileError, KeystoreError, PassphraseError, WalletError};
use medring_protocol::params::GenesisError;
use medring_storage::StorageError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logging cannot start.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The genesis file cannot be read.
    #[error(
        "cannot read the genesis file {path}: {source}. Ask the network's operator for it, and set `genesis` to its path"
    )]
    GenesisRead {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The genesis file is refused.
    #[error("{path}: {source}")]
    Genesis {
        /// Which.
        path: PathBuf,
        /// Why.
        source: GenesisError,
    },
    /// A setting that only test networks allow.
    #[error("{key} is for test networks, and {chain:?} is a production network; remove it from the configuration")]
    TestnetOnly {
        /// The key.
        key: &'static str,
        /// The chain's name.
        chain: String,
    },
    /// The file of faults is wrong.
    #[error("testnet.faults: {0}")]
    Faults(#[from] FaultError),
    /// Another process uses the folder.
    #[error("{} is in use by another medring process{}; stop that one, or give this node a folder of its own (data_dir)", .folder.display(), .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Whose it is, if it says so.
        pid: Option<u32>,
    },
    /// The folder cannot be made or written.
    #[error("cannot use the folder {}: {source}. {}", .folder.display(), folder_next(source))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store does not open.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A private file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tokens of the API cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The passphrase cannot be read.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The keystore does not open.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The wallet does not open.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The node's key file is damaged.
    #[error("{} does not hold a node key of 32 bytes; move it away, and the node makes a new one (with a new peer id)", .0.display())]
    NodeKey(PathBuf),
    /// The network does not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The API's address cannot be listened on.
    #[error(
        "cannot listen on {address} for the API: {source}; stop what listens there, or set api.listen to 127.0.0.1:0 for any free port"
    )]
    Api {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system gave no thread.
    #[error("the system gave no thread: {0}; raise the limit on processes (ulimit -u)")]
    Thread(std::io::Error),
}

impl StartError {
    /// The process's exit code: sysexits, see docs/operator.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Log(_) | Self::TestnetOnly { .. } | Self::Faults(_) => 78,
            Self::GenesisRead { .. } => 66,
            Self::Genesis { .. } => 65,
            Self::InUse { .. } | Self::Net(_) | Self::Api { .. } => 73,
            Self::Folder { source, .. } => folder_code(source),
            Self::Storage(error) => match error {
                StorageError::InUse { .. } | StorageError::Folder { .. } => 73,
                StorageError::WrongChain { .. } => 76,
                StorageError::NewerFormat { .. } => 78,
                StorageError::Missing { .. } | StorageError::Bug(_) => 70,
                _ => 74,
            },
            Self::Passphrase(_) | Self::Keystore(_) => 77,
            Self::File(_) | Self::Tokens(_) | Self::Wallet(_) | Self::NodeKey(_) | Self::Thread(_) => 74,
        }
    }
}

/// What to do about a folder that cannot be used.
fn folder_next(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{NotADirectory, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => "Make room (df -h), then start the node again; what it confirmed is kept",
        ReadOnlyFilesystem => "Choose a folder on a file system that can be written (data_dir)",
        NotADirectory => "A part of this path is a file: choose another (data_dir)",
        _ => "Choose one this user may write to (data_dir), or change its owner",
    }
}

/// A full disk is an I/O error; a folder that is not ours, one of creation.
fn folder_code(error: &std::io::Error) -> u8 {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => 74,
        _ => 73,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_full_disk_is_not_called_a_matter_of_permissions() {
        let error = |kind: ErrorKind| StartError::Folder { folder: "data".into(), source: kind.into() };
        for (kind, next, code) in [
            (ErrorKind::StorageFull, "Make room", 74),
            (ErrorKind::QuotaExceeded, "Make room", 74),
            (ErrorKind::PermissionDenied, "change its owner", 73),
            (ErrorKind::ReadOnlyFilesystem, "can be written", 73),
        ] {
            let error = error(kind);
            assert!(error.to_string().contains(next), "{error}");
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }
}
