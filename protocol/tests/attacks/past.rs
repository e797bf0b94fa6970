//! What a thief of today can do to the past, and for how long he listens: leaked keys, a seized device, healing.

use crate::hand::{self, Derived, Secrets};
use crate::ours::{Epoch, unrolls_to};
use crate::printed::pair::{finish, respond, start};
use crate::printed::ring::{Ring, Shared, b, broadcast, group_key, unroll};
use crate::printed::{Parentheses, User, hash};
use medring_protocol::chebyshev::t;
use medring_protocol::group::pair::{Pair, PairContext};
use medring_protocol::testkit::bytes32;

const THREE: [&str; 3] = ["patient", "daughter", "carer"];

/// Everything that ever travelled was recorded, and years later all long-term keys are known.
#[test]
fn leaked_long_term_keys_do_not_open_past_epochs() {
    let users = THREE.map(User::new);
    let gid = bytes32(80, "gid", 0);
    let (mut held, mut recorded) = (Vec::new(), Vec::new());
    for i in 0..3 {
        let (first, second) = (&users[i], &users[(i + 1) % 3]);
        let [r, q] = [0, 1].map(|k| bytes32(80, "r", 2 * i as u64 + k));
        let m1 = start(first, &second.public, &r);
        let m2 = respond(second, &first.public, &m1, &q, Parentheses::Printed).unwrap();
        let (_, session) = finish(first, &second.public, &r, &m2, Parentheses::Printed).unwrap();
        held.push(b(&Shared { session, ss: t(&first.s, &second.public.y) }, &gid));
        recorded.push(m2);
    }
    // As printed SK stands in M2; with s_1 and the public keys B_1 follows, and with the X that travelled GSK.
    let sk: [u8; 256] = recorded[0].mac[64..].try_into().unwrap();
    let session = hash(&[&users[0].public.id, &users[1].public.id, &sk]);
    let b_1 = b(&Shared { session, ss: t(&users[0].s, &users[1].public.y) }, &gid);
    assert_eq!(group_key(&unroll(0, &b_1, &broadcast(&held))), group_key(&held));

    // Ours: from all s and all messages follow es, ss and se of every pair. ee takes an r, and those are wiped.
    let epoch = Epoch::first(&THREE);
    let (shares, k_rec) = (epoch.shares(), epoch.keys().1.k_rec);
    let derive = |i: usize, ee: Option<[u8; 256]>| {
        let (from, to) = (&epoch.actors[i], &epoch.actors[(i + 1) % 3]);
        let [s_i, s_j] = [from, to].map(|a| a.secret.chebyshev().expose());
        let seen = epoch.seen[i].as_ref().unwrap();
        let ctx = PairContext {
            gid: epoch.gid,
            index: u16::try_from(i).unwrap(),
            initiator: &from.keys,
            responder: &to.keys,
        };
        let [r_i, r_j] = [&seen.m1.ephemeral, &seen.m2.ephemeral];
        let (es, ss, se) = (hand::agree(s_j, r_i), hand::agree(s_i, &to.keys.chebyshev), hand::agree(s_i, r_j));
        // The best that can be put for ee without r: something of the right form.
        let secrets = Secrets { es, ss, ee: ee.unwrap_or(es), se };
        let derived = Derived::new(&ctx, &seen.m1, r_j, &seen.m2.sealed, &secrets);
        assert_eq!(derived.h3, epoch.pairs[i].hash);
        (derived.mac_2 == seen.m2.mac, derived.sk)
    };
    let b_from = |i: usize, sk| {
        let pair = Pair { sk: zeroize::Zeroizing::new(sk), ..epoch.pairs[i].clone() };
        epoch.b_of(i, &pair)
    };
    let guesses: Vec<_> = (0..3).map(|i| (i, derive(i, None))).collect();
    assert!(guesses.iter().all(|(_, (holds, _))| !holds));
    let held: Vec<_> = guesses.iter().map(|(i, (_, sk))| b_from(*i, *sk)).collect();
    assert!(!unrolls_to(&epoch.gid, &shares, &held, &k_rec));
    // Control: with one r that was not wiped (here r_i of the first pair, drawn from its seed) the epoch is open.
    let r_i = first_draw();
    let (holds, sk) = derive(0, Some(hand::agree(&r_i, &epoch.seen[0].as_ref().unwrap().m2.ephemeral)));
    assert!(holds);
    assert!(unrolls_to(&epoch.gid, &shares, &[b_from(0, sk)], &k_rec));
}

/// r_i of the first pair of a first epoch: the first 32 bytes of the initiator's generator.
fn first_draw() -> [u8; 32] {
    use rand::Rng;
    let mut r = [0; 32];
    crate::ours::rng(0).fill_bytes(&mut r);
    r
}

