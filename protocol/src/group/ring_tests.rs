//! The ring: n members one key, and who is accused when it is not so.

use super::message::{Confirm, Disclosure, Share};
use super::ring::{self, EpochKeys, RingError, RingFault};
use crate::chebyshev::ladders;
use crate::hash::Gid;
use crate::testkit::ring::{TestRing, before, ring_actors};

fn new(n: usize) -> TestRing {
    TestRing::first(3, &ring_actors(3, n), &mut |_| {})
}

fn err(fault: RingFault, accused: impl Into<Option<u16>>) -> Result<(), RingError> {
    Err(RingError { fault, accused: accused.into() })
}

impl TestRing {
    fn signed(&self, mut share: Share, by: usize) -> Share {
        share.signature = self.actors[by].secret.sign(&ring::share_hash(&share));
        share
    }

    /// The shares with one changed and signed again by its true sender.
    fn with_share(&self, at: usize, spoil: impl FnOnce(&mut Share)) -> Vec<Share> {
        let mut shares = self.shares.clone();
        spoil(&mut shares[at]);
        shares[at] = self.signed(shares[at].clone(), at);
        shares
    }

    fn disclosures(&self) -> Vec<Disclosure> {
        (0_u16..)
            .zip(&self.actors)
            .map(|(i, a)| {
                let [b_before, b_after] = self.own_bs(usize::from(i));
                ring::disclose(&self.gid, i, [&b_before, &b_after], &a.secret)
            })
            .collect()
    }

    fn disclose_instead(&self, index: u16, bs: [[u8; 32]; 2]) -> Disclosure {
        ring::disclose(&self.gid, index, [&bs[0], &bs[1]], &self.actors[usize::from(index)].secret)
    }
}

fn flip(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[7] ^= 0x40;
    bytes
}

#[test]
fn all_members_of_a_ring_hold_and_confirm_one_key() {
    for n in [1, 2, 3, 5, 16] {
        // TestRing checks shares, unrolling and confirmations at every member.
        let ring = new(n);
        assert!(ring.keys.iter().all(|keys| keys.to_bytes() == ring.keys[0].to_bytes()), "n = {n}");
        assert_eq!((ring.keys.len(), ring.confirms.len()), (n, n));
        let keys = ring.keys[0].to_bytes();
        assert_eq!(EpochKeys::from_bytes(keys.as_slice()).unwrap().to_bytes(), keys);
        let parts: std::collections::BTreeSet<&[u8]> = keys.chunks(32).collect();
        assert_eq!(parts.len(), 5, "five different keys");
        assert!(EpochKeys::from_bytes(&keys[1..]).is_err());
        assert!(EpochKeys::from_bytes(&[keys.as_slice(), &[0; 32]].concat()).is_err());
        assert!(format!("{:?}", ring.keys[0]).contains("redacted"));
    }
}

#[test]
fn every_epoch_has_another_key_though_all_pairs_are_kept() {
    let actors = ring_actors(3, 3);
    let first = new(3);
    let start = ladders();
    let second = first.next(3, &actors, vec![], &mut |_| {});
    assert_eq!(ladders(), start, "kept pairs cost no ladder");
    assert!(second.agreements.iter().all(Option::is_none));
    let third = first.next(4, &actors, vec![], &mut |_| {});
    let print = |ring: &TestRing| ring::fingerprint(&ring.keys[0]);
    assert_ne!(print(&first), print(&second));
    assert_ne!(print(&second), print(&third), "another attempt at the same epoch");
    let fresh = |ring: &TestRing| ring.agreements.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(fresh(&first.next(3, &actors, vec![1], &mut |_| {})), [false, true, false], "one pair refreshed");
}

