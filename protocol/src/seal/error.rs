//! Why a seal could not be made, opened, or accepted as well-formed.

use crate::limits;

/// Why nothing was sealed: always the caller's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The content is longer than anyone would decompress.
    #[error(
        "content of {got} bytes; at most {} can be sealed: split it over several records",
        limits::SENSITIVE_PLAIN_BYTES_MAX
    )]
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// Compressed and padded, it exceeds what a record may hold.
    #[error("{compressed} bytes after compression; a record holds {room}: split the content over several records")]
    DoesNotFit {
        /// Bytes after compression.
        compressed: usize,
        /// Bytes of compressed content that fit.
        room: usize,
    },
    /// The padding parameter is not one a genesis may set.
    #[error(
        "padding to at least {0} bytes: it must be a power of two from 1024 to 65536; correct the genesis parameters"
    )]
    PadMin(usize),
    /// zstd failed, which it does only for want of memory.
    #[error("compression failed ({0}): free some memory and try again")]
    Compression(String),
}

/// Why s is not well-formed, whatever its keys: a broken consensus rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A record without receiver has nothing sealed.
    #[error("receiver type 0 with {0} sealed bytes; it has none")]
    NotEmpty(usize),
    /// First byte.
    #[error("sealed with suite {0}; this network knows suite 1")]
    Suite(u8),
    /// Shorter than its fixed parts, or longer than the limit.
    #[error("sealed part of {got} bytes; this receiver type has from {min} to {max}")]
    Length {
        /// Bytes seen.
        got: usize,
        /// Fewest bytes.
        min: usize,
        /// Most bytes.
        max: usize,
    },
    /// The padded plaintext is not a power of two, or below the minimum.
    #[error("sealed body padded to {got} bytes; it must be a power of two and at least {min}")]
    Padding {
        /// Length of the padded plaintext in bytes.
        got: usize,
        /// The network's minimum.
        min: usize,
    },
    /// E ≥ p.
    #[error("ephemeral key E is not below p")]
    EphemeralOutOfRange,
}

/// Why a seal that is addressed to us, or whose r we hold, does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// s is malformed.
    #[error("malformed: {0}")]
    Shape(#[from] ShapeError),
    /// The wrapped r was altered, or belongs to another chain, kind, uploader, receiver or public part.
    #[error("the wrapped secret was altered or moved from another record: fetch the record again and compare its id")]
    Wrap,
    /// r does not hash to c.
    #[error("the secret r does not belong to this record's commitment c: ask for the r of this very record")]
    Commitment,
    /// The body was altered, or belongs to another chain, kind, uploader, receiver or public part.
    #[error("the sealed body was altered or moved from another record: fetch the record again and compare its id")]
    Body,
    /// It decrypted to something that is not a plaintext of ours: the producer's fault.
    #[error("the record opened, but its producer sealed something malformed: {0}; ask the producer to issue it again")]
    Plain(#[from] PlainError),
    /// Sealed to our key, but meant for someone else: a record passed on as if it were ours.
    #[error("sealed to this key, but its content names another recipient; do not trust it, and tell its producer")]
    OtherRecipient,
}

/// Why decrypted bytes are not a sensitive plaintext.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    /// Too short for its header, or its stated length exceeds what is there.
    #[error("truncated")]
    Truncated,
    /// Bytes after the content that are not zero.
    #[error("its padding is not zero")]
    Padding,
    /// Type 1 is reserved, others are unknown.
    #[error("content type {0} is not known to this version; a newer one may read it")]
    Kind(u8),
    /// Not one plain zstd frame that states its content size.
    #[error("its content is not one zstd frame with a stated size")]
    Frame,
    /// The frame states more than the limit, or does not hold exactly what it states.
    #[error(
        "its content states {stated} bytes; at most {} are read, and exactly as many as stated",
        limits::SENSITIVE_PLAIN_BYTES_MAX
    )]
    Size {
        /// The size the frame states.
        stated: u64,
    },
}
