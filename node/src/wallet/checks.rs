//! What a found record is checked for, each against this node's own chain and never on anyone's word.

use medring_protocol::block::Block;
use medring_protocol::chain::{Participant, StateRead};
use medring_protocol::identity::Role;
use medring_protocol::merkle;
use medring_protocol::record::Record;
use medring_protocol::{BlockId, ChainId, WireId};
use medring_storage::{ChainStore, Engine, StorageError};
use serde::{Deserialize, Serialize};

/// Where a record stands on the best chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Height of its block.
    pub height: u64,
    /// Position in the block, from 0.
    pub index: u32,
    /// The block.
    pub block_id: BlockId,
}

/// The verdict on one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Sig and the envelope's proof verify under the keys that the uploader's id commits to.
    pub signature: bool,
    /// A Merkle proof ties the full record to the header of its block, which is on this node's best chain.
    pub merkle_proof: bool,
    /// c commits to r, and r opens the sealed part.
    pub commitment: bool,
    /// The recipient named inside is this participant.
    pub recipient: bool,
    /// At that height the uploader was enrolled, valid, and of the role that may upload this kind.
    pub role: bool,
    /// No revocation covers that height.
    pub not_revoked: bool,
}

impl Checks {
    /// Whether the record is what it claims to be.
    pub fn passed(&self) -> bool {
        self.each().iter().all(|(_, passed, _)| *passed)
    }

    /// Each check: its name, whether it passed, and what it says.
    pub fn each(&self) -> [(&'static str, bool, &'static str); 6] {
        [
            ("signature", self.signature, "signed by the uploader named in it"),
            ("merkle_proof", self.merkle_proof, "in a block of this node's own best chain"),
            ("commitment", self.commitment, "the content is the one its producer committed to"),
            ("recipient", self.recipient, "made for this participant and nobody else"),
            ("role", self.role, "the uploader was enrolled in the right role at that height"),
            ("not_revoked", self.not_revoked, "no revocation of the uploader covers that height"),
        ]
    }
}

/// How many blocks bury what stands at `height`, its own included; 0 if it is above the tip.
pub fn confirmations(height: u64, tip_height: u64) -> u64 {
    (tip_height + 1).saturating_sub(height)
}

/// A block of the best chain, with the leaves of its Merkle tree.
pub(crate) struct Leaved {
    pub(crate) id: BlockId,
    pub(crate) block: Block,
    leaves: Vec<WireId>,
}

impl Leaved {
    pub(crate) fn new(chain: &ChainId, id: BlockId, block: Block) -> Self {
        let leaves = block.wire_ids(chain);
        Self { id, block, leaves }
    }
}

/// Everything about a record that the chain can tell, and the uploader's role. Who checks `commitment` and `recipient` has
/// opened it.
pub(crate) fn of_chain<E: Engine>(
    store: &ChainStore<E>,
    record: &Record,
    at: Option<(&Leaved, u32)>,
) -> Result<(Checks, Option<Role>), StorageError> {
    let (chain, uploader) = (store.chain_id(), &record.content.uploader);
    let mut checks = Checks::default();
    if let Some(keys) = store.keys_of(uploader)? {
        let pair = record.signature_checks(&chain, &keys);
        checks.signature = keys.id() == *uploader && pair.is_some_and(|pair| pair.iter().all(|check| check.verify()));
    }
    let participant = store.participant(uploader)?;
    if let Some((leaved, index)) = at {
        let height = leaved.block.header.height;
        checks.merkle_proof = store.id_at(height)? == Some(leaved.id) && proven(&chain, record, leaved, index);
        if let Some(p) = &participant {
            checks.role = record.content.kind.uploader_role() == Some(p.role) && was_valid(p, height);
            checks.not_revoked = p.revoked.is_none_or(|revoked| height < revoked.invalid_from);
        }
    }
    Ok((checks, participant.map(|p| p.role)))
}

/// Makes the proof and verifies it, as anyone would who was handed it.
fn proven(chain: &ChainId, record: &Record, leaved: &Leaved, index: u32) -> bool {
    let proof = usize::try_from(index).ok().and_then(|index| merkle::prove(&leaved.leaves, index));
    let linked = leaved.block.header.id() == leaved.id;
    linked && proof.is_some_and(|proof| proof.verify(&record.wire_id(chain), &leaved.block.header.records_root))
}

/// R-UPLOADER as it was judged then: enrolled in an earlier block, within its validity, not revoked before.
fn was_valid(p: &Participant, height: u64) -> bool {
    let revoked_before = p.revoked.is_some_and(|revoked| revoked.at < height);
    p.enrolled_at < height && (p.valid_from..=p.valid_until).contains(&height) && !revoked_before
}