/// A device is taken after a change. What it holds of the epoch now, and all that ever travelled, against the epoch before.
#[test]
fn a_seized_device_does_not_open_past_epochs() {
    let mut group = Ring::set_up(&["patient", "daughter", "carer", "nurse"]);
    let (recorded, old) = (group.xs(), group.key());
    group.leave(2);
    // The daughter's pair with the patient did not change: her B_1 of today is that of yesterday.
    let seized = group.bs()[0];
    assert_eq!(group_key(&unroll(0, &seized, &recorded)), old);

    let before = Epoch::first(&["patient", "daughter", "carer", "nurse"]);
    let mut left = before.actors.clone();
    left.remove(2);
    let after = before.next(left, vec![]);
    let recorded = before.shares();
    let old = before.keys().1.k_rec;
    // What the daughter's machine holds once the new epoch is final: two pairs, their B, the keys.
    let held = |epoch: &Epoch, pair: &Pair| {
        let keys = epoch.keys().1;
        let as_old: Vec<_> = (0..before.n()).map(|i| before.b_of(i, pair)).collect();
        [vec![*pair.sk, *pair.ss, *keys.gsk, *keys.k_rec, *keys.k_exp, *keys.k_conf, *keys.k_idx], epoch.bs(), as_old]
            .concat()
    };
    for pair in [&after.pairs[0], &after.pairs[1]] {
        let values = held(&after, pair);
        assert!(!unrolls_to(&before.gid, &recorded, &values, &old));
        assert!(!values.contains(&old));
    }
    // Control: had the pair not been ratcheted, or the old one been kept.
    assert!(unrolls_to(&before.gid, &recorded, &held(&after, &before.pairs[0]), &old));
}

/// Everything a member held was copied, its long-term Chebyshev key as well; the thief goes on listening.
#[test]
fn healing_after_an_update_of_both_pairs() {
    let mut group = Ring::set_up(&["patient", "daughter", "carer"]);
    let stolen = group.pairs[0].clone();
    for (who, k) in [("nurse", 3), ("doctor", 3), ("friend", 3)] {
        group.join(who);
        group.leave(k);
    }
    // Nothing in the paper renews a pair away from the cut: the thief reads every epoch to come.
    assert_eq!(group_key(&unroll(0, &b(&stolen, &group.gid), &group.xs())), group.key());

    let first = Epoch::first(&["patient", "daughter", "carer"]);
    // U_2's pairs are 0 (with the patient) and 1 (with the carer). The thief follows the ratchet: GID is public.
    let stolen = [first.pairs[0].clone(), first.pairs[1].clone()];
    let follow = |epoch: &Epoch, pairs: &[Pair]| -> Vec<Pair> { pairs.iter().map(|p| p.ratchet(&epoch.gid)).collect() };
    let held = |epoch: &Epoch, pairs: &[Pair]| -> Vec<[u8; 32]> {
        pairs.iter().flat_map(|pair| (0..epoch.n()).map(|i| epoch.b_of(i, pair)).collect::<Vec<_>>()).collect()
    };
    let opens = |epoch: &Epoch, pairs: &[Pair]| {
        unrolls_to(&epoch.gid, &epoch.shares(), &held(epoch, pairs), &epoch.keys().1.k_rec)
    };
    // Control: as long as both pairs are kept, or only one is made anew, he reads.
    let second = first.next(first.actors.clone(), vec![]);
    let stolen = follow(&second, &stolen);
    assert!(opens(&second, &stolen));
    let third = second.next(second.actors.clone(), vec![0]);
    let stolen = follow(&third, &stolen);
    assert!(opens(&third, &stolen), "one pair anew does not heal");
    // Both anew: what he holds is worth nothing, and from the new messages he misses ee.
    let fourth = third.next(third.actors.clone(), vec![0, 1]);
    let mut stolen = follow(&fourth, &stolen);
    assert!(!opens(&fourth, &stolen));
    let s_2 = first.actors[1].secret.chebyshev().expose();
    let seen = fourth.seen[0].as_ref().unwrap();
    let (patient, daughter) = (&fourth.actors[0], &fourth.actors[1]);
    let ctx = PairContext { gid: fourth.gid, index: 0, initiator: &patient.keys, responder: &daughter.keys };
    let es = hand::agree(s_2, &seen.m1.ephemeral);
    let ss = hand::agree(s_2, &patient.keys.chebyshev);
    let secrets = Secrets { es, ss, ee: es, se: ss };
    let sk = Derived::new(&ctx, &seen.m1, &seen.m2.ephemeral, &seen.m2.sealed, &secrets).sk;
    stolen.push(Pair { sk: zeroize::Zeroizing::new(sk), ..fourth.pairs[0].clone() });
    assert!(!opens(&fourth, &stolen));
    assert!(opens(&fourth, &[fourth.pairs[0].clone()]), "control");
}
