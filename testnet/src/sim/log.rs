//! The event log of a simulation as one hash: equal for equal seeds, byte for byte.

use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fmt::{Arguments, Write};

/// Lines a failure shows.
const TAIL_LINES: usize = 40;

/// Hashes every line and keeps the last ones; keeps all if asked to.
#[derive(Debug)]
pub(super) struct Log {
    state: Sha256,
    tail: VecDeque<String>,
    lines: Option<Vec<String>>,
}

impl Log {
    pub(super) fn new(keep: bool) -> Self {
        Self { state: Sha256::new(), tail: VecDeque::new(), lines: keep.then(Vec::new) }
    }

    pub(super) fn line(&mut self, line: Arguments<'_>) {
        // The oldest line's memory serves the new one.
        let oldest = if self.tail.len() < TAIL_LINES { None } else { self.tail.pop_front() };
        let mut text = oldest.unwrap_or_default();
        text.clear();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{line}");
        self.state.update(text.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(text.trim_end().to_owned());
        }
        self.tail.push_back(text);
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        self.state.clone().finalize().into()
    }

    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// A short name for bytes: the first four bytes of their SHA-256.
pub(super) fn mark(hash: &[u8; 32]) -> u32 {
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}
