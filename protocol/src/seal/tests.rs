//! Seals open for their receiver and for nobody else, and every field they are bound to is shown to be bound.

use super::{derive::Part, *};
use crate::chebyshev::{KeyError, PublicKey, PublicKeyBytes, SecretKey, SharedSecret, params_check};
use crate::hash::{Commitment, Gid};
use crate::limits;
use crate::record::Receiver;
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
const CTX: SealContext<'static> = SealContext { chain: &CHAIN, kind: Kind::Ehr, uploader: &HOSPITAL, public: PUBLIC };

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

fn shape(content: &Content, pad_min: usize) -> Result<(), ShapeError> {
    check_shape(&content.receiver, &content.sealed, pad_min)
}

/// One seal of each receiver type, with the call that should open it.
type Open = fn(&ChainId, &Content) -> Result<Option<Opened>, OpenError>;

fn one_of_each() -> [(Sealed, Open); 3] {
    let key = patient();
    let make = |to, seed| seal(&CTX, to, &bundle(), PAD_MIN, &mut rng(seed)).unwrap();
    let as_patient: Open = |chain, content| open_as(chain, content, &PATIENT, &patient());
    [
        (make(To::Participant(key.public()), 1), as_patient),
        (make(To::Owner { key: key.public(), gid: GID }, 2), as_patient),
        (make(To::Group { k_rec: &K_REC, gid: GID }, 3), |chain, content| open_in_group(chain, content, &K_REC)),
    ]
}

#[test]
fn each_form_opens_for_its_receiver_and_by_disclosure() {
    for (sealed, open) in one_of_each() {
        let Sealed { content, r } = sealed;
        let receiver = content.receiver;
        shape(&content, PAD_MIN).unwrap();
        let opened = open(&CHAIN, &content).unwrap().unwrap_or_else(|| panic!("{receiver:?}: mine"));
        assert_eq!(opened.plain, bundle(), "{receiver:?}");
        assert_eq!(opened.r.expose(), r.expose());
        assert_eq!(open_with_r(&CHAIN, &content, &r).unwrap().plain, bundle());
        assert_eq!((content.kind, content.uploader, &*content.public), (CTX.kind, HOSPITAL, PUBLIC));
    }
}

#[test]
fn the_scan_finds_ones_own_and_nothing_else() {
    let [(to_patient, _), (to_owner, _), (to_group, _)] = one_of_each();
    let stranger = SecretKey::generate(&mut rng(51));
    assert!(detect(&CHAIN, &to_patient.content, &patient()));
    assert!(!detect(&CHAIN, &to_patient.content, &stranger));
    for sealed in [&to_patient, &to_owner, &to_group] {
        assert!(open_as(&CHAIN, &sealed.content, &PATIENT, &stranger).unwrap().is_none());
    }
    assert!(!detect(&CHAIN, &to_owner.content, &patient()), "type 3 has no one-time address");
    assert!(open_as(&CHAIN, &to_group.content, &PATIENT, &patient()).unwrap().is_none());
    assert!(open_in_group(&CHAIN, &to_patient.content, &K_REC).unwrap().is_none());
    assert_eq!(open_in_group(&CHAIN, &to_group.content, &[8; 32]).unwrap_err(), OpenError::Wrap);
}

