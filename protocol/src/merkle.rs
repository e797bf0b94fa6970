//! RFC 6962 Merkle trees over the full records of a block, and proofs (PROTOCOL section 5; spec: merkle).

use crate::hash::{Tag, WireId, h};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

fn leaf(id: &WireId) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(id.0).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Largest power of two below `n` (n ≥ 2).
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// RFC 6962 Merkle tree hash; of nothing: SHA-256 of the empty string.
pub fn tree_hash(leaves: &[WireId]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => leaf(only),
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&tree_hash(left), &tree_hash(right))
        }
    }
}

fn commit(count: u32, tree: &[u8; 32]) -> [u8; 32] {
    // The last 32 bytes are reserved for a commitment to the state.
    h(Tag::Root, &[&count.to_be_bytes(), tree, &[0; 32]])
}

/// records_root = H("root", u32 count, tree hash, 32 zero bytes).
pub fn records_root(leaves: &[WireId]) -> [u8; 32] {
    // A block holds at most `limits::BLOCK_RECORDS_MAX` records.
    commit(u32::try_from(leaves.len()).unwrap_or(u32::MAX), &tree_hash(leaves))
}

/// A proof that one full record is in a block: its place, the number of records, and the sibling hashes from leaf to root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Position in the block, from 0.
    pub index: u32,
    /// Records in the block.
    pub count: u32,
    /// Sibling hashes, leaf first; at most 32.
    pub path: Vec<WireId>,
}

/// The proof for the record at `index`; `None` if there is no such record.
pub fn prove(leaves: &[WireId], index: usize) -> Option<Proof> {
    fn walk(leaves: &[WireId], index: usize, path: &mut Vec<WireId>) {
        if leaves.len() < 2 {
            return;
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        if index < left.len() {
            walk(left, index, path);
            path.push(WireId(tree_hash(right)));
        } else {
            walk(right, index - left.len(), path);
            path.push(WireId(tree_hash(left)));
        }
    }
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    walk(leaves, index, &mut path);
    Some(Proof { index: u32::try_from(index).ok()?, count: u32::try_from(leaves.len()).ok()?, path })
}

impl Proof {
    /// Whether it proves `record` under `root`. Costs one hash per path entry and refuses any path of another length.
    pub fn verify(&self, record: &WireId, root: &[u8; 32]) -> bool {
        if self.index >= self.count || self.path.len() > 32 {
            return false;
        }
        let (mut place, mut last, mut hash) = (self.index, self.count - 1, leaf(record));
        for sibling in &self.path {
            if last == 0 {
                return false;
            }
            if place & 1 == 1 || place == last {
                hash = node(&sibling.0, &hash);
                while place & 1 == 0 && place != 0 {
                    place >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(&hash, &sibling.0);
            }
            place >>= 1;
            last >>= 1;
        }
        last == 0 && commit(self.count, &hash) == *root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u8) -> Vec<WireId> {
        (0..n).map(|i| WireId([i; 32])).collect()
    }

    #[test]
    fn every_record_of_every_small_block_is_proven_and_nothing_else() {
        for n in 1..40 {
            let leaves = leaves(n);
            let root = records_root(&leaves);
            for i in 0..leaves.len() {
                let proof = prove(&leaves, i).unwrap();
                assert!(proof.verify(&leaves[i], &root), "{i} of {n}");
                assert!(!proof.verify(&WireId([99; 32]), &root));
                assert!(!Proof { index: proof.index ^ 1, ..proof.clone() }.verify(&leaves[i], &root), "{i} of {n}");
                assert!(!Proof { count: proof.count + 1, ..proof.clone() }.verify(&leaves[i], &root));
                let mut longer = proof.clone();
                longer.path.push(WireId([7; 32]));
                assert!(!longer.verify(&leaves[i], &root));
            }
            assert!(prove(&leaves, leaves.len()).is_none());
        }
    }

    #[test]
    fn a_doubled_last_record_changes_the_root() {
        let three = leaves(3);
        let mut four = three.clone();
        four.push(three[2]);
        assert_ne!(records_root(&three), records_root(&four));
        assert_ne!(tree_hash(&three), tree_hash(&four));
    }
}
