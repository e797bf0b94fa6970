//! T_n computed two other ways with num-bigint: variable time, for tests, benches and public values. Never for a secret.

use num_bigint::BigUint;
use num_traits::One;

/// T_n(x) mod p by the double-and-add ladder on (T_k, T_{k+1}). Any size of n; time depends on n and x.
pub fn t_ladder(n: &BigUint, x: &BigUint, p: &BigUint) -> BigUint {
    let x = x % p;
    let (mut a, mut b) = (BigUint::one() % p, x.clone());
    for i in (0..n.bits()).rev() {
        // T_{2k+1} = 2·T_k·T_{k+1} − x and T_{2k} = 2·T_k² − 1.
        let cross = (((&a * &b) << 1) + p - &x) % p;
        let kept = if n.bit(i) { &b } else { &a };
        let twice = (((kept * kept) << 1) + p - 1u8) % p;
        (a, b) = if n.bit(i) { (cross, twice) } else { (twice, cross) };
    }
    a
}

/// T_n(x) mod p as the first coordinate of (x + √d)^n in F_p[√d], d = x² − 1: since T_n(cos θ) = cos nθ, T_n(x) is
/// the "real part" of the n-th power of cos θ + i·sin θ. Shares no formula with the ladders.
pub fn t_power(n: &BigUint, x: &BigUint, p: &BigUint) -> BigUint {
    let x = x % p;
    let d = (&x * &x + p - 1u8) % p;
    let multiply = |(a, b): &(BigUint, BigUint), (c, e): &(BigUint, BigUint)| {
        ((a * c + ((b * e) % p) * &d) % p, (a * e + b * c) % p)
    };
    let one = BigUint::one() % p;
    let z = (x, one.clone());
    let mut power = (one, BigUint::ZERO);
    for i in (0..n.bits()).rev() {
        power = multiply(&power, &power);
        if n.bit(i) {
            power = multiply(&power, &z);
        }
    }
    power.0
}
