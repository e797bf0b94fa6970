//! What is stored under the keys, and how it is read back: with limits, and damage named by column and key.

use crate::engine::Engine;
use crate::{Column, StorageError};
use medring_protocol::block::Header;
use medring_protocol::record::Record;
use medring_protocol::{codec, limits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A header and what is known of its block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHeader {
    /// The header.
    pub header: Header,
    /// How many headers were stored before it, on any branch; genesis has 0.
    pub sequence: u64,
    /// Its body is stored.
    pub body: bool,
    /// When its branch became complete here; decides ties. `None`: it is not complete.
    pub arrival: Option<u64>,
    /// Why it is invalid, for people, at most [`StoredHeader::REASON_BYTES_MAX`] bytes. `None`: nothing speaks against it.
    pub invalid: Option<String>,
}

impl StoredHeader {
    /// Longer reasons are cut.
    pub const REASON_BYTES_MAX: usize = 256;
    pub(crate) const BYTES_MAX: usize = Header::LEN + 8 + 1 + 9 + 9 + Self::REASON_BYTES_MAX;
}

/// A record that waits to be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolEntry {
    /// The record.
    pub record: Record,
    /// When it was admitted, ms since 1970.
    pub received_ms: u64,
    /// Order of admission, chosen by the node.
    pub sequence: u64,
}

impl PoolEntry {
    pub(crate) const BYTES_MAX: usize = limits::RECORD_BYTES_MAX + 16;
}

/// `text` cut to at most `bytes_max` bytes at a character's boundary.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text[..end].to_owned()
}

/// That a value is not what was written.
pub(crate) fn damaged(column: Column, key: &[u8], problem: impl ToString) -> StorageError {
    use std::fmt::Write;
    let hex = key.iter().fold(String::with_capacity(2 * key.len()), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    StorageError::Damaged { column: column.name(), key: hex, problem: problem.to_string() }
}

/// Reads a value of at most `limit` bytes.
pub(crate) fn decode<T: DeserializeOwned>(
    column: Column,
    key: &[u8],
    value: &[u8],
    limit: usize,
) -> Result<T, StorageError> {
    codec::decode(value, limit).map_err(|e| damaged(column, key, e))
}

/// Looks a key up and reads its value.
pub(crate) fn read<E: Engine, T: DeserializeOwned>(
    engine: &E,
    column: Column,
    key: &[u8],
    limit: usize,
) -> Result<Option<T>, StorageError> {
    engine.get(column, key)?.map(|value| decode(column, key, &value, limit)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(cut("späť", 3), "sp");
        assert_eq!(cut("späť", 4), "spä");
        assert_eq!(cut("ab", 9), "ab");
    }
}
