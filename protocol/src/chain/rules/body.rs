//! Rules on a block's records together.

use super::{BodyRule, Verdict};
use crate::block::Block;
use crate::hash::WireId;
use crate::{limits, merkle};

/// A block and its Merkle leaves.
#[derive(Debug)]
pub struct BodyContext<'a> {
    /// The block.
    pub block: &'a Block,
    /// Its Merkle leaves, in order.
    pub wire_ids: &'a [WireId],
}

pub(crate) const RULES: &[BodyRule] = &[("R-ROOT", root), ("R-BLOCK-SIZE", size), ("R-GENESIS-EMPTY", genesis)];

/// R-ROOT, the first of all: what follows is then the header's own fault and not that of whoever altered this copy.
/// "records_root = H("root", u32 count, Merkle tree hash over full records, 32 zero bytes)".
fn root(c: &BodyContext<'_>) -> Verdict {
    if merkle::records_root(c.wire_ids) == c.block.header.records_root {
        Ok(())
    } else {
        Err("the records do not make the header's root".into())
    }
}

/// R-BLOCK-SIZE: at most 1 MiB of records, and at most 4,096 of them.
fn size(c: &BodyContext<'_>) -> Verdict {
    let (bytes, count) = (c.block.records_len(), c.block.records.len());
    if bytes > limits::BLOCK_BYTES_MAX {
        return Err(format!("{bytes} bytes of records, at most {} are allowed", limits::BLOCK_BYTES_MAX).into());
    }
    if count > limits::BLOCK_RECORDS_MAX {
        return Err(format!("{count} records, at most {} are allowed", limits::BLOCK_RECORDS_MAX).into());
    }
    Ok(())
}

/// R-GENESIS-EMPTY: "the genesis block carries no records."
fn genesis(c: &BodyContext<'_>) -> Verdict {
    if c.block.header.height == 0 && !c.block.records.is_empty() {
        return Err("block 0 carries records".into());
    }
    Ok(())
}
