//! Attacks on the ring: who learns a key, and who is made to hold a wrong one.

use crate::ours::{Epoch, actors, descriptor, unrolls_to};
use crate::pair::mutants;
use crate::printed::User;
use crate::printed::ring::{Ring, agree, group_key, sums_to_zero, unroll, xor};
use medring_protocol::codec;
use medring_protocol::group::message::{Confirm, Share};
use medring_protocol::group::ring::{self, RingFault};
use medring_protocol::group::{Change, DescriptorError};
use medring_protocol::testkit::bytes32;

const FIVE: [&str; 5] = ["patient", "daughter", "doctor", "carer", "nurse"];
const DELTA: [u8; 32] = [0x5a; 32];

/// Shares of `after` in which every pair that already stood in `before` keeps its B: what the ring would be without a GID in
/// B and without the ratchet.
fn without_freshness(before: &Epoch, after: &Epoch) -> Vec<Share> {
    let old = before.bs();
    let place = |epoch: &Epoch, i: usize| (epoch.actors[i].id, epoch.actors[(i + 1) % epoch.n()].id);
    let kept = |i: usize| (0..before.n()).find(|k| place(before, *k) == place(after, i)).map(|k| old[k]);
    let bs: Vec<_> = (0..after.n()).map(|i| kept(i).unwrap_or(after.bs()[i])).collect();
    after.shares_of(&bs)
}

/// k_rec that members of `epoch` would compute from these shares, whose B follow from `b` at `i`.
fn k_rec(epoch: &Epoch, shares: &[Share], i: u16, b: &[u8; 32]) -> [u8; 32] {
    let th = ring::transcript(&epoch.gid, shares);
    *ring::epoch_keys(&th, &ring::unroll(i, b, shares)).k_rec
}

#[test]
fn leaver_derives_new_key() {
    let mut group = Ring::set_up(&FIVE);
    let known = group.bs();
    group.leave(3);
    // Of what the leaver knows, B_1 did not change; the X travel in the open.
    assert_eq!(group_key(&unroll(0, &known[0], &group.xs())), group.key());

    let before = Epoch::first(&FIVE);
    let mut left = before.actors.clone();
    left.remove(3);
    let after = before.next(left, vec![]);
    let held = before.bs();
    assert!(!unrolls_to(&after.gid, &after.shares(), &held, &after.keys().1.k_rec));
    // Control: the same attacker against the same change without freshness.
    let shares = without_freshness(&before, &after);
    assert!(unrolls_to(&after.gid, &shares, &held, &k_rec(&after, &shares, 0, &held[0])));
}

#[test]
fn joiner_derives_old_key() {
    let mut group = Ring::set_up(&FIVE[..4]);
    let (recorded, old) = (group.xs(), group.key());
    group.join("nurse");
    // The new member unrolls the new ring, and with B_1 of it the old one.
    let known = unroll(4, &group.bs()[4], &group.xs());
    assert_eq!(group_key(&unroll(0, &known[0], &recorded)), old);

    let before = Epoch::first(&FIVE[..4]);
    let mut joined = before.actors.clone();
    joined.extend(actors(&FIVE[4..]));
    let after = before.next(joined, vec![]);
    let recorded = before.shares();
    assert!(!unrolls_to(&before.gid, &recorded, &after.bs(), &before.keys().1.k_rec));
    // Control: without freshness B_1 is the same in both.
    let shares = without_freshness(&before, &after);
    let held: Vec<_> = ring::unroll(0, &before.bs()[0], &shares).to_vec();
    assert!(unrolls_to(&before.gid, &recorded, &held, &before.keys().1.k_rec));
}

/// Someone on the network XORs one δ into two X on their way.
#[test]
fn delta_splice_by_an_outsider() {
    let group = Ring::set_up(&FIVE);
    let (bs, mut xs) = (group.bs(), group.xs());
    xs[1] = xor(&xs[1], &DELTA);
    xs[3] = xor(&xs[3], &DELTA);
    let keys: Vec<_> = (0..5).map(|i| agree(i, &bs[i], &xs).unwrap()).collect();
    assert_eq!((keys[1], keys[3]), (keys[2], keys[0]), "two halves, each content");
    assert_ne!(keys[1], keys[3]);

    let epoch = Epoch::first(&FIVE);
    let mut shares = epoch.shares();
    for i in [1, 3] {
        shares[i].x = xor(&shares[i].x, &DELTA);
    }
    let error = ring::check_shares(&epoch.ed, &shares).unwrap_err();
    assert_eq!((error.fault, error.accused), (RingFault::Signature, Some(1)));
    // Control: signed by their members, the same X pass every check of the shares.
    for i in [1, 3] {
        shares[i].signature = epoch.actors[i].secret.sign(&ring::share_hash(&shares[i]));
    }
    assert_eq!(ring::check_shares(&epoch.ed, &shares), Ok(()));
}

