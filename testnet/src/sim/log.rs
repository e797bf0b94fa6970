//! The event log of a simulation as one hash: equal for equal seeds, byte for byte.

use sha2::{Digest, Sha256};

/// Hashes every line; keeps them if asked to.
#[derive(Debug)]
pub(super) struct Log {
    state: Sha256,
    lines: Option<Vec<String>>,
}

impl Log {
    pub(super) fn new(keep: bool) -> Self {
        Self { state: Sha256::new(), lines: keep.then(Vec::new) }
    }

    pub(super) fn line(&mut self, line: String) {
        self.state.update(line.as_bytes());
        self.state.update(b"\n");
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        self.state.clone().finalize().into()
    }

    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}

/// A short name for bytes: the first eight hex digits of their SHA-256.
pub(super) fn short(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..4])
}
