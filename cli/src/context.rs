//! What every command shares: where the node lives, how to print, and the few things only a command may ask the system.

use crate::args::Globals;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Output, quoted};
use medring_node::config::{self, ConfigPatch, WalletConfig, default_data_dir};
use medring_node::wallet::files;
use medring_protocol::params::{GenesisFile, Params};
use medring_testnet::client::{Client, NodeFile, node_file};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Shared by all commands.
#[derive(Debug)]
pub(crate) struct Context {
    /// The node's data folder.
    pub(crate) data_dir: PathBuf,
    /// The same, if it was named and is not the default.
    pub(crate) data_dir_given: Option<PathBuf>,
    /// Where results go.
    pub(crate) output: Output,
}

impl Context {
    /// From the flags before or after any command.
    pub(crate) fn new(globals: &Globals) -> Self {
        let data_dir = globals.data_dir.clone().unwrap_or_else(default_data_dir);
        Self { data_dir, data_dir_given: globals.data_dir.clone(), output: Output::new(globals.json) }
    }

    /// The node on the data folder.
    pub(crate) fn client(&self) -> Outcome<Client> {
        Ok(Client::from_data_dir(&self.data_dir)?)
    }

    /// A command to suggest, with the data folder if it was named on the command line: it can be pasted as it is.
    pub(crate) fn command(&self, command: &str) -> String {
        let from_variable = std::env::var_os("MEDRING_DATA_DIR");
        let given = self.data_dir_given.as_ref().filter(|dir| from_variable.as_deref() != Some(dir.as_os_str()));
        let dir = given.map(|dir| format!(" --data-dir {}", quoted(&dir.display().to_string())));
        format!("`medring {command}{}`", dir.unwrap_or_default())
    }

    /// A path given, or this name in the data folder.
    pub(crate) fn path_or(&self, given: Option<&PathBuf>, name: &str) -> PathBuf {
        given.cloned().unwrap_or_else(|| self.data_dir.join(name))
    }

    /// The chain's parameters: from the genesis file given, the one in the data folder, or the node on it.
    pub(crate) fn params(&self, genesis: Option<&PathBuf>) -> Outcome<Params> {
        let path = self.path_or(genesis, "genesis.json");
        match read_genesis(&path) {
            Err(failure) if genesis.is_none() && failure.exit == Exit::NoInput => match node_file(&self.data_dir) {
                Ok(node) => self.params_of(&node),
                Err(_) => {
                    let what = "and no node runs there that could be asked; name the network's genesis file with \
                                --genesis FILE, or the folder of a node with --data-dir DIR";
                    Err(Failure::new(Exit::NoInput, format!("{} is not there, {what}", path.display())))
                }
            },
            read => Ok(read?.params),
        }
    }

    /// What the node says its network is, checked against the chain it said it is on when it started.
    fn params_of(&self, node: &NodeFile) -> Outcome<Params> {
        let limit = u64::try_from(GenesisFile::BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = self.client()?.get_bytes("/v1/genesis", limit)?;
        let genesis = GenesisFile::parse(&bytes).map_err(|e| Failure::from(e).about("the node's genesis"))?;
        if genesis.chain_id == node.chain_id {
            return Ok(genesis.params);
        }
        let what = format!("node.json names chain {} and the node gives the genesis of", node.chain_id);
        let next = "give the genesis file of the network you mean with --genesis FILE";
        Err(Failure::new(Exit::Protocol, format!("{what} {}; {next}", genesis.chain_id)))
    }

    /// The wallet that the node of the data folder is configured with: by the file it was started with, or by the
    /// `config.toml` in the folder. What cannot be read names none.
    pub(crate) fn configured_wallet(&self) -> WalletConfig {
        let started_with = node_file(&self.data_dir).ok().and_then(|node| node.config);
        let file = started_with.unwrap_or_else(|| self.data_dir.join("config.toml"));
        config::load(Some(&file), [], &ConfigPatch::default()).map(|config| config.wallet).unwrap_or_default()
    }
}

/// Reads and checks a genesis file.
pub(crate) fn read_genesis(path: &Path) -> Outcome<GenesisFile> {
    let bytes = files::read_limited(path, GenesisFile::BYTES_MAX)?;
    GenesisFile::parse(&bytes).map_err(|e| Failure::from(e).about(path.display()))
}

/// The system's randomness. Keys and seals come from nowhere else.
pub(crate) fn os_random() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// The system's clock, ms since 1970.
pub(crate) fn now_ms() -> Outcome<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|d| u64::try_from(d.as_millis()).ok());
    since.ok_or_else(|| Failure::new(Exit::Config, "this machine's clock stands before 1970; set it first"))
}
