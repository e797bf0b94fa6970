//! The epoch descriptor ED: what an epoch of a group is, hashed into its GID.

use crate::hash::{ChainId, Gid, ParticipantId, RecordId, Tag, h};
use crate::identity::{PublicKeys, Signature};
use crate::kdf::Suite;
use crate::record::SigCheck;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most members a group may ever have.
pub const MEMBERS_MAX: usize = 256;
/// Longest libp2p peer id, bytes: a multihash of an Ed25519 key has 38.
pub const PEER_ID_BYTES_MAX: usize = 64;

/// What an epoch changes against the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Change {
    /// A new member.
    Join(ParticipantId) = 1,
    /// A member left by itself.
    Leave(ParticipantId) = 2,
    /// The owner removed a member.
    Remove(ParticipantId) = 3,
    /// A member is left out until it is back.
    Suspend(ParticipantId) = 4,
    /// A suspended member is back.
    Return(ParticipantId) = 5,
    /// Both pairs of a member are agreed anew.
    Update(ParticipantId) = 6,
}

impl Change {
    /// The byte that is hashed, and whom it concerns.
    pub const fn parts(&self) -> (u8, &ParticipantId) {
        match self {
            Change::Join(who) => (1, who),
            Change::Leave(who) => (2, who),
            Change::Remove(who) => (3, who),
            Change::Suspend(who) => (4, who),
            Change::Return(who) => (5, who),
            Change::Update(who) => (6, who),
        }
    }
}

/// A place in the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Both public keys; the ParticipantId is their hash.
    pub keys: PublicKeys,
    /// The libp2p peer its streams must come from, as multihash bytes, 1 to 64.
    #[serde(with = "serde_bytes")]
    pub peer_id: Vec<u8>,
}

/// ED. The owner signs H("ed", ED); H("gid", ED) names the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochDescriptor {
    /// The chain.
    pub chain: ChainId,
    /// Drawn when the group is made, and its own for good.
    pub group: [u8; 32],
    /// e, from 0.
    pub epoch: u64,
    /// From 0; never restarts within an epoch.
    pub attempt: u32,
    /// RecordId of the EpochCommit of e − 1; zero for e = 0.
    pub previous: RecordId,
    /// Drawn for this attempt.
    pub random: [u8; 32],
    /// Against the last epoch, in order.
    pub changes: Vec<Change>,
    /// P: the only writer of the roster.
    pub owner: ParticipantId,
    /// The id that signs this epoch's records.
    pub uploader: ParticipantId,
    /// All ids of P: records for one of them are this patient's.
    pub patient_ids: Vec<ParticipantId>,
    /// U_1 … U_n.
    pub roster: Vec<Member>,
    /// Indices i, from 0 and ascending, of the pairs U_(i+1) → U_(i+2) that are agreed anew though nothing about them changed.
    pub refresh: Vec<u16>,
    /// Height by which EpochCommit must be mined.
    pub deadline_height: u64,
}

/// What is wrong with a descriptor's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// 1 to 256 members.
    #[error("a group has 1 to 256 members")]
    Members,
    /// One participant, or one key, at two places: a ghost member.
    #[error("a participant or a key stands twice in the roster")]
    Twice,
    /// The owner is always a member.
    #[error("the owner is not in the roster")]
    Owner,
    /// The uploader is one of P's ids.
    #[error("the uploader, or the owner, is not among the patient's ids")]
    Uploader,
    /// Epoch 0 has no predecessor, every other has one.
    #[error("the previous commit must be zero in epoch 0, and only there")]
    Previous,
    /// Pairs to refresh exist and are listed once, ascending.
    #[error("the pairs to refresh are not ascending places of the ring")]
    Refresh,
    /// A peer id of 1 to 64 bytes.
    #[error("a peer id has 1 to 64 bytes")]
    PeerId,
}

