//! What a store keeps of reorganisations: the one under way, records that still have to return, what became of records, and
//! what the operator said of blocks.

use crate::StoredHeader;
use medring_protocol::{BlockId, RecordId};
use serde::{Deserialize, Serialize};

/// A reorganisation too deep for one batch, while it is under way. The way from the tip to `target`, and from the tip back
/// to `origin`, follows from the headers, of which none is forgotten while this stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The tip that is being left.
    pub origin: BlockId,
    /// The tip aimed at; changes if that one turns out invalid.
    pub target: BlockId,
    /// When it began, ms since 1970.
    pub began_ms: u64,
    /// Batches written so far.
    pub steps: u32,
}

impl Journal {
    pub(crate) const BYTES: usize = 32 + 32 + 8 + 4;
}

/// What a batch does to the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalChange {
    /// Leaves it as it is.
    #[default]
    Keep,
    /// Writes it: with each step but the last.
    Write(Journal),
    /// Removes it: with the last step.
    Remove,
}

/// A branch that was left, with records that still have to return to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// The branch's tip.
    pub tip: BlockId,
    /// Height of its next block to be looked at.
    pub height: u64,
    /// Place of the next record in that block.
    pub index: u32,
    /// Key of the reorganisation's [`ReorgReport`].
    pub reorg: u64,
}

impl Leftover {
    pub(crate) const BYTES: usize = 32 + 8 + 4 + 8;
}

/// A change of the best chain that took blocks away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReorgReport {
    /// When it ended, ms since 1970.
    pub at_ms: u64,
    /// The tip that was left, and its height.
    pub from: (BlockId, u64),
    /// The tip that was reached, and its height.
    pub to: (BlockId, u64),
    /// The last block both share, and its height.
    pub fork: (BlockId, u64),
    /// Batches it took.
    pub steps: u32,
    /// Records of the left blocks that wait again.
    pub returned: u32,
    /// Those that the new branch holds too.
    pub confirmed_again: u32,
    /// Those that can never be mined on it.
    pub dropped: u32,
    /// Which of the records submitted here wait again, at most [`ReorgReport::OWN_MAX`].
    pub own: Vec<RecordId>,
}

impl ReorgReport {
    /// Most ids of own records named.
    pub const OWN_MAX: usize = 64;
    pub(crate) const BYTES_MAX: usize = 8 + 3 * 40 + 4 * 4 + 8 + Self::OWN_MAX * 32;

    /// Blocks that were taken away.
    pub fn depth(&self) -> u64 {
        self.from.1.saturating_sub(self.fork.1)
    }
}

/// A record submitted to this node, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Order of submission; the lowest is forgotten first.
    pub sequence: u64,
    /// What happened to it, oldest first; at most [`Watched::NOTES_MAX`], the oldest but the first are forgotten.
    pub notes: Vec<Note>,
}

impl Watched {
    /// Most notes of one record.
    pub const NOTES_MAX: usize = 16;
    pub(crate) const BYTES_MAX: usize = 8 + 8 + Self::NOTES_MAX * (8 + 4 + 8 + 40 + StoredHeader::REASON_BYTES_MAX);

    /// Adds a note; one that says what the last one says is left away.
    pub fn note(&mut self, at_ms: u64, what: Fate) {
        if self.notes.last().is_some_and(|last| last.what == what) {
            return;
        }
        if self.notes.len() >= Self::NOTES_MAX {
            self.notes.remove(1);
        }
        self.notes.push(Note { at_ms, what });
    }
}

/// One thing that happened to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, ms since 1970.
    pub at_ms: u64,
    /// What.
    pub what: Fate,
}

/// What can happen to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It was admitted to the pool.
    Submitted,
    /// A block of the best chain holds it.
    Confirmed {
        /// Which.
        block: BlockId,
        /// Its height.
        height: u64,
    },
    /// A fork took that block away, and it waits again.
    WentBack {
        /// Which block it was in.
        block: BlockId,
        /// That block's height.
        height: u64,
    },
    /// It left the pool unmined: expired, or in conflict with the chain. At most [`StoredHeader::REASON_BYTES_MAX`] bytes.
    Dropped(String),
}

/// What the operator said of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Neither it nor a block above it is to be chosen.
    Invalidated,
    /// Among branches of equal work it goes first; the highest number before the others.
    Preferred(u64),
}

impl Mark {
    pub(crate) const BYTES_MAX: usize = 4 + 8;
}
