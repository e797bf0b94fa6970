//! Attacks on the two-party agreement.

use crate::hand::{self, Derived, Secrets};
use crate::ours::{Seen, actor, agree, descriptor, rng};
use crate::printed::pair as printed;
use crate::printed::{BASE, Parentheses, User, hash};
use medring_protocol::chebyshev::{PublicKeyBytes, SecretKey, params_check, t};
use medring_protocol::codec;
use medring_protocol::group::message::{M1, M2, M3};
use medring_protocol::group::pair::{Initiator, PairContext, PairError, Responder};
use medring_protocol::hash::{ChainId, Gid};
use medring_protocol::testkit::{Actor, bytes32};
use num_bigint::BigUint;
use std::rc::Rc;

const GID: Gid = Gid([7; 32]);
const MENDED: Parentheses = Parentheses::Mended;

fn context<'a>(from: &'a Actor, to: &'a Actor) -> PairContext<'a> {
    PairContext { gid: GID, index: 0, initiator: &from.keys, responder: &to.keys }
}

fn two() -> [Rc<Actor>; 2] {
    ["patient", "daughter"].map(actor)
}

fn printed_two() -> [User; 2] {
    ["patient", "daughter"].map(User::new)
}

/// Draws of an attacker.
fn ephemeral(label: &str) -> ([u8; 32], PublicKeyBytes) {
    let r = bytes32(60, label, 0);
    (r, *SecretKey::from_bytes(&r).unwrap().public().bytes())
}

/// "MAC_{i+1,i} = H(ID_i ‖ ID_{i+1} ‖ C_{i+1} ‖ T_{r_{i+1}}(x)) ‖ H(T_{s_{i+1}} T_{s_i}(x)) ‖ SK", in steps 2 and 3 alike.
#[test]
fn secrets_on_the_wire() {
    let [first, second] = printed_two();
    let [r, q] = [0, 1].map(|k| bytes32(60, "r", k));
    let m1 = printed::start(&first, &second.public, &r);
    let m2 = printed::respond(&second, &first.public, &m1, &q, Parentheses::Printed).unwrap();
    let (_, session) = printed::finish(&first, &second.public, &r, &m2, Parentheses::Printed).unwrap();
    let heard: [u8; 256] = m2.mac[64..].try_into().unwrap();
    assert_eq!(hash(&[&first.public.id, &second.public.id, &heard]), session, "who listens reads SK");

    // Ours: nothing of what either end holds is in what travels.
    let [from, to] = two();
    let (pair, Seen { m1, m2, m3 }) = agree(GID, 0, &from, &to, 1);
    let wire = [codec::encode(&m1), codec::encode(&m2), codec::encode(&m3)].concat();
    for secret in [&pair.sk, &pair.ss] {
        assert!(!wire.windows(32).any(|window| window == secret.as_slice()));
    }
    assert!(wire.windows(32).any(|window| window == m1.mac), "control: what travels is found");
}

/// U_i's long-term secrets have leaked. Who has them plays U_{i+1} towards U_i.
#[test]
fn kci_against_the_initiator() {
    let [victim, other] = printed_two();
    let [r, q] = [0, 1].map(|k| bytes32(61, "r", k));
    let m1 = printed::start(&victim, &other.public, &r);
    // From s_i, the public keys and the wire: H(T_{s_i} T_{s_{i+1}}(x)) alone authenticates U_{i+1}.
    let (ss, sk, e) = (t(&victim.s, &other.public.y), t(&q, &m1.ephemeral), t(&q, &BASE));
    let plain = [&victim.public.id[..], &other.public.id, &e].concat();
    let c = printed::encrypt(&t(&q, &victim.public.y), &plain);
    let mac = printed::mac_2(MENDED, [&victim.public, &other.public], &c, &e, &ss, &sk);
    let (_, session) =
        printed::finish(&victim, &other.public, &r, &printed::M2 { c, ephemeral: e, mac }, MENDED).unwrap();
    assert_eq!(session, printed::session(&victim.public, &other.public, &sk), "and the attacker has it");

    let [victim, other] = two();
    let ctx = context(&victim, &other);
    let (initiator, m1) = Initiator::start(&ctx, &victim.secret, &mut rng(1)).unwrap();
    let leaked = victim.secret.chebyshev().expose();
    let (q, r_j) = ephemeral("kci");
    let ss = hand::agree(leaked, &other.keys.chebyshev);
    let (ee, se) = (hand::agree(&q, &m1.ephemeral), hand::agree(&q, &victim.keys.chebyshev));
    // es is T_{s_j}(R_i): it takes s_j or r_i. The attacker puts what it can compute.
    let without = Secrets { es: hand::agree(leaked, &m1.ephemeral), ss, ee, se };
    let answer = |secrets: &Secrets, signer: &Actor| {
        let (_, m2) = Derived::m2(&ctx, &m1, &r_j, secrets, &signer.secret);
        initiator.finish(&ctx, &victim.secret, &m2).map(|(pair, _)| *pair.sk)
    };
    assert_eq!(answer(&without, &victim).unwrap_err(), PairError::Signature);
    assert_eq!(answer(&without, &other).unwrap_err(), PairError::Mac, "even with U_j's signing key");
    // Control: with s_j too it is no impersonation any more.
    let with = Secrets { es: hand::agree(other.secret.chebyshev().expose(), &m1.ephemeral), ..without };
    assert_eq!(answer(&with, &victim).unwrap_err(), PairError::Signature, "one alone is not enough");
    let (derived, _) = Derived::m2(&ctx, &m1, &r_j, &with, &other.secret);
    assert_eq!(answer(&with, &other), Ok(derived.sk));
}