/// Both neighbours of U_3 do it, who may sign what they like. Sums and unrolls pass for every honest member; the confirmations
/// are the only defence.
#[test]
fn delta_splice_by_both_neighbours() {
    let (victim, others) = (2, [0, 4]);
    let group = Ring::set_up(&FIVE);
    let (bs, mut xs) = (group.bs(), group.xs());
    for neighbour in [1, 3] {
        xs[neighbour] = xor(&xs[neighbour], &DELTA);
    }
    let key = |i: usize| agree(i, &bs[i], &xs).unwrap();
    assert_ne!(key(victim), key(others[0]), "the paper ends here, with two keys and no error");

    let epoch = Epoch::first(&FIVE);
    let mut shares = epoch.shares();
    for i in [1, 3] {
        shares[i].x = xor(&shares[i].x, &DELTA);
        shares[i].signature = epoch.actors[i].secret.sign(&ring::share_hash(&shares[i]));
    }
    let (th, at_victim) = epoch.keys_from(victim, &shares).unwrap();
    for other in others {
        let (same_th, at_other) = epoch.keys_from(other, &shares).unwrap();
        assert_eq!(th, same_th, "control: everything before the confirmations passes");
        assert_ne!(ring::fingerprint(&at_victim), ring::fingerprint(&at_other));
        let check = |confirm: &Confirm, keys| ring::check_confirm(&epoch.ed, &epoch.gid, &th, keys, confirm);
        let (mine, theirs) = (epoch.confirm(victim, &th, &at_victim), epoch.confirm(other, &th, &at_other));
        assert_eq!(check(&mine, &at_other).unwrap_err().fault, RingFault::Mac);
        assert_eq!(check(&theirs, &at_victim).unwrap_err().fault, RingFault::Mac);
        assert_eq!(check(&theirs, &at_other), Ok(()), "control");
    }
}

/// Both neighbours of U_3 keep it in a ring of their own making, with a key that nobody else has.
#[test]
fn colluding_neighbours_isolate_a_member() {
    let victim = 2;
    let group = Ring::set_up(&FIVE);
    let bs = group.bs();
    // They know B_2 and B_3, the two that the victim holds, and make up the rest; X is not signed by anyone.
    let made_up: Vec<_> =
        (0..5).map(|i| if [1, 2].contains(&i) { bs[i] } else { bytes32(70, "made up", i as u64) }).collect();
    let xs = crate::printed::ring::broadcast(&made_up);
    assert!(sums_to_zero(&xs));
    assert_eq!(agree(victim, &bs[victim], &xs), Some(group_key(&made_up)));

    // Ours: the X of the others are signed, so the neighbours can only change their own, by the same δ.
    let epoch = Epoch::first(&FIVE);
    let mut shares = epoch.shares_of(&made_up);
    for other in [0, 4] {
        shares[other].signature = epoch.actors[1].secret.sign(&ring::share_hash(&shares[other]));
    }
    assert_eq!(epoch.keys_from(victim, &shares).unwrap_err().fault, RingFault::Signature);
    // They know the victim's key then. But it waits for U_1's confirmation of it.
    let mut shares = epoch.shares();
    for i in [1, 3] {
        shares[i].x = xor(&shares[i].x, &DELTA);
        shares[i].signature = epoch.actors[i].secret.sign(&ring::share_hash(&shares[i]));
    }
    let (th, keys) = epoch.keys_from(victim, &shares).unwrap();
    let check = |confirm: &Confirm| ring::check_confirm(&epoch.ed, &epoch.gid, &th, &keys, confirm);
    let mut forged = epoch.confirm(0, &th, &keys);
    let by_the_first = forged.signature;
    forged.signature = epoch.actors[1].secret.sign(&ring::confirm_hash(&forged, &th));
    assert_eq!(check(&forged).unwrap_err().fault, RingFault::Signature);
    forged.signature = by_the_first;
    assert_eq!(check(&forged), Ok(()), "control: with U_1's own signature the MAC they computed holds");
}

