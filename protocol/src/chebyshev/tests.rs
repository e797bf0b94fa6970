//! The ladder against two oracles, and every class of value that validation must refuse.

use super::{oracle, params_check, *};
use crate::codec;
use num_bigint::BigUint;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn big(bytes: &[u8]) -> BigUint {
    BigUint::from_bytes_be(bytes)
}

fn wide(value: &BigUint) -> [u8; 256] {
    let bytes = value.to_bytes_be();
    let mut out = [0; 256];
    out[256 - bytes.len()..].copy_from_slice(&bytes);
    out
}

fn key(seed: u8) -> SecretKey {
    SecretKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn verdict(value: &BigUint) -> Result<(), KeyError> {
    PublicKey::validate(&PublicKeyBytes(wide(value))).map(drop)
}

#[test]
fn small_polynomials_are_the_textbooks() {
    // T_2 = 2x²−1, T_3 = 4x³−3x, T_4 = 8x⁴−8x²+1, T_5 = 16x⁵−20x³+5x at x = 4.
    for (n, expected) in [(0u8, 1u32), (1, 4), (2, 31), (3, 244), (4, 1921), (5, 15124)] {
        let mut bytes = [0; 32];
        bytes[31] = n;
        assert_eq!(big(&t(&bytes, &wide(&BigUint::from(4u8)))), BigUint::from(expected), "T_{n}(4)");
    }
}

#[test]
fn edges_of_n_agree_with_the_oracles() {
    let p = params_check::modulus();
    for n in [[0xff; 32], [0x80; 32], [1; 32], std::array::from_fn(|i| u8::from(i == 0) << 7)] {
        let x = BigUint::from(4u8);
        let got = big(&t(&n, &wide(&x)));
        assert_eq!(got, oracle::t_ladder(&big(&n), &x, &p));
        assert_eq!(got, oracle::t_power(&big(&n), &x, &p));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any n and any x, inside the group or not.
    #[test]
    fn ladder_equals_both_oracles(n in any::<[u8; 32]>(), x in prop::collection::vec(any::<u8>(), 256)) {
        let p = params_check::modulus();
        let x: [u8; 256] = x.try_into().unwrap();
        let got = big(&t(&n, &x));
        prop_assert_eq!(&got, &oracle::t_ladder(&big(&n), &big(&x), &p));
        prop_assert_eq!(&got, &oracle::t_power(&big(&n), &big(&x), &p));
    }

    #[test]
    fn the_semigroup_commutes(r in any::<[u8; 32]>(), s in any::<[u8; 32]>(), x in prop::collection::vec(any::<u8>(), 256)) {
        let x: [u8; 256] = x.try_into().unwrap();
        prop_assert_eq!(t(&r, &t(&s, &x)), t(&s, &t(&r, &x)));
    }

    #[test]
    fn generated_keys_pass_and_agree(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let (a, b) = (SecretKey::from_bytes(&a).unwrap(), SecretKey::from_bytes(&b).unwrap());
        prop_assert_eq!(PublicKey::validate(a.public().bytes()), Ok(*a.public()));
        let (ab, ba) = (a.agree(b.public()), b.agree(a.public()));
        prop_assert_eq!(ab.as_bytes(), ba.as_bytes());
    }
}

#[test]
fn a_good_key_and_the_base_pass() {
    assert_eq!(verdict(&BigUint::from(4u8)), Ok(()));
    assert_eq!(verdict(&big(key(1).public().as_bytes())), Ok(()));
}

#[test]
fn values_out_of_range_are_refused() {
    let p = params_check::modulus();
    let all_ones = (BigUint::from(1u8) << 2048u32) - 1u8;
    let good = big(key(1).public().as_bytes());
    for (name, y) in [
        ("0", BigUint::ZERO),
        ("1", BigUint::from(1u8)),
        ("−1", &p - 1u8),
        ("p", p.clone()),
        ("p + 1", &p + 1u8),
        ("p + 4, the base unreduced", &p + 4u8),
        ("2^2048 − 1", all_ones),
    ] {
        assert_eq!(verdict(&y), Err(KeyError::OutOfRange), "{name}");
    }
    assert!(good < p);
}

#[test]
fn values_of_small_order_are_refused() {
    let p = params_check::modulus();
    let half: BigUint = (&p + 1u8) >> 1u8; // 1/2: order 6
    for (name, y) in [("1/2", half.clone()), ("−1/2", &p - &half)] {
        assert_eq!(verdict(&y), Err(KeyError::NotInGroup), "{name}");
        assert_eq!(oracle::t_power(&BigUint::from(6u8), &y, &p), BigUint::from(1u8), "{name} has an order dividing 6");
    }
}

#[test]
fn values_of_order_2q_are_refused() {
    // −y has order 2q when y has order q: χ(y²−1) does not change, χ(2(y+1)) does.
    let p = params_check::modulus();
    let q = (&p + 1u8) >> 1;
    for seed in 0..8 {
        let negative = &p - big(key(seed).public().as_bytes());
        assert_eq!(oracle::t_ladder(&q, &negative, &p), &p - 1u8, "T_q = −1: order 2q");
        assert_eq!(verdict(&negative), Err(KeyError::NotInGroup));
    }
}

#[test]
fn values_on_the_twist_are_refused() {
    // χ(y²−1) = +1: the order divides p − 1. Both signs of χ(2(y+1)) must occur and be refused.
    let p = params_check::modulus();
    let one = BigUint::from(1u8);
    let is_square = |v: BigUint| (v % &p).modpow(&(&p >> 1), &p) == one;
    let mut seen = [0, 0];
    for y in (2u32..).map(BigUint::from).take(64) {
        if is_square(&y * &y - 1u8) {
            seen[usize::from(is_square((&y + 1u8) * 2u8))] += 1;
            assert_eq!(oracle::t_ladder(&(&p - 1u8), &y, &p), one, "order divides p − 1");
            assert_eq!(verdict(&y), Err(KeyError::NotInGroup), "y = {y}");
        }
        if seen[0] > 2 && seen[1] > 2 {
            return;
        }
    }
    panic!("too few values on the twist: {seen:?}");
}

#[test]
fn validation_is_exactly_membership() {
    // For small y: accepted iff T_q(y) = 1 (and y > 1), decided by exponentiation instead of symbols.
    let p = params_check::modulus();
    let q = (&p + 1u8) >> 1;
    for y in (2u32..26).map(BigUint::from) {
        let torus = ((&y * &y - 1u8) % &p).modpow(&(&p >> 1), &p) != BigUint::from(1u8);
        let member = torus && oracle::t_ladder(&q, &y, &p) == BigUint::from(1u8);
        assert_eq!(verdict(&y).is_ok(), member, "y = {y}");
    }
}

#[test]
fn the_consensus_check_looks_at_the_range_alone() {
    let p = params_check::modulus();
    assert!(in_range(&wide(&(&p - 1u8))) && in_range(&[0; 256]));
    assert!(!in_range(&wide(&p)) && !in_range(&[0xff; 256]));
}

#[test]
fn a_zero_secret_is_refused_and_never_generated() {
    assert_eq!(SecretKey::from_bytes(&[0; 32]).unwrap_err(), KeyError::ZeroSecret);
}

#[test]
fn debug_output_holds_no_secret() {
    let secret = key(3);
    let shared = secret.agree(key(4).public());
    let text = format!("{secret:?} {shared:?}");
    assert!(text.contains("redacted"));
    for hidden in [hex::encode(secret.expose()), hex::encode(shared.as_bytes())] {
        assert!(!text.contains(&hidden[..8]), "{text}");
    }
}

#[test]
fn a_public_key_is_its_256_bytes_in_the_codec_and_hex_in_text() {
    let public = *key(5).public();
    let bytes = codec::encode(&public);
    assert_eq!(bytes, public.as_bytes());
    assert_eq!(codec::decode::<PublicKey>(&bytes, 256), Ok(public));
    let text = serde_json::to_string(&public).unwrap();
    assert_eq!(text, format!("\"{public}\""));
    assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), public);
    // Reading validates.
    let error = codec::decode::<PublicKey>(&[0; 256], 256).unwrap_err();
    assert!(error.to_string().contains("out of range"), "{error}");
}
