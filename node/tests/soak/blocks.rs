//! Five real nodes in a ring, and how long a full block takes to the slowest of them.

use medring_node::config::{ConfigPatch, load};
use medring_node::core::Snapshot;
use medring_node::driver::{Node, NodeHandle, Shutdown, now_ms};
use medring_protocol::BlockId;
use medring_protocol::limits::BLOCK_BYTES_MAX;
use medring_protocol::params::GenesisFile;
use medring_protocol::record::Kind;
use medring_protocol::testkit::Kit;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NODES: usize = 5;
/// How long anything awaited may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// The nodes, and what of their network is made so far.
pub(crate) struct Ring {
    kit: Kit,
    nodes: Vec<NodeHandle>,
    height: u64,
    records: u64,
    _dir: TempDir,
}

async fn start(dir: &Path, name: &str, bootstrap: &str, wire_version: &str) -> NodeHandle {
    let mut flags = ConfigPatch::default();
    let (data, genesis) = (dir.join(name), dir.join("genesis.json"));
    for (key, value) in [
        ("data_dir", data.to_str().unwrap()),
        ("genesis", genesis.to_str().unwrap()),
        ("network.bootstrap", bootstrap),
        ("network.wire_version", wire_version),
        ("mining.nice", "0"),
        // A ring stays a ring.
        ("network.discovery", "false"),
    ] {
        flags.set("test", key, value).unwrap();
    }
    Node::start(load(None, [], &flags).unwrap(), Shutdown::new()).await.unwrap()
}

async fn until(node: &NodeHandle, what: &str, stands: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = node.watch();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| stands(snapshot))).await;
    drop(waited.unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}")).unwrap());
}

impl Ring {
    /// Five linked nodes that speak one wire version, everyone enrolled.
    pub(crate) async fn new(seed: u64, wire_version: u16) -> Self {
        let kit = Kit::with_params(seed, |params| {
            params.genesis_time_ms = now_ms();
            params.stamp_window_ms = 3_600_000;
            params.future_limit_ms = 600_000;
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("genesis.json"), GenesisFile::new(kit.params.clone()).to_json()).unwrap();
        let (version, mut nodes) = (wire_version.to_string(), Vec::<NodeHandle>::new());
        for i in 0..NODES {
            let before = nodes.last().map(|node| node.info().listen[0].to_string()).unwrap_or_default();
            nodes.push(start(dir.path(), &format!("node-{i}"), &before, &version).await);
        }
        nodes[0].connect(nodes[NODES - 1].info().listen[0].clone()).await.unwrap();
        for node in &nodes {
            let linked = |s: &Snapshot| s.peers.iter().filter(|p| p.status.is_some()).count() == 2;
            until(node, "both neighbours", linked).await;
        }
        let mut ring = Self { kit, nodes, height: 0, records: 0, _dir: dir };
        ring.nodes[0].submit(ring.kit.enrol_all(1)).await.unwrap();
        ring.mine(0).await;
        ring
    }

    /// Fills every pool with a block's worth of the smallest records that anyone may seal; how many.
    pub(crate) async fn fill_pools(&mut self) -> usize {
        let room = BLOCK_BYTES_MAX / self.kit.record(Kind::Ehr, 0, 2).encoded_len();
        for i in 0..room {
            let record = self.kit.record(Kind::Ehr, self.records, self.height + 1);
            self.records += 1;
            self.nodes[i % NODES].submit(record).await.unwrap();
        }
        for node in &self.nodes {
            until(node, "a block's worth of records in every pool", |s| s.pool_records == room).await;
        }
        room
    }

    /// One node mines a block; when each node had it, in ms after the miner, ascending.
    pub(crate) async fn mine(&mut self, miner: usize) -> Vec<f64> {
        self.height += 1;
        let height = self.height;
        let arrivals: Vec<_> = self.nodes.iter().map(|node| arrival(node.clone(), height)).map(tokio::spawn).collect();
        self.nodes[miner].mine_blocks(1).await.unwrap();
        let (mut at, mut tips) = (Vec::new(), Vec::new());
        for arrival in arrivals {
            let (when, tip) = arrival.await.unwrap();
            at.push(when);
            tips.push(tip);
        }
        assert!(tips.windows(2).all(|pair| pair[0] == pair[1]), "all are on one tip");
        let mut after: Vec<f64> = at.iter().map(|when| (*when - at[miner]).as_secs_f64() * 1e3).collect();
        after.sort_by(f64::total_cmp);
        after
    }

    /// Stops every node.
    pub(crate) async fn stop(self) {
        for node in self.nodes {
            node.shutdown();
            drop(tokio::time::timeout(PATIENCE, node.stopped()).await.expect("awaited a node's end"));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a figure is measured")]
async fn arrival(node: NodeHandle, height: u64) -> (Instant, BlockId) {
    let mut snapshots = node.watch();
    let there = tokio::time::timeout(PATIENCE, snapshots.wait_for(|s| s.height >= height)).await;
    let tip = there.unwrap_or_else(|_| panic!("awaited block {height} for {PATIENCE:?}")).unwrap().tip;
    (Instant::now(), tip)
}
