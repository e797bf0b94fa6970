//! Seals open for their receiver and for nobody else, and every field they are bound to is shown to be bound.

use super::{derive::Part, *};
use crate::chebyshev::{KeyError, PublicKey, PublicKeyBytes, SecretKey, params_check};
use crate::hash::{Commitment, Gid};
use crate::limits;
use proptest::prelude::*;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CHAIN: ChainId = ChainId([1; 32]);
const OTHER_CHAIN: ChainId = ChainId([2; 32]);
const HOSPITAL: ParticipantId = ParticipantId([3; 32]);
const OTHER_UPLOADER: ParticipantId = ParticipantId([4; 32]);
const PATIENT: ParticipantId = ParticipantId([5; 32]);
const GID: Gid = Gid([6; 32]);
const K_REC: [u8; 32] = [7; 32];
const PUBLIC: &[u8] = b"kind 1, schema 1";
const PAD_MIN: usize = 1024;
const CTX: SealContext<'static> = SealContext { chain: &CHAIN, kind: 1, uploader: &HOSPITAL, public: PUBLIC };

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn patient() -> SecretKey {
    SecretKey::generate(&mut rng(50))
}

fn plain(text: &str) -> SensitivePlain {
    SensitivePlain::new(PATIENT, PlainKind::FhirBundle, text.as_bytes().to_vec())
}

fn bundle() -> SensitivePlain {
    plain(r#"{"resourceType":"Bundle","type":"collection","entry":[]}"#)
}

fn parts(sealed: &Sealed) -> SealedParts<'_> {
    SealedParts { receiver: &sealed.receiver, s: &sealed.s, c: &sealed.c }
}

/// One seal of each receiver type, with the call that should open it.
type Open = fn(&SealContext<'_>, &Sealed) -> Result<Option<Opened>, OpenError>;

fn one_of_each() -> [(Sealed, Open); 3] {
    let key = patient();
    let make = |to, seed| seal(&CTX, to, &bundle(), PAD_MIN, &mut rng(seed)).unwrap();
    let as_patient: Open = |ctx, sealed| open_as(ctx, parts(sealed), &PATIENT, &patient());
    [
        (make(To::Participant(key.public()), 1), as_patient),
        (make(To::Owner { key: key.public(), gid: GID }, 2), as_patient),
        (make(To::Group { k_rec: &K_REC, gid: GID }, 3), |ctx, sealed| open_in_group(ctx, parts(sealed), &K_REC)),
    ]
}

#[test]
fn each_form_opens_for_its_receiver_and_by_disclosure() {
    for (sealed, open) in one_of_each() {
        let id = sealed.receiver.id();
        check_shape(&sealed.receiver, &sealed.s, PAD_MIN).unwrap();
        let opened = open(&CTX, &sealed).unwrap().unwrap_or_else(|| panic!("receiver type {id}: mine"));
        assert_eq!(opened.plain, bundle(), "receiver type {id}");
        assert_eq!(opened.r.expose(), sealed.r.expose());
        assert_eq!(open_with_r(&CTX, parts(&sealed), &sealed.r).unwrap().plain, bundle());
    }
}

#[test]
fn the_scan_finds_ones_own_and_nothing_else() {
    let [(to_patient, _), (to_owner, _), (to_group, _)] = one_of_each();
    let stranger = SecretKey::generate(&mut rng(51));
    assert!(detect(&CTX, parts(&to_patient), &patient()));
    assert!(!detect(&CTX, parts(&to_patient), &stranger));
    for sealed in [&to_patient, &to_owner, &to_group] {
        assert!(open_as(&CTX, parts(sealed), &PATIENT, &stranger).unwrap().is_none());
    }
    assert!(!detect(&CTX, parts(&to_owner), &patient()), "type 3 has no one-time address");
    assert!(open_as(&CTX, parts(&to_group), &PATIENT, &patient()).unwrap().is_none());
    assert!(open_in_group(&CTX, parts(&to_patient), &K_REC).unwrap().is_none());
    assert_eq!(open_in_group(&CTX, parts(&to_group), &[8; 32]).unwrap_err(), OpenError::Wrap);
}

/// The table: one thing changed, and no way to open it is left — neither the receiver's nor a disclosure's.
#[test]
fn a_change_of_any_bound_field_closes_the_seal() {
    let contexts = [
        ("chain", SealContext { chain: &OTHER_CHAIN, ..CTX }),
        ("kind", SealContext { kind: 2, ..CTX }),
        ("uploader", SealContext { uploader: &OTHER_UPLOADER, ..CTX }),
        ("m", SealContext { public: b"kind 1, schema 2", ..CTX }),
        ("m emptied", SealContext { public: b"", ..CTX }),
    ];
    for (sealed, open) in one_of_each() {
        let id = sealed.receiver.id();
        let refuse = |what: &str, ctx: &SealContext<'_>, sealed: &Sealed| {
            assert!(!matches!(open(ctx, sealed), Ok(Some(_))), "type {id}, {what} changed: receiver");
            assert!(open_with_r(ctx, parts(sealed), &sealed.r).is_err(), "type {id}, {what} changed: disclosure");
        };
        for (what, ctx) in &contexts {
            refuse(what, ctx, &sealed);
        }
        let mut other_c = sealed.clone();
        other_c.c.0[0] ^= 1;
        refuse("c", &CTX, &other_c);
        for (what, receiver) in [
            ("receiver tag", Receiver::Tag(ReceiverTag([9; 16]))),
            ("GID", Receiver::Group(Gid([9; 32]))),
            ("owner's GID", Receiver::Owner(Gid([9; 32]))),
            ("receiver stripped", Receiver::None),
        ] {
            refuse(what, &CTX, &Sealed { receiver, ..sealed.clone() });
        }
    }
}