/// U_{i+1}'s long-term secrets have leaked. Who has them plays U_i towards U_{i+1}.
#[test]
fn kci_against_the_responder() {
    let [other, victim] = printed_two();
    let [r, q] = [0, 1].map(|k| bytes32(62, "r", k));
    let (ss, e) = (t(&victim.s, &other.public.y), t(&r, &BASE));
    let c = printed::encrypt(&t(&r, &victim.public.y), &[&other.public.id[..], &victim.public.id, &e].concat());
    let mac = printed::mac_1(&other.public, &victim.public, &c, &ss, &e);
    let m1 = printed::M1 { c, ephemeral: e, mac };
    let m2 = printed::respond(&victim, &other.public, &m1, &q, MENDED).unwrap();
    let session = printed::session(&other.public, &victim.public, &t(&r, &m2.ephemeral));
    let ack = printed::ack(&other.public, &victim.public, &ss, &session);
    assert_eq!(printed::accept(&victim, &other.public, &m1, &q, &ack), Some(session));

    let [other, victim] = two();
    let ctx = context(&other, &victim);
    let leaked = victim.secret.chebyshev().expose();
    let (r, r_i) = ephemeral("kci");
    let es = hand::agree(&r, &victim.keys.chebyshev);
    let ss = hand::agree(leaked, &other.keys.chebyshev);
    // M1 is accepted: it authenticates nobody yet, and nothing is given out on it.
    let m1 = hand::m1(&ctx, &r_i, &es, &ss);
    let (responder, m2) = Responder::respond(&ctx, &victim.secret, &m1, &mut rng(2)).unwrap();
    let ee = hand::agree(&r, &m2.ephemeral);
    // se is T_{s_i}(R_j): it takes s_i or r_j.
    let without = Secrets { es, ss, ee, se: hand::agree(leaked, &m2.ephemeral) };
    let finish = |secrets: &Secrets, signer: &Actor| {
        let derived = Derived::new(&ctx, &m1, &m2.ephemeral, &m2.sealed, secrets);
        responder.accept(&ctx, &derived.m3(&ctx, &signer.secret)).map(|pair| *pair.sk == derived.sk)
    };
    assert_eq!(finish(&without, &victim).unwrap_err(), PairError::Signature);
    assert_eq!(finish(&without, &other).unwrap_err(), PairError::Mac, "even with U_i's signing key");
    let with = Secrets { se: hand::agree(other.secret.chebyshev().expose(), &m2.ephemeral), ..without };
    assert_eq!(finish(&with, &victim).unwrap_err(), PairError::Signature, "one alone is not enough");
    assert_eq!(finish(&with, &other), Ok(true), "control: with both of U_i's secrets it is U_i");
}

/// M1 of an earlier session, sent again by whoever recorded it.
#[test]
fn m1_replay() {
    let [first, second] = printed_two();
    let m1 = printed::start(&first, &second.public, &bytes32(63, "r", 0));
    for session in 0..3 {
        let q = bytes32(63, "q", session);
        let answer = printed::respond(&second, &first.public, &m1, &q, MENDED);
        assert!(answer.is_some(), "nothing in M1 is new: U_i is \"authenticated\" in session {session}");
    }

    let [from, to] = two();
    let (_, Seen { m1, m3, .. }) = agree(GID, 0, &from, &to, 1);
    // In another epoch, as it is and under that epoch's name.
    let later = PairContext { gid: Gid([8; 32]), ..context(&from, &to) };
    let respond = |ctx: &PairContext<'_>, m1: &M1| Responder::respond(ctx, &to.secret, m1, &mut rng(5)).map(|(r, _)| r);
    assert_eq!(respond(&later, &m1).unwrap_err(), PairError::Malformed);
    let renamed = M1 { gid: later.gid, ..m1.clone() };
    assert_eq!(respond(&later, &renamed).unwrap_err(), PairError::Seal);
    // In its own epoch, to a responder that does not remember it (the machine does: one M1 per epoch and pair): it is
    // answered, which is the control, and comes to nothing, since M3 is over the responder's new R_j.
    let ctx = context(&from, &to);
    assert_eq!(respond(&ctx, &m1).unwrap().accept(&ctx, &m3).unwrap_err(), PairError::Signature);
}

