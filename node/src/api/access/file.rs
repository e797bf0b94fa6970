//! `tokens.json` in the data folder: which tokens there are, by their hashes.

use super::Scope;
use crate::wallet::FileError;
use crate::wallet::files::{read_limited, write_private};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Largest file read, bytes.
const BYTES_MAX: usize = 256 * 1024;
/// The one format.
const FORMAT: &str = "medring-tokens/1";

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Eight hex digits, drawn; says nothing about the token.
    pub(super) id: String,
    /// For people.
    pub(super) name: String,
    pub(super) scope: Scope,
    /// SHA-256 of the token: of 32 drawn bytes, so that it cannot be guessed back.
    #[serde(with = "hash")]
    pub(super) sha256: [u8; 32],
    pub(super) created_ms: u64,
    pub(super) expires_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    tokens: Vec<Stored>,
}

/// What the file says; nothing if there is none. `Err`: it cannot be read, or (second) what is wrong with it.
pub(super) fn read(path: &Path) -> Result<Vec<Stored>, Result<FileError, String>> {
    let bytes = match read_limited(path, BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Ok(error)),
    };
    let file: File = serde_json::from_slice(&bytes).map_err(|e| Err(e.to_string()))?;
    if file.format != FORMAT {
        return Err(Err(format!("its format is {:?}, and this medring reads {FORMAT}", file.format)));
    }
    Ok(file.tokens)
}

/// Writes it whole: it is on disk once this returns `Ok`.
pub(super) fn write(path: &Path, tokens: &[Stored]) -> Result<(), FileError> {
    let file = File { format: FORMAT.into(), tokens: tokens.to_vec() };
    // Only maps with other than text keys can fail, and there are none.
    let text = serde_json::to_string_pretty(&file).unwrap_or_default() + "\n";
    write_private(path, text.as_bytes())
}

/// 32 bytes in hex.
mod hash {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let mut bytes = [0; 32];
        let digits = String::deserialize(deserializer)?;
        hex::decode_to_slice(digits, &mut bytes).map_err(D::Error::custom)?;
        Ok(bytes)
    }
}
