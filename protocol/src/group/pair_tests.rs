//! The two-party agreement: who may finish it, and what is refused under which name.

use super::message::{M1, M2, M3};
use super::pair::{Initiator, Pair, PairContext, PairError, Responder};
use super::pair_keys::{self as keys, Chain};
use crate::chebyshev::{PublicKey, PublicKeyBytes, SecretKey, SharedSecret, ladders, oracle, params_check};
use crate::hash::{Gid, Tag};
use crate::identity::{IdentitySecret, PublicKeys};
use crate::testkit::ring::Given;
use crate::testkit::{Actor, Kit};
use num_bigint::BigUint;

/// Everything of one honest run between the patient and the doctor.
struct Run {
    kit: Kit,
    initiator: Initiator,
    responder: Responder,
    m1: M1,
    m2: M2,
    m3: M3,
    pair: Pair,
}

fn context(kit: &Kit) -> PairContext<'_> {
    PairContext { gid: Gid([7; 32]), index: 1, initiator: &kit.patient.keys, responder: &kit.doctor.keys }
}

fn run_with(r_i: u8, r_j: u8) -> Run {
    let kit = Kit::new(1);
    let ctx = context(&kit);
    let (initiator, m1) = Initiator::start(&ctx, &kit.patient.secret, &mut Given::new(&[r_i; 32])).unwrap();
    let (responder, m2) = Responder::respond(&ctx, &kit.doctor.secret, &m1, &mut Given::new(&[r_j; 32])).unwrap();
    let (pair, m3) = initiator.finish(&ctx, &kit.patient.secret, &m2).unwrap();
    Run { initiator, responder, m1, m2, m3, pair, kit }
}

fn run() -> Run {
    run_with(1, 2)
}

impl Run {
    fn respond_as(&self, ctx: &PairContext<'_>, me: &IdentitySecret, m1: &M1) -> Result<M2, PairError> {
        Responder::respond(ctx, me, m1, &mut Given::new(&[9; 32])).map(|(_, m2)| m2)
    }

    fn respond(&self, m1: &M1) -> Result<M2, PairError> {
        self.respond_as(&context(&self.kit), &self.kit.doctor.secret, m1)
    }

    fn finish(&self, m2: &M2) -> Result<Pair, PairError> {
        self.initiator.finish(&context(&self.kit), &self.kit.patient.secret, m2).map(|(pair, _)| pair)
    }

    fn accept(&self, m3: &M3) -> Result<Pair, PairError> {
        self.responder.accept(&context(&self.kit), m3)
    }
}

/// A copy with one thing changed.
fn spoiled<M: Clone>(message: &M, spoil: impl FnOnce(&mut M)) -> M {
    let mut copy = message.clone();
    spoil(&mut copy);
    copy
}

#[test]
fn both_ends_hold_one_pair_after_three_messages_and_five_ladders_each() {
    let kit = Kit::new(1);
    let ctx = context(&kit);
    let start = ladders();
    let (initiator, m1) = Initiator::start(&ctx, &kit.patient.secret, &mut Given::new(&[1; 32])).unwrap();
    assert_eq!(ladders() - start, 3);
    let (responder, m2) = Responder::respond(&ctx, &kit.doctor.secret, &m1, &mut Given::new(&[2; 32])).unwrap();
    assert_eq!(ladders() - start, 3 + 5);
    let (ours, m3) = initiator.finish(&ctx, &kit.patient.secret, &m2).unwrap();
    assert_eq!(ladders() - start, 3 + 5 + 2);
    let theirs = responder.accept(&ctx, &m3).unwrap();
    assert_eq!(ladders() - start, 10);
    assert_eq!(ours.to_bytes(), theirs.to_bytes());
}

