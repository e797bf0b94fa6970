//! T_n, agreement and membership.

use crate::{committed, rng, settle};
use medring_protocol::chebyshev::{KeyError, PublicKey, PublicKeyBytes, SecretKey, params_check, t};
use num_bigint::BigUint;
use rand::Rng;
use serde_json::{Value, json};

const FILE: &str = "chebyshev.json";
const ABOUT: &str = "Suite T2-2048. \"t\": t = T_n(x) mod p. \"agree\": y = T_n(4) on both sides, z = T_a(T_b(4)). \
    \"member\": the verdict of validation on y.";

fn wide(value: &BigUint) -> [u8; 256] {
    let bytes = value.to_bytes_be();
    let mut out = [0; 256];
    out[256 - bytes.len()..].copy_from_slice(&bytes);
    out
}

fn polynomial(name: &str, n: [u8; 32], x: [u8; 256]) -> Value {
    let (n_hex, x_hex, t_hex) = (hex::encode(n), hex::encode(x), hex::encode(t(&n, &x)));
    json!({ "kind": "t", "name": name, "n": n_hex, "x": x_hex, "t": t_hex })
}

fn polynomials() -> Vec<Value> {
    let p = params_check::modulus();
    let small = |n: u8| std::array::from_fn(|i| if i == 31 { n } else { 0 });
    let four = wide(&BigUint::from(4u8));
    let mut n = [0; 32];
    let mut x = [0; 256];
    rng(1).fill_bytes(&mut n);
    rng(2).fill_bytes(&mut x);
    vec![
        polynomial("n = 0", small(0), four),
        polynomial("n = 1", small(1), four),
        polynomial("n = 2", small(2), four),
        polynomial("n = 5", small(5), four),
        polynomial("the largest n", [0xff; 32], four),
        polynomial("a power of two", std::array::from_fn(|i| u8::from(i == 0) << 7), four),
        polynomial("random n", n, four),
        polynomial("random n and x, x reduced modulo p first if it must be", n, x),
        polynomial("x = 0", n, [0; 256]),
        polynomial("x = 1, fixed by every T_n", n, wide(&BigUint::from(1u8))),
        polynomial("x = −1", n, wide(&(&p - 1u8))),
        polynomial("x = 1/2, of order 6", n, wide(&((&p + 1u8) >> 1u8))),
    ]
}

fn agreement(seed: u8) -> Value {
    let mut rng = rng(seed);
    let (a, b) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    json!({
        "kind": "agree", "name": format!("seed {seed}"),
        "a": hex::encode(a.expose()), "b": hex::encode(b.expose()),
        "y_a": a.public().to_string(), "y_b": b.public().to_string(),
        "z": hex::encode(a.agree(b.public()).as_bytes()),
    })
}

fn membership(name: &str, y: &BigUint) -> Value {
    let y = PublicKeyBytes(wide(y));
    let verdict = match PublicKey::validate(&y) {
        Ok(_) => "member",
        Err(KeyError::OutOfRange) => "out of range",
        Err(_) => "not in group",
    };
    json!({ "kind": "member", "name": name, "y": y.to_string(), "verdict": verdict })
}

fn memberships() -> Vec<Value> {
    let p = params_check::modulus();
    let half: BigUint = (&p + 1u8) >> 1u8;
    let key = BigUint::from_bytes_be(SecretKey::generate(&mut rng(5)).public().as_bytes());
    let mut cases = vec![
        membership("0", &BigUint::ZERO),
        membership("1", &BigUint::from(1u8)),
        membership("−1", &(&p - 1u8)),
        membership("p", &p),
        membership("p + 4", &(&p + 4u8)),
        membership("2^2048 − 1", &((BigUint::from(1u8) << 2048u32) - 1u8)),
        membership("1/2", &half),
        membership("−1/2", &(&p - &half)),
        membership("a public key", &key),
        membership("a public key negated: order 2q", &(&p - &key)),
    ];
    cases.extend((2u32..18).map(|y| membership(&format!("y = {y}"), &BigUint::from(y))));
    cases
}

#[test]
fn the_committed_file_is_what_the_code_computes() {
    let mut cases = polynomials();
    cases.extend([3, 4].map(agreement));
    cases.extend(memberships());
    settle(FILE, ABOUT, cases);
}

#[test]
fn the_committed_file_has_every_verdict() {
    let file = committed(FILE);
    for verdict in ["member", "out of range", "not in group"] {
        assert!(file["cases"].as_array().unwrap().iter().any(|case| case["verdict"] == verdict), "{verdict}");
    }
}
