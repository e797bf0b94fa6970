//! Ed25519 by ZIP-215: a batch accepts exactly what single verification accepts; keys of small order are never enrolled.

use super::KIT;
use ed25519_dalek::VerifyingKey;
use medring_protocol::identity::{PublicKeys, Signature, SigningPk};
use medring_protocol::record::{SigCheck, verify_all};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// All encodings of the eight points of small order: the eight canonical ones, and six that are not.
fn small_order() -> Vec<[u8; 32]> {
    [
        "0100000000000000000000000000000000000000000000000000000000000000", // order 1
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
        "0000000000000000000000000000000000000000000000000000000000000000", // order 4
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080", // x = 0 with its sign set
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y ≥ p
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ]
    .map(|text| hex::decode(text).unwrap().try_into().unwrap())
    .to_vec()
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

fn good(hash: [u8; 32]) -> SigCheck {
    SigCheck { key: KIT.doctor.keys.signing, hash, signature: KIT.doctor.secret.sign(&hash) }
}

fn refused(signing: [u8; 32]) -> &'static str {
    PublicKeys { signing: SigningPk(signing), chebyshev: KIT.doctor.keys.chebyshev }.validate().unwrap_err()
}

/// The 196 cases of ZIP-215: A and R any encoding of small order, s = 0. Valid for any message, alone and in a batch.
#[test]
fn batch_and_single_agree_on_all_points_of_small_order() {
    let mut checks = vec![good([1; 32])];
    for a in small_order() {
        for r in small_order() {
            let mut signature = Signature::ZERO;
            signature.0[..32].copy_from_slice(&r);
            let check = SigCheck { key: SigningPk(a), hash: [7; 32], signature };
            assert!(check.verify(), "A {} R {}", hex::encode(a), hex::encode(r));
            assert_eq!(verify_all(std::slice::from_ref(&check), &mut rng()), Ok(()));
            checks.push(check);
        }
    }
    assert_eq!(verify_all(&checks, &mut rng()), Ok(()));
}

#[test]
fn no_key_of_small_order_and_no_second_encoding_is_enrolled() {
    for key in small_order() {
        let problem = refused(key);
        assert!(problem.contains("prime order") || problem.contains("canonical"), "{problem}");
    }
    // A good key with its y written as y + p does not exist (y would have to be below 19), a good key plus torsion does.
    let honest = VerifyingKey::from_bytes(&KIT.doctor.keys.signing.0).unwrap();
    KIT.doctor.keys.validate().unwrap();
    for torsion in small_order().into_iter().take(8).skip(1) {
        let mixed = honest.to_edwards() + VerifyingKey::from_bytes(&torsion).unwrap().to_edwards();
        assert_eq!(refused(VerifyingKey::from(mixed).to_bytes()), "the signing key is not of prime order");
    }
    let off_curve = (0..=255).map(|i| [i; 32]).find(|b| VerifyingKey::from_bytes(b).is_err()).unwrap();
    assert_eq!(refused(off_curve), "the signing key is no Ed25519 point");
}

/// Under a key with a torsion component the cofactor decides: cofactored verification accepts, alone and in a batch.
#[test]
fn batch_and_single_agree_on_keys_of_mixed_order() {
    let honest = VerifyingKey::from_bytes(&KIT.doctor.keys.signing.0).unwrap();
    for torsion in small_order() {
        let mixed = honest.to_edwards() + VerifyingKey::from_bytes(&torsion).unwrap().to_edwards();
        let key = SigningPk(VerifyingKey::from(mixed).to_bytes());
        let check = SigCheck { key, ..good([3; 32]) };
        let alone = check.verify();
        assert_eq!(verify_all(&[good([1; 32]), check], &mut rng()), if alone { Ok(()) } else { Err(1) });
    }
}

#[test]
fn an_s_that_is_not_reduced_is_refused() {
    let order: [u8; 32] =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap().try_into().unwrap();
    let mut check = good([1; 32]);
    let mut carry = 0;
    for (byte, add) in check.signature.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert!(!check.verify(), "the same s modulo the order would be a second signature");
    assert_eq!(verify_all(&[good([2; 32]), check], &mut rng()), Err(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_first_bad_signature_is_named(count in 1..40usize, bad in prop::collection::vec((any::<prop::sample::Index>(), 0..64usize, 0..8u8), 0..3)) {
        let mut checks: Vec<_> = (0..count).map(|i| good([u8::try_from(i).unwrap(); 32])).collect();
        for (index, byte, bit) in bad {
            let check = &mut checks[index.index(count)];
            check.signature.0[byte] ^= 1 << bit;
        }
        let alone = checks.iter().position(|check| !check.verify());
        prop_assert_eq!(verify_all(&checks, &mut rng()), alone.map_or(Ok(()), Err));
    }
}

#[test]
fn an_empty_batch_is_good() {
    assert_eq!(verify_all(&[], &mut rng()), Ok(()));
}
