//! Whole epochs agreed in process, without machines and messages on a wire: each member computes from what it would have
//! received and from its own secrets alone. For tests, vectors and benches.

use super::{Actor, bytes32};
use crate::group::message::{Confirm, Endpoint, M1, M2, M3, Proposal, Share};
use crate::group::pair::{Initiator, Pair, PairContext, Responder};
use crate::group::ring::{self, EpochKeys};
use crate::group::{Change, EpochDescriptor, Member};
use crate::hash::{ChainId, Gid, ParticipantId, RecordId};
use crate::identity::PublicKeys;
use crate::record::EpochCommit;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

/// A generator that draws the bytes it was given, in order, and panics when they are used up.
#[derive(Debug)]
pub struct Given(VecDeque<u8>);

impl Given {
    /// Will draw these.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().collect())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.0.pop_front().expect("no more was to be drawn than was given"))
    }
}

impl rand::TryRng for Given {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.take()))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.take()))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().for_each(|byte| [*byte] = self.take());
        Ok(())
    }
}

impl rand::TryCryptoRng for Given {}

/// The three messages of one agreement, and the secrets that both ends drew for it.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Drawn by the initiator.
    pub r_i: [u8; 32],
    /// Drawn by the responder.
    pub r_j: [u8; 32],
    /// First message.
    pub m1: M1,
    /// Second.
    pub m2: M2,
    /// Third.
    pub m3: M3,
}

/// One epoch, with what everybody sent and what everybody holds.
#[derive(Debug)]
pub struct TestRing {
    /// U_1 … U_n; the owner is the first.
    pub actors: Vec<Arc<Actor>>,
    /// ED, signed.
    pub proposal: Proposal,
    /// Its id.
    pub gid: Gid,
    /// By pair; `None`: the pair was kept.
    pub agreements: Vec<Option<Agreement>>,
    /// By pair.
    pub pairs: Vec<Pair>,
    /// By pair.
    pub bs: Vec<[u8; 32]>,
    /// By member.
    pub shares: Vec<Share>,
    /// By member.
    pub confirms: Vec<Confirm>,
    /// th.
    pub transcript: [u8; 32],
    /// By member, each from its own view; all equal.
    pub keys: Vec<EpochKeys>,
    /// What the owner puts on the chain.
    pub commit: EpochCommit,
}

/// Called right after each piece of work of one member, with its index: how a bench attributes time and ladders.
pub type Watch<'a> = &'a mut dyn FnMut(usize);

/// The participants "member 0", "member 1", … of this seed. One ladder each.
pub fn ring_actors(seed: u64, n: usize) -> Vec<Arc<Actor>> {
    (0..n).map(|i| Arc::new(Actor::new(seed, &format!("member {i}"), None))).collect()
}

/// The place before `i` in a ring of n.
pub const fn before(i: usize, n: usize) -> usize {
    (i + n - 1) % n
}

fn index(i: usize) -> u16 {
    u16::try_from(i).expect("a ring has at most 256 members")
}

impl TestRing {
    /// Epoch 0 of these members.
    pub fn first(seed: u64, actors: &[Arc<Actor>], watch: Watch<'_>) -> Self {
        let changes = actors.iter().map(|a| Change::Join(a.id)).collect();
        Self::agree(seed, None, actors, changes, vec![], watch)
    }

    /// The epoch after this one, with these members in this order: pairs of unchanged neighbours are kept, unless listed in
    /// `refresh`.
    pub fn next(&self, seed: u64, actors: &[Arc<Actor>], refresh: Vec<u16>, watch: Watch<'_>) -> Self {
        let (had, has) = (Self::ids(&self.actors), Self::ids(actors));
        let joins = has.iter().filter(|id| !had.contains(id)).map(|id| Change::Join(*id));
        let leaves = had.iter().filter(|id| !has.contains(id)).map(|id| Change::Leave(*id));
        Self::agree(seed, Some(self), actors, joins.chain(leaves).collect(), refresh, watch)
    }

    fn ids(actors: &[Arc<Actor>]) -> Vec<ParticipantId> {
        actors.iter().map(|a| a.id).collect()
    }

    /// The keys of both ends of each pair.
    fn ends(&self) -> impl Iterator<Item = [&PublicKeys; 2]> {
        let following = self.actors.iter().cycle().skip(1);
        self.actors.iter().zip(following).map(|(a, b)| [&a.keys, &b.keys])
    }

    fn agree(
        seed: u64,
        last: Option<&Self>,
        actors: &[Arc<Actor>],
        changes: Vec<Change>,
        refresh: Vec<u16>,
        watch: Watch<'_>,
    ) -> Self {
        let proposal = propose(seed, last, actors, changes, refresh);
        watch(0);
        let gid = proposal.ed.gid();
        let mut ring = Self {
            actors: actors.to_vec(),
            proposal,
            gid,
            agreements: Vec::new(),
            pairs: Vec::new(),
            bs: Vec::new(),
            shares: Vec::new(),
            confirms: Vec::new(),
            transcript: [0; 32],
            keys: Vec::new(),
            commit: EpochCommit { gid, transcript: [0; 32], confirms: [0; 32] },
        };
        for member in 0..actors.len() {
            let check = ring.proposal.ed.signature_check(ring.proposal.signature).expect("the owner is a member");
            assert!(ring.proposal.ed.check().is_ok() && check.verify());
            watch(member);
        }
        if actors.len() == 1 {
            let (th, keys) = ring::alone(&gid, &bytes32(seed, "key of one", ring.proposal.ed.epoch));
            (ring.transcript, ring.keys) = (th, vec![keys]);
        } else {
            ring.pair(seed, last, watch);
            ring.share(watch);
        }
        ring.confirm(watch);
        ring
    }