/// The table: one thing changed, and no way to open it is left, neither the receiver's nor a disclosure's.
#[test]
fn a_change_of_any_bound_field_closes_the_seal() {
    type Change = fn(&mut Content);
    let changes: [(&str, Change); 10] = [
        ("kind", |c| c.kind = Kind::Emr),
        ("uploader", |c| c.uploader = OTHER_UPLOADER),
        ("m", |c| c.public = b"kind 1, schema 2".to_vec()),
        ("m, emptied", |c| c.public.clear()),
        ("commitment", |c| c.commitment.0[0] ^= 1),
        ("receiver tag", |c| c.receiver = Receiver::Tag([9; 16])),
        ("GID", |c| c.receiver = Receiver::Group(Gid([9; 32]))),
        ("owner's GID", |c| c.receiver = Receiver::GroupOwner(Gid([9; 32]))),
        ("receiver, stripped", |c| c.receiver = Receiver::None),
        ("suite", |c| c.sealed[0] = 2),
    ];
    for (sealed, open) in one_of_each() {
        let refuse = |what: &str, chain: &ChainId, content: &Content| {
            let receiver = sealed.content.receiver;
            assert!(!matches!(open(chain, content), Ok(Some(_))), "{receiver:?}, other {what}: receiver");
            assert!(open_with_r(chain, content, &sealed.r).is_err(), "{receiver:?}, other {what}: disclosure");
        };
        refuse("chain", &OTHER_CHAIN, &sealed.content);
        for (what, change) in &changes {
            let mut content = sealed.content.clone();
            change(&mut content);
            refuse(what, &CHAIN, &content);
        }
    }
}

#[test]
fn a_flip_of_any_byte_of_s_closes_the_seal() {
    for (Sealed { content, r }, open) in one_of_each() {
        let len = content.sealed.len();
        let body_at = len - (PAD_MIN + 16);
        // Every byte would take seconds of ladders; a stride that meets every part, and the borders, will do.
        for at in (0..len).step_by(7).chain([0, body_at - 48, body_at - 1, body_at, len - 1]) {
            let mut flipped = content.clone();
            flipped.sealed[at] ^= 0x10;
            assert!(!matches!(open(&CHAIN, &flipped), Ok(Some(_))), "{:?}, byte {at}", content.receiver);
            if at >= body_at {
                assert_eq!(open(&CHAIN, &flipped).unwrap_err(), OpenError::Body);
                assert_eq!(open_with_r(&CHAIN, &flipped, &r).unwrap_err(), OpenError::Body);
            }
        }
    }
}

#[test]
fn truncated_and_extended_seals_do_not_open() {
    for (Sealed { content, r }, open) in one_of_each() {
        let with = |sealed: Vec<u8>| Content { sealed, ..content.clone() };
        for len in (0..content.sealed.len()).step_by(13) {
            let cut = with(content.sealed[..len].to_vec());
            assert!(!matches!(open(&CHAIN, &cut), Ok(Some(_))), "{len} bytes");
            assert!(open_with_r(&CHAIN, &cut, &r).is_err(), "{len} bytes");
        }
        assert!(open(&CHAIN, &with([&content.sealed[..], &[0]].concat())).is_err());
    }
}

#[test]
fn another_records_secret_is_refused_by_the_commitment() {
    let [(a, _), (b, _), _] = one_of_each();
    assert_eq!(open_with_r(&CHAIN, &a.content, &b.r).unwrap_err(), OpenError::Commitment);
}

