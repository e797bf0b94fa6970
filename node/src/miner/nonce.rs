//! The search for a nonce: one compression of SHA-256 each.

use medring_protocol::block::Header;
use sha2::block_api::compress256;

/// The initial state of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Where the nonce stands in the second 64-byte block.
const NONCE_AT: usize = Header::LEN - 8 - 64;

/// Looks for nonces of one header. Its first 64 bytes are compressed once; the last 48 and SHA-256's padding fill one block.
#[derive(Clone, Debug)]
pub(super) struct NonceSearch {
    midstate: [u32; 8],
    last: [u8; 64],
    target: Option<[u32; 8]>,
}

impl NonceSearch {
    /// For this header, whatever its nonce. A target that is not canonical is met by none.
    pub(super) fn new(header: &Header) -> Self {
        let bytes = header.to_bytes();
        let (mut first, mut last) = ([0; 64], [0; 64]);
        first.copy_from_slice(&bytes[..64]);
        last[..Header::LEN - 64].copy_from_slice(&bytes[64..]);
        // Padding: one bit, zeros, the length in bits as u64 (FIPS 180-4, 5.1.1).
        last[Header::LEN - 64] = 0x80;
        last[56..].copy_from_slice(&(8 * Header::LEN as u64).to_be_bytes());
        let mut midstate = INITIAL;
        compress256(&mut midstate, &[first]);
        let target = header.target.decode().map(|target| {
            let (words, _) = target.0.as_chunks::<4>();
            std::array::from_fn(|i| u32::from_be_bytes(words[i]))
        });
        Self { midstate, last, target }
    }

    /// The first of `count` nonces from `start` on whose id meets the target. Nonces wrap around after 2^64 − 1.
    pub(super) fn run(&self, start: u64, count: u64) -> Option<u64> {
        let target = self.target?;
        let mut last = self.last;
        (0..count).map(|i| start.wrapping_add(i)).find(|nonce| {
            last[NONCE_AT..NONCE_AT + 8].copy_from_slice(&nonce.to_be_bytes());
            let mut state = self.midstate;
            compress256(&mut state, &[last]);
            // Words compared in order are the big-endian integers compared.
            state <= target
        })
    }
}
