//! The byte format of messages and stored values, and the only user of bincode (docs/adr/0003-bincode.md).
//!
//! Big-endian, fixed-width integers, u64 lengths, u32 enum tags, a size limit, no trailing bytes. Every type that passes
//! here has exactly one encoding, so equal values have equal bytes. What is hashed or signed uses LP framing instead.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// More bytes than this kind of message may have.
    #[error("{got} bytes, and the limit here is {limit}")]
    TooLong {
        /// Bytes received.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Bytes left over after the value.
    #[error("{0} bytes follow the end of the value")]
    Trailing(usize),
    /// Truncated, or not a value of this type.
    #[error("malformed: {0}")]
    Malformed(String),
}

fn config() -> impl bincode::config::Config {
    // The limit stops a length field from allocating more than any message may hold.
    bincode::config::standard().with_big_endian().with_fixed_int_encoding().with_limit::<{ 8 * 1024 * 1024 }>()
}

/// The one encoding of `value`.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Our types have no failing serialisers and no sequences of unknown length, so this cannot fail.
    bincode::serde::encode_to_vec(value, config()).unwrap_or_default()
}

/// Length of the encoding of `value` in bytes.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    encode(value).len()
}

/// Reads exactly one value from all of `bytes`, which may be `limit` long at most. A length field that lies
/// costs at most 8 MiB, for a moment.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    if bytes.len() > limit {
        return Err(CodecError::TooLong { got: bytes.len(), limit });
    }
    let (value, read) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|e: bincode::error::DecodeError| CodecError::Malformed(e.to_string()))?;
    match bytes.len() - read {
        0 => Ok(value),
        rest => Err(CodecError::Trailing(rest)),
    }
}