/// u32 count ‖ LP of each item.
fn list(items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let mut out = count.to_be_bytes().to_vec();
    for item in items {
        out.extend_from_slice(&u32::try_from(item.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&item);
    }
    out
}

impl EpochDescriptor {
    fn hash(&self, tag: Tag) -> [u8; 32] {
        let changes = list(self.changes.iter().map(|change| {
            let (kind, who) = change.parts();
            [&[kind], who.as_ref()].concat()
        }));
        let patient_ids = list(self.patient_ids.iter().map(|id| id.0.to_vec()));
        let roster = list(self.roster.iter().map(|member| {
            let (id, keys) = (member.keys.id(), &member.keys);
            let peer_len = u32::try_from(member.peer_id.len()).unwrap_or(u32::MAX).to_be_bytes();
            [id.as_ref(), &peer_len, &member.peer_id, keys.signing.as_ref(), keys.chebyshev.as_ref()].concat()
        }));
        let refresh = list(self.refresh.iter().map(|pair| pair.to_be_bytes().to_vec()));
        h(
            tag,
            &[
                &[Suite::T2Aes.id()],
                self.chain.as_ref(),
                &self.group,
                &self.epoch.to_be_bytes(),
                &self.attempt.to_be_bytes(),
                self.previous.as_ref(),
                &self.random,
                &changes,
                self.owner.as_ref(),
                self.uploader.as_ref(),
                &patient_ids,
                &roster,
                &refresh,
                &self.deadline_height.to_be_bytes(),
            ],
        )
    }

    /// GID_e = H("gid", ED): identities and random numbers, as the paper says, and new in every epoch and attempt.
    pub fn gid(&self) -> Gid {
        Gid(self.hash(Tag::GroupId))
    }

    /// H("ed", ED): what the owner signs.
    pub fn signing_hash(&self) -> [u8; 32] {
        self.hash(Tag::EpochDescriptor)
    }

    /// The owner's signature as work for a verifier; `None` if the owner is not in the roster.
    pub fn signature_check(&self, signature: Signature) -> Option<SigCheck> {
        let owner = self.roster.iter().find(|m| m.keys.id() == self.owner)?;
        Some(SigCheck { key: owner.keys.signing, hash: self.signing_hash(), signature })
    }

    /// Checks the form: what can be judged without the last epoch and without the chain.
    pub fn check(&self) -> Result<(), DescriptorError> {
        if self.roster.is_empty() || self.roster.len() > MEMBERS_MAX {
            return Err(DescriptorError::Members);
        }
        if self.roster.iter().any(|m| m.peer_id.is_empty() || m.peer_id.len() > PEER_ID_BYTES_MAX) {
            return Err(DescriptorError::PeerId);
        }
        let keys: BTreeSet<_> = self.roster.iter().flat_map(|m| m.keys.key_hashes()).collect();
        let peers: BTreeSet<_> = self.roster.iter().map(|m| &m.peer_id).collect();
        if keys.len() != 2 * self.roster.len() || peers.len() != self.roster.len() {
            return Err(DescriptorError::Twice);
        }
        if !self.roster.iter().any(|m| m.keys.id() == self.owner) {
            return Err(DescriptorError::Owner);
        }
        if !self.patient_ids.contains(&self.uploader) || !self.patient_ids.contains(&self.owner) {
            return Err(DescriptorError::Uploader);
        }
        if (self.epoch == 0) != (self.previous == RecordId::ZERO) {
            return Err(DescriptorError::Previous);
        }
        let ascending = self.refresh.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || self.refresh.iter().any(|i| usize::from(*i) >= self.roster.len()) {
            return Err(DescriptorError::Refresh);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Kit;

    fn descriptor() -> EpochDescriptor {
        let kit = Kit::new(5);
        let member =
            |n: u8, secret: &crate::identity::IdentitySecret| Member { keys: secret.public(), peer_id: vec![n; 38] };
        let roster =
            vec![member(1, &kit.patient.secret), member(2, &kit.doctor.secret), member(3, &kit.caregiver.secret)];
        let owner = roster[0].keys.id();
        EpochDescriptor {
            chain: kit.chain,
            group: [7; 32],
            epoch: 0,
            attempt: 0,
            previous: RecordId::ZERO,
            random: [9; 32],
            changes: roster.iter().map(|m| Change::Join(m.keys.id())).collect(),
            owner,
            uploader: owner,
            patient_ids: vec![owner],
            roster,
            refresh: vec![0, 2],
            deadline_height: 100,
        }
    }

    /// One way to spoil each field.
    fn spoiled() -> Vec<(&'static str, EpochDescriptor)> {
        let mut out = Vec::new();
        let mut with = |name, spoil: &dyn Fn(&mut EpochDescriptor)| {
            let mut ed = descriptor();
            spoil(&mut ed);
            out.push((name, ed));
        };
        with("chain", &|ed| ed.chain.0[0] ^= 1);
        with("group", &|ed| ed.group[0] ^= 1);
        with("epoch", &|ed| ed.epoch = 1);
        with("attempt", &|ed| ed.attempt = 1);
        with("previous", &|ed| ed.previous.0[31] ^= 1);
        with("random", &|ed| ed.random[0] ^= 1);
        with("changes, less", &|ed| {
            ed.changes.pop();
        });
        with("changes, kind", &|ed| ed.changes[1] = Change::Return(*ed.changes[1].parts().1));
        with("owner", &|ed| ed.owner.0[0] ^= 1);
        with("uploader", &|ed| ed.uploader.0[0] ^= 1);
        with("patient ids", &|ed| ed.patient_ids.push(ed.roster[1].keys.id()));
        with("roster, order", &|ed| ed.roster.swap(0, 1));
        with("roster, peer", &|ed| ed.roster[2].peer_id[0] ^= 1);
        with("roster, signing key", &|ed| ed.roster[2].keys.signing.0[0] ^= 1);
        with("refresh", &|ed| ed.refresh = vec![0]);
        with("deadline", &|ed| ed.deadline_height += 1);
        out
    }

    #[test]
    fn every_field_makes_another_gid_and_another_signature() {
        let ed = descriptor();
        let mut seen = BTreeSet::from([ed.gid().0, ed.signing_hash()]);
        for (name, other) in spoiled() {
            assert!(seen.insert(other.gid().0) && seen.insert(other.signing_hash()), "{name} is not hashed");
        }
    }

    #[test]
    fn a_form_that_cannot_be_is_refused_by_name() {
        assert_eq!(descriptor().check(), Ok(()));
        let mut cases: Vec<(DescriptorError, EpochDescriptor)> = Vec::new();
        let mut with = |error, spoil: &dyn Fn(&mut EpochDescriptor)| {
            let mut ed = descriptor();
            spoil(&mut ed);
            cases.push((error, ed));
        };
        with(DescriptorError::Members, &|ed| ed.roster.clear());
        with(DescriptorError::Twice, &|ed| ed.roster[2].keys.chebyshev = ed.roster[1].keys.chebyshev);
        with(DescriptorError::Twice, &|ed| ed.roster[2].peer_id = ed.roster[1].peer_id.clone());
        with(DescriptorError::Owner, &|ed| drop(ed.roster.remove(0)));
        with(DescriptorError::Uploader, &|ed| ed.uploader = ed.roster[1].keys.id());
        with(DescriptorError::Uploader, &|ed| ed.patient_ids = vec![]);
        with(DescriptorError::Previous, &|ed| ed.epoch = 1);
        with(DescriptorError::Previous, &|ed| ed.previous = RecordId([1; 32]));
        with(DescriptorError::Refresh, &|ed| ed.refresh = vec![2, 0]);
        with(DescriptorError::Refresh, &|ed| ed.refresh = vec![3]);
        with(DescriptorError::PeerId, &|ed| ed.roster[0].peer_id = vec![]);
        for (error, ed) in cases {
            assert_eq!(ed.check(), Err(error));
        }
    }

    #[test]
    fn the_owner_signs_it_and_nobody_else() {
        let (ed, kit) = (descriptor(), Kit::new(5));
        let by = |secret: &crate::identity::IdentitySecret| ed.signature_check(secret.sign(&ed.signing_hash()));
        assert!(by(&kit.patient.secret).is_some_and(|check| check.verify()));
        assert!(by(&kit.doctor.secret).is_some_and(|check| !check.verify()));
    }
}
