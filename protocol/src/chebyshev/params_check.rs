//! Re-derives the prime of suite T2-2048 from π and re-checks every property the scheme rests on.
//!
//! Nothing here trusts the constant in `field`: it is the thing under test. Takes a few seconds in an unoptimised build.

use super::{field::P_HEX, oracle};
use num_bigint::BigUint;
use num_traits::{One, Zero};
use sha2::{Digest, Sha256};

/// SHA-256 of p as 256 big-endian bytes, as published in the spec.
pub const P_SHA256_HEX: &str = "5fe2c960e8aa9cb82121329ee11507633fd5def550013c6d1ce14a6b8145e87a";

/// One property and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked, as a sentence for people.
    pub name: &'static str,
    /// Whether it holds.
    pub passed: bool,
}

/// All checks of the suite's parameters, in the order of the spec. Deterministic, variable time, public values.
pub fn check_parameters() -> Vec<Check> {
    check_prime(&modulus())
}

/// p as the field uses it.
pub fn modulus() -> BigUint {
    // A constant of 512 hex digits: parsing cannot fail, and zero would fail every check.
    BigUint::parse_bytes(P_HEX.as_bytes(), 16).unwrap_or_default()
}

/// The same checks for any candidate, so that a test can see them fail.
fn check_prime(p: &BigUint) -> Vec<Check> {
    let one = BigUint::one();
    let q = (p + 1u8) >> 1;
    let r = (p.max(&one) - 1u8) / 12u8;
    let mut bytes = p.to_bytes_be();
    bytes.splice(0..0, vec![0; 256usize.saturating_sub(bytes.len())]);
    let check = |name, passed| Check { name, passed };
    vec![
        check("p = 2^2048 − 2^1984 + 2^64·⌊2^1918·π⌋ + 2727873829, with π computed here", *p == prime_from_pi()),
        check("SHA-256(p) is the published one", hex::encode(Sha256::digest(&bytes)) == P_SHA256_HEX),
        check("p ≡ 5 (mod 8)", p % 8u8 == BigUint::from(5u8)),
        check("p = 12r + 1", &r * 12u8 + 1u8 == *p),
        check("q = (p + 1)/2 = 6r + 1", &r * 6u8 + 1u8 == q),
        check("p is prime", is_probable_prime(p)),
        check("q is prime", is_probable_prime(&q)),
        check("r is prime", is_probable_prime(&r)),
        check("the base 4 has order q: T_q(4) = 1", oracle::t_power(&q, &BigUint::from(4u8), p) == one),
    ]
}

/// 2^2048 − 2^1984 + 2^64·⌊2^1918·π⌋ + 2727873829.
fn prime_from_pi() -> BigUint {
    let one = BigUint::one();
    (&one << 2048u32) - (&one << 1984u32) + (scaled_pi(1918) << 64u32) + 2_727_873_829_u32
}

/// ⌊2^bits·π⌋ by Machin's formula π = 16·arctan(1/5) − 4·arctan(1/239), with 64 guard bits.
fn scaled_pi(bits: u32) -> BigUint {
    const GUARD_BITS: u32 = 64;
    let unit = BigUint::one() << (bits + GUARD_BITS);
    (arctan_inverse(5, &unit) * 16u8 - arctan_inverse(239, &unit) * 4u8) >> GUARD_BITS
}

/// unit · arctan(1/x), truncated: Σ (−1)^k · unit / ((2k+1)·x^(2k+1)).
fn arctan_inverse(x: u32, unit: &BigUint) -> BigUint {
    let mut power = unit / x;
    let (mut plus, mut minus) = (BigUint::zero(), BigUint::zero());
    let mut odd = 1u32;
    while !power.is_zero() {
        let term = &power / odd;
        if odd % 4 == 1 {
            plus += term
        } else {
            minus += term
        }
        power /= x * x;
        odd += 2;
    }
    plus - minus
}

/// Miller–Rabin to the first 40 primes. The numbers checked are fixed and come from π, not from an adversary who could
/// choose a strong pseudoprime to known bases, so the error is far below 4^−40.
fn is_probable_prime(n: &BigUint) -> bool {
    let bases = (2u32..).filter(|c| (2..*c).all(|d| c % d != 0)).take(40);
    let one = BigUint::one();
    if *n < BigUint::from(200u8) || !n.bit(0) {
        return false; // our candidates are large; refusing small ones keeps the loop below simple
    }
    let minus_one = n - 1u8;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> twos;
    'bases: for base in bases {
        let mut y = BigUint::from(base).modpow(&odd, n);
        if y == one || y == minus_one {
            continue;
        }
        for _ in 1..twos {
            y = &y * &y % n;
            if y == minus_one {
                continue 'bases;
            }
        }
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_of_the_prime_holds() {
        for check in check_parameters() {
            assert!(check.passed, "{}", check.name);
        }
    }

    #[test]
    fn another_number_fails_them() {
        // p + 24 keeps the shape 12r + 1 and p ≡ 5 (mod 8), and nothing else.
        let failed = check_prime(&(modulus() + 24u8)).into_iter().filter(|c| !c.passed).count();
        assert_eq!(failed, 6);
    }

    #[test]
    fn primality_of_numbers_one_can_look_up() {
        let mersenne = |bits: u32| (BigUint::one() << bits) - 1u8;
        assert!(is_probable_prime(&mersenne(127)) && is_probable_prime(&mersenne(521)));
        assert!(!is_probable_prime(&mersenne(67)), "193707721 × 761838257287");
        assert!(!is_probable_prime(&BigUint::from(561u32)), "the first Carmichael number");
    }

    #[test]
    fn pi_begins_as_it_should() {
        assert_eq!(scaled_pi(64), BigUint::from(0x0003_243f_6a88_85a3_08d3_u128));
        assert_eq!(scaled_pi(0), BigUint::from(3u8));
    }
}