#[test]
fn a_join_takes_two_agreements_and_a_leave_one_and_who_stands_away_from_the_cut_does_no_ladder() {
    for n in [2, 3, 5, 16] {
        let actors = ring_actors(3, n + 1);
        let first = TestRing::first(3, &actors[..n], &mut |_| {});
        let (mut last, mut by) = (ladders(), vec![0; n + 1]);
        let mut count = |member: usize| {
            by[member] += ladders() - last;
            last = ladders();
        };
        let joined = first.next(3, &actors, vec![], &mut count);
        assert_eq!(joined.agreements.iter().flatten().count(), 2);
        // U_n and U_1 meet the new one between them; U_1 = U_n's other neighbour only in a ring of two.
        let mut expected = vec![0; n + 1];
        (expected[n - 1], expected[n], expected[0]) = (5, 10, 5);
        assert_eq!(by, expected, "join to {n}");

        let (mut last, mut by) = (ladders(), vec![0; n]);
        let mut count = |member: usize| {
            by[member] += ladders() - last;
            last = ladders();
        };
        let mut stay = actors.clone();
        stay.remove(1);
        let left = joined.next(3, &stay, vec![], &mut count);
        assert_eq!(left.agreements.iter().flatten().count(), 1);
        let mut expected = vec![0; n];
        (expected[0], expected[1]) = (5, 5);
        assert_eq!(by, expected, "leave from {}", n + 1);
    }
}

#[test]
fn shares_with_any_field_changed_are_refused_by_name() {
    let r = new(3);
    assert_eq!(ring::check_shares(&r.proposal.ed, &r.shares), Ok(()));
    let check = |shares: &[Share]| ring::check_shares(&r.proposal.ed, shares);
    let unsigned = |spoil: &dyn Fn(&mut Share)| {
        let mut shares = r.shares.clone();
        spoil(&mut shares[1]);
        check(&shares)
    };
    assert_eq!(unsigned(&|s| s.gid.0[0] ^= 1), err(RingFault::Epoch, None));
    assert_eq!(unsigned(&|s| s.index = 2), err(RingFault::Count, None));
    assert_eq!(unsigned(&|s| s.x[0] ^= 1), err(RingFault::Signature, 1));
    assert_eq!(unsigned(&|s| s.pair_before[31] ^= 1), err(RingFault::Signature, 1));
    assert_eq!(unsigned(&|s| s.pair_after[31] ^= 1), err(RingFault::Signature, 1));
    assert_eq!(unsigned(&|s| s.signature.0[0] ^= 1), err(RingFault::Signature, 1));
    assert_eq!(check(&r.shares[..2]), err(RingFault::Count, None));
    assert_eq!(check(&[]), err(RingFault::Count, None));
    assert_eq!(check(&[&r.shares[..], &r.shares[..1]].concat()), err(RingFault::Count, None));
    let swapped = [2, 1, 0].map(|i| r.shares[i].clone());
    assert_eq!(check(&swapped), err(RingFault::Count, None));
    // Signed by another member.
    let mut forged = r.shares.clone();
    forged[1] = r.signed(forged[1].clone(), 2);
    assert_eq!(check(&forged), err(RingFault::Signature, 1));
}

#[test]
fn a_member_who_signs_something_false_does_not_get_it_past_the_others() {
    let r = new(4);
    let check = |shares: &[Share]| ring::check_shares(&r.proposal.ed, shares);
    assert_eq!(check(&r.with_share(2, |s| s.x = flip(s.x))), err(RingFault::Sum, None));
    assert_eq!(check(&r.with_share(2, |s| s.pair_after = flip(s.pair_after))), err(RingFault::Pair(2), None));
    assert_eq!(check(&r.with_share(2, |s| s.pair_before = flip(s.pair_before))), err(RingFault::Pair(1), None));
    assert_eq!(check(&r.with_share(0, |s| s.pair_before = flip(s.pair_before))), err(RingFault::Pair(3), None));
}

