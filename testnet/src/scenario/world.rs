//! What a scenario is played on: real processes, or the simulator.

use super::step::{Action, Word};
use medring_protocol::BlockId;

/// What a world tells, or why it cannot: a sentence for people.
pub type Told<T> = Result<T, String>;

/// A network that a scenario is played on. Nodes have the numbers of the scenario; those of [`super::NodeSettings::later`] do
/// not run yet. Questions are asked of nodes that run and are not paused, and are answered as of now; none waits.
pub trait World {
    /// What it is, for reports: `processes` or `simulator`.
    fn kind(&self) -> &'static str;

    /// Time since the scenario began, ms; virtual where time is.
    fn now_ms(&self) -> u64;

    /// Lets a little time pass, far less than a second of [`Self::now_ms`]. `Err`: nothing can go on, for example since the
    /// user interrupted.
    fn pass(&mut self) -> Told<()>;

    /// Does something, and returns once it is done: a killed node is gone, a cut link is down, a mined block is on its miner's
    /// best chain, a submitted record is on its node's disk.
    fn act(&mut self, action: &Action) -> Told<()>;

    /// The operator of a node says a word on a block; when this returns, its best chain is the one that follows from it.
    fn order(&mut self, node: usize, word: Word, block: &BlockId) -> Told<()>;

    /// Whether a node's process runs; also asked of nodes that do not.
    fn is_alive(&mut self, node: usize) -> Told<bool>;

    /// Tip of a node's best chain, and its height.
    fn tip(&mut self, node: usize) -> Told<(BlockId, u64)>;

    /// Whether a block is on a node's best chain.
    fn holds(&mut self, node: usize, block: &BlockId) -> Told<bool>;

    /// How deep each record of that name is in a node's best chain: 1 in the newest block, 0 where it is not on it.
    fn depths(&mut self, node: usize, records: &str) -> Told<Vec<u64>>;

    /// Linked peers.
    fn peers(&mut self, node: usize) -> Told<u64>;

    /// Branches that a node knows, its best chain included.
    fn branches(&mut self, node: usize) -> Told<u64>;

    /// Blocks that the deepest reorganisation disconnected, since the node started; 0 if there was none.
    fn deepest_reorg(&mut self, node: usize) -> Told<u64>;

    /// Whether a node refuses another.
    fn bans(&mut self, node: usize, whom: usize) -> Told<bool>;

    /// A figure of a node's `/metrics`.
    fn metric(&mut self, node: usize, name: &str) -> Told<f64>;
}
