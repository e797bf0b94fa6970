//! Seeded randomness that can be copied, so that a world can be forked and both copies go on alike.

use rand::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// SHA-256 over a seed and a counter.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    label: &'static str,
    drawn: u64,
}

impl Dice {
    /// What follows from this seed and label.
    pub fn new(seed: u64, label: &'static str) -> Self {
        Self { seed, label, drawn: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let state = Sha256::new().chain_update(b"medring dice").chain_update(self.seed.to_be_bytes());
        state.chain_update(self.drawn.to_be_bytes()).chain_update(self.label.as_bytes()).finalize().into()
    }

    /// 0 to `end` − 1; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.block()[..8]);
        u64::from_be_bytes(word) % end.max(1)
    }

    /// An index into something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(u64::try_from(len).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// One of them; `None` if there is none.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let index = self.index(of.len());
        of.get(index).cloned()
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u64) -> bool {
        chance > 0 && self.below(100) < chance
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [a, b, c, d, ..] = self.block();
        Ok(u32::from_be_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.below(u64::MAX))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            chunk.copy_from_slice(&self.block()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Dice {}
