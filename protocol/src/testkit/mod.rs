//! Seeded participants, records, blocks and chains for tests, benches and the simulator.
//!
//! Everything follows from the seed by hashing, so it is the same on every machine, and its secrets are no secrets: never
//! use it for anything real. What it makes is valid under [`RuleSet::standard`](crate::chain::rules::RuleSet::standard)
//! unless its name says otherwise; the fields of records and blocks are public, so a test spoils a good one and signs
//! ([`Kit::sign`]) or mines ([`Kit::forge`]) it again.

mod chain;
pub mod group;
mod records;
pub mod ring;

pub use chain::TestChain;

use crate::block::{Block, Header, NonceSearch};
use crate::hash::{ChainId, ParticipantId};
use crate::identity::{IdentitySecret, PublicKeys, Role};
use crate::params::{Params, Purpose, Quotas};
use crate::pow::CompactTarget;
use crate::record::{Kind, Record};
use sha2::{Digest, Sha256};

/// Stamp of block 0, ms since 1970.
pub const GENESIS_TIME_MS: u64 = 1_700_000_000_000;
/// Every second id meets it.
pub const EASY_TARGET: CompactTarget = CompactTarget(0x207f_ffff);

/// `len` bytes that follow from a seed, a label and a number.
pub fn bytes(seed: u64, label: &str, number: u64, len: usize) -> Vec<u8> {
    let block = |i: u64| {
        let state = Sha256::new().chain_update(b"medring testkit").chain_update(seed.to_be_bytes());
        let state = state.chain_update(number.to_be_bytes()).chain_update(i.to_be_bytes());
        state.chain_update(label.as_bytes()).finalize()
    };
    let mut out: Vec<u8> = (0..).flat_map(block).take(len).collect();
    out.shrink_to_fit();
    out
}

/// 32 such bytes.
pub fn bytes32(seed: u64, label: &str, number: u64) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(&bytes(seed, label, number, 32));
    out
}

/// A participant with its secrets.
#[derive(Debug)]
pub struct Actor {
    /// Both secret keys.
    pub secret: IdentitySecret,
    /// Both public keys.
    pub keys: PublicKeys,
    /// Its id.
    pub id: ParticipantId,
    /// Its role; `None`: an authority.
    pub role: Option<Role>,
}

impl Actor {
    /// The participant of this seed and name. Costs a ladder.
    pub fn new(seed: u64, name: &str, role: Option<Role>) -> Self {
        let (signing, chebyshev) = (bytes32(seed, name, 0), bytes32(seed, name, 1));
        let secret = IdentitySecret::from_bytes(&signing, &chebyshev).expect("a hash is not zero");
        let keys = secret.public();
        let id = keys.id();
        Self { secret, keys, id, role }
    }
}

/// A test network and one participant of each role. Nobody is enrolled until a block carries [`Kit::enrol_all`].
#[derive(Debug)]
pub struct Kit {
    /// What everything follows from.
    pub seed: u64,
    /// Chain parameters: easy target, no retargeting, 2 s between blocks, stamps in steps of 1 s.
    pub params: Params,
    /// Their chain id.
    pub chain: ChainId,
    /// The one authority.
    pub authority: Actor,
    /// HC.
    pub healthcare_center: Actor,
    /// D.
    pub doctor: Actor,
    /// P.
    pub patient: Actor,
    /// A carer.
    pub caregiver: Actor,
}

impl Kit {
    /// The network of this seed.
    pub fn new(seed: u64) -> Self {
        Self::with_params(seed, |_| {})
    }

    /// The network of this seed with other parameters.
    pub fn with_params(seed: u64, edit: impl FnOnce(&mut Params)) -> Self {
        let authority = Actor::new(seed, "authority", None);
        let mut params = test_params(authority.keys.clone());
        edit(&mut params);
        Self {
            seed,
            chain: params.chain_id(),
            params,
            authority,
            healthcare_center: Actor::new(seed, "healthcare center", Some(Role::HealthcareCenter)),
            doctor: Actor::new(seed, "doctor", Some(Role::Doctor)),
            patient: Actor::new(seed, "patient", Some(Role::Patient)),
            caregiver: Actor::new(seed, "caregiver", Some(Role::Caregiver)),
        }
    }

