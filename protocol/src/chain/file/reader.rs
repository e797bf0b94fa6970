//! Taking a chain file apart, frame by frame. Checks form, not rules.

use super::error::Part;
use super::{CHECKSUM_BYTES, FileError, MAGIC, PARAMS_BYTES_MAX, TRAILER_BYTES, checksum};
use crate::block::Block;
use crate::codec::{self, CodecError};
use crate::hash::BlockId;
use crate::limits;
use crate::params::Params;
use std::io::Read;

/// Reads a chain file from its beginning to its end. Holds one block at a time.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    params: Params,
    count: u64,
    tip: BlockId,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the parameters and checks their bounds. Reads in small pieces: give it a buffer.
    pub fn new(mut input: R) -> Result<Self, FileError> {
        if exactly(&mut input, MAGIC.len(), Part::Magic)? != MAGIC {
            return Err(FileError::Magic);
        }
        let Some(frame) = frame(&mut input, Part::Params, PARAMS_BYTES_MAX)? else {
            return Err(FileError::Truncated { at: Part::Params });
        };
        let malformed = |problem| FileError::Malformed { at: Part::Params, problem };
        let params: Params = codec::decode(&frame, PARAMS_BYTES_MAX).map_err(malformed)?;
        params.validate()?;
        let tip = params.genesis().id();
        Ok(Self { input, params, count: 0, tip, ended: false })
    }

    /// The parameters of the chain it claims to hold.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The next block, unchecked; `None` after the last, when the trailer has been found to fit.
    pub fn next_block(&mut self) -> Result<Option<Block>, FileError> {
        if self.ended {
            return Ok(None);
        }
        let at = Part::Block(self.count + 1);
        let Some(payload) = frame(&mut self.input, at, limits::GOSSIP_BYTES_MAX)? else {
            self.trailer()?;
            self.ended = true;
            return Ok(None);
        };
        let block = Block::decode(&payload).map_err(|problem| FileError::Malformed { at, problem })?;
        self.count += 1;
        self.tip = block.id();
        Ok(Some(block))
    }

    fn trailer(&mut self) -> Result<(), FileError> {
        let at = Part::Trailer;
        let trailer = exactly(&mut self.input, TRAILER_BYTES, at)?;
        check(&mut self.input, [0; 4], &trailer, at)?;
        let (count, tip) = trailer.split_at(8);
        let mut claimed_count = [0; 8];
        claimed_count.copy_from_slice(count);
        let mut claimed = BlockId::ZERO;
        claimed.0.copy_from_slice(tip);
        let (claimed_count, count, tip) = (u64::from_be_bytes(claimed_count), self.count, self.tip);
        if claimed_count != count || claimed != tip {
            return Err(FileError::Trailer { claimed_count, claimed, count, tip });
        }
        let mut rest = Vec::new();
        (&mut self.input).take(1).read_to_end(&mut rest)?;
        if rest.is_empty() { Ok(()) } else { Err(FileError::Trailing) }
    }
}

/// `length` bytes. Allocates no more than there are.
fn exactly(input: &mut impl Read, length: usize, at: Part) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(FileError::Truncated { at }) }
}

/// length u32 ‖ payload ‖ checksum; `None` where the length is 0, and then nothing more is read.
fn frame(input: &mut impl Read, at: Part, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
    let mut length = [0; 4];
    length.copy_from_slice(&exactly(input, 4, at)?);
    let got = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if got == 0 {
        return Ok(None);
    }
    if got > limit {
        return Err(FileError::Malformed { at, problem: CodecError::TooLong { got, limit } });
    }
    let payload = exactly(input, got, at)?;
    check(input, length, &payload, at)?;
    Ok(Some(payload))
}

fn check(input: &mut impl Read, length: [u8; 4], payload: &[u8], at: Part) -> Result<(), FileError> {
    let found = exactly(input, CHECKSUM_BYTES, at)?;
    if found == checksum(length, payload) { Ok(()) } else { Err(FileError::Checksum { at }) }
}
