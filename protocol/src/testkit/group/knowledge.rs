//! What a set of participants can compute: everything they ever stored and everything that was ever said, closed under the
//! scheme's own derivations (ratchet, B, unrolling, GSK).
//!
//! Stored bytes are read without knowing their layout: a secret is found by its value at any offset, a pair by its public hash,
//! which stands behind its two secrets, and the state of an initiator by its M1. So a secret that is kept by mistake, in
//! whatever field, is found too.
//!
//! Unrolling from a guess at B_i gives the true GSK exactly if the guess is the true B_i. So whoever has, or can derive, any
//! true B of an epoch has its key, and nobody else: this is what is looked for.

use super::world::World;
use crate::codec;
use crate::group::EpochDescriptor;
use crate::group::machine::Snapshot;
use crate::group::message::{M1, Message, Share};
use crate::group::pair::{Initiator, Pair, PairContext};
use crate::group::ring::{EpochKeys, b_value, epoch_keys, transcript, unroll};
use crate::hash::{Gid, ParticipantId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes of an initiator's state before its M1: r, es, ss.
const INITIATOR_SECRETS: usize = 32 + 256 + 256;

/// The secret parts of every snapshot that was stored, each once.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    blobs: BTreeSet<Arc<Vec<u8>>>,
}

impl Memory {
    /// Keeps what is new in a snapshot.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        for secret in snapshot.secrets.values() {
            let blob: &Vec<u8> = secret;
            if !self.blobs.contains(blob) {
                self.blobs.insert(Arc::new(blob.clone()));
            }
        }
    }

    /// Of one snapshot alone: what a thief of the disk finds.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut memory = Self::default();
        memory.learn(snapshot);
        memory
    }

    /// Whether a secret was ever stored.
    pub fn holds(&self, secret: &[u8; 32]) -> bool {
        self.blobs.iter().any(|blob| super::check::contains(blob, secret))
    }
}

/// An epoch with its secrets, as the world found them out.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Its id.
    pub gid: Gid,
    /// What it is.
    pub ed: EpochDescriptor,
    shares: Vec<Share>,
    bs: Vec<[u8; 32]>,
    keys: EpochKeys,
}

/// Everything public that helps: pair hashes, committed epochs in order, messages of agreements.
#[derive(Debug)]
pub struct Analysis<'w> {
    world: &'w World,
    hashes: BTreeSet<[u8; 32]>,
    committed: Vec<Gid>,
    first_messages: Vec<(Gid, u16, Vec<u8>)>,
    disclosed: BTreeSet<[u8; 32]>,
}

impl<'w> Analysis<'w> {
    /// Reads the world's traffic.
    pub fn new(world: &'w World) -> Self {
        let ledger = &world.ledger;
        let hashes = ledger.shares.values().flat_map(BTreeMap::values).flat_map(|s| [s.pair_before, s.pair_after]);
        let mut committed: Vec<_> = ledger
            .keys
            .keys()
            .filter_map(|gid| ledger.descriptors.get(gid).map(|ed| (ed.epoch, ed.attempt, *gid)))
            .collect();
        committed.sort_unstable();
        let (mut first_messages, mut disclosed) = (Vec::new(), BTreeSet::new());
        for packet in &world.traffic.packets {
            match &packet.message {
                Message::M1(m1) => first_messages.push((m1.gid, m1.pair, codec::encode::<M1>(m1))),
                Message::Disclose(d) => disclosed.extend([d.b_before, d.b_after]),
                _ => {}
            }
        }
        first_messages.sort_unstable();
        first_messages.dedup();
        Self {
            world,
            hashes: hashes.collect(),
            committed: committed.into_iter().map(|(_, _, gid)| gid).collect(),
            first_messages,
            disclosed,
        }
    }

    /// Every epoch of more than one member that was in force, with its true secrets, found in its members' memories. Fails if a
    /// member's pairs do not give the key that the members hold: the search itself would be blind then.
    pub fn epochs(&self) -> Vec<Epoch> {
        let ledger = &self.world.ledger;
        let of = |(gid, (k_rec, _)): (&Gid, &([u8; 32], _))| {
            let ed = ledger.descriptors.get(gid).filter(|ed| ed.roster.len() > 1)?.clone();
            let shares: Vec<_> = ledger.shares.get(gid)?.values().cloned().collect();
            let th = transcript(gid, &shares);
            let members: Vec<_> = ed.roster.iter().filter_map(|m| self.world.index(&m.keys.id())).collect();
            let (mut known, mut blind) = (None, Vec::new());
            for member in members {
                let pairs = self.pairs(&[&self.world.nodes[member].memory]);
                let guesses = self.values(&pairs, gid, &ed);
                let found = guesses.into_iter().find_map(|(index, b)| {
                    let bs = unroll(index, &b, &shares).to_vec();
                    let keys = epoch_keys(&th, &bs);
                    (*keys.k_rec == *k_rec).then_some((bs, keys))
                });
                match found {
                    Some(found) => known = Some(found),
                    None => blind.push(member),
                }
            }
            if !blind.is_empty() {
                self.world.fail(&format!("no key of {gid:?} is found with its members {blind:?}: the search is blind"));
            }
            let (bs, keys) = known?;
            Some(Epoch { gid: *gid, ed, shares, bs, keys })
        };
        ledger.keys.iter().filter_map(of).collect()
    }

