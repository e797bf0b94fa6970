//! The vault on a real file system: what comes back, what can be opened by whom, and what damage does.

use super::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(super) const CHAIN: ChainId = ChainId([1; 32]);
pub(super) const ME: ParticipantId = ParticipantId([2; 32]);
pub(super) const FAMILY: GroupUid = GroupUid([3; 32]);

pub(super) fn key() -> Zeroizing<[u8; 32]> {
    Zeroizing::new([9; 32])
}

pub(super) fn gid(number: u8) -> Gid {
    Gid([number; 32])
}

/// A snapshot whose every part names `step`, with secrets of these epochs.
pub(super) fn snapshot(step: u32, epochs: &[u8]) -> Snapshot {
    let secret = |n: &u8| (gid(*n), Zeroizing::new(format!("secret of epoch {n} at step {step}").into_bytes()));
    Snapshot { public: format!("public at step {step}").into_bytes(), secrets: epochs.iter().map(secret).collect() }
}

fn open(dir: &Path) -> Vault {
    Vault::open(dir, key(), CHAIN, ME).unwrap()
}

pub(super) fn plain((_, snapshot, extra): &Stored) -> (Vec<u8>, BTreeMap<Gid, Vec<u8>>, Vec<u8>) {
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

fn owner() -> Owner {
    Owner { key: key(), chain: CHAIN, participant: ME }
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for path in files(from) {
        let target = to.path().join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, target).unwrap();
    }
    to
}

fn state_file(dir: &Path) -> PathBuf {
    dir.join(FAMILY.to_string()).join("state")
}

/// What a thief with a copy of the folder, the vault's key and states from before can open of an epoch: each place in each
/// file is tried as a key file, and as the epoch's key itself.
fn thief_opens(dir: &Path, states: &[Vec<u8>], epoch: u8) -> Vec<Vec<u8>> {
    let owner = owner();
    let mut keys: Vec<EpochKey> = Vec::new();
    for path in files(dir) {
        let bytes = std::fs::read(path).unwrap();
        keys.extend(bytes.windows(KEY_FILE_BYTES).filter_map(|at| owner.unwrap(&FAMILY, &gid(epoch), at)));
        keys.extend(bytes.windows(32).map(|at| Zeroizing::new(at.try_into().unwrap())));
    }
    let states = states.iter().map(|state| owner.open_state(&FAMILY, state).unwrap());
    let sealed: Vec<_> = states.flat_map(|state| state.epochs).filter(|stored| stored.gid == gid(epoch)).collect();
    assert!(!sealed.is_empty(), "ciphertexts of epoch {epoch} were kept");
    let opened = sealed.iter().flat_map(|stored| keys.iter().filter_map(|k| owner.open_epoch(&FAMILY, k, stored)));
    opened.map(|secret| secret.to_vec()).collect()
}

#[test]
fn a_copy_taken_after_a_wipe_opens_nothing_of_that_epoch_and_one_taken_before_does() {
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(2));
    let mut vault = open(dir.path());
    let mut states = Vec::new();
    let mut before = None;
    for (step, epochs) in [(1, &[1][..]), (2, &[1, 2]), (3, &[2])] {
        if step == 3 {
            before = Some(copy(dir.path()));
        }
        vault.store(&FAMILY, &snapshot(step, epochs), b"", &mut rng).unwrap();
        states.push(std::fs::read(state_file(dir.path())).unwrap());
    }
    let (before, after) = (before.unwrap(), copy(dir.path()));
    let secrets = |step: u32, epoch: u8| snapshot(step, &[epoch]).secrets[&gid(epoch)].to_vec();
    assert_eq!(thief_opens(before.path(), &states, 1), [secrets(1, 1), secrets(2, 1)], "the thief knows his trade");
    assert_eq!(thief_opens(after.path(), &states, 2), [secrets(2, 2), secrets(3, 2)], "what is not wiped opens");
    assert!(thief_opens(after.path(), &states, 1).is_empty(), "epoch 1 is wiped");
    // Nor does the vault itself, given the old state back.
    assert_eq!(open(before.path()).load_all(&mut rng).unwrap()[0].1.secrets.len(), 2);
    std::fs::write(state_file(after.path()), &states[1]).unwrap();
    let error = open(after.path()).load_all(&mut rng).unwrap_err().to_string();
    assert!(error.contains("it is gone, and the state needs it"), "{error}");
}