#[test]
fn a_pair_is_new_in_every_run_epoch_and_place() {
    let first = run().pair;
    assert_ne!(run_with(3, 2).pair.sk, first.sk);
    assert_ne!(run_with(1, 3).pair.sk, first.sk);
    let ratcheted = first.ratchet(&Gid([8; 32]));
    assert_ne!(ratcheted.sk, first.sk);
    assert_ne!(ratcheted.sk, first.ratchet(&Gid([9; 32])).sk);
    assert_eq!((&ratcheted.ss, ratcheted.hash), (&first.ss, first.hash));
    let start = ladders();
    let _ = first.ratchet(&Gid([8; 32]));
    assert_eq!(ladders(), start);
}

#[test]
fn both_ends_survive_being_stored_between_their_steps() {
    let run = run();
    let start = ladders();
    let initiator = Initiator::from_bytes(&run.initiator.to_bytes()).unwrap();
    let responder = Responder::from_bytes(&run.responder.to_bytes()).unwrap();
    let pair = Pair::from_bytes(run.pair.to_bytes().as_slice()).unwrap();
    assert_eq!(ladders(), start, "to read a state costs no ladder");
    assert_eq!((initiator.m1(), responder.m2()), (&run.m1, &run.m2));
    let ctx = context(&run.kit);
    let (ours, m3) = initiator.finish(&ctx, &run.kit.patient.secret, &run.m2).unwrap();
    assert_eq!(m3, run.m3);
    for other in [&ours, &pair, &responder.accept(&ctx, &m3).unwrap()] {
        assert_eq!(other.to_bytes(), run.pair.to_bytes());
    }
}

#[test]
fn stored_bytes_that_were_cut_or_extended_are_refused() {
    let run = run();
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let (initiator, responder, pair) = (run.initiator.to_bytes(), run.responder.to_bytes(), run.pair.to_bytes());
    for cut in 1..100 {
        assert!(Initiator::from_bytes(&initiator[..initiator.len() - cut]).is_err());
        assert!(Responder::from_bytes(&responder[..responder.len() - cut]).is_err());
        assert!(Pair::from_bytes(pair.get(..96 - cut.min(96)).unwrap()).is_err());
    }
    assert!(Initiator::from_bytes(&longer(&initiator)).is_err());
    assert!(Responder::from_bytes(&longer(&responder)).is_err());
    assert!(Pair::from_bytes(&longer(pair.as_slice())).is_err());
    let mut no_secret = initiator.clone();
    no_secret[..32].fill(0);
    assert!(Initiator::from_bytes(&no_secret).is_err());
}

#[test]
fn debug_output_holds_no_secret() {
    let run = run();
    let text = format!("{:?} {:?} {:?}", run.initiator, run.responder, run.pair);
    assert_eq!(text.matches("redacted").count(), 3, "{text}");
    for secret in [&run.initiator.to_bytes()[..4], &run.pair.sk[..4], &run.pair.ss[..4]] {
        assert!(!text.contains(&hex::encode(secret)), "{text}");
    }
}

#[test]
fn a_duplicate_of_m1_is_told_from_another() {
    let (first, other) = (run(), run_with(3, 2));
    assert!(first.responder.answered(&first.m1));
    assert!(!first.responder.answered(&other.m1));
    assert!(!first.responder.answered(&spoiled(&first.m1, |m| m.mac[31] ^= 1)));
}

#[test]
fn m1_with_any_field_changed_is_refused_by_name() {
    let (run, other) = (run(), run_with(3, 2));
    assert!(run.respond(&run.m1).is_ok());
    let refused = |name: &str, error, m1: M1| assert_eq!(run.respond(&m1).err(), Some(error), "{name}");
    refused("gid", PairError::Malformed, spoiled(&run.m1, |m| m.gid.0[0] ^= 1));
    refused("pair", PairError::Malformed, spoiled(&run.m1, |m| m.pair ^= 1));
    refused("another's R_i", PairError::Seal, spoiled(&run.m1, |m| m.ephemeral = other.m1.ephemeral));
    refused("another's C_i", PairError::Seal, spoiled(&run.m1, |m| m.sealed.clone_from(&other.m1.sealed)));
    refused("another's MAC_1", PairError::Mac, spoiled(&run.m1, |m| m.mac = other.m1.mac));
    refused("C_i too short", PairError::Malformed, spoiled(&run.m1, |m| m.sealed.truncate(335)));
    refused("C_i too long", PairError::Malformed, spoiled(&run.m1, |m| m.sealed.push(0)));
    refused("no C_i", PairError::Malformed, spoiled(&run.m1, |m| m.sealed.clear()));
    for at in [0, 31, 32, 63, 64, 319, 320, 335] {
        refused("a byte of C_i", PairError::Seal, spoiled(&run.m1, |m| m.sealed[at] ^= 0x80));
    }
    for at in 0..32 {
        refused("a byte of MAC_1", PairError::Mac, spoiled(&run.m1, |m| m.mac[at] ^= 1));
    }
}