    /// The kit's participant that may upload this kind.
    pub fn uploader(&self, kind: Kind) -> &Actor {
        match kind.uploader_role() {
            None => &self.authority,
            Some(Role::HealthcareCenter) => &self.healthcare_center,
            Some(Role::Doctor) => &self.doctor,
            Some(Role::Patient) => &self.patient,
            Some(Role::Caregiver) => &self.caregiver,
        }
    }

    /// A valid block on `parent`, one spacing later, mined. `miner` tells siblings apart.
    pub fn block(&self, parent: &Header, records: Vec<Record>, miner: u8) -> Block {
        self.forge(parent, records, |header| header.miner_tag = [miner; 16])
    }

    /// As [`Self::block`], with the header edited before it is mined.
    pub fn forge(&self, parent: &Header, records: Vec<Record>, edit: impl FnOnce(&mut Header)) -> Block {
        let header = Header {
            prev: parent.id(),
            records_root: [0; 32],
            version: Header::VERSION,
            target: self.params.genesis_target,
            height: parent.height + 1,
            time_ms: parent.time_ms + self.params.target_spacing_ms,
            miner_tag: [0; 16],
            nonce: 0,
        };
        let mut block = Block { header, records };
        block.header.records_root = block.computed_root(&self.chain);
        edit(&mut block.header);
        mine(&mut block.header);
        block
    }
}

/// Parameters of a test chain with one authority.
pub fn test_params(authority: PublicKeys) -> Params {
    let megabyte = 1024 * 1024;
    Params {
        name: "testkit".into(),
        purpose: Purpose::Testnet,
        genesis_time_ms: GENESIS_TIME_MS,
        target_spacing_ms: 2_000,
        genesis_target: EASY_TARGET,
        limit_target: EASY_TARGET,
        retarget: false,
        future_limit_ms: 7_200,
        stamp_granularity_ms: 1_000,
        stamp_window_ms: 60_000,
        expiry_window_heights: 1_000,
        quota_bytes: Quotas {
            authority: 64 * megabyte,
            healthcare_center: 64 * megabyte,
            doctor: 64 * megabyte,
            patient: 64 * megabyte,
        },
        confirmations: 3,
        pad_min_bytes: 1024,
        authorities: vec![authority],
    }
}

/// Tries nonces from 0 up until the id meets the header's own target; a target that is no target is left as it is.
pub fn mine(header: &mut Header) {
    header.nonce = NonceSearch::new(header).run(0, u64::MAX).unwrap_or(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::rules::RuleSet;

    #[test]
    fn what_the_kit_makes_is_valid_and_follows_from_the_seed() {
        let kit = Kit::new(7);
        kit.params.validate().unwrap();
        let mut chain = TestChain::enrolled(&kit, RuleSet::standard());
        let before = chain.state.clone();
        let records: Vec<_> = (Kind::ALL.into_iter().filter(|kind| *kind != Kind::AuthorityUpdate))
            .map(|kind| kit.record(kind, 1, chain.next_height()))
            .collect();
        chain.extend(records.clone()).unwrap();
        chain.extend(vec![kit.sealed_record(Kind::Ehr, "{}", &kit.patient, 2, chain.next_height())]).unwrap();
        assert_eq!(chain.tree.best(), chain.tip().id());
        chain.undo().unwrap();
        chain.undo().unwrap();
        assert_eq!(chain.state, before);

        let again = Kit::new(7);
        assert_eq!(again.chain, kit.chain);
        assert_eq!(again.record(Kind::Ehr, 1, 2), records[0]);
        assert_ne!(Kit::new(8).chain, kit.chain);
    }
}