#[test]
fn a_flip_of_any_byte_of_s_closes_the_seal() {
    for (sealed, open) in one_of_each() {
        let body_at = sealed.s.len() - (PAD_MIN + 16);
        // Every byte outside the body would take a second of ladders; a stride that meets every part will do.
        for at in (0..sealed.s.len()).step_by(7).chain([0, body_at - 48, body_at - 1, body_at, sealed.s.len() - 1]) {
            let mut flipped = sealed.clone();
            flipped.s[at] ^= 0x10;
            let id = sealed.receiver.id();
            assert!(!matches!(open(&CTX, &flipped), Ok(Some(_))), "type {id}, byte {at}");
            if at >= body_at {
                assert_eq!(open(&CTX, &flipped).unwrap_err(), OpenError::Body);
                assert_eq!(open_with_r(&CTX, parts(&flipped), &sealed.r).unwrap_err(), OpenError::Body);
            }
        }
    }
}

#[test]
fn truncated_and_extended_seals_do_not_open() {
    for (sealed, open) in one_of_each() {
        for len in (0..sealed.s.len()).step_by(13) {
            let cut = Sealed { s: sealed.s[..len].to_vec(), ..sealed.clone() };
            assert!(!matches!(open(&CTX, &cut), Ok(Some(_))), "{len} bytes");
            assert!(open_with_r(&CTX, parts(&cut), &cut.r).is_err(), "{len} bytes");
        }
        let mut longer = sealed.clone();
        longer.s.push(0);
        assert!(open(&CTX, &longer).is_err());
    }
}

#[test]
fn another_records_secret_is_refused_by_the_commitment() {
    let [(a, _), (b, _), _] = one_of_each();
    assert_eq!(open_with_r(&CTX, parts(&a), &b.r).unwrap_err(), OpenError::Commitment);
}

#[test]
fn a_record_resealed_to_me_but_made_for_another_is_exposed() {
    let key = patient();
    for to in [To::Participant(key.public()), To::Owner { key: key.public(), gid: GID }] {
        let sealed = seal(&CTX, to, &bundle(), PAD_MIN, &mut rng(9)).unwrap();
        let me = ParticipantId([0x77; 32]);
        assert_eq!(open_as(&CTX, parts(&sealed), &me, &key).unwrap_err(), OpenError::OtherRecipient);
    }
}

/// E outside the group is "not mine" before any ladder runs, even when every key was derived from it.
#[test]
fn an_ephemeral_value_outside_the_group_is_not_mine() {
    let key = patient();
    let [(sealed, _), ..] = one_of_each();
    let p = params_check::modulus();
    let minus = |bytes: &[u8]| {
        let mut out = [0; 256];
        out.copy_from_slice(&(&p - num_bigint::BigUint::from_bytes_be(bytes)).to_bytes_be());
        out
    };
    // −E has order 2q: T_s(−E) = ±Z, so without the check an attacker would read the parity of s.
    let hostile = PublicKeyBytes(minus(&sealed.s[1..257]));
    assert_eq!(PublicKey::validate(&hostile), Err(KeyError::NotInGroup));
    let z = crate::chebyshev::t(key.expose(), hostile.as_bytes());
    let mut forged = sealed;
    let (_, tag) = forge(&mut forged, &hostile, &z, key.public());
    forged.receiver = Receiver::Tag(tag);
    assert!(!detect(&CTX, parts(&forged), &key));
    assert!(open_as(&CTX, parts(&forged), &PATIENT, &key).unwrap().is_none());
}

