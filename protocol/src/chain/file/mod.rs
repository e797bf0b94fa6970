//! A chain in one file: parameters, blocks, and the tip they end in (spec: chain-file).
//!
//! [`Writer`] makes one, [`Reader`] takes it apart, and [`verify`] checks all of it anew: it needs no node and no network.
//! The checksums find damage; what finds a lie is the chain itself.

mod error;
mod reader;
mod verify;
mod writer;

pub use error::{FileError, Part};
pub use reader::Reader;
pub use verify::{Progress, Report, verify};
pub use writer::Writer;

use sha2::{Digest, Sha256};

/// The first bytes of a chain file.
pub const MAGIC: [u8; 16] = *b"medring chain 1\n";
/// Bytes of a frame's checksum.
pub const CHECKSUM_BYTES: usize = 8;
/// Largest frame of parameters.
const PARAMS_BYTES_MAX: usize = 16 * 1024;
/// count u64 ‖ tip 32.
const TRAILER_BYTES: usize = 8 + 32;

/// The first 8 bytes of SHA-256(length ‖ payload).
fn checksum(length: [u8; 4], payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(length).chain_update(payload).finalize();
    std::array::from_fn(|i| digest[i])
}
