//! A group of ours without machines: pairs, ring and keys of an epoch, and of the next, so that an attack can reach into each.

use medring_protocol::group::message::{Confirm, M1, M2, M3, Share};
use medring_protocol::group::pair::{Initiator, Pair, PairContext, Responder};
use medring_protocol::group::ring::{self, EpochKeys, RingError};
use medring_protocol::group::{Change, EpochDescriptor, Member};
use medring_protocol::hash::{ChainId, Gid, RecordId};
use medring_protocol::testkit::{Actor, bytes32};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::rc::Rc;
use zeroize::Zeroizing;

/// Everything that a network attacker sees of one agreement.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) m1: M1,
    pub(crate) m2: M2,
    pub(crate) m3: M3,
}

/// One epoch of a group, with everybody's secrets.
pub(crate) struct Epoch {
    pub(crate) actors: Vec<Rc<Actor>>,
    pub(crate) ed: EpochDescriptor,
    pub(crate) gid: Gid,
    /// By index: the pair U_i → U_(i+1).
    pub(crate) pairs: Vec<Pair>,
    /// The agreements of this epoch; `None` for a pair that was kept.
    pub(crate) seen: Vec<Option<Seen>>,
}

pub(crate) fn actor(name: &str) -> Rc<Actor> {
    Rc::new(Actor::new(50, name, None))
}

pub(crate) fn actors(names: &[&str]) -> Vec<Rc<Actor>> {
    names.iter().map(|name| actor(name)).collect()
}

pub(crate) fn rng(seed: u64) -> StdRng {
    StdRng::from_seed(bytes32(seed, "attacks", 0))
}

/// Runs the agreement U_i → U_j to its end.
pub(crate) fn agree(gid: Gid, index: u16, from: &Actor, to: &Actor, seed: u64) -> (Pair, Seen) {
    let ctx = PairContext { gid, index, initiator: &from.keys, responder: &to.keys };
    let (initiator, m1) = Initiator::start(&ctx, &from.secret, &mut rng(2 * seed)).unwrap();
    let (responder, m2) = Responder::respond(&ctx, &to.secret, &m1, &mut rng(2 * seed + 1)).unwrap();
    let (pair, m3) = initiator.finish(&ctx, &from.secret, &m2).unwrap();
    assert_eq!(*responder.accept(&ctx, &m3).unwrap().to_bytes(), *pair.to_bytes());
    (pair, Seen { m1, m2, m3 })
}

/// The descriptor of an epoch with these members, the first of them the owner.
pub(crate) fn descriptor(actors: &[Rc<Actor>], epoch: u64, refresh: Vec<u16>) -> EpochDescriptor {
    let member = |(n, a): (u8, &Rc<Actor>)| Member { keys: a.keys.clone(), peer_id: vec![n; 38] };
    EpochDescriptor {
        chain: ChainId([1; 32]),
        group: [2; 32],
        epoch,
        attempt: 0,
        previous: if epoch == 0 { RecordId::ZERO } else { RecordId([3; 32]) },
        random: bytes32(51, "random", epoch),
        changes: actors.iter().map(|a| Change::Join(a.id)).collect(),
        owner: actors[0].id,
        uploader: actors[0].id,
        patient_ids: vec![actors[0].id],
        roster: (1..).zip(actors).map(member).collect(),
        refresh,
        deadline_height: 100,
    }
}

impl Epoch {
    pub(crate) fn first(names: &[&str]) -> Self {
        Self::of(actors(names), 0, vec![], None)
    }

    /// The next epoch: pairs of neighbours that were neighbours are kept and ratcheted, unless refreshed.
    pub(crate) fn next(&self, actors: Vec<Rc<Actor>>, refresh: Vec<u16>) -> Self {
        Self::of(actors, self.ed.epoch + 1, refresh, Some(self))
    }

