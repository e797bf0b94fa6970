//! What is signed in messages around an epoch: one 32-byte H for each (spec: groups).

use super::message::{GroupUid, Left, Phase, Wish};
use super::pair_keys::SUITE;
use crate::hash::{ChainId, Gid, ParticipantId, Tag, h};

/// H("abort", suite, GID, by, phase, accused): phase 1 byte; accused empty, or an index of 2 bytes.
pub fn abort_hash(gid: &Gid, by: &ParticipantId, phase: Phase, accused: Option<u16>) -> [u8; 32] {
    let accused = accused.map(u16::to_be_bytes);
    let accused: &[u8] = accused.as_ref().map_or(&[], |index| index);
    // The enums of messages are one byte each, by declaration.
    h(Tag::Abort, &[&[SUITE.id()], gid.as_ref(), by.as_ref(), &[phase as u8], accused])
}

/// H("disclose", suite, GID, i, B_(i−1), B_i).
pub fn disclose_hash(gid: &Gid, index: u16, b_before: &[u8; 32], b_after: &[u8; 32]) -> [u8; 32] {
    h(Tag::Disclose, &[&[SUITE.id()], gid.as_ref(), &index.to_be_bytes(), b_before, b_after])
}

/// H("ask", suite, chain, group, wish, since, ParticipantId): wish 1 byte.
pub fn ask_hash(chain: &ChainId, group: &GroupUid, wish: Wish, since: &Gid, by: &ParticipantId) -> [u8; 32] {
    let fields: [&[u8]; 6] =
        [&[SUITE.id()], chain.as_ref(), group.as_ref(), &[wish as u8], since.as_ref(), by.as_ref()];
    h(Tag::Ask, &fields)
}

/// H("notice", suite, chain, group, kind, ParticipantId, GID of the last epoch it was in): kind 1 byte.
pub fn notice_hash(chain: &ChainId, group: &GroupUid, why: Left, member: &ParticipantId, last: &Gid) -> [u8; 32] {
    let fields: [&[u8]; 6] =
        [&[SUITE.id()], chain.as_ref(), group.as_ref(), &[why as u8], member.as_ref(), last.as_ref()];
    h(Tag::Notice, &fields)
}

/// H("recall", suite, chain, owner, PeerId, nonce).
pub fn recall_hash(chain: &ChainId, owner: &ParticipantId, peer_id: &[u8], nonce: &[u8; 16]) -> [u8; 32] {
    h(Tag::Recall, &[&[SUITE.id()], chain.as_ref(), owner.as_ref(), peer_id, nonce])
}

/// H("join", suite, chain, group, H("join", suite, token), owner, ParticipantId, PeerId).
pub fn join_hash(
    chain: &ChainId,
    group: &GroupUid,
    token: &[u8; 16],
    owner: &ParticipantId,
    by: &ParticipantId,
    peer_id: &[u8],
) -> [u8; 32] {
    let token = h(Tag::Join, &[&[SUITE.id()], token]);
    let fields: [&[u8]; 7] =
        [&[SUITE.id()], chain.as_ref(), group.as_ref(), &token, owner.as_ref(), by.as_ref(), peer_id];
    h(Tag::Join, &fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    /// No two are equal: every field is hashed.
    fn all_differ(hashes: &[[u8; 32]]) {
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
    }

    #[test]
    fn every_field_makes_another_hash() {
        let (gid, id, chain, group) = (Gid(A), ParticipantId(A), ChainId(A), GroupUid(A));
        let (gid2, id2, chain2, group2) = (Gid(B), ParticipantId(B), ChainId(B), GroupUid(B));
        all_differ(&[
            abort_hash(&gid, &id, Phase::Pairing, None),
            abort_hash(&gid2, &id, Phase::Pairing, None),
            abort_hash(&gid, &id2, Phase::Pairing, None),
            abort_hash(&gid, &id, Phase::Sharing, None),
            abort_hash(&gid, &id, Phase::Pairing, Some(0)),
            abort_hash(&gid, &id, Phase::Pairing, Some(1)),
            disclose_hash(&gid, 0, &A, &A),
            disclose_hash(&gid2, 0, &A, &A),
            disclose_hash(&gid, 1, &A, &A),
            disclose_hash(&gid, 0, &B, &A),
            disclose_hash(&gid, 0, &A, &B),
            ask_hash(&chain, &group, Wish::Leave, &gid, &id),
            ask_hash(&chain2, &group, Wish::Leave, &gid, &id),
            ask_hash(&chain, &group2, Wish::Leave, &gid, &id),
            ask_hash(&chain, &group, Wish::Return, &gid, &id),
            ask_hash(&chain, &group, Wish::Leave, &gid2, &id),
            ask_hash(&chain, &group, Wish::Leave, &gid, &id2),
            notice_hash(&chain, &group, Left::Left, &id, &gid),
            notice_hash(&chain2, &group, Left::Left, &id, &gid),
            notice_hash(&chain, &group2, Left::Left, &id, &gid),
            notice_hash(&chain, &group, Left::Removed, &id, &gid),
            notice_hash(&chain, &group, Left::Left, &id2, &gid),
            notice_hash(&chain, &group, Left::Left, &id, &gid2),
            recall_hash(&chain, &id, b"peer", &[0; 16]),
            recall_hash(&chain2, &id, b"peer", &[0; 16]),
            recall_hash(&chain, &id2, b"peer", &[0; 16]),
            recall_hash(&chain, &id, b"peers", &[0; 16]),
            recall_hash(&chain, &id, b"peer", &[1; 16]),
            join_hash(&chain, &group, &[0; 16], &id, &id, b"peer"),
            join_hash(&chain2, &group, &[0; 16], &id, &id, b"peer"),
            join_hash(&chain, &group2, &[0; 16], &id, &id, b"peer"),
            join_hash(&chain, &group, &[1; 16], &id, &id, b"peer"),
            join_hash(&chain, &group, &[0; 16], &id2, &id, b"peer"),
            join_hash(&chain, &group, &[0; 16], &id, &id2, b"peer"),
            join_hash(&chain, &group, &[0; 16], &id, &id, b"peers"),
        ]);
    }
}
