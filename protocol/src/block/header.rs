//! The 112-byte block header.

use crate::hash::BlockId;
use crate::pow::CompactTarget;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A block header. Its 112 bytes are the fields in this order, integers big-endian; the codec gives the same bytes.
///
/// The last 48 bytes and SHA-256's padding fill the second 64-byte block exactly, so a nonce costs one compression after
/// the midstate of the first 64 bytes (prev and records_root).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Id of the parent; of block 0: the chain id.
    pub prev: BlockId,
    /// Commits to the records; see [`crate::merkle::records_root`].
    pub records_root: [u8; 32],
    /// "MR" ‖ u16: always [`Header::VERSION`].
    pub version: u32,
    /// Must equal the computed target.
    pub target: CompactTarget,
    /// Height; block 0 is genesis.
    pub height: u64,
    /// Milliseconds since 1970, strictly above the parent's.
    pub time_ms: u64,
    /// Chosen by the miner: says who mined it, if the miner wants that.
    pub miner_tag: [u8; 16],
    /// Chosen so that the id meets the target.
    pub nonce: u64,
}

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 112;
    /// "MR", version 1.
    pub const VERSION: u32 = 0x4d52_0001;

    /// The bytes that are hashed.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..32].copy_from_slice(&self.prev.0);
        out[32..64].copy_from_slice(&self.records_root);
        out[64..68].copy_from_slice(&self.version.to_be_bytes());
        out[68..72].copy_from_slice(&self.target.0.to_be_bytes());
        out[72..80].copy_from_slice(&self.height.to_be_bytes());
        out[80..88].copy_from_slice(&self.time_ms.to_be_bytes());
        out[88..104].copy_from_slice(&self.miner_tag);
        out[104..].copy_from_slice(&self.nonce.to_be_bytes());
        out
    }

    /// SHA-256 of the 112 bytes.
    pub fn id(&self) -> BlockId {
        BlockId(Sha256::digest(self.to_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codec_gives_the_hashed_bytes() {
        let header = Header {
            prev: BlockId([1; 32]),
            records_root: [2; 32],
            version: Header::VERSION,
            target: CompactTarget(0x1f00_ffff),
            height: 3,
            time_ms: 4,
            miner_tag: [5; 16],
            nonce: 6,
        };
        assert_eq!(crate::codec::encode(&header), header.to_bytes());
        assert_eq!(crate::codec::decode::<Header>(&header.to_bytes(), Header::LEN).unwrap(), header);
    }
}
