//! Crashes on disk: a store dropped without closing, a log cut at every byte, a process killed while it writes.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::world::World;
use medring_protocol::{BlockId, Gid};
use medring_storage::{ChainStore, DumpEntry, RocksEngine, StorageError};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn open(folder: &Path, world: &World) -> ChainStore<RocksEngine> {
    ChainStore::open(RocksEngine::open(folder).unwrap(), &world.net.params).unwrap()
}

/// What a crash leaves: the files as they are, while the store is open.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

/// The log that is written to.
fn log(folder: &Path) -> PathBuf {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "log")).max().unwrap()
}

#[test]
fn a_log_cut_at_any_byte_of_the_last_batch_opens_as_before_it() {
    let mut world = World::new(3);
    let genesis = world.net.genesis();
    let first = world.make(&genesis, vec![world.net.enrol(&[0])], 1);
    let last = world.make(&first, vec![world.net.epoch_commit(0, 1)], 1);
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &world);
    world.store_blocks(&store, &[first, last]);
    world.go(&store, &first).unwrap();
    let before = store.dump().unwrap();
    let start = log(folder.path()).metadata().unwrap().len();
    world.go(&store, &last).unwrap();
    let after = store.dump().unwrap();
    let end = log(folder.path()).metadata().unwrap().len();
    assert!(before != after && (200..2_000).contains(&(end - start)), "the batch has {} bytes", end - start);
    for length in start..=end {
        let crashed = copy(folder.path());
        std::fs::File::options().write(true).open(log(crashed.path())).unwrap().set_len(length).unwrap();
        let found = open(crashed.path(), &world);
        let expected = if length == end { &after } else { &before };
        assert!(found.dump().unwrap() == *expected, "cut at {length} of {start} to {end}");
        if length == end - 1 {
            world.go(&found, &last).unwrap();
            assert!(found.dump().unwrap() == after);
        }
    }
}

/// Run by [`a_killed_process_loses_nothing_it_reported`] in a process of its own; alone it does nothing.
#[test]
fn child_that_writes_until_killed() {
    let Ok(folder) = std::env::var("MEDRING_TEST_CRASH_FOLDER") else { return };
    let (world, chain) = long_chain();
    let store = open(Path::new(&folder), &world);
    for id in &chain {
        world.store_blocks(&store, &[*id]);
        world.go(&store, id).unwrap();
        println!("height {}", world.header(id).height);
    }
    // Should the parent be slow: it is killed here then.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn long_chain() -> (World, Vec<BlockId>) {
    let mut world = World::new(4);
    let genesis = world.net.genesis();
    let mut bodies = vec![vec![world.net.enrol(&[0, 1])]];
    bodies.extend((0..400).map(|number| vec![world.net.phr(0, Gid([1; 32]), number)]));
    let chain = world.make_chain(&genesis, bodies, 1);
    (world, chain)
}

#[test]
fn a_killed_process_loses_nothing_it_reported() {
    let (world, chain) = long_chain();
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_writes_until_killed", "--nocapture"])
        .env("MEDRING_TEST_CRASH_FOLDER", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The harness writes its own words in front of the first. The pipe stays open until the child is gone.
    let mut heights = lines.filter_map(|line| line.unwrap().rsplit_once("height ")?.1.parse::<u64>().ok());
    let reported = heights.find(|height| *height >= 50).unwrap();
    let in_use = RocksEngine::open(folder.path()).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(in_use, StorageError::InUse { .. }), "{in_use}");
    let store = open(folder.path(), &world);
    let (tip, height) = store.tip().unwrap();
    assert!(height >= reported, "reported {reported}, found {height}");
    assert_eq!(tip, chain[usize::try_from(height).unwrap() - 1]);
    world.assert_agrees(&store);
    world.store_blocks(&store, &chain);
    world.go(&store, chain.last().unwrap()).unwrap();
    assert_eq!(store.tip().unwrap().1, 401);
}

#[test]
fn a_store_dropped_without_a_sync_opens_with_all_it_took() {
    let (world, chain) = long_chain();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &world);
    world.store_blocks(&store, &chain[..20]);
    world.go(&store, &chain[19]).unwrap();
    let dump = store.dump().unwrap();
    let crashed = copy(folder.path());
    drop(store);
    assert!(open(folder.path(), &world).dump().unwrap() == dump);
    assert!(open(crashed.path(), &world).dump().unwrap() == dump);
}

/// A store of eight blocks, in files that only its manifest names, and what is in it.
fn in_files() -> (World, tempfile::TempDir, Vec<DumpEntry>) {
    let (world, chain) = long_chain();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &world);
    world.store_blocks(&store, &chain[..8]);
    world.go(&store, &chain[7]).unwrap();
    let dump = store.dump().unwrap();
    drop(store);
    // Opening once more moves what is in the log to files of its own.
    drop(open(folder.path(), &world));
    (world, folder, dump)
}

