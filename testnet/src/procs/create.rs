//! How a testnet comes to be: keys, genesis, a folder and a configuration per node.

use super::config::{self, NodeConfig, UpOptions};
use super::state::{NodeEntry, State};
use super::testnet::{Progress, Testnet, TestnetError, io, now_ms};
use medring_node::driver::seal_node_key;
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
    /// Nodes listen on 127.0.1.1, 127.0.1.2, … each at a port that was free when the testnet was made.
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
            let (keystore, keys) = write_keystore(&node_folder, options.seed, name)?;
            let mut rng = config::rng(options.seed, &format!("node key of {name}"));
            let peer_id = seal_node_key(&keystore, &mut rng)?.to_string();
            nodes.push(NodeEntry {
                name: name.clone(),
                participant: keys.id(),
                keys,
                role: *role,
                peer_id,
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
        for (i, node) in self.state.nodes.iter_mut().enumerate() {
            let port = free_port(i).map_err(io(&self.folder))?;
            node.address = Some(format!("/ip4/127.0.1.{}/tcp/{port}/p2p/{}", i + 1, node.peer_id));
        }
        // So everybody knows everybody's address before anybody runs.
        (0..self.state.nodes.len()).try_for_each(|i| self.write_config(i, options))?;
        for i in 0..options.nodes.len() {
            self.start(i)?;
            let node = &self.state.nodes[i];
            let (address, api) = (node.address.clone().unwrap_or_default(), node.api.clone().unwrap_or_default());
            progress(Progress::Ready { name: node.name.clone(), address, api });
        }
        Ok(())
    }

    /// Addresses of those whom a node links to. Those that start later link to all.
    fn linked_to(&self, i: usize, options: &UpOptions) -> Vec<String> {
        let wanted = |j: &usize| match &options.links {
            Some(links) => links.get(i).is_some_and(|links| links.contains(j)),
            None => options.link || i >= options.nodes.len(),
        };
        let others = (0..self.state.nodes.len()).filter(|j| *j != i).filter(wanted);
        others.filter_map(|j| self.state.nodes[j].address.clone()).collect()
    }

    fn write_config(&self, i: usize, options: &UpOptions) -> Result<(), TestnetError> {
        let node = &self.state.nodes[i];
        let listen = node.address.as_deref().and_then(|own| own.split("/p2p/").next()).unwrap_or_default();
        let bootstrap = &self.linked_to(i, options);
        let genesis = self.folder.join("genesis.json");
        let seed = self.state.seed.wrapping_mul(1000).wrapping_add(i as u64) & 0x7fff_ffff_ffff_ffff;
        // Those that start later only look on.
        let special = options.special.get(&i).cloned().unwrap_or_default();
        let hash_share = special.hash_share.unwrap_or(1);
        let line = |key: &str, value: Option<u32>| value.map_or_else(String::new, |value| format!("{key} = {value}\n"));
        let extra = line("max_peers", special.max_peers) + &line("wire_version", special.wire_version.map(u32::from));
        let mine = options.mine && i < options.nodes.len() && hash_share > 0;
        let config = NodeConfig {
            folder: &node.folder,
            genesis: &genesis,
            listen,
            bootstrap,
            mine,
            capture: options.capture,
            extra,
            hash_share: hash_share.max(1),
            seed,
        };
        std::fs::write(node.config(), config::node_config(&config)).map_err(io(&node.config()))
    }
}

/// A port that is free on a node's own address now; should somebody take it before the node does, the node says so.
fn free_port(i: usize) -> std::io::Result<u16> {
    let address = format!("127.0.1.{}:0", i + 1);
    Ok(std::net::TcpListener::bind(address)?.local_addr()?.port())
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
fn write_keystore(folder: &Path, seed: u64, name: &str) -> Result<(Keystore, PublicKeys), TestnetError> {
    let text = format!("testnet {seed} {name}");
    let path = folder.join("passphrase");
    files::write_private(&path, format!("{text}\n").as_bytes()).map_err(|e| TestnetError::Other(e.to_string()))?;
    let passphrase = Passphrase::new(text.as_bytes()).map_err(|e| TestnetError::Other(e.to_string()))?;
    let identity = config::identity(seed, name);
    let keys = identity.public();
    let mut rng = config::rng(seed, &format!("keystore of {name}"));
    let path = folder.join("keystore.json");
    let keystore = Keystore::create(&path, &passphrase, identity, KdfCost::TESTNET, &mut rng)?;
    Ok((keystore, keys))
}
