//! A long chain comes to a new node over loopback: how fast, in how much memory, and how much of the work is signatures.

use super::harness::{BINARY, SOON, seed};
use super::short_or_long;
use medring_node::api::types::StatusResponse;
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::apply;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::params::GenesisFile;
use medring_protocol::record::{Kind, Record, SigCheck, verify_all};
use medring_protocol::testkit::Kit;
use medring_storage::{ChainStore, Durability, Reorg, RocksEngine};
use medring_testnet::client::Client;
use medring_testnet::procs::{rng, until};
use rand::RngExt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a whole chain may take.
const WHOLE: Duration = Duration::from_secs(1_500);
/// Bodies that may be under way when a node dies, and come again: what one peer is asked for, and what waits for its turn.
const UNDER_WAY_MAX: u64 = 64;

/// What a chain is made of; block 1 enrols the kit's participants.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Blocks with records.
    full: u64,
    /// The smallest sealed records in each.
    records: u64,
    /// Blocks without any, after those.
    empty: u64,
}

/// A chain in a store, made once for its parameters and kept among cargo's own files.
struct Fixture {
    folder: PathBuf,
    shape: Shape,
    kit: Kit,
}

impl Fixture {
    /// Block 1, and those of the shape.
    fn height(&self) -> u64 {
        1 + self.shape.full + self.shape.empty
    }

    fn records(&self) -> u64 {
        self.shape.full * self.shape.records
    }

    fn get(shape: Shape) -> Self {
        let kit = Kit::new(seed());
        // A chain id is a hash of all parameters; the first number is of the way in which the fixture is made.
        let Shape { full, records, empty } = shape;
        let name = format!("chain-2-{}-{full}-{records}-{empty}", kit.chain.short());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let fixture = Self { folder, shape, kit };
        if !fixture.folder.is_dir() {
            let began = Instant::now();
            let partial = fixture.folder.with_extension("partial");
            let _ = fs::remove_dir_all(&partial);
            fs::create_dir_all(&partial).unwrap();
            fixture.make(&partial);
            fs::rename(&partial, &fixture.folder).unwrap();
            println!("made {shape:?} in {:.0} s", began.elapsed().as_secs_f64());
        }
        fixture
    }

    fn make(&self, folder: &Path) {
        let genesis = GenesisFile::new(self.kit.params.clone()).to_json();
        fs::write(folder.join("genesis.json"), genesis).unwrap();
        let store = ChainStore::open(RocksEngine::open(folder.join("chain")).unwrap(), &self.kit.params).unwrap();
        let mut tip = self.kit.params.genesis();
        let mut put = |records: Vec<Record>| {
            let block = self.kit.forge(&tip, records, |_| {});
            tip = block.header;
            let (rules, params, chain) = (RuleSet::standard(), &self.kit.params, &self.kit.chain);
            // The kit signed them just now.
            let verified = CheckedBlock::check(&rules, params, chain, block).unwrap().assume_verified();
            let diff = apply(&rules, params, &store, &verified).unwrap();
            let (id, height) = (verified.id(), tip.height);
            store.put_headers(&[tip], Durability::Buffered).unwrap();
            store.put_body(&verified, &[(id, height)], Durability::Buffered).unwrap();
            let connect = vec![(id, diff)];
            store.commit(&Reorg { connect, ..Reorg::default() }, Durability::Buffered).unwrap();
        };
        put(vec![self.kit.enrol_all(1)]);
        for block in 0..self.shape.full + self.shape.empty {
            let records = if block < self.shape.full { self.shape.records } else { 0 };
            let record = |n| self.kit.record(Kind::Ehr, block * self.shape.records + n, block + 2);
            put((0..records).map(record).collect());
        }
        store.sync().unwrap();
    }

    /// A data folder of its own with this chain.
    fn copy_to(&self, folder: &Path) {
        fs::create_dir_all(folder.join("chain")).unwrap();
        fs::copy(self.folder.join("genesis.json"), folder.join("genesis.json")).unwrap();
        for entry in fs::read_dir(self.folder.join("chain")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join("chain").join(entry.file_name())).unwrap();
        }
    }

    /// What all signatures of this chain cost by themselves, in batches of one block each: seconds, and how many they are.
    fn bare_signatures(&self) -> (f64, usize) {
        let store = ChainStore::open(RocksEngine::open(self.folder.join("chain")).unwrap(), &self.kit.params).unwrap();
        let keys = &self.kit.uploader(Kind::Ehr).keys;
        let signatures = |height| -> Vec<SigCheck> {
            let block: Block = store.block(&store.id_at(height).unwrap().unwrap()).unwrap().unwrap();
            let checks = block.records.iter().map(|record| record.signature_checks(&self.kit.chain, keys).unwrap());
            checks.flatten().collect()
        };
        let blocks: Vec<Vec<SigCheck>> = (2..=1 + self.shape.full).map(signatures).collect();
        let mut rng = rng(self.kit.seed, "bare");
        let began = cpu_seconds("/proc/thread-self/stat");
        for checks in &blocks {
            verify_all(checks, &mut rng).unwrap();
        }
        (cpu_seconds("/proc/thread-self/stat") - began, blocks.iter().map(Vec::len).sum())
    }
}