#[test]
fn m2_with_any_field_changed_is_refused_by_name() {
    let (run, other) = (run(), run_with(1, 3));
    assert_eq!(run.finish(&run.m2).unwrap().to_bytes(), run.pair.to_bytes());
    let refused = |name: &str, error, m2: M2| assert_eq!(run.finish(&m2).err(), Some(error), "{name}");
    refused("gid", PairError::Malformed, spoiled(&run.m2, |m| m.gid.0[0] ^= 1));
    refused("pair", PairError::Malformed, spoiled(&run.m2, |m| m.pair ^= 1));
    refused("another's R_j", PairError::Signature, spoiled(&run.m2, |m| m.ephemeral = other.m2.ephemeral));
    refused("another's C_j", PairError::Signature, spoiled(&run.m2, |m| m.sealed.clone_from(&other.m2.sealed)));
    refused("another's MAC_2", PairError::Mac, spoiled(&run.m2, |m| m.mac = other.m2.mac));
    refused("another's signature", PairError::Signature, spoiled(&run.m2, |m| m.signature = other.m2.signature));
    refused("C_j too short", PairError::Malformed, spoiled(&run.m2, |m| m.sealed.truncate(335)));
    refused("C_j too long", PairError::Malformed, spoiled(&run.m2, |m| m.sealed.push(0)));
    for at in [0, 63, 64, 319, 320, 335] {
        refused("a byte of C_j", PairError::Signature, spoiled(&run.m2, |m| m.sealed[at] ^= 0x80));
    }
    for at in 0..32 {
        refused("a byte of MAC_2", PairError::Mac, spoiled(&run.m2, |m| m.mac[at] ^= 1));
        refused("a byte of the signature", PairError::Signature, spoiled(&run.m2, |m| m.signature.0[2 * at] ^= 1));
    }
    // M2 to another M1 of the same initiator, for the same pair and epoch.
    assert_eq!(run_with(3, 2).finish(&run.m2).err(), Some(PairError::Signature));
}

#[test]
fn m3_with_any_field_changed_is_refused_by_name() {
    let (run, other) = (run(), run_with(1, 3));
    assert_eq!(run.accept(&run.m3).unwrap().to_bytes(), run.pair.to_bytes());
    let refused = |name: &str, error, m3: M3| assert_eq!(run.accept(&m3).err(), Some(error), "{name}");
    refused("gid", PairError::Malformed, spoiled(&run.m3, |m| m.gid.0[0] ^= 1));
    refused("pair", PairError::Malformed, spoiled(&run.m3, |m| m.pair ^= 1));
    refused("another's Ack", PairError::Mac, spoiled(&run.m3, |m| m.ack = other.m3.ack));
    refused("another's signature", PairError::Signature, spoiled(&run.m3, |m| m.signature = other.m3.signature));
    refused("MAC_2 reflected as Ack", PairError::Mac, spoiled(&run.m3, |m| m.ack = run.m2.mac));
    refused("the responder's signature", PairError::Signature, spoiled(&run.m3, |m| m.signature = run.m2.signature));
    for at in 0..32 {
        refused("a byte of Ack", PairError::Mac, spoiled(&run.m3, |m| m.ack[at] ^= 1));
        refused("a byte of the signature", PairError::Signature, spoiled(&run.m3, |m| m.signature.0[2 * at] ^= 1));
    }
    // M3 of another run of the same two, for the same pair and epoch.
    assert_eq!(run.accept(&other.m3).err(), Some(PairError::Signature));
}

