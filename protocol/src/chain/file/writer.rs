//! Writing a chain file.

use super::{MAGIC, checksum};
use crate::block::Block;
use crate::codec;
use crate::hash::BlockId;
use crate::params::Params;
use std::io::{self, Write};

/// Writes a chain file block by block. Without [`Writer::finish`] the file is refused as cut short.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    count: u64,
    tip: BlockId,
}

impl<W: Write> Writer<W> {
    /// Begins a file for the chain of these parameters. Writes in small pieces: give it a buffer.
    pub fn new(mut out: W, params: &Params) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        let mut writer = Self { out, count: 0, tip: params.genesis().id() };
        writer.frame(&codec::encode(params))?;
        Ok(writer)
    }

    /// The next block, from height 1 up. Not checked: a node writes what it has.
    pub fn block(&mut self, block: &Block) -> io::Result<()> {
        self.frame(&block.encode())?;
        self.count += 1;
        self.tip = block.id();
        Ok(())
    }

    /// Writes the trailer, flushes, and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        // Length 0 says: no further block.
        self.out.write_all(&[0; 4])?;
        let trailer = [self.count.to_be_bytes().as_slice(), self.tip.as_ref()].concat();
        self.out.write_all(&trailer)?;
        self.out.write_all(&checksum([0; 4], &trailer))?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn frame(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(payload)?;
        self.out.write_all(&checksum(length, payload))
    }
}