/// Rewrites E and the wrap with keys derived from any E and Z, as an attacker who guessed Z would.
fn forge(sealed: &mut Sealed, e: &PublicKeyBytes, z: &[u8; 256], to: &PublicKey) -> (derive::KeyNonce, ReceiverTag) {
    let z = crate::chebyshev::SharedSecret::from_bytes_for_tests(z);
    let (keys, tag) = derive::participant_wrap(&CTX, &sealed.c, &z, e, to);
    let receiver = Receiver::Tag(tag);
    let seal_part = |part, keys: &derive::KeyNonce, bytes: &[u8]| {
        let mut buffer = zeroize::Zeroizing::new(Vec::with_capacity(bytes.len() + 16));
        buffer.extend_from_slice(bytes);
        aead::encrypt(keys, &derive::associated_data(&CTX, part, &receiver, &sealed.c), buffer)
    };
    let mut s = vec![1];
    s.extend_from_slice(e.as_bytes());
    s.extend(seal_part(Part::Wrap, &keys, sealed.r.expose()));
    let record_key = derive::record_key(&CTX, &sealed.c, sealed.r.expose());
    s.extend(seal_part(Part::Body, &record_key, &bundle().encode(PAD_MIN).unwrap()));
    sealed.s = s;
    (keys, tag)
}

#[test]
fn the_forgery_of_the_test_above_opens_with_an_honest_ephemeral_value() {
    // So that the refusal above is due to the membership check and to nothing else.
    let key = patient();
    let [(mut sealed, _), ..] = one_of_each();
    let e = SecretKey::generate(&mut rng(60));
    let z = *e.agree(key.public()).as_bytes();
    let (_, tag) = forge(&mut sealed, e.public().bytes(), &z, key.public());
    sealed.receiver = Receiver::Tag(tag);
    assert_eq!(open_as(&CTX, parts(&sealed), &PATIENT, &key).unwrap().unwrap().plain, bundle());
}

#[test]
fn the_same_content_sealed_twice_shares_nothing_an_outsider_could_link() {
    let key = patient();
    let mut rng = rng(10);
    let mut make = || seal(&CTX, To::Participant(key.public()), &bundle(), PAD_MIN, &mut rng).unwrap();
    let (a, b) = (make(), make());
    assert_ne!(a.receiver, b.receiver);
    assert_ne!(a.c, b.c);
    assert_eq!(a.s.len(), b.s.len());
    let equal_runs = a.s[1..].windows(8).zip(b.s[1..].windows(8)).filter(|(x, y)| x == y).count();
    assert_eq!(equal_runs, 0, "past the suite byte, no eight bytes in the same place are equal");
}

#[test]
fn low_entropy_content_is_not_found_by_dictionary() {
    // c commits to random r, not to the content: sealing every word of a dictionary never meets the public fields again.
    let key = patient();
    let target = seal(&CTX, To::Participant(key.public()), &plain("positive"), PAD_MIN, &mut rng(11)).unwrap();
    for (seed, word) in [(12, "positive"), (13, "negative")] {
        let guess = seal(&CTX, To::Participant(key.public()), &plain(word), PAD_MIN, &mut rng(seed)).unwrap();
        assert!(guess.c != target.c && guess.receiver != target.receiver);
        assert_ne!(guess.s[305..], target.s[305..], "body");
        assert_eq!(guess.s.len(), target.s.len(), "padding hides the length");
    }
}

