//! The vault on a real file system, and on a model of a disk that fails, crashes and loses its power at every operation.

use super::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const CHAIN: ChainId = ChainId([1; 32]);
const ME: ParticipantId = ParticipantId([2; 32]);
const FAMILY: GroupUid = GroupUid([3; 32]);

fn key() -> Zeroizing<[u8; 32]> {
    Zeroizing::new([9; 32])
}

fn gid(number: u8) -> Gid {
    Gid([number; 32])
}

/// A snapshot whose every part names `step`, with secrets of these epochs.
fn snapshot(step: u32, epochs: &[u8]) -> Snapshot {
    let secret = |n: &u8| (gid(*n), Zeroizing::new(format!("secret of epoch {n} at step {step}").into_bytes()));
    Snapshot { public: format!("public at step {step}").into_bytes(), secrets: epochs.iter().map(secret).collect() }
}

fn open(dir: &Path) -> Vault {
    Vault::open(dir, key(), CHAIN, ME).unwrap()
}

fn plain((_, snapshot, extra): &Stored) -> (Vec<u8>, BTreeMap<Gid, Vec<u8>>, Vec<u8>) {
    let secrets = snapshot.secrets.iter().map(|(gid, secret)| (*gid, secret.to_vec())).collect();
    (snapshot.public.clone(), secrets, extra.clone())
}

#[test]
fn groups_come_back_as_they_were_stored_last() {
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(1));
    let other = GroupUid([4; 32]);
    let mut vault = open(dir.path());
    assert!(vault.load_all(&mut rng).unwrap().is_empty());
    vault.store(&FAMILY, &snapshot(1, &[1]), b"family", &mut rng).unwrap();
    vault.store(&other, &snapshot(2, &[]), b"", &mut rng).unwrap();
    vault.store(&FAMILY, &snapshot(3, &[1, 2]), b"renamed", &mut rng).unwrap();
    let loaded = open(dir.path()).load_all(&mut rng).unwrap();
    let expected = [(FAMILY, snapshot(3, &[1, 2]), b"renamed".to_vec()), (other, snapshot(2, &[]), Vec::new())];
    assert_eq!(loaded.iter().map(plain).collect::<Vec<_>>(), expected.iter().map(plain).collect::<Vec<_>>());
    assert_eq!(loaded.iter().map(|(group, ..)| *group).collect::<Vec<_>>(), [FAMILY, other]);
}