#[test]
fn messages_of_one_epoch_or_place_are_worth_nothing_in_another() {
    let run = run();
    let here = context(&run.kit);
    let contexts = [PairContext { gid: Gid([8; 32]), ..here }, PairContext { index: 2, ..here }];
    for ctx in contexts {
        let m1 = spoiled(&run.m1, |m| (m.gid, m.pair) = (ctx.gid, ctx.index));
        assert_eq!(run.respond_as(&ctx, &run.kit.doctor.secret, &m1).err(), Some(PairError::Seal), "{ctx:?}");
        // The states belong to their context too, whatever the message says.
        let m2 = spoiled(&run.m2, |m| (m.gid, m.pair) = (ctx.gid, ctx.index));
        let finished = run.initiator.finish(&ctx, &run.kit.patient.secret, &m2);
        assert_eq!(finished.err(), Some(PairError::Malformed), "{ctx:?}");
        let m3 = spoiled(&run.m3, |m| (m.gid, m.pair) = (ctx.gid, ctx.index));
        assert_eq!(run.responder.accept(&ctx, &m3).err(), Some(PairError::Malformed), "{ctx:?}");
    }
}

#[test]
fn nobody_is_taken_for_another() {
    let run = run();
    let ctx = context(&run.kit);
    let carer = &run.kit.caregiver;
    // M1 meant for the doctor, given to the carer.
    let to_carer = PairContext { responder: &carer.keys, ..ctx };
    assert_eq!(run.respond_as(&to_carer, &carer.secret, &run.m1).err(), Some(PairError::Seal));
    // M1 by the patient, passed off as the carer's.
    let from_carer = PairContext { initiator: &carer.keys, ..ctx };
    assert_eq!(run.respond_as(&from_carer, &run.kit.doctor.secret, &run.m1).err(), Some(PairError::Seal));
    // Unknown key share: the patient's Chebyshev key under another signing key, and so another id.
    let ghost = PublicKeys { signing: carer.keys.signing, ..run.kit.patient.keys.clone() };
    let from_ghost = PairContext { initiator: &ghost, ..ctx };
    assert_eq!(run.respond_as(&from_ghost, &run.kit.doctor.secret, &run.m1).err(), Some(PairError::Seal));
    // The carer signs M3 of a run that the patient began.
    let m3 = spoiled(&run.m3, |m| {
        m.signature = carer.secret.sign(&keys::signing_hash(Tag::PairInitiator, &run.pair.hash));
    });
    assert_eq!(run.accept(&m3).err(), Some(PairError::Signature));
}

#[test]
fn a_reflected_m1_is_refused() {
    // A ring of two has a pair in each direction: pair 1 of patient → doctor, and one of doctor → patient.
    let run = run();
    let ctx =
        PairContext { index: 2, initiator: &run.kit.doctor.keys, responder: &run.kit.patient.keys, gid: run.m1.gid };
    let m1 = spoiled(&run.m1, |m| m.pair = 2);
    assert_eq!(run.respond_as(&ctx, &run.kit.patient.secret, &m1).err(), Some(PairError::Seal));
    // R_i sent back as R_j, signed by the true responder's stolen signing key: es is missing.
    let m2 = forged_m2(&run, &run.m1.ephemeral, &run.kit.doctor.secret);
    assert_eq!(run.finish(&m2).err(), Some(PairError::Mac));
}

/// M2 with this R_j by somebody who has no Chebyshev secret: signed by `signer`, everything else guessed.
fn forged_m2(run: &Run, r_j: &PublicKeyBytes, signer: &IdentitySecret) -> M2 {
    let ctx = context(&run.kit);
    let h1 = keys::h1(&ctx, &run.m1.ephemeral);
    let h2 = keys::h2(&h1, &run.m1.sealed, &run.m1.mac, r_j);
    let guess = SharedSecret::from_bytes(&[5; 256]);
    let chain = Chain::new(h2, [&guess, &guess, &guess, &guess]);
    complete(&ctx, &chain, &h2, r_j, signer, &ctx.responder.id())
}

