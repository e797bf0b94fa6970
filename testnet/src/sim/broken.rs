//! Rules broken on purpose, as values: each must be caught by the hunt, or the hunt is blind to it.

use super::disk::DiskFlaws;
use medring_node::core::{CoreConfig, Flaw};
use std::str::FromStr;

/// A rule that every node, or every second one, breaks by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// Nobody checks R-DUP: a record may stand twice.
    Duplicates,
    /// Every second node takes records whose R-SIG fails.
    Signatures,
    /// Records of blocks that leave the chain do not return to the pool.
    LeftRecords,
    /// A block stamped too far ahead is held to be invalid for good.
    EarlyBlocks,
    /// The giver of a block stamped too far ahead is blamed for it.
    EarlyGivers,
    /// The disk says it synced, and did not.
    Unsynced,
    /// A disconnected block leaves entries behind in the state.
    Revert,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Duplicates,
        Self::Signatures,
        Self::LeftRecords,
        Self::EarlyBlocks,
        Self::EarlyGivers,
        Self::Unsynced,
        Self::Revert,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicates => "duplicates",
            Self::Signatures => "signatures",
            Self::LeftRecords => "left-records",
            Self::EarlyBlocks => "early-blocks",
            Self::EarlyGivers => "early-givers",
            Self::Unsynced => "unsynced",
            Self::Revert => "revert",
        }
    }

    /// Breaks it in a node's core.
    pub(super) fn spoil(self, node: usize, config: &mut CoreConfig) {
        let rules = std::mem::take(&mut config.rules);
        config.rules = match self {
            Self::Duplicates => rules.without("R-DUP"),
            Self::Signatures if node % 2 == 1 => rules.without("R-SIG"),
            _ => rules,
        };
        config.flaw = match self {
            Self::LeftRecords => Some(Flaw::ForgetsLeftRecords),
            Self::EarlyBlocks => Some(Flaw::EarlyIsInvalid),
            Self::EarlyGivers => Some(Flaw::EarlyIsAFault),
            Self::Duplicates | Self::Signatures | Self::Unsynced | Self::Revert => None,
        };
    }

    /// Breaks it in a node's disk.
    pub(super) fn disk(self) -> DiskFlaws {
        DiskFlaws { never_syncs: self == Self::Unsynced, keeps_locations: self == Self::Revert }
    }
}

impl FromStr for Broken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|broken| broken.name() == text).ok_or_else(|| format!("one of {}", names()))
    }
}
