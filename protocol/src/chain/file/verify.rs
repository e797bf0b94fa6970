//! Checking a chain file from genesis to its tip.

use super::{FileError, Reader};
use crate::block::{Block, CheckedBlock};
use crate::chain::rules::{HeaderContext, RuleSet};
use crate::chain::{ApplyError, HeaderNode, MemoryState, apply, keys_of};
use crate::error::Violation;
use crate::hash::{BlockId, ChainId, ParticipantId};
use crate::params::Params;
use crate::pow::Work;
use std::io::Read;

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Height of the last block found good.
    pub height: u64,
    /// Records found good.
    pub records: u64,
}

/// What a good chain file holds. Whether it is the chain you mean, `chain` and `tip` tell: compare them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The chain id its parameters make.
    pub chain: ChainId,
    /// Its parameters.
    pub params: Params,
    /// The last block.
    pub tip: BlockId,
    /// Its height: the number of blocks above genesis.
    pub height: u64,
    /// Its time stamp, ms since 1970.
    pub time_ms: u64,
    /// Work of all blocks.
    pub work: Work,
    /// Records in all blocks.
    pub records: u64,
    /// [`MemoryState::hash`] of the state at the tip.
    pub state_hash: [u8; 32],
    /// The state at the tip.
    pub state: MemoryState,
}

/// Checks every rule on every block: headers, proof of work, bodies, shapes, signatures, placement. Stops at the first that
/// is broken. `rng` blinds the signature batches. Tells `progress` after each block. Memory: one block and the state.
pub fn verify(
    input: impl Read,
    rules: &RuleSet,
    rng: &mut impl rand::CryptoRng,
    mut progress: impl FnMut(Progress),
) -> Result<Report, FileError> {
    let mut reader = Reader::new(input)?;
    let params = reader.params().clone();
    let chain = params.chain_id();
    let mut tip = HeaderNode::genesis(&params);
    let mut state = MemoryState::default();
    let mut done = Progress { height: 0, records: 0 };
    while let Some(block) = reader.next_block()? {
        let height = done.height + 1;
        let (header, count) = (block.header, block.records.len());
        connect(rules, &params, &chain, &tip, &mut state, block, rng).map_err(|v| FileError::rule(height, v))?;
        tip = tip.child(&params, header);
        done = Progress { height, records: done.records + count as u64 };
        progress(done);
    }
    let (header, work, state_hash) = (tip.header, tip.work, state.hash());
    let Progress { height, records } = done;
    Ok(Report { chain, params, tip: header.id(), height, time_ms: header.time_ms, work, records, state_hash, state })
}

/// The checks of one block in the order of a node, and its effect on the state.
fn connect(
    rules: &RuleSet,
    params: &Params,
    chain: &ChainId,
    parent: &HeaderNode,
    state: &mut MemoryState,
    block: Block,
    rng: &mut impl rand::CryptoRng,
) -> Result<(), Violation> {
    rules.check_pow(&block.header, &block.id())?;
    rules.check_header(&HeaderContext { params, header: &block.header, parent })?;
    let checked = CheckedBlock::check(rules, params, chain, block)?;
    let keys = |id: &ParticipantId| {
        let Ok(keys) = keys_of(params, state, id);
        keys
    };
    let verified = checked.verify(rules, chain, keys, rng)?;
    let diff = apply(rules, params, state, &verified).map_err(|ApplyError::Violation(v)| v)?;
    state.apply(&diff);
    Ok(())
}