#[test]
fn a_record_resealed_to_me_but_made_for_another_is_exposed() {
    let key = patient();
    for to in [To::Participant(key.public()), To::Owner { key: key.public(), gid: GID }] {
        let sealed = seal(&CTX, to, &bundle(), PAD_MIN, &mut rng(9)).unwrap();
        let me = ParticipantId([0x77; 32]);
        assert_eq!(open_as(&CHAIN, &sealed.content, &me, &key).unwrap_err(), OpenError::OtherRecipient);
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
    let hostile = PublicKeyBytes(minus(&sealed.content.sealed[1..257]));
    assert_eq!(PublicKey::validate(&hostile), Err(KeyError::NotInGroup));
    let z = crate::chebyshev::t(key.expose(), hostile.as_bytes());
    let mut forged = sealed;
    forge(&mut forged, &hostile, &z, key.public());
    assert!(!detect(&CHAIN, &forged.content, &key));
    assert!(open_as(&CHAIN, &forged.content, &PATIENT, &key).unwrap().is_none());
}

/// Rewrites tag, E, wrap and body with keys derived from any E and Z, as an attacker who knows Z would.
fn forge(sealed: &mut Sealed, e: &PublicKeyBytes, z: &[u8; 256], to: &PublicKey) {
    let z = SharedSecret::from_bytes(z);
    let c = sealed.content.commitment;
    let (wrap_keys, tag) = derive::participant_wrap(&CTX, &c, &z, e, to);
    let receiver = Receiver::Tag(tag);
    let encrypt = |part, keys: &derive::KeyNonce, bytes: &[u8]| {
        let mut buffer = zeroize::Zeroizing::new(Vec::with_capacity(bytes.len() + 16));
        buffer.extend_from_slice(bytes);
        aead::encrypt(keys, &derive::associated_data(&CTX, part, &receiver, &c), buffer)
    };
    let mut s = vec![1];
    s.extend_from_slice(e.as_bytes());
    s.extend(encrypt(Part::Wrap, &wrap_keys, sealed.r.expose()));
    let record_key = derive::record_key(&CTX, &c, sealed.r.expose());
    s.extend(encrypt(Part::Body, &record_key, &bundle().encode(PAD_MIN).unwrap()));
    sealed.content.sealed = s;
    sealed.content.receiver = receiver;
}

#[test]
fn the_forgery_of_the_test_above_opens_with_an_honest_ephemeral_value() {
    // So that the refusal above is due to the membership check and to nothing else.
    let key = patient();
    let [(mut sealed, _), ..] = one_of_each();
    let e = SecretKey::generate(&mut rng(60));
    let z = *e.agree(key.public()).as_bytes();
    forge(&mut sealed, e.public().bytes(), &z, key.public());
    assert_eq!(open_as(&CHAIN, &sealed.content, &PATIENT, &key).unwrap().unwrap().plain, bundle());
}

#[test]
fn the_same_content_sealed_twice_shares_nothing_an_outsider_could_link() {
    let key = patient();
    let mut rng = rng(10);
    let mut make = || seal(&CTX, To::Participant(key.public()), &bundle(), PAD_MIN, &mut rng).unwrap().content;
    let (a, b) = (make(), make());
    assert_ne!(a.receiver, b.receiver);
    assert_ne!(a.commitment, b.commitment);
    assert_eq!(a.sealed.len(), b.sealed.len());
    let equal_runs = a.sealed[1..].windows(8).zip(b.sealed[1..].windows(8)).filter(|(x, y)| x == y).count();
    assert_eq!(equal_runs, 0, "past the suite byte, no eight bytes in the same place are equal");
}

#[test]
fn low_entropy_content_is_not_found_by_dictionary() {
    // c commits to random r, not to the content: sealing every word of a dictionary never meets the public fields again.
    let key = patient();
    let make =
        |word, seed| seal(&CTX, To::Participant(key.public()), &plain(word), PAD_MIN, &mut rng(seed)).unwrap().content;
    let target = make("positive", 11);
    for (seed, word) in [(12, "positive"), (13, "negative")] {
        let guess = make(word, seed);
        assert!(guess.commitment != target.commitment && guess.receiver != target.receiver);
        assert_ne!(guess.sealed[305..], target.sealed[305..], "body");
        assert_eq!(guess.sealed.len(), target.sealed.len(), "padding hides the length");
    }
}

#[test]
fn malformed_shapes_are_named() {
    let [(to_patient, _), (to_owner, _), (to_group, _)] = one_of_each();
    let none = Receiver::None;
    assert_eq!(check_shape(&none, &[], PAD_MIN), Ok(()));
    assert_eq!(check_shape(&none, &[1], PAD_MIN), Err(ShapeError::NotEmpty(1)));
    for Sealed { content, .. } in [&to_patient, &to_owner, &to_group] {
        let s = &content.sealed;
        let shape = |s: &[u8], min| check_shape(&content.receiver, s, min);
        let overhead = s.len() - PAD_MIN;
        let too_short = ShapeError::Length { got: 0, min: overhead, max: limits::SEALED_BYTES_MAX };
        assert_eq!(shape(&[], PAD_MIN), Err(too_short));
        assert!(matches!(shape(&[1; limits::SEALED_BYTES_MAX + 1], PAD_MIN), Err(ShapeError::Length { .. })));
        let padding = |got, min| Err(ShapeError::Padding { got, min });
        assert_eq!(shape(&s[..overhead], PAD_MIN), padding(0, PAD_MIN));
        assert_eq!(shape(&s[..s.len() - 1], PAD_MIN), padding(PAD_MIN - 1, PAD_MIN));
        assert_eq!(shape(&s[..s.len() - 1], PAD_MIN / 2), padding(PAD_MIN - 1, PAD_MIN / 2), "no power of two");
        assert_eq!(shape(s, 2 * PAD_MIN), padding(PAD_MIN, 2 * PAD_MIN));
        let mut other = s.clone();
        other[0] = 2;
        assert_eq!(shape(&other, PAD_MIN), Err(ShapeError::Suite(2)));
        let mut large = s.clone();
        large[1..257].fill(0xff);
        let to_group = matches!(content.receiver, Receiver::Group(_));
        assert_eq!(shape(&large, PAD_MIN), if to_group { Ok(()) } else { Err(ShapeError::EphemeralOutOfRange) });
    }
}

#[test]
fn debug_output_shows_no_secret_and_no_content() {
    let [(sealed, open), ..] = one_of_each();
    let opened = open(&CHAIN, &sealed.content).unwrap().unwrap();
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
    shape(&largest.content, PAD_MIN).unwrap();
    assert!(matches!(attempt(&noise(65_500), PAD_MIN).unwrap_err(), SealError::DoesNotFit { room: 65_499, .. }));
    let endless = SensitivePlain::new(PATIENT, PlainKind::FhirBundle, vec![0; limits::SENSITIVE_PLAIN_BYTES_MAX + 1]);
    assert!(matches!(attempt(&endless, PAD_MIN).unwrap_err(), SealError::TooLong { .. }));
    for pad_min in [0, 512, 1500, 1 << 17] {
        assert_eq!(attempt(&bundle(), pad_min).unwrap_err(), SealError::PadMin(pad_min));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_content_survives_the_round_trip(
        bytes in prop::collection::vec(any::<u8>(), 0..4000), aphr in any::<bool>(), seed in any::<u8>(), pad in 10u32..14,
    ) {
        let kind = if aphr { PlainKind::Aphr } else { PlainKind::FhirBundle };
        let plain = SensitivePlain::new(PATIENT, kind, bytes);
        let sealed = seal(&CTX, To::Group { k_rec: &K_REC, gid: GID }, &plain, 1 << pad, &mut rng(seed)).unwrap();
        prop_assert_eq!(shape(&sealed.content, 1 << pad), Ok(()));
        prop_assert_eq!(open_in_group(&CHAIN, &sealed.content, &K_REC).unwrap().unwrap().plain, plain);
    }

    /// Bytes from anyone: an answer, never a panic.
    #[test]
    fn noise_is_refused_calmly(sealed in prop::collection::vec(any::<u8>(), 0..700), id in 0u8..4) {
        let receiver = match id {
            0 => Receiver::None,
            1 => Receiver::Tag([1; 16]),
            2 => Receiver::Group(GID),
            _ => Receiver::GroupOwner(GID),
        };
        let (commitment, public) = (Commitment::ZERO, Vec::new());
        let content = Content { kind: Kind::Phr, uploader: HOSPITAL, receiver, commitment, public, sealed };
        let _ = shape(&content, PAD_MIN);
        let key = SecretKey::from_bytes(&[1; 32]).unwrap();
        prop_assert!(!matches!(open_as(&CHAIN, &content, &PATIENT, &key), Ok(Some(_))));
        prop_assert!(!matches!(open_in_group(&CHAIN, &content, &K_REC), Ok(Some(_))));
    }
}