    fn of(actors: Vec<Rc<Actor>>, epoch: u64, refresh: Vec<u16>, last: Option<&Self>) -> Self {
        let ed = descriptor(&actors, epoch, refresh);
        let gid = ed.gid();
        let n = actors.len();
        let (mut pairs, mut seen) = (Vec::new(), Vec::new());
        for i in 0..n {
            let index = u16::try_from(i).unwrap();
            let (from, to) = (&actors[i], &actors[(i + 1) % n]);
            match last.and_then(|last| last.pair_of(from, to)).filter(|_| !ed.refresh.contains(&index)) {
                Some(kept) => {
                    pairs.push(kept.ratchet(&gid));
                    seen.push(None);
                }
                None => {
                    let (pair, messages) = agree(gid, index, from, to, 1000 * epoch + u64::from(index));
                    pairs.push(pair);
                    seen.push(Some(messages));
                }
            }
        }
        Self { actors, ed, gid, pairs, seen }
    }

    fn pair_of(&self, from: &Actor, to: &Actor) -> Option<&Pair> {
        let n = self.actors.len();
        (0..n).find(|i| self.actors[*i].id == from.id && self.actors[(i + 1) % n].id == to.id).map(|i| &self.pairs[i])
    }

    pub(crate) fn n(&self) -> usize {
        self.actors.len()
    }

    /// B_i of this pair at this place.
    pub(crate) fn b_of(&self, i: usize, pair: &Pair) -> [u8; 32] {
        let next = &self.actors[(i + 1) % self.n()];
        *ring::b_value(&self.gid, u16::try_from(i).unwrap(), &self.actors[i].id, &next.id, pair)
    }

    /// B_1 … B_n.
    pub(crate) fn bs(&self) -> Vec<[u8; 32]> {
        (0..self.n()).map(|i| self.b_of(i, &self.pairs[i])).collect()
    }

    /// Every member's share.
    pub(crate) fn shares(&self) -> Vec<Share> {
        self.shares_of(&self.bs())
    }

    /// Shares of any B values.
    pub(crate) fn shares_of(&self, bs: &[[u8; 32]]) -> Vec<Share> {
        let n = self.n();
        let one = |i: usize| {
            let before = (i + n - 1) % n;
            let (bs, pairs) = ([&bs[before], &bs[i]], [&self.pairs[before], &self.pairs[i]]);
            ring::share(&self.gid, u16::try_from(i).unwrap(), bs, pairs, &self.actors[i].secret)
        };
        (0..n).map(one).collect()
    }

    /// What U_i makes of these shares, checked as a member checks them.
    pub(crate) fn keys_from(&self, i: usize, shares: &[Share]) -> Result<([u8; 32], EpochKeys), RingError> {
        ring::check_shares(&self.ed, shares)?;
        let bs = self.bs();
        let own = [&bs[(i + self.n() - 1) % self.n()], &bs[i]];
        let all: Zeroizing<Vec<[u8; 32]>> = ring::unroll_checked(u16::try_from(i).unwrap(), own, shares)?;
        let th = ring::transcript(&self.gid, shares);
        Ok((th, ring::epoch_keys(&th, &all)))
    }

    /// The key of the epoch, as its members hold it.
    pub(crate) fn keys(&self) -> ([u8; 32], EpochKeys) {
        let (th, keys) = self.keys_from(0, &self.shares()).unwrap();
        for i in 1..self.n() {
            assert_eq!(self.keys_from(i, &self.shares()).unwrap().1.to_bytes(), keys.to_bytes(), "U_{}", i + 1);
        }
        (th, keys)
    }

    /// mac_i of U_i, for this transcript and these keys.
    pub(crate) fn confirm(&self, i: usize, th: &[u8; 32], keys: &EpochKeys) -> Confirm {
        ring::confirm(&self.gid, u16::try_from(i).unwrap(), th, keys, &self.actors[i].secret)
    }
}

/// An attacker who saw the shares of an epoch and holds some 32-byte values: does any of them, taken for any B, unroll to the
/// key of the epoch? `k_rec` is what the members hold; it stands for a record of the epoch, on which each guess can be tried.
pub(crate) fn unrolls_to(gid: &Gid, shares: &[Share], held: &[[u8; 32]], k_rec: &[u8; 32]) -> bool {
    let th = ring::transcript(gid, shares);
    held.iter().any(|value| {
        (0..shares.len()).any(|i| {
            let bs = ring::unroll(u16::try_from(i).unwrap(), value, shares);
            *ring::epoch_keys(&th, &bs).k_rec == *k_rec
        })
    })
}
