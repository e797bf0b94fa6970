//! The primitive: T_n(x) in constant time against num-bigint's ladder and modpow, and validation against a library's symbols.

use crypto_bigint::{Odd, U2048};
use medring_benches::contest::Contest;
use medring_protocol::chebyshev::{PublicKey, SecretKey, oracle, params_check, t};
use num_bigint::BigUint;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn main() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut n = [0; 32];
    rng.fill_bytes(&mut n);
    let secret = SecretKey::generate(&mut rng);
    let public = *secret.public();
    ladder(&n, &public);
    validation(&public);
}

fn ladder(n: &[u8; 32], public: &PublicKey) {
    let p = params_check::modulus();
    let big_n = BigUint::from_bytes_be(n);
    let big_x = BigUint::from_bytes_be(public.as_bytes());
    let curve_key = ed25519_dalek::SigningKey::from_bytes(n).verifying_key().to_montgomery();
    Contest::new("ladder: T_n(x), 256-bit n, 2048-bit p")
        .enter("num-bigint, the same ladder, variable time", || oracle::t_ladder(&big_n, &big_x, &p))
        .enter("num-bigint modpow, variable time", || big_x.modpow(&big_n, &p))
        .enter("medring, constant time", || t(n, public.as_bytes()))
        .enter("X25519, constant time: the choice if it need not be Chebyshev", || curve_key.mul_clamped(*n))
        .run();
}

fn validation(public: &PublicKey) {
    let p = Odd::new(U2048::from_be_slice(&params_check::modulus().to_bytes_be())).expect("p is odd");
    let y = U2048::from_be_slice(public.as_bytes());
    let one = U2048::ONE;
    Contest::new("validation: membership of the order-q group, two Jacobi symbols")
        .enter("crypto-bigint's symbols, constant time", || {
            (y.wrapping_add(&one).jacobi_symbol(&p), y.wrapping_sub(&one).jacobi_symbol(&p))
        })
        .enter("crypto-bigint's symbols, variable time", || {
            (y.wrapping_add(&one).jacobi_symbol_vartime(&p), y.wrapping_sub(&one).jacobi_symbol_vartime(&p))
        })
        .enter("medring, variable time, with the range check", || PublicKey::validate(public.bytes()))
        .run();
}
