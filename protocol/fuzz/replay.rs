//! The fuzz targets on stable Rust: every committed seed, and many spoiled forms of each, through the very bodies that
//! cargo-fuzz runs, each within its bound of memory. Included by the `fuzz_seeds` tests of both crates.

use super::meter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a body may hold at once, besides a multiple of its input: the codec's 8 MiB for a length that lies, 16 MiB of
/// decompressed content, and what is made of them.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What it may hold for each byte of input: JSON values are about 30 times their text.
const HELD_PER_BYTE_MAX: usize = 64;
/// Largest committed seed.
const SEED_BYTES_MAX: usize = 16 * 1024;

/// Name and body of a target.
pub(crate) type Target = (&'static str, fn(&[u8]));
/// Runs the target of a name, as the files of `fuzz_targets/` do.
pub(crate) type Run = fn(&str, &[u8]);
/// Target, name and bytes of a seed.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// Name and bytes of every committed seed of a target.
fn seeds(fuzz: &Path, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz.join("seeds").join(target);
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
    };
    let listed = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut seeds: Vec<_> = listed.map(read).collect();
    seeds.sort();
    seeds
}

/// The folder, the manifest and the table name the same targets.
pub(crate) fn compare_names(fuzz: &Path, targets: &[Target]) {
    let names = |folder: PathBuf| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let targets: BTreeSet<String> = targets.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(fuzz.join("fuzz_targets")), targets);
    assert_eq!(names(fuzz.join("seeds")), targets);
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}: no [[bin]]");
        let file = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(file.contains(&format!("run(\"{target}\"")), "{target}.rs runs another target");
    }
}

/// The committed seeds are those made now, besides those that a fuzzer found; `MEDRING_WRITE_SEEDS=1` writes them anew.
pub(crate) fn compare_seeds(fuzz: &Path, made: Vec<Seed>) {
    for (target, name, bytes) in made {
        let path = fuzz.join("seeds").join(target).join(&name);
        assert!(bytes.len() <= SEED_BYTES_MAX, "{target}/{name} has {} bytes", bytes.len());
        if std::env::var_os("MEDRING_WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let committed = std::fs::read(&path).unwrap_or_else(|e| panic!("{target}/{name}: {e}"));
        assert!(committed == bytes, "{target}/{name} is not what the code makes: write the seeds anew");
    }
}

/// Runs every seed of a target, and so many spoiled forms of each; `MEDRING_FUZZ_TIMES` multiplies them.
pub(crate) fn replay(fuzz: &Path, target: &str, run: Run, rounds: u64) {
    let times = std::env::var("MEDRING_FUZZ_TIMES").map_or(1, |times| times.parse().unwrap());
    let seeds = seeds(fuzz, target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    // What a body makes once does not count.
    run(target, &seeds[0].1);
    for (number, (name, seed)) in (0_u64..).zip(&seeds) {
        check(target, run, name, 0, seed);
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        for round in 1..=rounds * times {
            check(target, run, name, round, &spoil(&mut rng, seed, &seeds));
        }
    }
}

fn check(target: &str, run: Run, name: &str, round: u64, data: &[u8]) {
    let run = std::panic::AssertUnwindSafe(|| meter::peak_of(|| run(target, data)));
    let most = HELD_BYTES_MAX + HELD_PER_BYTE_MAX * data.len();
    match std::panic::catch_unwind(run) {
        Ok(peak) => assert!(peak <= most, "{target}/{name}, round {round}: {peak} bytes held for {}", data.len()),
        Err(_) => panic!("{target}/{name}, round {round}, fails on {}", hex::encode(data)),
    }
}

/// A few changes such as a fuzzer makes: bytes set, bits flipped, lengths replaced, pieces cut, doubled and put in from
/// another seed.
fn spoil(rng: &mut ChaCha20Rng, seed: &[u8], others: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=data.len());
        let upto = rng.random_range(at..=data.len().min(at + 64));
        match rng.random_range(0..7) {
            0 => data.truncate(at),
            1 => drop(data.drain(at..upto)),
            2 => {
                let piece = data[at..upto].to_vec();
                data.splice(at..at, piece);
            }
            3 => {
                let other = &others[rng.random_range(0..others.len())].1;
                let from = rng.random_range(0..=other.len());
                data.splice(at..at, other[from..other.len().min(from + 64)].iter().copied());
            }
            4 if data.len() >= 8 => {
                let at = at.min(data.len() - 8);
                let lie: u64 = [0, 1, 255, 4096, 1 << 32, 1 << 62, u64::MAX][rng.random_range(0..7)];
                data[at..at + 8].copy_from_slice(&lie.to_be_bytes());
            }
            5 if at < data.len() => data[at] = rng.random(),
            _ if at < data.len() => data[at] ^= 1 << rng.random_range(0..8),
            _ => data.push(rng.random()),
        }
    }
    data
}
