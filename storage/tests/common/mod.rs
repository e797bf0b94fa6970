//! Tiny valid chains: an authority, uploaders with real keys, blocks mined against the easiest target.
#![allow(dead_code, reason = "each test file uses a part")]

use medring_protocol::identity::IdentitySecret;
use medring_protocol::params::{Params, Purpose, Quotas};
use medring_protocol::pow::CompactTarget;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// A network and its authority's secret.
pub(crate) struct Net {
    /// Its parameters.
    pub(crate) params: Params,
    /// Who may enrol.
    pub(crate) authority: IdentitySecret,
}

impl Net {
    /// The network of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let authority = IdentitySecret::generate(&mut rng);
        Self { params: params(&authority), authority }
    }
}

fn params(authority: &IdentitySecret) -> Params {
    let quota = 64 << 20;
    Params {
        name: "storage-test".into(),
        purpose: Purpose::Testnet,
        genesis_time_ms: 1_000_000,
        target_spacing_ms: 1_000,
        genesis_target: CompactTarget(0x207f_ffff),
        limit_target: CompactTarget(0x207f_ffff),
        retarget: false,
        future_limit_ms: 1_000,
        stamp_granularity_ms: 1_000,
        stamp_window_ms: 3_600_000,
        expiry_window_heights: 10_000,
        quota_bytes: Quotas { authority: quota, healthcare_center: quota, doctor: quota, patient: quota },
        confirmations: 6,
        pad_min_bytes: 1024,
        authorities: vec![authority.public()],
    }
}
