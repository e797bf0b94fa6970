//! The field F_p of suite T2-2048: Montgomery form with a fixed modulus, constant time throughout.

use crypto_bigint::{Odd, U2048, const_monty_form, const_monty_params, modular::ConstMontyParams};

/// p in hexadecimal, 512 digits; `params_check` derives the same number from π.
pub(super) const P_HEX: &str = concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437",
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05",
    "98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb",
    "9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718",
    "3995497cea956ae515d2261898fa051015728e5a8aaac42d00000000a2980d25",
);

const_monty_params!(Modulus, U2048, P_HEX, "The prime of suite T2-2048.");
const_monty_form!(Fp, Modulus, "An element of F_p in Montgomery form.");

/// p.
pub(super) const P: Odd<U2048> = Fp::MODULUS;

/// The base point x = 4; its image on the torus has the prime order q.
pub(super) const BASE: Fp = Fp::new(&U2048::from_u64(4));

/// Reads 256 big-endian bytes and reduces modulo p.
pub(super) fn from_bytes(bytes: &[u8; 256]) -> Fp {
    Fp::new(&U2048::from_be_slice(bytes))
}

/// The canonical 256 big-endian bytes, below p.
pub(super) fn to_bytes(value: &Fp) -> [u8; 256] {
    value.retrieve().to_be_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_reduce() {
        let mut seven = [0; 256];
        seven[255] = 7;
        assert_eq!(to_bytes(&from_bytes(&seven)), seven);
        let above: [u8; 256] = P.as_ref().wrapping_add(&U2048::from_u64(7)).to_be_bytes().into();
        assert_eq!(to_bytes(&from_bytes(&above)), seven);
        // The widest input: 2^2048 − 1 is above p and below 2p.
        let widest = U2048::MAX.wrapping_sub(P.as_ref());
        assert_eq!(from_bytes(&[0xff; 256]).retrieve(), widest);
    }
}
