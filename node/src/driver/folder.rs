//! A node's data folder: the lock that keeps a second process out, `node.json` for those who look for the node, and the
//! token that opens its API.

use super::{NodeInfo, StartError};
use crate::wallet::files::write_private;
use medring_protocol::ChainId;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What `node.json` says while the node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFile {
    /// Process id.
    pub pid: u32,
    /// libp2p id.
    pub peer_id: String,
    /// Addresses others can dial, each with `/p2p/` and the id.
    pub listen: Vec<String>,
    /// `http://127.0.0.1:PORT`.
    pub api: String,
    /// Of the software.
    pub version: String,
    /// The chain.
    pub chain_id: ChainId,
    /// The configuration file it was started with, absolute: where keystore and passphrase file are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
}

impl NodeFile {
    /// Its name in the data folder.
    pub const NAME: &'static str = "node.json";

    /// Reads `node.json` of a data folder; it is there while a node runs.
    pub fn read(data_dir: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(data_dir.join(Self::NAME))?)?)
    }

    /// For this process.
    pub(super) fn new(info: &NodeInfo, config: Option<PathBuf>) -> Self {
        Self {
            pid: std::process::id(),
            peer_id: info.peer_id.to_string(),
            listen: info.listen.iter().map(ToString::to_string).collect(),
            api: format!("http://{}", info.api),
            version: env!("CARGO_PKG_VERSION").into(),
            chain_id: info.chain_id,
            config,
        }
    }
}

/// The name of the file that holds the API's token.
pub const TOKEN_FILE: &str = "api.token";

/// The secret that opens the API: 64 hex digits, drawn anew at each start.
#[derive(Clone)]
pub struct ApiToken(zeroize::Zeroizing<String>);

impl std::fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

impl ApiToken {
    /// Draws one.
    pub(crate) fn draw(rng: &mut impl rand::CryptoRng) -> Self {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(zeroize::Zeroizing::new(hex::encode(bytes.as_ref())))
    }

    /// For the one file or answer, and the one hash, that it is made for.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// A locked data folder. The lock falls with it, also when the process is killed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be (mode 0700) and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, StartError> {
        let fail = |source| StartError::Folder { folder: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("LOCK"))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = lock.read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(StartError::InUse { folder: path.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        // Writing shows at once whether the disk is full; the pid helps whoever finds the folder in use.
        let pid = format!("{}\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(pid.as_bytes()))
            .and_then(|()| lock.sync_all())
            .map_err(fail)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        // Left by a killed process: nobody answers there.
        folder.remove_node_file();
        Ok(folder)
    }

    pub(super) fn chain(&self) -> PathBuf {
        self.path.join("chain")
    }

    pub(super) fn wallet(&self) -> PathBuf {
        self.path.join("wallet")
    }

    pub(super) fn groups(&self) -> PathBuf {
        self.path.join("groups")
    }

    pub(super) fn vitals(&self) -> PathBuf {
        self.path.join("vitals")
    }

    pub(super) fn node_key(&self) -> PathBuf {
        self.path.join("node.key")
    }

    pub(super) fn peers(&self) -> PathBuf {
        self.path.join("peers.json")
    }

    pub(super) fn tokens(&self) -> PathBuf {
        self.path.join("tokens.json")
    }

    pub(super) fn write_token(&self, token: &ApiToken) -> Result<(), StartError> {
        let line = zeroize::Zeroizing::new(format!("{}\n", token.expose()));
        Ok(write_private(&self.path.join(TOKEN_FILE), line.as_bytes())?)
    }

    /// Says that the node is ready, and where.
    pub(super) fn write_node_file(&self, file: &NodeFile) -> Result<(), StartError> {
        // Only maps with other than text keys can fail, and there are none.
        let text = serde_json::to_string_pretty(file).unwrap_or_default() + "\n";
        Ok(write_private(&self.path.join(NodeFile::NAME), text.as_bytes())?)
    }

    pub(super) fn remove_node_file(&self) {
        // Not there: nothing to remove. Not removable: the next start overwrites it.
        let _ = std::fs::remove_file(self.path.join(NodeFile::NAME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node");
        let first = Folder::open(&path).unwrap();
        let second = Folder::open(&path).unwrap_err();
        assert!(matches!(second, StartError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{second}");
        assert_eq!(second.exit_code(), 73);
        drop(first);
        Folder::open(&path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = Folder::open(&file.join("node")).unwrap_err();
        assert!(error.to_string().contains("data_dir"), "{error}");
        assert_eq!(error.exit_code(), 73);
    }

    #[test]
    fn a_token_is_long_private_and_never_shown() {
        use rand::SeedableRng;
        let token = ApiToken::draw(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));
        assert_eq!(token.expose().len(), 64);
        assert_eq!(format!("{token:?}"), "ApiToken(…)");
    }
}
