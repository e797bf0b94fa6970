//! The Montgomery ladder for T_n: 256 fixed steps, no branch and no memory address that depends on n or x.

use super::field::Fp;
use crypto_bigint::{Choice, CtSelect};
use std::cell::Cell;
use zeroize::Zeroize;

thread_local! {
    static COMPUTED: Cell<u64> = const { Cell::new(0) };
}

/// Ladders of this thread so far.
pub(super) fn computed() -> u64 {
    COMPUTED.get()
}

/// T_n(x) for a 256-bit big-endian n, leading zeros included: every n takes the same time.
///
/// Works on V_k = 2·T_k(x), which saves the doublings: V_0 = 2, V_1 = 2x, and with (a, b) = (V_k, V_{k+1})
/// a next bit 0 gives (a² − 2, ab − V_1), a next bit 1 gives (ab − V_1, b² − 2).
pub(super) fn t(n: &[u8; 32], x: &Fp) -> Fp {
    COMPUTED.set(COMPUTED.get() + 1);
    let two = Fp::ONE.double();
    let mut v1 = x.double();
    let mut a = two;
    let mut b = v1;
    for byte in n {
        for shift in (0..8).rev() {
            let bit = Choice::from_u8_lsb(byte >> shift);
            let mut product = a * b - v1;
            let mut square = Fp::ct_select(&a, &b, bit).square() - two;
            a = Fp::ct_select(&square, &product, bit);
            b = Fp::ct_select(&product, &square, bit);
            product.zeroize();
            square.zeroize();
        }
    }
    let result = a.div_by_2();
    a.zeroize();
    b.zeroize();
    v1.zeroize();
    result
}
