//! The ring: n members, one key.

use super::descriptor::{Change, EpochDescriptor, Member};
use super::message::Share;
use super::pair::{Initiator, Pair, PairContext, Responder};
use super::ring::{self, EpochKeys};
use crate::hash::{Gid, RecordId};
use crate::testkit::Actor;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

fn members(n: usize) -> Vec<Actor> {
    (0..n).map(|i| Actor::new(3, &format!("member {i}"), None)).collect()
}

fn descriptor(actors: &[Actor]) -> EpochDescriptor {
    let roster: Vec<_> =
        (1_u8..).zip(actors).map(|(n, a)| Member { keys: a.keys.clone(), peer_id: vec![n; 38] }).collect();
    EpochDescriptor {
        chain: crate::ChainId([1; 32]),
        group: [2; 32],
        epoch: 0,
        attempt: 0,
        previous: RecordId::ZERO,
        random: [3; 32],
        changes: actors.iter().map(|a| Change::Join(a.id)).collect(),
        owner: actors[0].id,
        uploader: actors[0].id,
        patient_ids: vec![actors[0].id],
        roster,
        refresh: vec![],
        deadline_height: 100,
    }
}

fn agree(gid: Gid, index: u16, a: &Actor, b: &Actor) -> Pair {
    let mut rng = ChaCha20Rng::from_seed([index.to_be_bytes()[1]; 32]);
    let ctx = PairContext { gid, index, initiator: &a.keys, responder: &b.keys };
    let (initiator, m1) = Initiator::start(&ctx, &a.secret, &mut rng).unwrap();
    let (responder, m2) = Responder::respond(&ctx, &b.secret, &m1, &mut rng).unwrap();
    let (pair, m3) = initiator.finish(&ctx, &a.secret, &m2).unwrap();
    assert_eq!(*responder.accept(&ctx, &m3).unwrap().to_bytes(), *pair.to_bytes());
    pair
}

struct Ring {
    actors: Vec<Actor>,
    ed: EpochDescriptor,
    gid: Gid,
    bs: Vec<Zeroizing<[u8; 32]>>,
    shares: Vec<Share>,
}

impl Ring {
    fn new(n: usize) -> Self {
        let actors = members(n);
        let ed = descriptor(&actors);
        let gid = ed.gid();
        let next = |i: usize| &actors[(i + 1) % n];
        let pairs: Vec<Pair> = (0_u16..).zip(&actors).map(|(i, a)| agree(gid, i, a, next(usize::from(i)))).collect();
        let bs: Vec<_> = (0_u16..)
            .zip(&actors)
            .map(|(i, a)| ring::b_value(&gid, i, &a.id, &next(usize::from(i)).id, &pairs[usize::from(i)]))
            .collect();
        let shares = (0_u16..)
            .zip(&actors)
            .map(|(i, a)| {
                let (at, before) = (usize::from(i), (usize::from(i) + n - 1) % n);
                ring::share(&gid, i, [&bs[before], &bs[at]], [&pairs[before], &pairs[at]], &a.secret)
            })
            .collect();
        Self { actors, ed, gid, bs, shares }
    }

    fn keys(&self, i: u16) -> ([u8; 32], EpochKeys) {
        let (at, n) = (usize::from(i), self.actors.len());
        let own = [&*self.bs[(at + n - 1) % n], &*self.bs[at]];
        let bs = ring::unroll_checked(i, own, &self.shares).unwrap();
        let th = ring::transcript(&self.gid, &self.shares);
        (th, ring::epoch_keys(&th, &bs))
    }
}

#[test]
fn all_members_of_a_ring_hold_and_confirm_one_key() {
    for n in [2_u16, 3, 5] {
        let r = Ring::new(usize::from(n));
        assert_eq!(ring::check_shares(&r.ed, &r.shares), Ok(()));
        let (th, first) = r.keys(0);
        let confirms: Vec<_> = (0..n)
            .map(|i| {
                let (_, keys) = r.keys(i);
                assert_eq!(ring::fingerprint(&keys), ring::fingerprint(&first));
                ring::confirm(&r.gid, i, &th, &keys, &r.actors[usize::from(i)].secret)
            })
            .collect();
        for confirm in &confirms {
            assert_eq!(ring::check_confirm(&r.ed, &r.gid, &th, &first, confirm), Ok(()));
        }
    }
}
