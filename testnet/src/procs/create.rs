//! How a testnet comes to be: keys, genesis, a folder and a configuration per node.

use super::config::{self, NodeConfig, UpOptions};
use super::state::{NodeEntry, State};
use super::testnet::{Progress, Testnet, TestnetError, io, now_ms};
use medring_node::wallet::{KdfCost, Keystore, Passphrase, files};
use medring_protocol::identity::PublicKeys;
use medring_protocol::params::GenesisFile;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Nodes of one testnet.
const NODES_MAX: usize = 250;

impl Testnet {
    /// Makes keys, genesis and folders, starts every node, links each to all others, and returns when all are ready.
    ///
    /// Nodes listen on 127.0.1.1, 127.0.1.2, … at a port the system gives at their first start and they keep from then on.
    /// If a node does not become ready, those already started are ended.
    pub fn up(options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<Self, TestnetError> {
        let mut testnet = Self::create(options, progress)?;
        let started = testnet.start_all(options, progress);
        if let Err(e) = started {
            testnet.down(&mut |_| {})?;
            return Err(e);
        }
        Ok(testnet)
    }

    fn create(options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<Self, TestnetError> {
        // Each has an address of its own, 127.0.1.1 to 127.0.1.250.
        let all = options.nodes.len() + options.later.len();
        if options.nodes.is_empty() || all > NODES_MAX {
            return Err(TestnetError::Other(format!("{all} nodes asked for; 1 to {NODES_MAX} are possible")));
        }
        let folder = own_folder(&options.folder)?;
        progress(Progress::Step(format!("keys for {} participants and an authority", options.nodes.len())));
        let authority = config::identity(options.seed, "authority");
        let genesis = GenesisFile::new(config::params(options, authority.public(), now_ms()));
        let genesis_path = folder.join("genesis.json");
        std::fs::write(&genesis_path, genesis.to_json()).map_err(io(&genesis_path))?;
        let mut nodes = Vec::new();
        write_keystore(&folder, options.seed, "authority")?;
        for (name, role) in options.nodes.iter().chain(&options.later) {
            let node_folder = folder.join(name);
            std::fs::create_dir(&node_folder).map_err(io(&node_folder))?;
            let keys = write_keystore(&node_folder, options.seed, name)?;
            nodes.push(NodeEntry {
                name: name.clone(),
                participant: keys.id(),
                keys,
                role: *role,
                folder: node_folder,
                address: None,
                api: None,
                process: None,
            });
        }
        let state = State {
            format: State::FORMAT.into(),
            seed: options.seed,
            block_time_ms: options.block_time_ms,
            mine: options.mine,
            link: options.link,
            chain_id: genesis.chain_id,
            binary: options.binary.clone(),
            nodes,
        };
        let testnet = Self { folder, state };
        testnet.save()?;
        Ok(testnet)
    }

    fn start_all(&mut self, options: &UpOptions, progress: &mut dyn FnMut(Progress)) -> Result<(), TestnetError> {
        progress(Progress::Step(format!("starting {} nodes", options.nodes.len())));
        for i in 0..options.nodes.len() {
            let earlier = self.state.nodes[..i].iter().filter_map(|n| n.address.clone()).collect::<Vec<_>>();
            let bootstrap = if options.link { earlier } else { Vec::new() };
            self.write_config(i, &format!("/ip4/127.0.1.{}/tcp/0", i + 1), &bootstrap, options)?;
            self.start(i)?;
            let node = &self.state.nodes[i];
            let (address, api) = (node.address.clone().unwrap_or_default(), node.api.clone().unwrap_or_default());
            progress(Progress::Ready { name: node.name.clone(), address, api });
        }
        // From now on every node knows its own port and all others, for its next start.
        let addresses: Vec<_> = self.state.nodes.iter().filter_map(|n| n.address.clone()).collect();
        for (i, own) in addresses.iter().enumerate() {
            let listen = own.split("/p2p/").next().unwrap_or_default();
            let others: Vec<_> = addresses.iter().filter(|a| *a != own && options.link).cloned().collect();
            self.write_config(i, listen, &others, options)?;
        }
        for i in options.nodes.len()..self.state.nodes.len() {
            self.write_config(i, &format!("/ip4/127.0.1.{}/tcp/0", i + 1), &addresses, options)?;
        }
        Ok(())
    }

    fn write_config(
        &self,
        i: usize,
        listen: &str,
        bootstrap: &[String],
        options: &UpOptions,
    ) -> Result<(), TestnetError> {
        let node = &self.state.nodes[i];
        let genesis = self.folder.join("genesis.json");
        let seed = self.state.seed.wrapping_mul(1000).wrapping_add(i as u64) & 0x7fff_ffff_ffff_ffff;
        // Those that start later only look on.
        let mine = options.mine && i < options.nodes.len();
        let config = NodeConfig {
            folder: &node.folder,
            genesis: &genesis,
            listen,
            bootstrap,
            mine,
            capture: options.capture,
            seed,
        };
        std::fs::write(node.config(), config::node_config(&config)).map_err(io(&node.config()))
    }
}

/// Makes the folder, for its owner only: whoever reads it reads the testnet's health data. It may exist if it is empty.
fn own_folder(path: &Path) -> Result<PathBuf, TestnetError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))?;
    let folder = path.canonicalize().map_err(io(path))?;
    if State::path(&folder).exists() {
        return Err(TestnetError::Exists(path.display().to_string()));
    }
    if std::fs::read_dir(&folder).map_err(io(path))?.next().is_some() {
        return Err(TestnetError::NotEmpty(path.display().to_string()));
    }
    Ok(folder)
}

/// A keystore and its passphrase file for the participant `name` in `folder`. Cheap to open: a testnet's keys are public.
fn write_keystore(folder: &Path, seed: u64, name: &str) -> Result<PublicKeys, TestnetError> {
    let text = format!("testnet {seed} {name}");
    let path = folder.join("passphrase");
    files::write_private(&path, format!("{text}\n").as_bytes()).map_err(|e| TestnetError::Other(e.to_string()))?;
    let passphrase = Passphrase::new(text.as_bytes()).map_err(|e| TestnetError::Other(e.to_string()))?;
    let identity = config::identity(seed, name);
    let keys = identity.public();
    let mut rng = config::rng(seed, &format!("keystore of {name}"));
    Keystore::create(&folder.join("keystore.json"), &passphrase, identity, KdfCost::TESTNET, &mut rng)?;
    Ok(keys)
}