#[test]
fn malformed_shapes_are_named() {
    let [(to_patient, _), (to_owner, _), (to_group, _)] = one_of_each();
    let none = Receiver::None;
    assert_eq!(check_shape(&none, &[], PAD_MIN), Ok(()));
    assert_eq!(check_shape(&none, &[1], PAD_MIN), Err(ShapeError::NotEmpty(1)));
    for sealed in [&to_patient, &to_owner, &to_group] {
        let shape = |s: &[u8], min| check_shape(&sealed.receiver, s, min);
        let overhead = sealed.s.len() - PAD_MIN;
        let err = ShapeError::Length { got: 0, min: overhead, max: limits::SEALED_BYTES_MAX };
        assert_eq!(shape(&[], PAD_MIN), Err(err));
        assert!(matches!(shape(&[1; limits::SEALED_BYTES_MAX + 1], 64), Err(ShapeError::Length { .. })));
        let padding = |got, min| Err(ShapeError::Padding { got, min });
        assert_eq!(shape(&sealed.s[..overhead], PAD_MIN), padding(0, PAD_MIN));
        assert_eq!(shape(&sealed.s[..sealed.s.len() - 1], PAD_MIN), padding(PAD_MIN - 1, PAD_MIN));
        assert_eq!(shape(&sealed.s, 2 * PAD_MIN), padding(PAD_MIN, 2 * PAD_MIN));
        let mut other = sealed.s.clone();
        other[0] = 2;
        assert_eq!(shape(&other, PAD_MIN), Err(ShapeError::Suite(2)));
        let mut large = sealed.s.clone();
        large[1..257].fill(0xff);
        let verdict = if sealed.receiver.id() == 2 { Ok(()) } else { Err(ShapeError::EphemeralOutOfRange) };
        assert_eq!(shape(&large, PAD_MIN), verdict);
    }
}

#[test]
fn debug_output_shows_no_secret_and_no_content() {
    let [(sealed, open), ..] = one_of_each();
    let opened = open(&CTX, &sealed).unwrap().unwrap();
    let text = format!("{:?} {opened:?}", sealed.r);
    assert!(!text.contains("Bundle\"") && !text.contains(&hex::encode(&sealed.r.expose()[..4])), "{text}");
}

#[test]
fn what_is_too_long_is_refused_with_the_figures() {
    let key = patient();
    let attempt =
        |plain: &SensitivePlain, pad_min| seal(&CTX, To::Participant(key.public()), plain, pad_min, &mut rng(1));
    let noise = |len| {
        let mut bytes = vec![0; len];
        rng(20).fill_bytes(&mut bytes);
        SensitivePlain::new(PATIENT, PlainKind::FhirBundle, bytes)
    };
    // Noise does not compress: zstd adds 3 bytes a block and a header of 9.
    let largest = attempt(&noise(65_480), PAD_MIN).unwrap();
    assert!(largest.s.len() <= limits::SEALED_BYTES_MAX);
    check_shape(&largest.receiver, &largest.s, PAD_MIN).unwrap();
    assert!(matches!(attempt(&noise(65_500), PAD_MIN).unwrap_err(), SealError::DoesNotFit { room: 65_499, .. }));
    let endless = SensitivePlain::new(PATIENT, PlainKind::FhirBundle, vec![0; limits::SENSITIVE_PLAIN_BYTES_MAX + 1]);
    assert!(matches!(attempt(&endless, PAD_MIN).unwrap_err(), SealError::TooLong { .. }));
    for pad_min in [0, 32, 1000, 1 << 17] {
        assert_eq!(attempt(&bundle(), pad_min).unwrap_err(), SealError::PadMin(pad_min));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_content_survives_the_round_trip(
        bytes in prop::collection::vec(any::<u8>(), 0..4000), aphr in any::<bool>(), seed in any::<u8>(), pad in 6u32..13,
    ) {
        let kind = if aphr { PlainKind::Aphr } else { PlainKind::FhirBundle };
        let plain = SensitivePlain::new(PATIENT, kind, bytes);
        let sealed = seal(&CTX, To::Group { k_rec: &K_REC, gid: GID }, &plain, 1 << pad, &mut rng(seed)).unwrap();
        prop_assert_eq!(check_shape(&sealed.receiver, &sealed.s, 1 << pad), Ok(()));
        prop_assert_eq!(open_in_group(&CTX, parts(&sealed), &K_REC).unwrap().unwrap().plain, plain);
    }

    /// Bytes from anyone: an answer, never a panic.
    #[test]
    fn noise_is_refused_calmly(s in prop::collection::vec(any::<u8>(), 0..700), id in 0u8..4) {
        let receiver = match id {
            0 => Receiver::None,
            1 => Receiver::Tag(ReceiverTag([1; 16])),
            2 => Receiver::Group(GID),
            _ => Receiver::Owner(GID),
        };
        let c = Commitment([0; 32]);
        let view = SealedParts { receiver: &receiver, s: &s, c: &c };
        let _ = check_shape(&receiver, &s, 64);
        prop_assert!(!matches!(open_as(&CTX, view, &PATIENT, &SecretKey::from_bytes(&[1; 32]).unwrap()), Ok(Some(_))));
        prop_assert!(!matches!(open_in_group(&CTX, view, &K_REC), Ok(Some(_))));
    }
}