/// M2 from all its parts; `named` is who C_j says sent it.
fn complete(
    ctx: &PairContext<'_>,
    chain: &Chain,
    h2: &[u8; 32],
    r_j: &PublicKeyBytes,
    signer: &IdentitySecret,
    named: &crate::hash::ParticipantId,
) -> M2 {
    let sealed = keys::seal(&chain.c_j(), h2, named, &ctx.initiator.id(), r_j);
    let h3 = keys::h3(h2, &sealed);
    let signature = signer.sign(&keys::signing_hash(Tag::PairResponder, &h3));
    M2 { gid: ctx.gid, pair: ctx.index, ephemeral: *r_j, sealed, mac: chain.mac_2(&h3), signature }
}

#[test]
fn a_ciphertext_that_names_others_is_refused_though_all_keys_are_right() {
    let run = run();
    let ctx = context(&run.kit);
    let (patient, doctor) = (&run.kit.patient, &run.kit.doctor);
    // C_i, by the true initiator.
    let r = SecretKey::from_bytes(&[1; 32]).unwrap();
    let (h1, es) = (keys::h1(&ctx, &run.m1.ephemeral), agreed(&r, &doctor.keys));
    let ss = agreed(patient.secret.chebyshev(), &doctor.keys);
    let sealed = keys::seal(&keys::c_i(&h1, &es), &h1, &run.kit.caregiver.id, &doctor.id, &run.m1.ephemeral);
    let mac = keys::mac_1(&h1, &es, &ss, &sealed);
    assert_eq!(run.respond(&M1 { sealed, mac, ..run.m1.clone() }).err(), Some(PairError::Seal));
    // C_j, by the true responder.
    let r_j = SecretKey::from_bytes(&[4; 32]).unwrap();
    let h2 = keys::h2(&h1, &run.m1.sealed, &run.m1.mac, r_j.public().bytes());
    let (ee, se) = (r_j.agree(r.public()), agreed(&r_j, &patient.keys));
    let chain = Chain::new(h2, [&es, &ss, &ee, &se]);
    let m2 = |named| complete(&ctx, &chain, &h2, r_j.public().bytes(), &doctor.secret, named);
    assert!(run.finish(&m2(&doctor.id)).is_ok());
    assert_eq!(run.finish(&m2(&run.kit.caregiver.id)).err(), Some(PairError::Seal));
}

fn agreed(secret: &SecretKey, with: &PublicKeys) -> SharedSecret {
    secret.agree(&PublicKey::validate(&with.chebyshev).unwrap())
}

#[test]
fn who_stole_all_of_the_responder_cannot_play_another_to_it() {
    // Key-compromise impersonation: Eve holds both of the doctor's secrets and calls herself the patient.
    let run = run();
    let ctx = context(&run.kit);
    let (doctor, eve) = (&run.kit.doctor, Actor::new(66, "eve", None));
    let r = SecretKey::from_bytes(&[6; 32]).unwrap();
    let h1 = keys::h1(&ctx, r.public().bytes());
    let es = agreed(&r, &doctor.keys);
    let ss = agreed(doctor.secret.chebyshev(), &run.kit.patient.keys);
    let sealed = keys::seal(&keys::c_i(&h1, &es), &h1, &run.kit.patient.id, &doctor.id, r.public().bytes());
    let mac = keys::mac_1(&h1, &es, &ss, &sealed);
    let m1 = M1 { gid: ctx.gid, pair: ctx.index, ephemeral: *r.public().bytes(), sealed, mac };
    // M1 passes: es and ss are all it has. Only M3 shows who holds s_i.
    let (responder, m2) = Responder::respond(&ctx, &doctor.secret, &m1, &mut Given::new(&[2; 32])).unwrap();
    let h2 = keys::h2(&h1, &m1.sealed, &m1.mac, &m2.ephemeral);
    let h3 = keys::h3(&h2, &m2.sealed);
    let r_j = PublicKey::validate(&m2.ephemeral).unwrap();
    // se = T_si(R_j) is what Eve cannot have; she tries the doctor's own secret and her own.
    for se in [doctor.secret.chebyshev().agree(&r_j), eve.secret.chebyshev().agree(&r_j)] {
        let chain = Chain::new(h2, [&es, &ss, &r.agree(&r_j), &se]);
        let signed_by = |who: &IdentitySecret| M3 {
            gid: ctx.gid,
            pair: ctx.index,
            ack: chain.ack(&h3, &m2.mac),
            signature: who.sign(&keys::signing_hash(Tag::PairInitiator, &h3)),
        };
        assert_eq!(responder.accept(&ctx, &signed_by(&doctor.secret)).err(), Some(PairError::Signature));
        assert_eq!(responder.accept(&ctx, &signed_by(&eve.secret)).err(), Some(PairError::Signature));
        // Even with the patient's signing key stolen as well.
        assert_eq!(responder.accept(&ctx, &signed_by(&run.kit.patient.secret)).err(), Some(PairError::Mac));
    }
}