#[test]
fn every_flipped_byte_and_every_stranger_is_told_and_nothing_is_wiped_for_it() {
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(3));
    open(dir.path()).store(&FAMILY, &snapshot(1, &[1, 2]), b"x", &mut rng).unwrap();
    let all = files(dir.path());
    assert_eq!(all.len(), 3, "a state and two keys");
    let whole: Vec<Vec<u8>> = all.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut refused = |vault: &mut Vault, what: &str| {
        let error = vault.load_all(&mut rng).expect_err(what);
        assert!(matches!(error, VaultError::Damaged { .. }), "{what}: {error}");
        assert!(vault.store(&FAMILY, &snapshot(9, &[]), b"", &mut rng).is_err(), "{what}: stored over it");
        let now: Vec<_> = files(dir.path());
        assert_eq!(now, all, "{what}: the files are all there");
    };
    for (path, bytes) in all.iter().zip(&whole) {
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(path, flipped).unwrap();
            refused(&mut open(dir.path()), &format!("byte {at} of {}", path.display()));
        }
        std::fs::write(path, bytes).unwrap();
    }
    for (key, chain, participant) in
        [([8; 32], CHAIN, ME), (*key(), ChainId([8; 32]), ME), (*key(), CHAIN, ParticipantId([8; 32]))]
    {
        let mut stranger = Vault::open(dir.path(), Zeroizing::new(key), chain, participant).unwrap();
        refused(&mut stranger, "a stranger");
    }
    for (path, other) in [(&all[0], &whole[1]), (&all[1], &whole[0])] {
        let own = std::fs::read(path).unwrap();
        std::fs::write(path, other).unwrap();
        refused(&mut open(dir.path()), "another epoch's key");
        std::fs::write(path, own).unwrap();
    }
    assert_eq!(open(dir.path()).load_all(&mut rng).unwrap().len(), 1, "and whole again it opens");
}

#[test]
fn files_are_their_owners_alone_and_show_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(4));
    let mut vault = open(&dir.path().join("groups"));
    vault.store(&FAMILY, &snapshot(1, &[1]), b"the Smith family", &mut rng).unwrap();
    for path in files(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for hidden in [&b"public at"[..], b"secret of", b"Smith"] {
            assert!(
                !bytes.windows(hidden.len()).any(|at| at == hidden),
                "{} is in {}",
                hidden.escape_ascii(),
                path.display()
            );
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700), "{}", path.display());
    }
    let shown = format!("Vault({}, redacted)", dir.path().join("groups").display());
    assert_eq!(format!("{vault:?}"), shown, "its place, and nothing of its keys");
}

#[test]
fn what_a_crash_left_is_cleared_away_and_foreign_files_are_not() {
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(5));
    open(dir.path()).store(&FAMILY, &snapshot(1, &[1]), b"", &mut rng).unwrap();
    let folder = dir.path().join(FAMILY.to_string());
    let stray = owner().wrap(&FAMILY, &gid(2), &Zeroizing::new([5; 32]), &mut rng);
    std::fs::write(folder.join(format!("{}.key", gid(2))), stray).unwrap();
    std::fs::write(folder.join(".state.tmp"), b"half").unwrap();
    std::fs::write(folder.join("notes.key"), b"mine").unwrap();
    std::fs::write(dir.path().join("README"), b"mine").unwrap();
    assert_eq!(open(dir.path()).load_all(&mut rng).unwrap().len(), 1);
    let names: Vec<_> = files(dir.path()).iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let key_file = format!("{}.key", gid(1));
    assert_eq!(names, [key_file.as_str(), "notes.key", "state", "README"]);
}

#[test]
fn groups_and_epochs_have_bounds() {
    let (dir, mut rng) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(6));
    for n in 0..GROUPS_MAX {
        let uid = u16::try_from(n).unwrap().to_be_bytes().repeat(16);
        std::fs::create_dir(dir.path().join(hex::encode(&uid))).unwrap();
    }
    let error = open(dir.path()).store(&GroupUid([0xff; 32]), &snapshot(1, &[]), b"", &mut rng).unwrap_err();
    assert!(matches!(error, VaultError::Bound(_)), "{error}");
    open(dir.path()).store(&GroupUid([0; 32]), &snapshot(1, &[]), b"", &mut rng).unwrap();
    let epoch = |n: usize| {
        (Gid(u16::try_from(n).unwrap().to_be_bytes().repeat(16).try_into().unwrap()), Zeroizing::new(vec![1]))
    };
    let many = Snapshot { public: Vec::new(), secrets: (0..=EPOCHS_MAX).map(epoch).collect() };
    let error = open(dir.path()).store(&GroupUid([0; 32]), &many, b"", &mut rng).unwrap_err();
    assert!(matches!(error, VaultError::Bound(_)), "{error}");
}
