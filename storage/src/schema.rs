//! The one list of columns, their keys, and the history of the format (spec: docs/spec/storage.md).

use medring_protocol::{BlockId, Gid};

/// Format this version writes. A folder of an older one is migrated when opened, a newer one refused.
pub const FORMAT_VERSION: u32 = 3;

/// (format, what it changed), ascending.
pub const FORMAT_HISTORY: &[(u32, &str)] = &[
    (1, "the first"),
    (2, "the journal of deep reorganisations, their reports, and the operator's marks"),
    (3, "the tally of keys in each column"),
];

/// A column (a column family in RocksDB): its own ordered map from key bytes to value bytes. Integers in keys are
/// big-endian, so that their order is the order of keys; values are in the codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// [`meta`] name → that value; `node/` ‖ name → what the node put there.
    Meta,
    /// BlockId → [`crate::StoredHeader`]: every header known, on any branch.
    Headers,
    /// [`height_id`] → `Block::encode`: every body known, on any branch. The height comes first so that files are written
    /// in ascending order and compaction need not rewrite them.
    Bodies,
    /// Height u64 → BlockId: the best chain.
    Heights,
    /// [`height_id`] → what the block changed: of every block on the best chain.
    Undo,
    /// ParticipantId → `Participant`: state at the tip.
    Participants,
    /// KeyHash → ParticipantId: state at the tip.
    Keys,
    /// RecordId → `Location`: state at the tip.
    Locations,
    /// ParticipantId → bytes placed lately: state at the tip.
    Usage,
    /// ParticipantId → `PublicKeys` of everyone ever enrolled in a stored body; ids commit to keys, so never deleted.
    Directory,
    /// RecordId → [`crate::PoolEntry`]: the mempool.
    Pool,
    /// [`group`] → RecordId: records on the best chain whose receiver names a group.
    Groups,
    /// BlockId → [`crate::Mark`]: what the operator said of blocks.
    Marks,
    /// u64 → [`crate::ReorgReport`]: the last reorganisations.
    Reorgs,
    /// u64 → [`crate::Leftover`]: left branches with records that still have to return to the pool.
    Leftovers,
    /// RecordId → [`crate::Watched`]: what became of records submitted here.
    Watched,
}

impl Column {
    /// Every column.
    pub const ALL: [Column; 16] = [
        Column::Meta,
        Column::Headers,
        Column::Bodies,
        Column::Heights,
        Column::Undo,
        Column::Participants,
        Column::Keys,
        Column::Locations,
        Column::Usage,
        Column::Directory,
        Column::Pool,
        Column::Groups,
        Column::Marks,
        Column::Reorgs,
        Column::Leftovers,
        Column::Watched,
    ];

    /// The columns that are the state at the tip, and nothing else.
    pub const STATE: [Column; 4] = [Column::Participants, Column::Keys, Column::Locations, Column::Usage];

    /// Its name on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Column::Meta => "meta",
            Column::Headers => "headers",
            Column::Bodies => "bodies",
            Column::Heights => "heights",
            Column::Undo => "undo",
            Column::Participants => "participants",
            Column::Keys => "keys",
            Column::Locations => "locations",
            Column::Usage => "usage",
            Column::Directory => "directory",
            Column::Pool => "pool",
            Column::Groups => "groups",
            Column::Marks => "marks",
            Column::Reorgs => "reorgs",
            Column::Leftovers => "leftovers",
            Column::Watched => "watched",
        }
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Keys of [`Column::Meta`].
pub mod meta {
    /// u32: the format of the folder.
    pub const FORMAT: &[u8] = b"format";
    /// ChainId: the network of the folder.
    pub const CHAIN: &[u8] = b"chain";
    /// (BlockId, u64): the tip and its height.
    pub const TIP: &[u8] = b"tip";
    /// u64: headers stored so far, which numbers them in the order of insertion.
    pub const SEQUENCE: &[u8] = b"sequence";
    /// [`crate::Journal`]: a deep reorganisation under way; absent: none.
    pub const JOURNAL: &[u8] = b"journal";
    /// u64 for each column but this one: keys it holds.
    pub const TALLY: &[u8] = b"tally";
    /// Prefix of what the node stores under names of its own.
    pub const NODE: &[u8] = b"node/";
}

/// Height u64 ‖ BlockId: 40 bytes.
pub fn height_id(height: u64, id: &BlockId) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&height.to_be_bytes());
    key[8..].copy_from_slice(&id.0);
    key
}

/// Gid ‖ height u64 ‖ index u32: 44 bytes.
pub fn group(gid: &Gid, height: u64, index: u32) -> [u8; 44] {
    let mut key = [0; 44];
    key[..32].copy_from_slice(&gid.0);
    key[32..40].copy_from_slice(&height.to_be_bytes());
    key[40..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Height and index from a [`group`] key of this group; `None` if it is of another or no such key.
pub fn parse_group(gid: &Gid, key: &[u8]) -> Option<(u64, u32)> {
    let rest = key.strip_prefix(&gid.0)?;
    let (height, index) = rest.split_at_checked(8)?;
    Some((u64::from_be_bytes(height.try_into().ok()?), u32::from_be_bytes(index.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_ends_at_the_format_written() {
        assert_eq!(FORMAT_HISTORY.last().unwrap().0, FORMAT_VERSION);
        assert!(FORMAT_HISTORY.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    }

    #[test]
    fn columns_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Column::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Column::ALL.len());
    }

    #[test]
    fn a_group_key_reads_back() {
        let gid = Gid([7; 32]);
        assert_eq!(parse_group(&gid, &group(&gid, 258, 3)), Some((258, 3)));
        assert_eq!(parse_group(&Gid([8; 32]), &group(&gid, 258, 3)), None);
        assert_eq!(parse_group(&gid, &group(&gid, 258, 3)[..43]), None);
    }
}