#[test]
fn who_stole_all_of_the_initiator_cannot_play_another_to_it() {
    let run = run();
    let ctx = context(&run.kit);
    let (patient, eve) = (&run.kit.patient, Actor::new(66, "eve", None));
    let r = SecretKey::from_bytes(&[6; 32]).unwrap();
    let h2 = keys::h2(&keys::h1(&ctx, &run.m1.ephemeral), &run.m1.sealed, &run.m1.mac, r.public().bytes());
    let r_i = PublicKey::validate(&run.m1.ephemeral).unwrap();
    let ss = agreed(patient.secret.chebyshev(), &run.kit.doctor.keys);
    let (ee, se) = (r.agree(&r_i), agreed(&r, &patient.keys));
    // es = T_sj(R_i) is what Eve cannot have.
    for es in [patient.secret.chebyshev().agree(&r_i), eve.secret.chebyshev().agree(&r_i)] {
        let chain = Chain::new(h2, [&es, &ss, &ee, &se]);
        let m2 = |signer| complete(&ctx, &chain, &h2, r.public().bytes(), signer, &run.kit.doctor.id);
        assert_eq!(run.finish(&m2(&patient.secret)).err(), Some(PairError::Signature));
        assert_eq!(run.finish(&m2(&eve.secret)).err(), Some(PairError::Signature));
        assert_eq!(run.finish(&m2(&run.kit.doctor.secret)).err(), Some(PairError::Mac));
    }
}

#[test]
fn who_has_no_static_secret_does_not_get_past_m1() {
    // es takes only R_i, which anybody can draw; MAC_1 takes ss.
    let run = run();
    let ctx = context(&run.kit);
    let (doctor, eve) = (&run.kit.doctor, Actor::new(66, "eve", None));
    let r = SecretKey::from_bytes(&[6; 32]).unwrap();
    let h1 = keys::h1(&ctx, r.public().bytes());
    let es = agreed(&r, &doctor.keys);
    let sealed = keys::seal(&keys::c_i(&h1, &es), &h1, &run.kit.patient.id, &doctor.id, r.public().bytes());
    for ss in [agreed(eve.secret.chebyshev(), &doctor.keys), agreed(&r, &doctor.keys)] {
        let mac = keys::mac_1(&h1, &es, &ss, &sealed);
        let m1 = M1 { ephemeral: *r.public().bytes(), sealed: sealed.clone(), mac, ..run.m1.clone() };
        assert_eq!(run.respond(&m1).err(), Some(PairError::Mac));
    }
}

