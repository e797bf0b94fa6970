//! Mining on demand: so many blocks now, by several nodes in competition.

use super::Told;
use crate::sim::Simulation;
use medring_node::core::Input;
use medring_protocol::BlockId;
use medring_protocol::testkit;

/// Mean time that one node takes for a block where blocks come on demand only: 256 hashes of 20,000 a second, ms.
const BLOCK_MS: u64 = 13;
/// Times a mean within which all must be done, for each block asked for …
const PATIENCE: u64 = 20;
/// … and at least this, ms.
const PATIENCE_MIN_MS: u64 = 60_000;

/// One of those who mine.
struct Miner {
    node: usize,
    /// When it finds its next nonce, and how long that takes on average, ms.
    next_ms: u64,
    mean_ms: u64,
    found: Vec<(u64, BlockId)>,
    done: bool,
}

impl Simulation {
    /// All these mine at the same time, until each has found so many blocks that were on its best chain when it found the last.
    pub(super) fn mine_now(&mut self, nodes: &[usize], blocks: u32) -> Told<()> {
        let wanted = usize::try_from(blocks).unwrap_or(usize::MAX);
        let mut miners = Vec::new();
        for node in nodes {
            let mean_ms = self.mean_ms(*node);
            let next_ms = self.now_ms + self.draw_wait_ms(mean_ms);
            miners.push(Miner { node: *node, next_ms, mean_ms, found: Vec::new(), done: false });
        }
        let slowest_ms = miners.iter().map(|miner| miner.mean_ms).max().unwrap_or(BLOCK_MS);
        let patience_ms = slowest_ms.saturating_mul(PATIENCE).saturating_mul(u64::from(blocks)).max(PATIENCE_MIN_MS);
        let end_ms = self.now_ms.saturating_add(patience_ms);
        while let Some(miner) =
            miners.iter_mut().filter(|miner| !miner.done).min_by_key(|miner| (miner.next_ms, miner.node))
        {
            if miner.next_ms > end_ms {
                let (node, found) = (miner.node, miner.found.len());
                return Err(format!("node {node} mined {found} of {blocks} blocks in {} s", patience_ms / 1_000));
            }
            self.advance(miner.next_ms.saturating_sub(self.now_ms))?;
            self.find(miner)?;
            miner.done = self.joined(miner)? >= wanted;
            miner.next_ms = self.now_ms + self.draw_wait_ms(miner.mean_ms);
        }
        Ok(())
    }

    /// Where nodes mine all the time a target is harder: then each takes as long as its share of the network says.
    fn mean_ms(&self, node: usize) -> u64 {
        let Some(scene) = self.scene.as_ref().filter(|scene| scene.mines) else { return BLOCK_MS };
        let (own, all) = (scene.cast[node].share.max(1), scene.cast.iter().map(|cast| cast.share).sum::<u64>());
        self.config.block_interval_ms * all.max(own) / own
    }

    /// A node finds a nonce for its template, if it has one: whoever is far behind has none.
    fn find(&mut self, miner: &mut Miner) -> Told<()> {
        let node = miner.node;
        self.answering(node).map_err(|why| format!("node {node}: {why}"))?;
        self.input(node, Input::Remake);
        let Some(mut header) = self.nodes[node].template else { return Ok(()) };
        testkit::mine(&mut header);
        self.say(node, format_args!("mines {} at {} on demand", header.id(), header.height));
        self.stats.found(self.now_ms, header.id(), self.nodes[node].is_honest());
        miner.found.push((header.height, header.id()));
        self.input(node, Input::Mined { header });
        Ok(())
    }

    /// How many of those that it found are on its best chain.
    fn joined(&self, miner: &Miner) -> Told<usize> {
        let core = self.answering(miner.node).map_err(|why| format!("node {}: {why}", miner.node))?;
        let mut joined = 0;
        for (height, id) in &miner.found {
            joined += usize::from(core.store().id_at(*height).map_err(|e| e.to_string())? == Some(*id));
        }
        Ok(joined)
    }
}
