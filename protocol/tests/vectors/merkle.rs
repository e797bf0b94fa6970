//! merkle.json: roots and proofs of trees of several sizes.

use super::settle;
use medring_protocol::hash::WireId;
use medring_protocol::merkle::{prove, records_root, tree_hash};
use medring_protocol::testkit;
use serde_json::json;

#[test]
fn merkle_json_is_what_this_crate_computes() {
    let cases = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13].map(|count: usize| {
        let leaves: Vec<_> = (0..count as u64).map(|i| WireId(testkit::bytes32(104, "leaf", i))).collect();
        let root = records_root(&leaves);
        let proofs: Vec<_> = (0..count).map(|i| prove(&leaves, i).unwrap()).collect();
        assert!(proofs.iter().zip(&leaves).all(|(proof, leaf)| proof.verify(leaf, &root)));
        json!({ "name": format!("{count} records"), "leaves": leaves, "tree_hash": hex::encode(tree_hash(&leaves)),
                "records_root": hex::encode(root), "proofs": proofs })
    });
    settle("merkle.json", "Merkle trees over WireIds: tree hash, records_root, and the proof of each.", cases.into());
}