#[test]
fn two_who_xor_one_difference_into_their_shares_are_seen_when_it_meets_an_own_value() {
    // δ in X_2 and X_3 (indices 1, 2), neighbours: ⊕X = 0 holds, and unrolling comes back; B_3 alone is another for all but U_3.
    let r = new(4);
    let mut shares = r.with_share(1, |s| s.x = flip(s.x));
    shares[2].x = flip(shares[2].x);
    shares[2] = r.signed(shares[2].clone(), 2);
    assert_eq!(ring::check_shares(&r.proposal.ed, &shares), Ok(()));
    let own = |i: usize| r.own_bs(i);
    let unrolled = |i: u16| {
        let [b_before, b_after] = own(usize::from(i));
        ring::unroll_checked(i, [&b_before, &b_after], &shares)
    };
    // Who stands outside the two, and unrolls through both, ends at its own value all the same, with a false B between.
    let outside = unrolled(0).unwrap();
    assert_eq!(outside[1], flip(r.bs[1]));
    // The confirmation is what shows it: U_2 and U_3 hold the true B_2.
    let th = ring::transcript(&r.gid, &shares);
    let inside = [r.bs[0], r.bs[1], r.bs[2], r.bs[3]];
    let confirm = ring::confirm(&r.gid, 1, &th, &ring::epoch_keys(&th, &inside), &r.actors[1].secret);
    let keys = ring::epoch_keys(&th, &outside);
    assert_eq!(ring::check_confirm(&r.proposal.ed, &r.gid, &th, &keys, &confirm), err(RingFault::Mac, None));
}

#[test]
fn unrolling_from_another_start_does_not_come_back() {
    let r = new(5);
    for i in 0..5_u16 {
        let [b_before, b_after] = r.own_bs(usize::from(i));
        let unroll = |a: &[u8; 32], b: &[u8; 32]| ring::unroll_checked(i, [a, b], &r.shares);
        assert_eq!(unroll(&b_before, &b_after).unwrap().as_slice(), r.bs.as_slice());
        assert_eq!(unroll(&flip(b_before), &b_after).err(), err(RingFault::Unroll, None).err());
        assert_eq!(unroll(&b_before, &flip(b_after)).err(), err(RingFault::Unroll, None).err());
    }
    let nobody = ring::unroll_checked(5, [&[0; 32], &[0; 32]], &r.shares);
    assert_eq!(nobody.err(), err(RingFault::Count, None).err());
}

#[test]
fn the_key_depends_on_every_byte_of_every_share_and_on_every_b() {
    let r = new(3);
    let gsk = |shares: &[Share], bs: &[[u8; 32]]| ring::epoch_keys(&ring::transcript(&r.gid, shares), bs).gsk;
    let good = gsk(&r.shares, &r.bs);
    assert_eq!(good, r.keys[0].gsk);
    for at in 0..3 {
        let mut bs = r.bs.clone();
        bs[at] = flip(bs[at]);
        assert_ne!(gsk(&r.shares, &bs), good);
        let spoils: [fn(&mut Share); 5] = [
            |s| s.gid.0[0] ^= 1,
            |s| s.index ^= 1,
            |s| s.x[0] ^= 1,
            |s| s.pair_before[0] ^= 1,
            |s| s.pair_after[0] ^= 1,
        ];
        for spoil in spoils {
            assert_ne!(gsk(&r.with_share(at, spoil), &r.bs), good);
        }
        let mut signature = r.shares.clone();
        signature[at].signature.0[0] ^= 1;
        assert_eq!(gsk(&signature, &r.bs), good, "signatures are not part of the transcript");
    }
    let swapped: Vec<_> = [1, 0, 2].map(|i| r.bs[i]).to_vec();
    assert_ne!(gsk(&r.shares, &swapped), good);
}

