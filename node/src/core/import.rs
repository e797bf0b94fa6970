//! Blocks from a file that the operator names: they go the way of a peer's blocks, every rule checked, with nobody to blame.

use super::blocks::{Origin, Source};
use super::{Event, NodeCore, Output};
use medring_protocol::block::{Block, Header};
use medring_protocol::record::verify_all;
use medring_storage::{Engine, StorageError};

/// What a block of a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// Checked and stored now.
    New,
    /// Stored before, and checked then.
    Known,
}

/// Why a block of a file is not taken. What was taken before it stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefusal {
    /// It breaks a rule, or does not follow the block before it.
    #[error("block {height} is refused: {reason}")]
    Refused {
        /// Its height, as it says.
        height: u64,
        /// The rule, and what was seen.
        reason: String,
    },
    /// Its time has not come.
    #[error(
        "block {height} is stamped {ahead_ms} ms ahead of this machine's clock, more than the network allows; check the clock"
    )]
    Early {
        /// Its height.
        height: u64,
        /// How far ahead, ms.
        ahead_ms: u64,
    },
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl<E: Engine> NodeCore<E> {
    /// Takes a file's headers, lowest first, before its blocks: the core then knows how far it is behind, and need not wait
    /// for the disk at each block. Ends at the first that is not taken; [`Self::import_block`] tells why.
    pub fn import_headers(&mut self, now_ms: u64, headers: &[Header]) -> Result<(), StorageError> {
        self.now_ms = now_ms;
        for header in headers {
            if header.time_ms > self.latest_stamp_ms() || self.insert_header(header)?.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Checks every rule on a block, its signatures here and now, stores it, and moves the tip if it makes a better branch.
    /// Its parent must have been taken before.
    pub fn import_block(
        &mut self,
        now_ms: u64,
        block: Block,
        rng: &mut impl rand::CryptoRng,
    ) -> Result<Imported, ImportRefusal> {
        self.now_ms = now_ms;
        let (id, height, time_ms) = (block.id(), block.header.height, block.header.time_ms);
        if self.tree.get(&id).is_some_and(|node| node.body && !node.invalid) {
            return Ok(Imported::Known);
        }
        let latest_ms = self.latest_stamp_ms();
        if time_ms > latest_ms {
            return Err(ImportRefusal::Early { height, ahead_ms: time_ms - now_ms });
        }
        self.take_block(block, Origin { source: Source::File, message: None });
        self.process_ready_blocks()?;
        let mut reason = None;
        while let Some(output) = self.poll_output() {
            match output {
                Output::Verify { job, checks } => {
                    self.on_verified(job, verify_all(&checks, rng))?;
                    self.process_ready_blocks()?;
                }
                Output::Event(Event::Warning(what)) => reason = Some(what),
                _ => {}
            }
        }
        match self.tree.get(&id) {
            Some(node) if node.body && !node.invalid => Ok(Imported::New),
            _ => {
                let stored = self.store.stored_header(&id)?.and_then(|entry| entry.invalid);
                let reason = stored.or(reason).unwrap_or_else(|| "it does not follow a block that is here".into());
                Err(ImportRefusal::Refused { height, reason })
            }
        }
    }

    /// The best chain after an import: tip and height, on the disk for good.
    pub fn finish_import(&mut self) -> Result<(medring_protocol::BlockId, u64), StorageError> {
        self.store.sync()?;
        Ok((self.tip(), self.height()))
    }
}
