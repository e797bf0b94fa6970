//! Chebyshev polynomials modulo p, the one asymmetric primitive of the scheme (spec: primitive).
//!
//! T_0 = 1, T_1(x) = x, T_n(x) = 2x·T_{n−1}(x) − T_{n−2}(x) over F_p, so that T_r(T_s(x)) = T_{rs}(x). Inverting T_n is a
//! discrete logarithm in the order-q subgroup of the torus T₂(F_p): about 128 bits against classical computers, and
//! nothing against a quantum computer. All arithmetic is on integers; nothing here ever sees a float.
//!
//! * [`keys`]: what the rest of the crate uses. A [`PublicKey`] exists only if its bytes passed full validation.
//! * `ladder`, `field`: constant time in the secret. `jacobi`: variable time, on public values.
//! * [`oracle`]: slow, variable-time and independent, for tests, benches and public values.
//! * [`params_check`]: where p comes from, and the proof that it has the properties claimed.

mod field;
mod jacobi;
pub mod keys;
mod ladder;
pub mod oracle;
pub mod params_check;
#[cfg(test)]
mod tests;

pub use keys::{KeyError, PublicKey, PublicKeyBytes, SecretKey, SharedSecret, in_range};

/// T_n(x) mod p: `n` a 32-byte and `x` a 256-byte big-endian integer (reduced modulo p first). Constant time in both.
/// Checks nothing about x: for test vectors and benches. The protocol goes through [`SecretKey`].
pub fn t(n: &[u8; 32], x: &[u8; 256]) -> [u8; 256] {
    field::to_bytes(&ladder::t(n, &field::from_bytes(x)))
}

/// How many T_n this thread has computed so far: what a protocol costs, counted. The oracle's are not among them.
pub fn ladders() -> u64 {
    ladder::computed()
}
