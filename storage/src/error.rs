//! What can go wrong with a store, each with its next step.

use medring_protocol::{BlockId, ChainId, Fault};
use std::path::PathBuf;

/// Why the store could not do what it was asked. Nothing of the batch was written, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A second process, or a second engine in this one, has the folder open.
    #[error(
        "folder {} is in use by another medring. Stop that one, or give this one a folder of its own",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be made or written.
    #[error(
        "folder {} cannot be used: {problem}. Choose a folder this user may write to, or change its owner",
        folder.display()
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// The disk is full.
    #[error("the disk is full: {problem}. Make room, then start the node again; what it confirmed is kept")]
    Full {
        /// What the engine said.
        problem: String,
    },
    /// The disk or the engine failed. Whether the batch was written shows when the store is opened again.
    #[error("reading or writing the store failed: {problem}. Check the disk (dmesg, df), then start the node again")]
    Io {
        /// What the engine said.
        problem: String,
    },
    /// Files of the store are missing or changed, so that it does not open.
    #[error(
        "the store in {} is damaged: {problem}. Move the folder aside and start the node again: it fetches the chain anew from its peers, or `medring chain import FILE` brings it from an exported file",
        folder.display()
    )]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the engine said.
        problem: String,
    },
    /// A stored value is not what was written.
    #[error(
        "the store is damaged at {column}/{key}: {problem}. Stop the node, move its chain folder aside and start it again: it fetches the chain anew from its peers, or `medring chain import FILE` brings it from an exported file"
    )]
    Damaged {
        /// Name of the column.
        column: &'static str,
        /// The key, in hex.
        key: String,
        /// What is wrong with the value.
        problem: String,
    },
    /// The folder belongs to another network.
    #[error(
        "this folder holds chain {theirs}, and the genesis file describes chain {ours}. Use the genesis file this folder was made with, or another folder"
    )]
    WrongChain {
        /// Of the parameters given.
        ours: ChainId,
        /// Of the folder.
        theirs: ChainId,
    },
    /// Written by a later version of medring.
    #[error(
        "the store has format {found}, and this medring reads up to format {known}. Install the newer medring that wrote it, or use another folder"
    )]
    NewerFormat {
        /// What was found.
        found: String,
        /// The newest format known here.
        known: u32,
    },
    /// A block the operation needs is not stored.
    #[error("block {id} has no {what} in the store: this is a bug in medring, please report it")]
    Missing {
        /// The block.
        id: BlockId,
        /// What is not there.
        what: &'static str,
    },
    /// An invariant of the caller or of the store does not hold; nothing was written.
    #[error("{0}: this is a bug in medring, please report it")]
    Bug(String),
    /// [`crate::FaultyEngine`] failed as it was told to.
    #[error("write {write} failed as the test asked")]
    Injected {
        /// Which write, counted from 1.
        write: u64,
    },
}

impl StorageError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Missing { .. } | Self::Bug(_) => Fault::Bug,
            _ => Fault::Caller,
        }
    }
}
