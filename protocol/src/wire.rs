//! What nodes say to each other (spec: wire). Frames and transports are the node's business.

use crate::block::{Block, Header};
use crate::codec::{self, CodecError};
use crate::hash::{BlockId, ChainId, WireId};
use crate::limits;
use crate::pow::Work;
use crate::record::Record;
use serde::{Deserialize, Serialize};

/// The version this code speaks: 2 gossips compact blocks ([`crate::compact`]), 1 whole ones. Two nodes use the lower one.
pub const VERSION: u16 = 2;

/// First message both ways, on a protocol whose name holds no chain id, so that a wrong network is named on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the wire the sender speaks, from 1 to it: [`VERSION`].
    pub version: u16,
    /// Software and version, at most 64 bytes, for people.
    pub agent: String,
    /// The chain.
    pub chain: ChainId,
    /// Its name, at most 32 bytes, for people.
    pub chain_name: String,
    /// Tip of the best chain.
    pub tip: BlockId,
    /// Its height.
    pub height: u64,
    /// Its cumulative work.
    pub work: Work,
    /// The sender's clock, ms since 1970: a skewed clock is warned of.
    pub clock_ms: u64,
}

impl Status {
    /// Largest status, bytes.
    pub const BYTES_MAX: usize = 512;

    /// Reads a status and checks its texts.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let status: Self = codec::decode(bytes, Self::BYTES_MAX)?;
        let printable = |s: &str| s.bytes().all(|b| (0x20..0x7f).contains(&b));
        if status.agent.len() > 64
            || status.chain_name.len() > 32
            || !printable(&status.agent)
            || !printable(&status.chain_name)
        {
            return Err(CodecError::Malformed("agent or chain name too long or not printable".into()));
        }
        Ok(status)
    }
}

/// A question to a peer. Each has exactly one kind of answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Headers of your best chain after the first of these that is on it: about ten single steps back from our tip, then
    /// doubling, then genesis; at most [`limits::LOCATOR_ENTRIES_MAX`].
    Headers {
        /// Block ids, newest first.
        locator: Vec<BlockId>,
    },
    /// These blocks, whole; at most [`limits::BLOCKS_PER_REQUEST_MAX`].
    Blocks {
        /// Which.
        ids: Vec<BlockId>,
    },
    /// The inventory of your mempool.
    Pool,
    /// These records of your mempool, at most 256.
    Records {
        /// Which.
        ids: Vec<WireId>,
    },
    /// The records that stand in these places of a block; from version 2 on.
    BlockRecords {
        /// Which block.
        block: BlockId,
        /// Which places, ascending; at most [`limits::BLOCK_RECORDS_MAX`].
        indexes: Vec<u16>,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Successive headers, at most [`limits::HEADERS_PER_MESSAGE_MAX`].
    Headers(Vec<Header>),
    /// The blocks that are there, in the order asked, cut where the answer would exceed [`limits::RESPONSE_BYTES_MAX`].
    Blocks(Vec<Block>),
    /// Wire ids, at most [`Request::POOL_IDS_MAX`].
    Pool(Vec<WireId>),
    /// The records that are there, cut as blocks are.
    Records(Vec<Record>),
    /// All the records asked for, in that order; none if the block is not on the best chain.
    BlockRecords(Vec<Record>),
}

impl Request {
    /// Wire ids in one inventory.
    pub const POOL_IDS_MAX: usize = 4096;
    /// Records in one request.
    pub const RECORDS_MAX: usize = 256;

    /// Reads a request and checks its counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let request: Self = codec::decode(bytes, limits::REQUEST_BYTES_MAX)?;
        let (count, most) = match &request {
            Request::Headers { locator } => (locator.len(), limits::LOCATOR_ENTRIES_MAX),
            Request::Blocks { ids } => (ids.len(), limits::BLOCKS_PER_REQUEST_MAX),
            Request::Pool => (0, 0),
            Request::Records { ids } => (ids.len(), Self::RECORDS_MAX),
            Request::BlockRecords { indexes, .. } => (indexes.len(), limits::BLOCK_RECORDS_MAX),
        };
        if count > most {
            return Err(CodecError::Malformed(format!("{count} entries, at most {most} are allowed")));
        }
        if let Request::BlockRecords { indexes, .. } = &request
            && !indexes.is_sorted_by(|a, b| a < b)
        {
            return Err(CodecError::Malformed("places that do not ascend".into()));
        }
        Ok(request)
    }
}

impl Response {
    /// Reads an answer and checks its counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let response: Self = codec::decode(bytes, limits::RESPONSE_BYTES_MAX)?;
        let (count, most) = match &response {
            Response::Headers(headers) => (headers.len(), limits::HEADERS_PER_MESSAGE_MAX),
            Response::Blocks(blocks) => (blocks.len(), limits::BLOCKS_PER_REQUEST_MAX),
            Response::Pool(ids) => (ids.len(), Request::POOL_IDS_MAX),
            Response::Records(records) => (records.len(), Request::RECORDS_MAX),
            Response::BlockRecords(records) => (records.len(), limits::BLOCK_RECORDS_MAX),
        };
        if count > most {
            return Err(CodecError::Malformed(format!("{count} entries, at most {most} are allowed")));
        }
        Ok(response)
    }
}