/// One end believes to have agreed with another than it did: Y_j stands in the roster under Eve's name.
#[test]
fn unknown_key_share() {
    let [alice, bob] = two();
    let eve = actor("eve");
    // In the paper an ID is a name beside a key. Eve has Bob's key put beside hers, and both ends accept their own view; what
    // stops the session is that the names are inside the MAC. In ours the id is the hash of both keys, so the same name
    // cannot stand beside another key at all.
    let mut claimed = eve.keys.clone();
    claimed.chebyshev = bob.keys.chebyshev;
    assert_ne!(claimed.id(), eve.id);
    // Alice agrees with "Eve"; Eve passes it on to Bob, who is asked to agree with Alice.
    let hers = PairContext { gid: GID, index: 0, initiator: &alice.keys, responder: &claimed };
    let (initiator, m1) = Initiator::start(&hers, &alice.secret, &mut rng(1)).unwrap();
    let ctx = context(&alice, &bob);
    assert_eq!(Responder::respond(&ctx, &bob.secret, &m1, &mut rng(2)).unwrap_err(), PairError::Seal);
    // Control: where both have the same names, the same messages pass.
    let (_, m1) = Initiator::start(&ctx, &alice.secret, &mut rng(1)).unwrap();
    let (_, m2) = Responder::respond(&ctx, &bob.secret, &m1, &mut rng(2)).unwrap();
    assert_eq!(initiator.finish(&hers, &alice.secret, &m2).unwrap_err(), PairError::Signature);
}

/// Values that are no public key: a member who is asked to raise them to its secret tells about it.
#[test]
fn invalid_small_order_and_twist_elements() {
    // T_n(0) is 0 for odd n, and 1 or −1 for even n: the order is 4.
    let [first, second] = printed_two();
    let zero = [0; 256];
    let p = params_check::modulus().to_bytes_be();
    let mut one = zero;
    one[255] = 1;
    let mut minus_one: [u8; 256] = p.try_into().unwrap();
    minus_one[255] -= 1;
    // An insider U_i, who shares ss with U_{i+1} rightly, tries the three keys that can be. The one that is accepted says
    // s_{i+1} modulo 4.
    let ss = t(&first.s, &second.public.y);
    let accepted: Vec<_> = [zero, one, minus_one]
        .into_iter()
        .filter(|k| {
            let c = printed::encrypt(k, &[&first.public.id[..], &second.public.id, &zero].concat());
            let mac = printed::mac_1(&first.public, &second.public, &c, &ss, &zero);
            printed::accepts(&second, &first.public, &printed::M1 { c, ephemeral: zero, mac })
        })
        .collect();
    let expected = match second.s[31] % 4 {
        0 => one,
        2 => minus_one,
        _ => zero,
    };
    assert_eq!(accepted, [expected]);

    let [from, to] = two();
    let ctx = context(&from, &to);
    let (initiator, m1) = Initiator::start(&ctx, &from.secret, &mut rng(1)).unwrap();
    let (_, m2) = Responder::respond(&ctx, &to.secret, &m1, &mut rng(2)).unwrap();
    for (what, bad) in bad_elements() {
        let ephemeral = PublicKeyBytes(bad);
        let es = hand::agree(to.secret.chebyshev().expose(), &ephemeral);
        let ss = hand::agree(from.secret.chebyshev().expose(), &to.keys.chebyshev);
        // All but the element is as it should be: without the check of the element M1 would hold.
        let m1 = hand::m1(&ctx, &ephemeral, &es, &ss);
        assert_eq!(Responder::respond(&ctx, &to.secret, &m1, &mut rng(2)).unwrap_err(), PairError::Key, "{what}");
        let m2 = M2 { ephemeral, ..m2.clone() };
        assert_eq!(initiator.finish(&ctx, &from.secret, &m2).unwrap_err(), PairError::Key, "{what}");
    }
    // Control: the same by hand with a good element holds.
    let (r, good) = ephemeral("good");
    let (es, ss) =
        (hand::agree(&r, &to.keys.chebyshev), hand::agree(from.secret.chebyshev().expose(), &to.keys.chebyshev));
    assert!(Responder::respond(&ctx, &to.secret, &hand::m1(&ctx, &good, &es, &ss), &mut rng(2)).is_ok());
}