#[test]
fn confirmations_with_any_field_changed_are_refused_by_name() {
    let r = new(3);
    let check = |c: &Confirm| ring::check_confirm(&r.proposal.ed, &r.gid, &r.transcript, &r.keys[0], c);
    let spoiled = |spoil: &dyn Fn(&mut Confirm)| {
        let mut confirm = r.confirms[1].clone();
        spoil(&mut confirm);
        check(&confirm)
    };
    assert_eq!(spoiled(&|_| {}), Ok(()));
    assert_eq!(spoiled(&|c| c.gid.0[0] ^= 1), err(RingFault::Epoch, None));
    assert_eq!(spoiled(&|c| c.index = 2), err(RingFault::Signature, None));
    assert_eq!(spoiled(&|c| c.index = 3), err(RingFault::Count, None));
    assert_eq!(spoiled(&|c| c.mac[0] ^= 1), err(RingFault::Signature, None));
    assert_eq!(spoiled(&|c| c.signature.0[0] ^= 1), err(RingFault::Signature, None));
    for at in 0..32 {
        let resigned = spoiled(&|c| {
            c.mac[at] ^= 1;
            c.signature = r.actors[1].secret.sign(&ring::confirm_hash(c, &r.transcript));
        });
        assert_eq!(resigned, err(RingFault::Mac, None));
    }
    // Another's MAC as one's own: i is in it.
    let copied = spoiled(&|c| {
        c.mac = r.confirms[2].mac;
        c.signature = r.actors[1].secret.sign(&ring::confirm_hash(c, &r.transcript));
    });
    assert_eq!(copied, err(RingFault::Mac, None));
    // Another transcript, another key.
    let th = flip(r.transcript);
    let other = ring::check_confirm(&r.proposal.ed, &r.gid, &th, &r.keys[0], &r.confirms[1]);
    assert_eq!(other, err(RingFault::Signature, None));
    let other = ring::check_confirm(&r.proposal.ed, &r.gid, &r.transcript, &new(2).keys[0], &r.confirms[1]);
    assert_eq!(other, err(RingFault::Mac, None));
}

#[test]
fn a_commit_and_its_record_id_are_what_all_members_can_compute() {
    let r = new(3);
    let macs: Vec<_> = r.confirms.iter().map(|c| c.mac).collect();
    assert_eq!(ring::commit(&r.gid, &r.transcript, &macs), r.commit);
    let ed = &r.proposal.ed;
    let id = ring::commit_record_id(&ed.chain, &ed.uploader, &r.commit);
    let mut seen = std::collections::BTreeSet::from([id]);
    let mut other = |chain, uploader, commit| seen.insert(ring::commit_record_id(&chain, &uploader, &commit));
    let mut swapped = macs.clone();
    swapped.swap(0, 1);
    assert!(other(ed.chain, r.actors[1].id, r.commit.clone()));
    assert!(other(crate::ChainId([9; 32]), ed.uploader, r.commit.clone()));
    assert!(other(ed.chain, ed.uploader, ring::commit(&Gid([9; 32]), &r.transcript, &macs)));
    assert!(other(ed.chain, ed.uploader, ring::commit(&r.gid, &flip(r.transcript), &macs)));
    assert!(other(ed.chain, ed.uploader, ring::commit(&r.gid, &r.transcript, &swapped)));
    assert!(other(ed.chain, ed.uploader, ring::commit(&r.gid, &r.transcript, &macs[1..])));
    // The record that the owner makes of it has that id.
    let record = crate::record::Content {
        kind: crate::record::Kind::EpochCommit,
        uploader: ed.uploader,
        receiver: crate::record::Receiver::None,
        commitment: crate::Commitment::ZERO,
        public: r.commit.encode(),
        sealed: vec![],
    };
    assert_eq!(record.id(&ed.chain), id);
}

#[test]
fn a_group_of_one_draws_its_key() {
    let gid = Gid([4; 32]);
    let (th, keys) = ring::alone(&gid, &[1; 32]);
    assert_eq!(*keys.gsk, [1; 32]);
    assert_eq!(th, ring::transcript(&gid, &[]));
    assert_ne!(ring::alone(&gid, &[2; 32]).1.k_rec, keys.k_rec);
    assert_ne!(ring::alone(&Gid([5; 32]), &[1; 32]).1.k_rec, keys.k_rec);
}