/// One person stands in the ring twice, is removed once, and still reads.
#[test]
fn ghost_member_or_same_key_under_two_ids() {
    let mut group = Ring::set_up(&["patient", "carer", "daughter", "ghost"]);
    // The carer's key under a second name.
    let carer = User::new("carer");
    group.users[3].s = carer.s;
    group.users[3].public.y = carer.public.y;
    let ghost = group.users[3].clone();
    group.leave(1);
    assert!(group.publics().iter().any(|member| member.y == carer.public.y), "removed, and still there");
    assert_eq!(ghost.s, carer.s);

    let mut people = actors(&["patient", "carer", "daughter"]);
    people.push(people[1].clone());
    let mut ed = descriptor(&people, 0, vec![]);
    assert_eq!(ed.check(), Err(DescriptorError::Twice), "the same participant");
    // One of the two keys under another id, which is the hash of both.
    let other = crate::ours::actor("ghost");
    ed.roster[3].keys = other.keys.clone();
    ed.changes[3] = Change::Join(other.id);
    ed.roster[3].keys.chebyshev = people[1].keys.chebyshev;
    assert_eq!(ed.check(), Err(DescriptorError::Twice), "the same Chebyshev key");
    ed.roster[3].keys = other.keys.clone();
    ed.roster[3].keys.signing = people[1].keys.signing;
    assert_eq!(ed.check(), Err(DescriptorError::Twice), "the same signing key");
    ed.roster[3].keys = other.keys.clone();
    assert_eq!(ed.check(), Ok(()), "control: two people");
    // And no key is enrolled twice: rules/placement.rs, R-KEY-REUSE.
}

/// Every byte of every share and confirmation, one bit each; and each member's in another's place.
#[test]
fn every_field_of_shares_and_confirms_mutated() {
    let epoch = Epoch::first(&FIVE[..3]);
    let (th, keys) = epoch.keys();
    let shares = epoch.shares();
    let mut accepted = Vec::new();
    for i in 0..3 {
        for (at, bytes) in mutants(&codec::encode(&shares[i])) {
            let Ok(share) = codec::decode::<Share>(&bytes, bytes.len()) else { continue };
            let mut all = shares.clone();
            all[i] = share;
            accepted.extend(ring::check_shares(&epoch.ed, &all).is_ok().then_some(("share", i, at)));
        }
        let confirm = epoch.confirm(i, &th, &keys);
        let holds = |c: &Confirm| ring::check_confirm(&epoch.ed, &epoch.gid, &th, &keys, c).is_ok();
        assert!(holds(&confirm), "control");
        for (at, bytes) in mutants(&codec::encode(&confirm)) {
            accepted.extend(codec::decode(&bytes, bytes.len()).ok().filter(holds).map(|_| ("confirm", i, at)));
        }
        let moved = Confirm { index: u16::try_from((i + 1) % 3).unwrap(), ..confirm };
        assert!(!holds(&moved));
    }
    assert_eq!(accepted, []);
    assert_eq!(ring::check_shares(&epoch.ed, &shares), Ok(()), "control");
    let mut swapped = shares.clone();
    swapped.swap(0, 1);
    assert_eq!(ring::check_shares(&epoch.ed, &swapped).unwrap_err().fault, RingFault::Count);
}

/// Shares and confirmations of one epoch, sent in another of the same members.
#[test]
fn shares_and_confirms_replayed_in_another_epoch() {
    let mut group = Ring::set_up(&FIVE[..3]);
    let old = group.xs();
    group.join("carer");
    group.leave(3);
    // X_2 of the three is what it was: it can be sent again, and says nothing of when it was made.
    assert_eq!(group.xs()[1], old[1]);

    let before = Epoch::first(&FIVE[..3]);
    let after = before.next(before.actors.clone(), vec![]);
    let mut shares = after.shares();
    shares[1] = before.shares()[1].clone();
    assert_eq!(ring::check_shares(&after.ed, &shares).unwrap_err().fault, RingFault::Epoch);
    shares[1].gid = after.gid;
    assert_eq!(ring::check_shares(&after.ed, &shares).unwrap_err().fault, RingFault::Signature);
    let ((old_th, old_keys), (th, keys)) = (before.keys(), after.keys());
    let mut confirm = before.confirm(1, &old_th, &old_keys);
    let check = |c: &Confirm| ring::check_confirm(&after.ed, &after.gid, &th, &keys, c).unwrap_err().fault;
    assert_eq!(check(&confirm), RingFault::Epoch);
    confirm.gid = after.gid;
    assert_eq!(check(&confirm), RingFault::Signature);
}
