//! Blocks: header, records, and the checks that need no chain state (PROTOCOL section 5; spec: blocks).

mod check;
mod header;
mod nonce;

pub(crate) use check::at_record;
pub use check::{CheckedBlock, PendingSignature, VerifiedBlock, record_signatures};
pub use header::Header;
pub use nonce::NonceSearch;

use crate::codec::{self, CodecError};
use crate::hash::{BlockId, ChainId, WireId};
use crate::record::Record;
use crate::{limits, merkle};
use serde::{Deserialize, Serialize};

/// A block: a header and the records its root commits to. A block with one record is the paper's block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The records, in Merkle order.
    pub records: Vec<Record>,
}

impl Block {
    /// SHA-256 of the header.
    pub fn id(&self) -> BlockId {
        self.header.id()
    }

    /// The Merkle leaves.
    pub fn wire_ids(&self, chain: &ChainId) -> Vec<WireId> {
        self.records.iter().map(|r| r.wire_id(chain)).collect()
    }

    /// The root its records make.
    pub fn computed_root(&self, chain: &ChainId) -> [u8; 32] {
        merkle::records_root(&self.wire_ids(chain))
    }

    /// Bytes of all records in the codec: what R-BLOCK-SIZE bounds.
    pub fn records_len(&self) -> usize {
        self.records.iter().map(Record::encoded_len).sum()
    }

    /// The block's bytes in the codec.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads exactly one block of at most [`limits::GOSSIP_BYTES_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, limits::GOSSIP_BYTES_MAX)
    }
}