/// Out of range, of small order, of order 2q, and on the twist.
fn bad_elements() -> Vec<(&'static str, [u8; 256])> {
    let p = params_check::modulus();
    let wide = |value: BigUint| {
        let bytes = value.to_bytes_be();
        let mut out = [0; 256];
        out[256 - bytes.len()..].copy_from_slice(&bytes);
        out
    };
    let half: BigUint = (&p + 1u8) >> 1;
    // On the twist x² − 1 is a square.
    let twisted = |x: &BigUint| ((x * x - 1u8) % &p).modpow(&(&p >> 1), &p) == BigUint::from(1u8);
    let on_twist: Vec<_> = (2u32..).map(BigUint::from).filter(twisted).take(3).collect();
    let mut out = vec![
        ("0", wide(BigUint::ZERO)),
        ("1", wide(1u8.into())),
        ("−1", wide(&p - 1u8)),
        ("1/2", wide(half.clone())),
        ("−1/2", wide(&p - half)),
        ("p", wide(p.clone())),
        ("2^2048 − 1", [0xff; 256]),
        ("order 2q", wide(&p - 4u8)),
    ];
    out.extend(on_twist.into_iter().map(|x| ("on the twist", wide(x))));
    out
}

/// Every byte of every message, one bit each.
#[test]
fn every_field_mutated() {
    let [from, to] = two();
    let ctx = context(&from, &to);
    let (initiator, m1) = Initiator::start(&ctx, &from.secret, &mut rng(1)).unwrap();
    let (responder, m2) = Responder::respond(&ctx, &to.secret, &m1, &mut rng(2)).unwrap();
    let (_, m3) = initiator.finish(&ctx, &from.secret, &m2).unwrap();
    let mut accepted = Vec::new();
    for (at, bytes) in mutants(&codec::encode(&m1)) {
        let holds = |m1: M1| Responder::respond(&ctx, &to.secret, &m1, &mut rng(2)).is_ok();
        accepted.extend(codec::decode(&bytes, bytes.len()).ok().filter(|m1| holds(M1::clone(m1))).map(|_| ("M1", at)));
    }
    for (at, bytes) in mutants(&codec::encode(&m2)) {
        let holds = |m2: &M2| initiator.finish(&ctx, &from.secret, m2).is_ok();
        accepted.extend(codec::decode(&bytes, bytes.len()).ok().filter(holds).map(|_| ("M2", at)));
    }
    for (at, bytes) in mutants(&codec::encode(&m3)) {
        let holds = |m3: &M3| responder.accept(&ctx, m3).is_ok();
        accepted.extend(codec::decode(&bytes, bytes.len()).ok().filter(holds).map(|_| ("M3", at)));
    }
    assert_eq!(accepted, []);
    assert!(responder.accept(&ctx, &m3).is_ok(), "control: unmutated it holds");
}

/// The message with one bit of each byte flipped, one byte at a time.
pub(crate) fn mutants(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len()).map(|at| {
        let mut out = bytes.to_vec();
        out[at] ^= 1 << (at % 8);
        (at, out)
    })
}

/// A message comes back to its sender, or stands at another place of the ring, in another epoch, or on another chain.
#[test]
fn reflected_moved_cross_epoch_and_cross_chain() {
    let [a, b] = two();
    let ctx = context(&a, &b);
    let (_, m1) = Initiator::start(&ctx, &a.secret, &mut rng(1)).unwrap();
    // In a ring of two A is also the responder of B, at the other pair.
    let back = PairContext { gid: GID, index: 1, initiator: &b.keys, responder: &a.keys };
    let reflected = M1 { pair: 1, ..m1.clone() };
    assert_eq!(Responder::respond(&back, &a.secret, &m1, &mut rng(2)).unwrap_err(), PairError::Malformed);
    assert_eq!(Responder::respond(&back, &a.secret, &reflected, &mut rng(2)).unwrap_err(), PairError::Seal);
    // At another place, between the same two.
    let moved = PairContext { index: 1, ..ctx };
    assert_eq!(Responder::respond(&moved, &b.secret, &reflected, &mut rng(2)).unwrap_err(), PairError::Seal);
    // The same people, roster, epoch and random on another chain, or one epoch on: another GID.
    let people = [Rc::clone(&a), Rc::clone(&b)];
    let here = descriptor(&people, 1, vec![]);
    let (mut elsewhere, mut later) = (here.clone(), here.clone());
    elsewhere.chain = ChainId([9; 32]);
    later.epoch = 2;
    let on = |gid| PairContext { gid, ..ctx };
    let (_, m1) = Initiator::start(&on(here.gid()), &a.secret, &mut rng(1)).unwrap();
    for other in [elsewhere.gid(), later.gid()] {
        let renamed = M1 { gid: other, ..m1.clone() };
        assert_eq!(Responder::respond(&on(other), &b.secret, &renamed, &mut rng(2)).unwrap_err(), PairError::Seal);
    }
    assert!(Responder::respond(&on(here.gid()), &b.secret, &m1, &mut rng(2)).is_ok(), "control: at its place it holds");
}
