//! Chain parameters and the genesis file: what a network agrees on before its first block (spec: genesis).

use crate::block::Header;
use crate::hash::{ChainId, Tag, h};
use crate::identity::PublicKeys;
use crate::kdf::Suite;
use crate::pow::CompactTarget;
use crate::{BlockId, limits, merkle};
use serde::{Deserialize, Serialize};

/// What a network is for. Decides which public parts and which dangerous commands are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Purpose {
    /// Real records: only `minimal` public parts of PHR and APHR, no mining on demand.
    Production = 0,
    /// Tests: mining on demand and fault injection are allowed.
    Testnet = 1,
    /// A test network for showing the scheme: public parts of policies `coarse` and `paper` are allowed too.
    Demo = 2,
}

/// R-QUOTA: bytes one uploader of each role may place in any 144 successive heights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Authorities (enrolments, revocations).
    pub authority: u64,
    /// Healthcare centers.
    pub healthcare_center: u64,
    /// Doctors.
    pub doctor: u64,
    /// Patients.
    pub patient: u64,
}

/// The parameters of one chain. `chain_id` commits to all of them, so two nodes that differ in one are on two networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// For people; 1 to 32 of `a-z 0-9 -`.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Time stamp of the genesis block, ms since 1970.
    pub genesis_time_ms: u64,
    /// T: intended time between blocks, ms.
    pub target_spacing_ms: u64,
    /// Target of block 1, compact.
    pub genesis_target: CompactTarget,
    /// The easiest target allowed, compact.
    pub limit_target: CompactTarget,
    /// Whether difficulty follows hash rate (off on test chains that mine on demand).
    pub retarget: bool,
    /// How far a block's stamp may lie ahead of a node's clock, ms (node policy; at most τ/20 where `retarget` is on).
    pub future_limit_ms: u64,
    /// Record stamps are rounded down to multiples of this, ms; at most ΔT.
    pub stamp_granularity_ms: u64,
    /// ΔT: how far a record's stamp may lie from the admitting node's clock, and ahead of its block, ms.
    pub stamp_window_ms: u64,
    /// W: how many heights ahead a record may expire.
    pub expiry_window_heights: u64,
    /// R-QUOTA.
    pub quota_bytes: Quotas,
    /// D: depth at which a record counts as confirmed and an epoch as final.
    pub confirmations: u32,
    /// Sealed content is padded to a power of two, at least this many bytes.
    pub pad_min_bytes: u32,
    /// Who may enrol and revoke: 1 to 16 participants.
    pub authorities: Vec<PublicKeys>,
}

/// Why chain parameters are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("genesis parameter {field}: {problem}")]
pub struct ParamsError {
    /// Which parameter.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Params {
    /// The last millisecond of the year 9999: the latest genesis time.
    pub const TIME_MS_MAX: u64 = 253_402_300_799_999;

    /// τ = 72·T, ms: how far off schedule a chain must be for its target to double or halve.
    pub fn tau_ms(&self) -> u64 {
        self.target_spacing_ms.saturating_mul(72)
    }

    /// Whether faults may be injected and blocks mined on demand.
    pub fn is_testnet(&self) -> bool {
        self.purpose != Purpose::Production
    }

    /// chain_id = H("chain", suite, each parameter in the order of this struct, each authority's two keys).
    pub fn chain_id(&self) -> ChainId {
        let ints = [
            self.genesis_time_ms,
            self.target_spacing_ms,
            u64::from(self.genesis_target.0),
            u64::from(self.limit_target.0),
            u64::from(self.retarget),
            self.future_limit_ms,
            self.stamp_granularity_ms,
            self.stamp_window_ms,
            self.expiry_window_heights,
            self.quota_bytes.authority,
            self.quota_bytes.healthcare_center,
            self.quota_bytes.doctor,
            self.quota_bytes.patient,
            u64::from(self.confirmations),
            u64::from(self.pad_min_bytes),
        ]
        .map(u64::to_be_bytes);
        let head = [[Suite::T2Aes.id()], [self.purpose as u8]];
        let mut fields: Vec<&[u8]> = vec![&head[0], self.name.as_bytes(), &head[1]];
        fields.extend(ints.iter().map(|b| b.as_slice()));
        for keys in &self.authorities {
            fields.push(keys.signing.as_ref());
            fields.push(keys.chebyshev.as_ref());
        }
        ChainId(h(Tag::Chain, &fields))
    }

    /// The genesis header: prev_id = chain_id, no records, height 0, no work of its own.
    pub fn genesis(&self) -> Header {
        Header {
            prev: BlockId(self.chain_id().0),
            records_root: merkle::records_root(&[]),
            version: Header::VERSION,
            target: self.genesis_target,
            height: 0,
            time_ms: self.genesis_time_ms,
            miner_tag: [0; 16],
            nonce: 0,
        }
    }