    /// Pairs that stand in these memories, and those that initiators there can finish with what was said to them.
    fn pairs(&self, memories: &[&Memory]) -> Vec<Pair> {
        let mut found: BTreeMap<Vec<u8>, Pair> = BTreeMap::new();
        for blob in memories.iter().flat_map(|memory| memory.blobs.iter()) {
            let behind = (64..blob.len().saturating_sub(31)).filter(|at| self.is_hash(&blob[*at..*at + 32]));
            for pair in behind.filter_map(|at| Pair::from_bytes(&blob[at - 64..at + 32]).ok()) {
                found.insert(pair.to_bytes().to_vec(), pair);
            }
        }
        found.into_values().collect()
    }

    fn is_hash(&self, bytes: &[u8]) -> bool {
        <[u8; 32]>::try_from(bytes).is_ok_and(|bytes| self.hashes.contains(&bytes))
    }

    /// Pairs that initiators in these memories come to with recorded M2, given the long-term keys of all participants.
    fn finished(&self, memories: &[&Memory]) -> Vec<Pair> {
        let mut found = Vec::new();
        for (gid, index, m1) in &self.first_messages {
            let Some(state) = memories.iter().flat_map(|m| m.blobs.iter()).find_map(|blob| initiator(blob, m1)) else {
                continue;
            };
            let Some(ed) = self.world.ledger.descriptors.get(gid) else { continue };
            let at = usize::from(*index);
            let (Some(one), next) = (ed.roster.get(at), &ed.roster[(at + 1) % ed.roster.len()]) else { continue };
            let ctx = PairContext { gid: *gid, index: *index, initiator: &one.keys, responder: &next.keys };
            let Some(node) = self.world.index(&one.keys.id()) else { continue };
            let me = &self.world.nodes[node].me.identity;
            let answers = self.world.traffic.packets.iter().filter_map(|packet| match &packet.message {
                Message::M2(m2) if m2.gid == *gid && m2.pair == *index => Some(m2),
                _ => None,
            });
            found.extend(answers.filter_map(|m2| state.finish(&ctx, me, m2).ok()).map(|(pair, _)| pair));
        }
        found
    }

    /// Every value that these pairs give for any place of an epoch, fresh or ratcheted through the epochs up to it.
    fn values(&self, pairs: &[Pair], gid: &Gid, ed: &EpochDescriptor) -> Vec<(u16, [u8; 32])> {
        let until = self.committed.iter().position(|g| g == gid).map_or(0, |at| at + 1);
        let mut values = Vec::new();
        for pair in pairs {
            let ratcheted =
                (0..until).map(|from| self.committed[from..until].iter().fold(pair.clone(), |p, g| p.ratchet(g)));
            for state in std::iter::once(pair.clone()).chain(ratcheted) {
                for (index, member) in (0_u16..).zip(&ed.roster) {
                    let next = &ed.roster[(usize::from(index) + 1) % ed.roster.len()];
                    values.push((index, *b_value(gid, index, &member.keys.id(), &next.keys.id(), &state)));
                }
            }
        }
        values
    }

    /// How the holders of these memories, with everything that was said, and with all long-term keys if they have them, come to
    /// an epoch's key; `None` if they do not. `unrolled`: epochs they were members of, all of whose B they have seen.
    pub fn way_to(
        &self,
        epoch: &Epoch,
        memories: &[&Memory],
        unrolled: &[&Epoch],
        long_term_keys: bool,
    ) -> Option<String> {
        let secrets = [("GSK", &epoch.keys.gsk), ("k_rec", &epoch.keys.k_rec), ("k_conf", &epoch.keys.k_conf)];
        let held = |secret: &[u8; 32]| memories.iter().any(|memory| memory.holds(secret));
        if let Some((name, _)) = secrets.iter().find(|(_, secret)| held(secret)) {
            return Some(format!("{name} stands in what was stored"));
        }
        if let Some(i) = epoch.bs.iter().position(|b| held(b) || self.disclosed.contains(b)) {
            return Some(format!("B of place {i} was stored or disclosed"));
        }
        if let Some(other) = unrolled.iter().find(|other| other.bs.iter().any(|b| epoch.bs.contains(b))) {
            return Some(format!("a B of {:?} is used again", other.gid));
        }
        let mut pairs = self.pairs(memories);
        if long_term_keys {
            pairs.extend(self.finished(memories));
        }
        let values = self.values(&pairs, &epoch.gid, &epoch.ed);
        let (place, _) = values.iter().find(|(_, value)| epoch.bs.contains(value))?;
        debug_assert_eq!(epoch.shares.len(), epoch.bs.len());
        Some(format!("a pair that was stored gives B of place {place}"))
    }
}

fn initiator(blob: &[u8], m1: &[u8]) -> Option<Initiator> {
    let at = blob.windows(m1.len()).position(|window| window == m1)?;
    Initiator::from_bytes(blob.get(at.checked_sub(INITIATOR_SECRETS)?..at + m1.len())?).ok()
}

/// Every epoch of this world: each member can compute its key, and all others together, with all they ever stored and all that
/// was ever said, cannot. Returns how many epochs were looked at.
pub fn check(world: &World) -> usize {
    let analysis = Analysis::new(world);
    let epochs = analysis.epochs();
    for epoch in &epochs {
        let has = |epoch: &Epoch, id: &ParticipantId| epoch.ed.roster.iter().any(|m| m.keys.id() == *id);
        let outside: Vec<_> = world.nodes.iter().filter(|node| !has(epoch, &node.id)).collect();
        let memories: Vec<_> = outside.iter().map(|node| &node.memory).collect();
        let unrolled: Vec<_> = epochs.iter().filter(|other| outside.iter().any(|node| has(other, &node.id))).collect();
        if let Some(way) = analysis.way_to(epoch, &memories, &unrolled, false) {
            world.fail(&format!("outsiders come to the key of {:?} (epoch {}): {way}", epoch.gid, epoch.ed.epoch));
        }
    }
    epochs.len()
}