/// Values that no honest party sends, by name.
fn bad_elements(good: &PublicKeyBytes) -> Vec<(&'static str, PublicKeyBytes)> {
    let p = params_check::modulus();
    let one = BigUint::from(1u8);
    let good = BigUint::from_bytes_be(good.as_bytes());
    let half: BigUint = (&p + 1u8) >> 1u8;
    let twist = (2u32..).map(BigUint::from).find(|y| (y * y - 1u8).modpow(&(&p >> 1), &p) == one).unwrap();
    assert_eq!(oracle::t_ladder(&(&p - 1u8), &twist, &p), one, "on the twist the order divides p − 1");
    let wide = |value: BigUint| {
        let bytes = value.to_bytes_be();
        let mut out = [0; 256];
        out[256 - bytes.len()..].copy_from_slice(&bytes);
        PublicKeyBytes(out)
    };
    vec![
        ("0, of order 4", wide(BigUint::ZERO)),
        ("1", wide(one.clone())),
        ("−1", wide(&p - 1u8)),
        ("1/2, of order 6", wide(half.clone())),
        ("−1/2, of order 3", wide(&p - half)),
        ("p", wide(p.clone())),
        ("p + 4, the base unreduced", wide(&p + 4u8)),
        ("2^2048 − 1", PublicKeyBytes([0xff; 256])),
        ("−y, of order 2q", wide(&p - good)),
        ("of the twist", wide(twist)),
    ]
}

#[test]
fn an_element_outside_the_group_is_refused_before_any_ladder() {
    let run = run();
    let ctx = context(&run.kit);
    let (patient, doctor) = (&run.kit.patient, &run.kit.doctor);
    for (name, bad) in bad_elements(&run.m1.ephemeral) {
        let m1 = spoiled(&run.m1, |m| m.ephemeral = bad);
        // Signed by the true responder, so that it is not the signature that stops it.
        let m2 = forged_m2(&run, &bad, &doctor.secret);
        let long_term = PublicKeys { chebyshev: bad, ..doctor.keys.clone() };
        let to_bad = PairContext { responder: &long_term, ..ctx };
        let from_bad = PairContext { initiator: &long_term, ..ctx };
        let start = ladders();
        assert_eq!(run.respond(&m1).err(), Some(PairError::Key), "R_i = {name}");
        assert_eq!(run.finish(&m2).err(), Some(PairError::Key), "R_j = {name}");
        let started = Initiator::start(&to_bad, &patient.secret, &mut Given::new(&[1; 32]));
        assert_eq!(started.err(), Some(PairError::Key), "Y_j = {name}");
        assert_eq!(run.respond_as(&from_bad, &doctor.secret, &run.m1).err(), Some(PairError::Key), "Y_i = {name}");
        assert_eq!(ladders(), start, "{name} cost a ladder");
    }
}

#[test]
fn what_is_not_ours_is_refused_before_any_ladder() {
    let run = run();
    let ctx = context(&run.kit);
    let carer = &run.kit.caregiver;
    let start = ladders();
    let started = Initiator::start(&ctx, &carer.secret, &mut Given::new(&[1; 32]));
    assert_eq!(started.err(), Some(PairError::Key), "another's secret");
    assert_eq!(run.respond_as(&ctx, &carer.secret, &run.m1).err(), Some(PairError::Key), "another's secret");
    let finished = run.initiator.finish(&ctx, &carer.secret, &run.m2);
    assert_eq!(finished.err(), Some(PairError::Key), "another's secret");
    let alone = PairContext { responder: ctx.initiator, ..ctx };
    let started = Initiator::start(&alone, &run.kit.patient.secret, &mut Given::new(&[1; 32]));
    assert_eq!(started.err(), Some(PairError::Key), "a pair with oneself");
    let junk = [
        spoiled(&run.m1, |m| m.gid.0[0] ^= 1),
        spoiled(&run.m1, |m| m.pair ^= 1),
        spoiled(&run.m1, |m| m.sealed.clear()),
    ];
    assert!(junk.iter().all(|m1| run.respond(m1).is_err()));
    assert_eq!(run.finish(&spoiled(&run.m2, |m| m.signature.0[0] ^= 1)).err(), Some(PairError::Signature));
    assert_eq!(ladders(), start);
}
