//! The Jacobi symbol by the binary algorithm, variable time, for public values only.
//!
//! The general one of the integer library is constant time and costs as much as the whole ladder; membership checks run on
//! values that came over the wire, which have nothing to hide.

use crypto_bigint::U2048;

const LIMBS: usize = 32;

/// The symbol (a/n) for odd n: +1, −1, or 0 if they have a common factor.
pub(super) fn jacobi(a: &U2048, n: &U2048) -> i8 {
    let (mut a, mut n) = (a.to_words(), n.to_words());
    debug_assert!(n[0] & 1 == 1, "the symbol is defined for odd n");
    let mut positive = true;
    let mut used = LIMBS;
    loop {
        while used > 1 && a[used - 1] == 0 && n[used - 1] == 0 {
            used -= 1;
        }
        let (x, y) = (&mut a[..used], &mut n[..used]);
        if x.iter().all(|limb| *limb == 0) {
            let coprime = y[0] == 1 && y[1..].iter().all(|limb| *limb == 0);
            return if !coprime {
                0
            } else if positive {
                1
            } else {
                -1
            };
        }
        // (2/n) = −1 exactly for n ≡ 3, 5 (mod 8).
        if strip_twos(x) % 2 == 1 && matches!(y[0] & 7, 3 | 5) {
            positive = !positive;
        }
        // Reciprocity for two odd numbers: the sign changes when both are ≡ 3 (mod 4).
        if x.iter().rev().lt(y.iter().rev()) {
            if x[0] & y[0] & 3 == 3 {
                positive = !positive;
            }
            x.swap_with_slice(y);
        }
        subtract(x, y);
    }
}

/// Divides by the largest power of two there is; returns its exponent. `x` is not zero.
fn strip_twos(x: &mut [u64]) -> u32 {
    let mut stripped = 0;
    while x[0] & 1 == 0 {
        let shift = x[0].trailing_zeros().min(63);
        for i in 0..x.len() {
            let above = x.get(i + 1).copied().unwrap_or(0);
            x[i] = (x[i] >> shift) | (above << (64 - shift));
        }
        stripped += shift;
    }
    stripped
}

/// x −= y, for x ≥ y.
fn subtract(x: &mut [u64], y: &[u64]) {
    let mut borrow = false;
    for (a, b) in x.iter_mut().zip(y) {
        let (d, under) = a.overflowing_sub(*b);
        let (d, under_again) = d.overflowing_sub(u64::from(borrow));
        (*a, borrow) = (d, under | under_again);
    }
    debug_assert!(!borrow);
}

#[cfg(test)]
mod tests {
    use super::super::field::P;
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    #[test]
    fn small_symbols() {
        // Row n = 15: (a/15) for a = 0 … 14.
        let row = [0, 1, 1, 0, 1, 0, 0, -1, 1, 0, 0, -1, 0, -1, -1];
        for (a, expected) in row.into_iter().enumerate() {
            assert_eq!(jacobi(&U2048::from_u64(a as u64), &U2048::from_u64(15)), expected, "({a}/15)");
        }
        assert_eq!(jacobi(&U2048::from_u64(2), P.as_ref()), -1, "p ≡ 5 (mod 8)");
        // A power of two wider than a limb, so that stripping crosses limbs.
        assert_eq!(jacobi(&U2048::from_u64(2).shl_vartime(130), P.as_ref()), -1);
        assert_eq!(jacobi(&U2048::from_u64(2).shl_vartime(131), P.as_ref()), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_eulers_criterion(bytes in prop::collection::vec(any::<u8>(), 256)) {
            let p = BigUint::from_bytes_be(&P.as_ref().to_be_bytes());
            let a = BigUint::from_bytes_be(&bytes) % &p;
            let power = a.modpow(&(&p >> 1), &p);
            let expected = if power == BigUint::ZERO { 0 } else if power == BigUint::from(1u8) { 1 } else { -1 };
            prop_assert_eq!(jacobi(&U2048::from_be_slice(&bytes), P.as_ref()), expected);
        }

        #[test]
        fn equals_the_librarys_symbol(a in any::<u64>(), n in any::<u64>()) {
            let n = crypto_bigint::Odd::new(crypto_bigint::U64::from_u64(n | 1)).unwrap();
            let expected = i8::from(crypto_bigint::U64::from_u64(a).jacobi_symbol(&n));
            prop_assert_eq!(jacobi(&U2048::from_u64(a), &U2048::from_u64(n.as_ref().to_words()[0])), expected);
        }
    }
}
