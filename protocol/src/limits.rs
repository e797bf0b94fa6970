//! Every fixed limit of the protocol, with its unit last in the name. Limits a network may choose are in [`crate::params`].

/// A whole record in the codec, envelope included (spec: records).
pub const RECORD_BYTES_MAX: usize = 128 * 1024;
/// All records of a block in the codec, together (spec: blocks).
pub const BLOCK_BYTES_MAX: usize = 1024 * 1024;
/// Records in one block, whatever their size; bounds what a decoder may allocate.
pub const BLOCK_RECORDS_MAX: usize = 4096;
/// The public part m of a record.
pub const PUBLIC_BYTES_MAX: usize = 64 * 1024;
/// The sealed part s of a record.
pub const SEALED_BYTES_MAX: usize = RECORD_BYTES_MAX - 1024;
/// What the sealed part may decompress to (a 128 KiB record of highly regular JSON stays below; a zip bomb does not).
pub const SENSITIVE_PLAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Source records of one APHR.
pub const APHR_SOURCES_MAX: usize = 256;
/// Entries in one enrolment record.
pub const ENROL_ENTRIES_MAX: usize = 128;
/// Heights over which R-QUOTA adds up.
pub const QUOTA_WINDOW_HEIGHTS: u64 = 144;
/// Entries in a block locator.
pub const LOCATOR_ENTRIES_MAX: usize = 101;
/// Headers in one answer.
pub const HEADERS_PER_MESSAGE_MAX: usize = 2000;
/// Blocks asked for in one request.
pub const BLOCKS_PER_REQUEST_MAX: usize = 16;
/// A sync request on the wire.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// A sync answer on the wire.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A compact block on the wire: 4,096 short ids of three bytes, or fewer longer ones, and what is sent along.
pub const COMPACT_BYTES_MAX: usize = 40 * 1024;
/// What a compact block is kept within if it can be: short ids are shortened before they take more.
pub const COMPACT_BYTES_AIM: usize = 9_600;
/// What it is kept within by sending no more records along.
pub const COMPACT_SENT_ALONG_BYTES_AIM: usize = 8_000;
/// A gossip message (a whole block with its header and framing).
pub const GOSSIP_BYTES_MAX: usize = BLOCK_BYTES_MAX + 64 * 1024;
/// Proof bytes of an envelope.
pub const PROOF_BYTES_MAX: usize = 1024;

const _: () = assert!(SEALED_BYTES_MAX + PUBLIC_BYTES_MAX > RECORD_BYTES_MAX, "either part may fill a record");
const _: () = assert!(RECORD_BYTES_MAX < BLOCK_BYTES_MAX);
const _: () = assert!(GOSSIP_BYTES_MAX < RESPONSE_BYTES_MAX);
const _: () = assert!(COMPACT_SENT_ALONG_BYTES_AIM < COMPACT_BYTES_AIM && COMPACT_BYTES_AIM < COMPACT_BYTES_MAX);
const _: () = assert!(COMPACT_BYTES_MAX < GOSSIP_BYTES_MAX);
const _: () = assert!(BLOCK_RECORDS_MAX < u16::MAX as usize, "a place in a block is a u16");
