//! Why a chain file is refused, and where.

use crate::codec::CodecError;
use crate::error::{RuleId, Violation};
use crate::hash::BlockId;
use crate::params::ParamsError;
use std::borrow::Cow;

/// Why a chain file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("cannot read or write the chain file: {0}")]
    Io(#[from] std::io::Error),
    /// It does not begin as one.
    #[error("this is no chain file, or one of another version; `medring chain export` writes files of version 1")]
    Magic,
    /// It ends too soon.
    #[error("the file is cut short in {at}: copy or export it again")]
    Truncated {
        /// In which part.
        at: Part,
    },
    /// A frame's checksum does not fit its bytes.
    #[error("{at} is damaged: its checksum does not fit. Copy or export the file again")]
    Checksum {
        /// Which part.
        at: Part,
    },
    /// A frame is longer than its kind may be, shorter, or not a value of its kind.
    #[error("{at}: {problem}")]
    Malformed {
        /// Which part.
        at: Part,
        /// What is wrong.
        problem: CodecError,
    },
    /// The parameters are out of bounds.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A block breaks a rule. What stands below it is good.
    #[error("block {height} breaks {rule}: {detail}")]
    Rule {
        /// Its height.
        height: u64,
        /// The rule.
        rule: RuleId,
        /// What was seen and expected.
        detail: Cow<'static, str>,
    },
    /// Its blocks are good, but they are not the chain that it says it holds.
    #[error(
        "the file claims {claimed_count} blocks up to {claimed}, and holds {count} up to {tip}: it is another chain than \
         the one exported. Compare the tip with whoever gave it to you"
    )]
    Trailer {
        /// Blocks above genesis by its trailer.
        claimed_count: u64,
        /// Tip by its trailer.
        claimed: BlockId,
        /// Blocks above genesis.
        count: u64,
        /// The last one's id.
        tip: BlockId,
    },
    /// Bytes after the trailer.
    #[error("bytes follow the end of the chain: the file is not what was exported; copy or export it again")]
    Trailing,
}

/// A part of a chain file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The magic bytes.
    Magic,
    /// The chain parameters.
    Params,
    /// The block at this height.
    Block(u64),
    /// The count and the tip.
    Trailer,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Magic => f.write_str("its first bytes"),
            Part::Params => f.write_str("the parameters"),
            Part::Block(height) => write!(f, "block {height}"),
            Part::Trailer => f.write_str("the trailer"),
        }
    }
}

impl FileError {
    pub(super) fn rule(height: u64, violation: Violation) -> Self {
        Self::Rule { height, rule: violation.rule, detail: violation.detail }
    }
}
