//! kill -9 in the middle of reorganisations of more than a hundred blocks: the state is that of one block of one of the two
//! branches, and the next start goes on by itself.

use super::harness::BINARY;
use super::short_or_long;
use medring_node::core::{CoreConfig, NodeCore};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::file::Writer;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::params::GenesisFile;
use medring_protocol::record::Kind;
use medring_protocol::testkit::{Kit, TestChain};
use medring_storage::{ChainStore, MemoryEngine, RocksEngine};
use medring_testnet::procs::rng;
use rand::RngExt;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Blocks of the branch that is left.
const DEPTH: usize = 150;

/// ```text
/// genesis ─ e ─ a2 … a150          the best chain
///             └ b2 … b150 ─ b151   stored up to b150; the last one is in the file that is imported
/// ```
struct Fork {
    kit: Kit,
    ours: Vec<Block>,
    theirs: Vec<Block>,
    /// The store's hash of the state after each block of each branch.
    states: BTreeMap<BlockId, [u8; 32]>,
}

/// `length` blocks with a record in each: `first` and the numbers after it.
fn branch(kit: &Kit, length: usize, first: u64) -> Vec<Block> {
    let mut chain = TestChain::enrolled(kit, RuleSet::standard());
    for number in first.. {
        if chain.blocks.len() == length {
            break;
        }
        let record = kit.record(Kind::Ehr, number, chain.next_height());
        chain.extend(vec![record]).unwrap();
    }
    chain.blocks.into_iter().map(|(block, _)| block).collect()
}

impl Fork {
    fn new(seed: u64) -> Self {
        let kit = Kit::new(seed);
        let (ours, theirs) = (branch(&kit, DEPTH, 1), branch(&kit, DEPTH + 1, 10_000));
        let mut states = BTreeMap::new();
        for blocks in [&ours, &theirs] {
            let store = ChainStore::open(MemoryEngine::new(), &kit.params).unwrap();
            let now_ms = medring_node::driver::now_ms();
            let mut core = NodeCore::new(CoreConfig::new(kit.params.clone()), store.clone(), now_ms).unwrap();
            let headers: Vec<Header> = blocks.iter().map(|block| block.header).collect();
            core.import_headers(now_ms, &headers).unwrap();
            for block in blocks {
                core.import_block(now_ms, block.clone(), &mut rng(seed, "signatures")).unwrap();
                states.insert(block.id(), store.state_hash().unwrap());
            }
        }
        Self { kit, ours, theirs, states }
    }

    fn write(&self, path: &Path, blocks: &[Block]) {
        let mut writer = Writer::new(File::create(path).unwrap(), &self.kit.params).unwrap();
        blocks.iter().for_each(|block| writer.block(block).unwrap());
        writer.finish().unwrap();
    }

    /// Where a store stands; its state has to be that of its tip.
    fn tip(&self, data: &Path) -> BlockId {
        let store = ChainStore::open(RocksEngine::open(data.join("chain")).unwrap(), &self.kit.params).unwrap();
        let (tip, height) = store.tip().unwrap();
        let whole = self.states.get(&tip).is_some_and(|expected| *expected == store.state_hash().unwrap());
        assert!(whole, "the state at {tip}, height {height}, is that of no block");
        tip
    }
}

fn import(file: &Path, data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["chain", "import"]).arg(file).arg("--data-dir").arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn ended(status: ExitStatus, what: &str) {
    assert!(status.success(), "{what}: {status}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_process_killed_within_a_deep_reorganisation_goes_on_from_a_whole_state() {
    let kills = short_or_long(8, 120);
    let seed = super::harness::seed();
    let fork = Fork::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::write(at("genesis.json"), GenesisFile::new(fork.kit.params.clone()).to_json()).unwrap();
    fork.write(&at("ours"), &fork.ours);
    fork.write(&at("theirs"), &fork.theirs[..DEPTH]);
    fork.write(&at("longer"), &fork.theirs);
    let init = Command::new(BINARY)
        .args(["node", "init", "--genesis"])
        .arg(at("genesis.json"))
        .arg("--data-dir")
        .arg(at("before"))
        .stdout(Stdio::null())
        .status();
    ended(init.unwrap(), "node init");
    for file in ["ours", "theirs"] {
        ended(import(&at(file), &at("before")).status().unwrap(), file);
    }
    let (old, new) = (fork.ours[DEPTH - 1].id(), fork.theirs[DEPTH].id());
    assert_eq!(fork.tip(&at("before")), old, "equal work: the first one stays");

    copy(&at("before"), &at("whole"));
    let start = Instant::now();
    ended(import(&at("longer"), &at("whole")).status().unwrap(), "an import without a kill");
    let whole = start.elapsed();
    assert_eq!(fork.tip(&at("whole")), new);

    let mut moments = rng(seed, "kills in reorganisations");
    let (mut before, mut between, mut after) = (0, 0, 0);
    for kill in 0..kills {
        let data = at(&format!("killed-{kill}"));
        copy(&at("before"), &data);
        // Most of the first third is the start of a process.
        let micros = u64::try_from(whole.as_micros()).unwrap();
        let moment = Duration::from_micros(moments.random_range(micros / 3..micros * 11 / 10));
        let mut child = import(&at("longer"), &data).spawn().unwrap();
        // The moment is what is tested: nothing is waited for.
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        match fork.tip(&data) {
            tip if tip == old => before += 1,
            tip if tip == new => after += 1,
            _ => between += 1,
        }
        ended(import(&at("longer"), &data).status().unwrap(), &format!("after kill {kill} at {moment:?}, seed {seed}"));
        assert_eq!(fork.tip(&data), new, "kill {kill} at {moment:?}, seed {seed}");
        fs::remove_dir_all(&data).unwrap();
    }
    println!(
        "{kills} kills within {:.2} s of a reorganisation {} blocks deep: {before} found the old tip, {between} one on the way, {after} the new one",
        whole.as_secs_f64(),
        DEPTH - 1,
    );
}