    /// Checks every parameter against its bounds, and the authorities' keys by [`PublicKeys::validate`]: about 0.2 ms each.
    pub fn validate(&self) -> Result<(), ParamsError> {
        let fail = |field, problem: String| Err(ParamsError { field, problem });
        let name_ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.bytes().all(name_ok) {
            return fail("name", "use 1 to 32 of a-z, 0-9 and -".into());
        }
        if self.genesis_time_ms > Self::TIME_MS_MAX {
            return fail("genesis_time_ms", format!("{} lies after the year 9999", self.genesis_time_ms));
        }
        if !(100..=86_400_000).contains(&self.target_spacing_ms) {
            return fail("target_spacing_ms", format!("{} is not in 100 … 86,400,000", self.target_spacing_ms));
        }
        let Some(limit) = self.limit_target.decode() else {
            return fail("limit_target", format!("{:?} is not a canonical compact target", self.limit_target));
        };
        match self.genesis_target.decode() {
            None => return fail("genesis_target", format!("{:?} is not canonical", self.genesis_target)),
            Some(t) if t > limit => return fail("genesis_target", "is easier than limit_target".into()),
            Some(_) => {}
        }
        if !self.retarget && self.purpose == Purpose::Production {
            return fail(
                "retarget",
                "must be on where real records are kept: a fixed target is mined by anyone".into(),
            );
        }
        if self.retarget && self.future_limit_ms > self.tau_ms() / 20 {
            let most = self.tau_ms() / 20;
            return fail("future_limit_ms", format!("{} is above τ/20 = {most}", self.future_limit_ms));
        }
        if self.stamp_granularity_ms == 0 || self.stamp_granularity_ms > self.stamp_window_ms {
            return fail("stamp_granularity_ms", "must be 1 … stamp_window_ms".into());
        }
        if !(1..=1_000_000).contains(&self.expiry_window_heights) {
            return fail("expiry_window_heights", "must be 1 … 1,000,000".into());
        }
        if !(1..=10_000).contains(&self.confirmations) {
            return fail("confirmations", "must be 1 … 10,000".into());
        }
        if !self.pad_min_bytes.is_power_of_two() || !(1024..=65_536).contains(&self.pad_min_bytes) {
            return fail("pad_min_bytes", "must be a power of two, 1,024 … 65,536".into());
        }
        let q = &self.quota_bytes;
        let least = limits::RECORD_BYTES_MAX as u64;
        if [q.authority, q.healthcare_center, q.doctor, q.patient].iter().any(|quota| *quota < least) {
            return fail("quota_bytes", format!("each must be at least one record, {least} bytes"));
        }
        if self.authorities.is_empty() || self.authorities.len() > 16 {
            return fail("authorities", format!("{} given; 1 to 16 are allowed", self.authorities.len()));
        }
        let mut keys: Vec<_> = self.authorities.iter().flat_map(PublicKeys::key_hashes).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return fail("authorities", "a key is listed twice".into());
        }
        for (place, keys) in self.authorities.iter().enumerate() {
            if let Err(problem) = keys.validate() {
                return fail(
                    "authorities",
                    format!("number {}: {problem}; ask it for its public keys again", place + 1),
                );
            }
        }
        Ok(())
    }
}

/// The genesis file as people pass it around: JSON with the parameters and, for comparison by eye, their chain id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisFile {
    /// Always `medring-genesis/1`.
    pub format: String,
    /// Must equal [`Params::chain_id`].
    pub chain_id: ChainId,
    /// The parameters.
    pub params: Params,
}

/// Why a genesis file is refused.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Not JSON of this shape.
    #[error("not a genesis file: {0}. Ask the network's operator for the file as `medring genesis new` wrote it")]
    Syntax(String),
    /// Another format version.
    #[error("genesis format {0:?} is unknown here; this medring reads medring-genesis/1")]
    Format(String),
    /// A parameter out of bounds.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The file was edited after it was made.
    #[error(
        "the file says chain {claimed}, its parameters make {actual}: it was changed after it was made. Fetch it again"
    )]
    ChainId {
        /// What the file says.
        claimed: ChainId,
        /// What its parameters hash to.
        actual: ChainId,
    },
}

impl GenesisFile {
    /// The largest file read, bytes.
    pub const BYTES_MAX: usize = 256 * 1024;
    /// The one format.
    pub const FORMAT: &'static str = "medring-genesis/1";

    /// A file for `params`.
    pub fn new(params: Params) -> Self {
        Self { format: Self::FORMAT.into(), chain_id: params.chain_id(), params }
    }

    /// Reads and checks a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(GenesisError::Syntax(format!("{} bytes, at most {} are read", bytes.len(), Self::BYTES_MAX)));
        }
        let file: Self = serde_json::from_slice(bytes).map_err(|e| GenesisError::Syntax(e.to_string()))?;
        if file.format != Self::FORMAT {
            return Err(GenesisError::Format(file.format));
        }
        file.params.validate()?;
        let actual = file.params.chain_id();
        if file.chain_id != actual {
            return Err(GenesisError::ChainId { claimed: file.chain_id, actual });
        }
        Ok(file)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Only maps with non-string keys can fail, and there are none.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