fn read(folder: &Path, world: &World) -> Result<Vec<DumpEntry>, StorageError> {
    ChainStore::open(RocksEngine::open(folder)?, &world.net.params)?.dump()
}

#[test]
fn a_damaged_or_missing_file_is_an_error_that_says_the_way_back() {
    let (world, folder, dump) = in_files();
    let mut damaged = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let (path, name) = {
            let e = entry.unwrap();
            (e.path(), e.file_name())
        };
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let step = (bytes.len() / 12).max(1);
        let cases = (0..bytes.len()).step_by(step).map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            Some(bytes)
        });
        for case in cases.chain([None]) {
            let copy = copy(folder.path());
            match &case {
                Some(bytes) => std::fs::write(copy.path().join(&name), bytes).unwrap(),
                None => std::fs::remove_file(copy.path().join(&name)).unwrap(),
            }
            match read(copy.path(), &world) {
                Ok(found) => assert!(found == dump, "{name:?}, damage not seen"),
                Err(error) => {
                    damaged += 1;
                    let text = error.to_string();
                    assert!(
                        text.contains("start the node again") || text.contains("start it again"),
                        "{name:?}: {text}"
                    );
                }
            }
        }
    }
    assert!(damaged > 50, "{damaged}");
}

#[test]
fn a_missing_log_or_manifest_is_seen() {
    let (world, chain) = long_chain();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &world);
    world.store_blocks(&store, &chain[..2]);
    let mut removed = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "CURRENT" || name.starts_with("MANIFEST") || name.ends_with(".log") {
            let copy = copy(folder.path());
            std::fs::remove_file(copy.path().join(&name)).unwrap();
            let error = RocksEngine::open(copy.path()).unwrap_err();
            assert!(matches!(error, StorageError::Unusable { .. }), "{name}: {error}");
            removed += 1;
        }
    }
    assert_eq!(removed, 3);
}

/// Run by [`a_write_that_fails_is_an_error_and_the_store_opens_as_before_it`] in a process whose files may not grow beyond
/// 2 MiB; alone it does nothing.
#[test]
fn child_that_writes_until_refused() {
    let Ok(folder) = std::env::var("MEDRING_TEST_REFUSED_FOLDER") else { return };
    let store = open(Path::new(&folder), &World::new(4));
    let big = vec![7; 100_000];
    for number in 0..100u32 {
        match store.meta_put(&format!("big-{number}"), &big) {
            Ok(()) => println!("wrote {number}"),
            Err(error) => {
                assert!(matches!(error, StorageError::Io { .. }), "{error}");
                assert!(store.meta_get("big-0").unwrap().is_some(), "reads go on");
                assert_eq!(store.meta_get(&format!("big-{number}")).unwrap(), None);
                store.meta_put("small", &[1]).unwrap_err();
                drop(store);
                println!("refused {number}");
                return;
            }
        }
    }
    panic!("was not refused");
}

#[test]
fn a_write_that_fails_is_an_error_and_the_store_opens_as_before_it() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    // The limit is in units of 512 or 1,024 bytes, as the shell likes; the signal that comes with it is ignored.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" --exact child_that_writes_until_refused --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env("MEDRING_TEST_REFUSED_FOLDER", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let refused: u32 = text.lines().find_map(|line| line.rsplit_once("refused ")?.1.parse().ok()).unwrap();
    assert!(refused > 5, "{refused}");
    let store = open(folder.path(), &world);
    for number in 0..100 {
        let found = store.meta_get(&format!("big-{number}")).unwrap();
        assert_eq!(found.is_some(), number < refused, "{number} of {refused}");
    }
    assert_eq!(store.meta_get("small").unwrap(), None);
}

#[test]
fn every_byte_of_the_manifest_counts() {
    let (world, folder, dump) = in_files();
    let mut names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let name = names.find(|name| name.to_string_lossy().starts_with("MANIFEST")).unwrap();
    let bytes = std::fs::read(folder.path().join(&name)).unwrap();
    let mut by_tally = 0;
    // A length that reaches beyond the file looks like a write that was cut off: RocksDB forgets it and what follows.
    for at in 0..bytes.len() {
        let copy = copy(folder.path());
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 0x80;
        std::fs::write(copy.path().join(&name), spoiled).unwrap();
        match read(copy.path(), &world) {
            Ok(found) => assert!(found == dump, "byte {at}: damage not seen"),
            Err(error) => by_tally += usize::from(error.to_string().contains("entries were written to")),
        }
    }
    assert!(by_tally > 3, "{by_tally}");
}