/// A node's process, killed when this is dropped.
struct Node {
    child: Child,
    folder: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    fn start(folder: &Path, bootstrap: Option<&str>) -> Self {
        let mut command = Command::new(BINARY);
        command.arg("--data-dir").arg(folder).args(["node", "run", "--set", "log.filter=warn", "--set"]);
        command.arg(format!("genesis={}", folder.join("genesis.json").display()));
        if let Some(address) = bootstrap {
            command.args(["--set", &format!("network.bootstrap={address}")]);
        }
        let _ = fs::remove_file(folder.join("node.json"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let node = Self { child, folder: folder.to_owned() };
        until("the node to answer", SOON, || node.try_status()).unwrap();
        node
    }

    fn client(&self) -> Result<Client, String> {
        Client::from_data_dir(&self.folder).map_err(|e| e.to_string())
    }

    fn try_status(&self) -> Result<StatusResponse, String> {
        self.client()?.get("/v1/status").map_err(|e| e.to_string())
    }

    fn status(&self) -> StatusResponse {
        self.try_status().unwrap()
    }

    fn wait_height(&self, height: u64) {
        until(&format!("height {height}"), WHOLE, || match self.try_status()?.tip.height {
            now if now >= height => Ok(()),
            now => Err(format!("{now}")),
        })
        .unwrap();
    }

    /// One figure of `GET /metrics`.
    fn figure(&self, name: &str) -> f64 {
        let text = self.client().unwrap().get_bytes("/metrics", 1 << 20).unwrap();
        let text = String::from_utf8(text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or("0").trim().parse().unwrap()
    }

    fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&format!("/proc/{}/stat", self.child.id()))
    }

    fn memory_mib_max(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// User and system time of a process or thread, in its clock's hundredths of a second.
fn cpu_seconds(stat: &str) -> f64 {
    let text = fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = fields[11..=12].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// A node with the whole chain, and a new one that knows its address.
fn pair(fixture: &Fixture, folder: &Path) -> (Node, String) {
    fixture.copy_to(&folder.join("giver"));
    fs::create_dir_all(folder.join("taker")).unwrap();
    fs::copy(fixture.folder.join("genesis.json"), folder.join("taker/genesis.json")).unwrap();
    let giver = Node::start(&folder.join("giver"), None);
    assert_eq!(giver.status().tip.height, fixture.height());
    let address = giver.status().listen[0].clone();
    (giver, address)
}

#[test]
fn a_long_chain_syncs_and_five_kills_redo_no_finished_work() {
    let shape = short_or_long(Shape { full: 300, records: 2, empty: 0 }, Shape { full: 20_000, records: 10, empty: 0 });
    let fixture = Fixture::get(shape);
    let folder = tempfile::tempdir().unwrap();
    let (giver, address) = pair(&fixture, folder.path());
    let taker = folder.path().join("taker");

    let began = Instant::now();
    let node = Node::start(&taker, Some(&address));
    node.wait_height(fixture.height());
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), node.cpu_seconds());
    let verifying = node.figure("medring_verify_seconds_sum");
    let (blocks, records) = (fixture.height() as f64, fixture.records() as f64);
    println!(
        "{blocks} blocks, {records} records in {seconds:.1} s: {:.0} blocks/s, {:.0} records/s, {} MiB at most, \
         {cpu:.1} s of CPU, {:.0} % of it in signatures",
        blocks / seconds,
        records / seconds,
        node.memory_mib_max(),
        100.0 * verifying / cpu,
    );
    assert_eq!(node.status().tip.id, giver.status().tip.id);
    drop(node);

    fs::remove_dir_all(taker.join("chain")).unwrap();
    let before = giver.figure("medring_bodies_served_total");
    let mut moments = rng(fixture.kit.seed, "kills");
    let mut height = 0;
    for kill in 1..=5u64 {
        let node = Node::start(&taker, Some(&address));
        assert!(node.status().tip.height >= height, "what was stored is there after kill {}", kill - 1);
        node.wait_height((fixture.height() * kill / 6 + moments.random_range(0..20)).min(fixture.height()));
        height = node.status().tip.height;
    }
    let node = Node::start(&taker, Some(&address));
    node.wait_height(fixture.height());
    let served = giver.figure("medring_bodies_served_total") - before;
    println!("killed five times on the way: {served} bodies were sent for {blocks} blocks");
    assert!(served <= blocks + 5.0 * UNDER_WAY_MAX as f64, "finished work was done again");
    assert_eq!(node.status().tip.id, giver.status().tip.id);
}

#[test]
fn small_records_cost_little_more_than_their_signatures() {
    let shape =
        short_or_long(Shape { full: 20, records: 100, empty: 101 }, Shape { full: 300, records: 100, empty: 2_001 });
    let fixture = Fixture::get(shape);
    let folder = tempfile::tempdir().unwrap();
    let (_giver, address) = pair(&fixture, folder.path());
    let node = Node::start(&folder.path().join("taker"), None);
    let idle = node.cpu_seconds();
    drop(node);
    let node = Node::start(&folder.path().join("taker"), Some(&address));
    node.wait_height(fixture.height());
    let cpu = node.cpu_seconds() - idle;
    let verifying = node.figure("medring_verify_seconds_sum");
    let (bare, signatures) = fixture.bare_signatures();
    println!(
        "{} records in {} blocks and {} empty ones: {cpu:.2} s of the receiver's CPU, {verifying:.2} s of it verifying; \
         {signatures} bare signatures {bare:.2} s; {:.2} times",
        fixture.records(),
        shape.full,
        shape.empty,
        cpu / bare,
    );
    assert!(cpu > verifying * 0.5 && verifying > 0.0, "the figures are of this node");
}