#[test]
fn disclosures_convict_who_published_another_x_than_its_b_give() {
    let r = new(5);
    let ed = &r.proposal.ed;
    assert!(ring::check_disclosures(ed, &r.shares, &r.disclosures()).is_empty());
    let false_x = r.with_share(2, |s| s.x = flip(s.x));
    assert_eq!(ring::check_disclosures(ed, &false_x, &r.disclosures()), [2]);
    // Two neighbours around a victim (3), both with δ.
    let mut two = r.with_share(2, |s| s.x = flip(s.x));
    two[4] = r.with_share(4, |s| s.x = flip(s.x))[4].clone();
    assert_eq!(ring::check_disclosures(ed, &two, &r.disclosures()), [2, 4]);
    // Nobody else disclosed anything: what is missing convicts nobody.
    assert_eq!(ring::check_disclosures(ed, &false_x, &r.disclosures()[2..3]), [2]);
    assert!(ring::check_disclosures(ed, &false_x, &r.disclosures()[..2]).is_empty());
}

#[test]
fn a_liar_who_discloses_what_fits_its_x_contradicts_a_neighbour() {
    let r = new(5);
    let ed = &r.proposal.ed;
    let with = |index: u16, bs| {
        let mut disclosures = r.disclosures();
        disclosures[usize::from(index)] = r.disclose_instead(index, bs);
        disclosures
    };
    let [b_before, b_after] = r.own_bs(2);
    let false_x = r.with_share(2, |s| s.x = flip(s.x));
    // It cannot be told which of the two lied.
    let disclosures = with(2, [b_before, flip(b_after)]);
    assert_eq!(ring::check_disclosures(ed, &false_x, &disclosures), [2, 3]);
    let disclosures = with(2, [flip(b_before), b_after]);
    assert_eq!(ring::check_disclosures(ed, &false_x, &disclosures), [1, 2]);
    // The owner, index 0, asks and knows what is true of its own pairs.
    let false_x = r.with_share(1, |s| s.x = flip(s.x));
    let [b_before, b_after] = r.own_bs(1);
    let disclosures = with(1, [flip(b_before), b_after]);
    assert_eq!(ring::check_disclosures(ed, &false_x, &disclosures), [1]);
    // A convicted liar does not take a neighbour along.
    let disclosures = with(2, [flip(r.own_bs(2)[0]), r.own_bs(2)[1]]);
    assert_eq!(ring::check_disclosures(ed, &r.shares, &disclosures), [2]);
    // … around the end of the ring too.
    let disclosures = with(4, [r.own_bs(4)[0], flip(r.own_bs(4)[1])]);
    let false_x = r.with_share(4, |s| s.x = flip(s.x));
    assert_eq!(ring::check_disclosures(ed, &false_x, &disclosures), [4]);
    assert_eq!(before(0, 5), 4);
}

#[test]
fn a_disclosure_counts_only_for_its_epoch_and_by_its_member() {
    let r = new(3);
    let ed = &r.proposal.ed;
    let mut disclosure = r.disclosures()[1].clone();
    assert_eq!(ring::check_disclosure(ed, &r.gid, &disclosure), Ok(()));
    let other_gid = ring::check_disclosure(ed, &Gid([9; 32]), &disclosure);
    assert_eq!(other_gid, err(RingFault::Epoch, None));
    disclosure.b_after = flip(disclosure.b_after);
    assert_eq!(ring::check_disclosure(ed, &r.gid, &disclosure), err(RingFault::Signature, 1));
    assert!(ring::check_disclosures(ed, &r.shares, &[disclosure]).is_empty(), "a forged one convicts nobody");
}
