//! What a core is told once, when it is made.

use medring_protocol::BlockId;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::params::Params;
use medring_protocol::pow::Work;
use std::collections::BTreeMap;

/// Bounds of the mempool. Records that return from a fork may exceed them by a quarter, so that a fork alone loses none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Bytes of all records in the codec.
    pub bytes_max: usize,
    /// Records.
    pub records_max: usize,
    /// Bytes of one uploader: nobody crowds the others out.
    pub uploader_bytes_max: usize,
}

impl Default for PoolLimits {
    /// 64 MiB, 20,000 records, an eighth of the bytes for one uploader.
    fn default() -> Self {
        Self { bytes_max: 64 * 1024 * 1024, records_max: 20_000, uploader_bytes_max: 8 * 1024 * 1024 }
    }
}

/// A mistake made on purpose, to see that the simulator catches it. Real nodes have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Records of blocks that leave the chain do not return to the pool.
    ForgetsLeftRecords,
    /// A block stamped too far ahead is marked as invalid.
    EarlyIsInvalid,
    /// The giver of a block stamped too far ahead is blamed.
    EarlyIsAFault,
}

/// What is kept of branches that lost (see `side`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideLimits {
    /// A branch is forgotten once its highest block is so many blocks below the tip.
    pub keep_blocks: u64,
    /// Headers off the branch with most work.
    pub blocks_max: usize,
    /// Bytes of bodies off the best chain.
    pub bytes_max: usize,
}

impl Default for SideLimits {
    /// 2,016 blocks deep, 20,000 blocks, 512 MiB.
    fn default() -> Self {
        Self { keep_blocks: 2_016, blocks_max: 20_000, bytes_max: 512 * 1024 * 1024 }
    }
}

/// What a core is told once.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// The chain.
    pub params: Params,
    /// The rules: [`RuleSet::standard`], but in tests of broken nodes.
    pub rules: RuleSet,
    /// Stands in the blocks mined here.
    pub miner_tag: [u8; 16],
    /// Software and version, told to peers; printable ASCII, at most 64 bytes.
    pub agent: String,
    /// Whether templates are made.
    pub mine: bool,
    /// Bounds of the mempool.
    pub pool: PoolLimits,
    /// The wire version spoken: [`wire::VERSION`](medring_protocol::wire::VERSION), or 1 to play an older node.
    pub wire_version: u16,
    /// What is kept of branches that lost.
    pub side: SideLimits,
    /// Blocks of one batch of a reorganisation, at least 1: [`super::limits::REORG_STEP_BLOCKS`], but in tests.
    pub reorg_step_blocks: usize,
    /// No branch with less work is stored.
    pub min_work: Work,
    /// The only block that may stand at a height, by the operator's word.
    pub checkpoints: BTreeMap<u64, BlockId>,
    /// Decides between peers that are equally good, so that not all nodes ask the same one.
    pub seed: u64,
    /// `None`, but in simulations of broken nodes.
    pub flaw: Option<Flaw>,
}

impl CoreConfig {
    /// A node of this chain with standard rules and bounds, which does not mine.
    pub fn new(params: Params) -> Self {
        Self {
            params,
            rules: RuleSet::standard(),
            miner_tag: [0; 16],
            agent: concat!("medring/", env!("CARGO_PKG_VERSION")).into(),
            mine: false,
            pool: PoolLimits::default(),
            wire_version: medring_protocol::wire::VERSION,
            side: SideLimits::default(),
            reorg_step_blocks: super::limits::REORG_STEP_BLOCKS,
            min_work: Work::zero(),
            checkpoints: BTreeMap::new(),
            seed: 0,
            flaw: None,
        }
    }
}
