//! From a few wishes to a genesis file and a configuration per node.

use crate::scenario::{NodeSettings, chain};
use medring_protocol::identity::{IdentitySecret, PublicKeys, Role};
use medring_protocol::limits::RECORD_BYTES_MAX;
use medring_protocol::params::{Params, Purpose, Quotas};
use medring_protocol::pow::{CompactTarget, Target};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a testnet shall be.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// Its folder; must not hold a testnet yet.
    pub folder: PathBuf,
    /// All keys and mining attempts come from it.
    pub seed: u64,
    /// Intended time between blocks, ms.
    pub block_time_ms: u64,
    /// Name and role of each node, 1 to 250 with those that come later; without a role the node's participant is not enrolled.
    pub nodes: Vec<(String, Option<Role>)>,
    /// Nodes that get keys and folders now and are started later, with [`super::Testnet::start`]; they do not mine.
    pub later: Vec<(String, Option<Role>)>,
    /// Whether the nodes mine all the time, in competition, or only when asked.
    pub mine: bool,
    /// Whether each node links to all others from the start.
    pub link: bool,
    /// Whom each node links to, by number; `None`: as `link` says.
    pub links: Option<Vec<Vec<usize>>>,
    /// What is particular to single nodes: most links, and how many ordinary miners one is worth.
    pub special: BTreeMap<usize, NodeSettings>,
    /// Whether each node copies what it sends, before it is encrypted, to `payloads` in its folder: for leak tests.
    pub capture: bool,
    /// Bytes that one uploader of any role may place in 144 heights.
    pub quota_bytes: u64,
    /// The medring binary.
    pub binary: PathBuf,
}

impl UpOptions {
    /// A quota that nobody meets by hand: 256 of the largest records.
    pub const QUOTA_BYTES: u64 = 256 * RECORD_BYTES_MAX as u64;

    /// `count` nodes named `node0`, `node1`, …: a healthcare center, a doctor, a patient, and carers.
    pub fn numbered(folder: PathBuf, binary: PathBuf, count: usize, seed: u64) -> Self {
        let role = |i| match i {
            0 => Role::HealthcareCenter,
            1 => Role::Doctor,
            2 => Role::Patient,
            _ => Role::Caregiver,
        };
        let nodes = (0..count).map(|i| (format!("node{i}"), Some(role(i)))).collect();
        Self {
            folder,
            seed,
            block_time_ms: 2000,
            nodes,
            later: Vec::new(),
            mine: true,
            link: true,
            links: None,
            special: BTreeMap::new(),
            capture: false,
            quota_bytes: Self::QUOTA_BYTES,
            binary,
        }
    }
}

/// Hashes per second of each node's miner: low, so that many nodes share two cores and compete fairly.
pub(super) const HASHES_PER_SECOND: u64 = 20_000;

/// A generator for one purpose, from the testnet's seed.
pub fn rng(seed: u64, purpose: &str) -> ChaCha20Rng {
    let mut hash = Sha256::new();
    hash.update(b"medring testnet");
    hash.update(seed.to_be_bytes());
    hash.update(purpose.as_bytes());
    ChaCha20Rng::from_seed(hash.finalize().into())
}

/// The participant of the node of that name. A testnet's keys are as public as its seed.
pub fn identity(seed: u64, name: &str) -> IdentitySecret {
    IdentitySecret::generate(&mut rng(seed, &format!("identity of {name}")))
}

/// A target that `miners` capped miners together meet every `block_time_ms` on average.
fn target(miners: usize, block_time_ms: u64) -> CompactTarget {
    let hashes = (HASHES_PER_SECOND * miners.max(1) as u64 * block_time_ms / 1000).max(16);
    let mut all_ones = [0xff; 32];
    let mut rest: u128 = 0;
    // Long division of 2^256 − 1 by a number below 2^64.
    for byte in &mut all_ones {
        rest = rest << 8 | u128::from(*byte);
        *byte = u8::try_from(rest / u128::from(hashes)).unwrap_or(u8::MAX);
        rest %= u128::from(hashes);
    }
    Target(all_ones).compact()
}

/// The parameters of a testnet's chain. `genesis_time_ms`: now.
pub(super) fn params(options: &UpOptions, authority: PublicKeys, genesis_time_ms: u64) -> Params {
    let quota = options.quota_bytes;
    let limit_target = CompactTarget(0x2000_ffff);
    Params {
        name: "testnet".into(),
        purpose: Purpose::Demo,
        genesis_time_ms,
        target_spacing_ms: options.block_time_ms,
        genesis_target: if options.mine { target(options.nodes.len(), options.block_time_ms) } else { limit_target },
        limit_target,
        retarget: options.mine,
        future_limit_ms: chain::future_limit_ms(options.block_time_ms),
        stamp_granularity_ms: chain::STAMP_GRANULARITY_MS,
        stamp_window_ms: chain::STAMP_WINDOW_MS,
        expiry_window_heights: chain::EXPIRY_WINDOW_HEIGHTS,
        quota_bytes: Quotas { authority: quota, healthcare_center: quota, doctor: quota, patient: quota },
        confirmations: chain::CONFIRMATIONS,
        pad_min_bytes: 1024,
        authorities: vec![authority],
    }
}

/// One node's `config.toml`. All paths are absolute.
pub(super) fn node_config(options: &NodeConfig<'_>) -> String {
    let mut text = String::from("# Written by `medring testnet up`.\n");
    let quote = |path: &Path| toml_string(&path.to_string_lossy());
    let list = |items: &[String]| items.iter().map(|i| toml_string(i)).collect::<Vec<_>>().join(", ");
    let capture = if options.capture {
        format!("capture = {}\n", quote(&options.folder.join("payloads")))
    } else {
        String::new()
    };
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "data_dir = {data}\ngenesis = {genesis}\n\n[network]\nlisten = [{listen}]\nbootstrap = [{bootstrap}]\ndiscovery = false\n{extra}{capture}\n\
         [api]\nlisten = \"127.0.0.1:0\"\n\n[mining]\nenabled = {mine}\nthreads = 1\nhashes_per_second = {rate}\nseed = {seed}\n\n\
         [wallet]\nkeystore = {keystore}\npassphrase_file = {passphrase}\n\n[testnet]\nfaults = {faults}\n\n[log]\nformat = \"text\"\nfilter = \"info\"\n",
        data = quote(&options.folder.join("data")),
        genesis = quote(options.genesis),
        listen = list(&[options.listen.to_string()]),
        bootstrap = list(options.bootstrap),
        mine = options.mine,
        rate = HASHES_PER_SECOND * u64::from(options.hash_share),
        extra = options.extra,
        faults = quote(&options.folder.join("faults.json")),
        seed = options.seed,
        capture = capture,
        keystore = quote(&options.folder.join("keystore.json")),
        passphrase = quote(&options.folder.join("passphrase")),
    );
    text
}

/// What [`node_config`] writes down.
pub(super) struct NodeConfig<'a> {
    pub(super) folder: &'a Path,
    pub(super) genesis: &'a Path,
    pub(super) listen: &'a str,
    pub(super) bootstrap: &'a [String],
    pub(super) mine: bool,
    pub(super) capture: bool,
    /// More lines of `[network]`.
    pub(super) extra: String,
    pub(super) hash_share: u32,
    pub(super) seed: u64,
}

fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
