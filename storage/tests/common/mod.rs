//! Tiny valid chains: an authority, patients with real keys, blocks that pass every rule, mined against the easiest target.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod world;

use medring_protocol::block::{Block, CheckedBlock, Header, VerifiedBlock};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::identity::{Enrolment, EnrolmentEntry, IdentitySecret, Revocation, Role};
use medring_protocol::params::{Params, Purpose, Quotas};
use medring_protocol::pow::CompactTarget;
use medring_protocol::record::{Content, EpochCommit, Kind, Receiver, Record};
use medring_protocol::{BlockId, ChainId, Commitment, Gid, merkle};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// A network, its authority, and patients who may be enrolled.
pub(crate) struct Net {
    pub(crate) params: Params,
    pub(crate) chain: ChainId,
    pub(crate) rules: RuleSet,
    pub(crate) authority: IdentitySecret,
    pub(crate) patients: Vec<IdentitySecret>,
}

impl Net {
    /// The network of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let authority = IdentitySecret::generate(&mut rng);
        let patients = (0..4).map(|_| IdentitySecret::generate(&mut rng)).collect();
        let params = params(&authority);
        Self { chain: params.chain_id(), params, rules: RuleSet::standard(), authority, patients }
    }

    fn sign(&self, content: Content, by: &IdentitySecret) -> Record {
        Record::sign(&self.chain, content, 1_000_000, 9_000, by)
    }

    fn plain(kind: Kind, by: &IdentitySecret, public: Vec<u8>) -> Content {
        let (receiver, commitment) = (Receiver::None, Commitment::ZERO);
        Content { kind, uploader: by.public().id(), receiver, commitment, public, sealed: Vec::new() }
    }

    /// The authority enrols patients.
    pub(crate) fn enrol(&self, patients: &[usize]) -> Record {
        let entry = |i: &usize| EnrolmentEntry::new(&self.chain, &self.patients[*i], Role::Patient, 0, 1_000_000);
        let payload = Enrolment::new(patients.iter().map(entry).collect()).encode();
        self.sign(Self::plain(Kind::Enrol, &self.authority, payload), &self.authority)
    }

    /// The authority revokes a patient.
    pub(crate) fn revoke(&self, patient: usize) -> Record {
        let payload = Revocation { subject: self.patients[patient].public().id(), invalid_from: 0 }.encode();
        self.sign(Self::plain(Kind::Revoke, &self.authority, payload), &self.authority)
    }

    /// A patient's record to a group; `number` tells it from others.
    pub(crate) fn phr(&self, patient: usize, gid: Gid, number: u64) -> Record {
        let by = &self.patients[patient];
        // Suite, wrap, padded body, tag: of the right shape, which is all the chain looks at.
        let sealed = [vec![1; 1 + 48], vec![0; 1024 + 16]].concat();
        let content = Content {
            receiver: Receiver::Group(gid),
            commitment: Commitment([1; 32]),
            sealed,
            ..Self::plain(Kind::Phr, by, number.to_be_bytes().to_vec())
        };
        self.sign(content, by)
    }

    /// A small record by a patient, to nobody.
    pub(crate) fn epoch_commit(&self, patient: usize, number: u8) -> Record {
        let payload = EpochCommit { gid: Gid([number; 32]), transcript: [2; 32], confirms: [3; 32] }.encode();
        self.sign(Self::plain(Kind::EpochCommit, &self.patients[patient], payload), &self.patients[patient])
    }

    /// A block on `parent` with these records. `tag` tells it from its siblings.
    pub(crate) fn mine(&self, parent: &Header, records: Vec<Record>, tag: u8) -> VerifiedBlock {
        let wire_ids: Vec<_> = records.iter().map(|r| r.wire_id(&self.chain)).collect();
        let mut header = Header {
            prev: parent.id(),
            records_root: merkle::records_root(&wire_ids),
            height: parent.height + 1,
            time_ms: parent.time_ms + 1_000,
            miner_tag: [tag; 16],
            nonce: 0,
            ..self.params.genesis()
        };
        while self.rules.check_pow(&header, &header.id()).is_err() {
            header.nonce += 1;
        }
        let block = CheckedBlock::check(&self.rules, &self.params, &self.chain, Block { header, records }).unwrap();
        let keys = |id: &_| {
            let everyone = self.patients.iter().chain([&self.authority]).map(IdentitySecret::public);
            everyone.into_iter().find(|keys| keys.id() == *id)
        };
        block.verify(&self.rules, &self.chain, keys, &mut ChaCha20Rng::seed_from_u64(0)).unwrap()
    }

    pub(crate) fn genesis(&self) -> BlockId {
        self.params.genesis().id()
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