    fn pair(&mut self, seed: u64, last: Option<&Self>, watch: Watch<'_>) {
        let n = self.actors.len();
        for i in 0..n {
            let (a, b) = (&self.actors[i], &self.actors[(i + 1) % n]);
            let refreshed = self.proposal.ed.refresh.contains(&index(i));
            let kept = last.filter(|_| !refreshed).and_then(|last| {
                let ends = if last.actors.len() > 1 { Some(last.ends()) } else { None };
                let place = ends?.position(|ends| ends == [&a.keys, &b.keys])?;
                Some(last.pairs[place].ratchet(&self.gid))
            });
            if let Some(pair) = kept {
                self.pairs.push(pair);
                self.agreements.push(None);
                continue;
            }
            let drawn = |end| bytes32(seed, end, self.proposal.ed.epoch << 16 | u64::from(index(i)));
            let (r_i, r_j) = (drawn("r_i"), drawn("r_j"));
            let ctx = PairContext { gid: self.gid, index: index(i), initiator: &a.keys, responder: &b.keys };
            let (initiator, m1) = Initiator::start(&ctx, &a.secret, &mut Given::new(&r_i)).expect("M1");
            watch(i);
            let (responder, m2) = Responder::respond(&ctx, &b.secret, &m1, &mut Given::new(&r_j)).expect("M2");
            watch((i + 1) % n);
            let (pair, m3) = initiator.finish(&ctx, &a.secret, &m2).expect("M3");
            watch(i);
            assert_eq!(responder.accept(&ctx, &m3).expect("the pair").to_bytes(), pair.to_bytes());
            watch((i + 1) % n);
            self.pairs.push(pair);
            self.agreements.push(Some(Agreement { r_i, r_j, m1, m2, m3 }));
        }
    }

    /// One member's B_(i−1) and B_i, from its own two pairs.
    pub fn own_bs(&self, i: usize) -> [[u8; 32]; 2] {
        let n = self.actors.len();
        [before(i, n), i].map(|pair| {
            let (from, to) = (&self.actors[pair].id, &self.actors[(pair + 1) % n].id);
            *ring::b_value(&self.gid, index(pair), from, to, &self.pairs[pair])
        })
    }

    fn share(&mut self, watch: Watch<'_>) {
        let n = self.actors.len();
        for i in 0..n {
            let [b_before, b_after] = self.own_bs(i);
            let pairs = [&self.pairs[before(i, n)], &self.pairs[i]];
            let me = &self.actors[i].secret;
            self.shares.push(ring::share(&self.gid, index(i), [&b_before, &b_after], pairs, me));
            self.bs.push(b_after);
            watch(i);
        }
        self.transcript = ring::transcript(&self.gid, &self.shares);
        for i in 0..n {
            ring::check_shares(&self.proposal.ed, &self.shares).expect("honest shares close the ring");
            let [b_before, b_after] = self.own_bs(i);
            let bs = ring::unroll_checked(index(i), [&b_before, &b_after], &self.shares).expect("the ring unrolls");
            self.keys.push(ring::epoch_keys(&ring::transcript(&self.gid, &self.shares), &bs));
            watch(i);
        }
    }

    fn confirm(&mut self, watch: Watch<'_>) {
        let (gid, th) = (self.gid, self.transcript);
        for (i, (actor, keys)) in self.actors.iter().zip(&self.keys).enumerate() {
            self.confirms.push(ring::confirm(&gid, index(i), &th, keys, &actor.secret));
            watch(i);
        }
        for (i, keys) in self.keys.iter().enumerate() {
            for confirm in &self.confirms {
                ring::check_confirm(&self.proposal.ed, &gid, &th, keys, confirm).expect("all hold one key");
            }
            watch(i);
        }
        let macs: Vec<_> = self.confirms.iter().map(|confirm| confirm.mac).collect();
        self.commit = ring::commit(&gid, &th, &macs);
        watch(0);
    }
}

fn propose(
    seed: u64,
    last: Option<&TestRing>,
    actors: &[Arc<Actor>],
    changes: Vec<Change>,
    refresh: Vec<u16>,
) -> Proposal {
    let peer_id = |actor: &Actor| super::bytes(seed, &format!("peer id of {}", actor.id), 0, 38);
    let member = |actor: &Arc<Actor>| Member { keys: actor.keys.clone(), peer_id: peer_id(actor) };
    let owner = actors[0].id;
    let epoch = last.map_or(0, |last| last.proposal.ed.epoch + 1);
    let chain = ChainId(bytes32(seed, "chain", 0));
    let previous = last.map_or(RecordId::ZERO, |last| ring::commit_record_id(&chain, &owner, &last.commit));
    let ed = EpochDescriptor {
        chain,
        group: bytes32(seed, "group", 0),
        epoch,
        attempt: 0,
        previous,
        random: bytes32(seed, "random", epoch),
        changes,
        owner,
        uploader: owner,
        patient_ids: vec![owner],
        roster: actors.iter().map(member).collect(),
        refresh,
        deadline_height: 100 * (epoch + 1),
    };
    let signature = actors[0].secret.sign(&ed.signing_hash());
    let endpoint = |member: &Member| Endpoint { peer_id: member.peer_id.clone(), addresses: vec![] };
    let endpoints = ed.roster.iter().map(endpoint).collect();
    Proposal { ed, signature, endpoints }
}
