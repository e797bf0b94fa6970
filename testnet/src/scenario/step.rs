//! What a step can say: something is done, something must hold, or something is remembered.

use medring_node::faults::Behaviour;
use serde::Deserialize;

/// One line of a scenario: a table with one key, `{ mine = { nodes = [0], blocks = 3 } }`.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Something is done to the network.
    Act(Action),
    /// Something must hold now, or within its `within_s`.
    Expect(Condition),
    /// The tip of a node gets a name, for [`Condition::Holds`] and [`Condition::Left`].
    Remember {
        /// The name.
        block: String,
        /// Whose tip.
        node: usize,
    },
    /// The operator of a node says a word on a remembered block.
    Order {
        /// The word.
        word: Word,
        /// The block's name.
        block: String,
        /// Whose operator.
        node: usize,
    },
}

/// What an operator says of a block, to one node alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Neither this block nor one above it is to be chosen.
    Invalidate,
    /// What speaks against this block, or one below or above it, is taken back.
    Reconsider,
}

/// Some nodes; where a step does not say which, all honest nodes that run and are not paused.
pub type Nodes = Option<Vec<usize>>;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Starts a node that does not run.
    Start {
        /// Which.
        node: usize,
    },
    /// Ends a node in order (SIGTERM).
    Stop {
        /// Which.
        node: usize,
    },
    /// Ends a node as a power cut would (SIGKILL).
    Kill {
        /// Which.
        node: usize,
    },
    /// Kills a node and starts it again.
    Restart {
        /// Which.
        node: usize,
    },
    /// Stops a node where it stands (SIGSTOP): its links stay, and nothing is answered.
    Pause {
        /// Which.
        node: usize,
    },
    /// Lets it go on (SIGCONT).
    Resume {
        /// Which.
        node: usize,
    },
    /// Cuts every link between nodes of different groups, and lets none come to stand. Nodes not named are one more group. Replaces
    /// the partition before it.
    Partition(Vec<Vec<usize>>),
    /// Ends partition, delays and losses; what was linked links again.
    Heal {},
    /// What others say to these nodes reaches them so much later.
    Delay {
        /// Who hears late.
        nodes: Vec<usize>,
        /// Of whom; everybody if not said.
        from: Nodes,
        /// How much later, ms; 0 ends it.
        ms: u64,
    },
    /// What others say to these nodes is lost with this chance.
    Loss {
        /// Who misses it.
        nodes: Vec<usize>,
        /// Of whom; everybody if not said.
        from: Nodes,
        /// The chance; 0 ends it.
        percent: u8,
    },
    /// Sets a node's clock off.
    ClockSkew {
        /// Whose.
        node: usize,
        /// Ahead of the true time (above 0) or behind it (below), ms; 0 ends it.
        ms: i64,
    },
    /// A node's disk takes no further write.
    DiskFull {
        /// Whose.
        node: usize,
    },
    /// There is room on it again.
    DiskRoom {
        /// Whose.
        node: usize,
    },
    /// Mines now: all these nodes at the same time, until each has mined so many blocks of its best chain.
    Mine {
        /// Who.
        nodes: Vec<usize>,
        /// How many each.
        blocks: u32,
    },
    /// Makes records and submits them at a node; done once it has them on its disk.
    Submit {
        /// Where.
        node: usize,
        /// Their name, for [`Condition::Confirmed`]. Records of an earlier step under this name are kept.
        records: String,
        /// How many.
        count: u32,
    },
    /// A node treats others so from now on.
    Behave {
        /// Who.
        node: usize,
        /// How.
        r#as: Behaviour,
    },
    /// A node dials another, once.
    Connect {
        /// Who.
        node: usize,
        /// Whom.
        to: usize,
    },
}

/// What must hold: now, or where `within_s` is said within so many seconds (of the world's time).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The height of each best chain.
    Height {
        /// Whose.
        nodes: Nodes,
        /// Not below.
        at_least: Option<u64>,
        /// Not above.
        at_most: Option<u64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// So many blocks more than when this step began, on each best chain: a time told in blocks.
    Grown {
        /// Whose.
        nodes: Nodes,
        /// How many.
        blocks: u64,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// All are on one tip.
    Agree {
        /// Who.
        nodes: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Each group is on one tip, and no two groups are on the same.
    Apart {
        /// Who.
        groups: Vec<Vec<usize>>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// All records of that name are so deep in each best chain.
    Confirmed {
        /// Their name.
        records: String,
        /// Where.
        nodes: Nodes,
        /// How deep; in the newest block a record is 1 deep. 1 if not said.
        depth: Option<u64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// A remembered block is on each best chain.
    Holds {
        /// Its name.
        block: String,
        /// Where.
        nodes: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// A remembered block is on none of the best chains.
    Left {
        /// Its name.
        block: String,
        /// Where.
        nodes: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Linked peers of each.
    Peers {
        /// Whose.
        nodes: Nodes,
        /// Not below.
        at_least: Option<u64>,
        /// Not above.
        at_most: Option<u64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Blocks that the deepest reorganisation of each disconnected, since the node started.
    Reorg {
        /// Whose.
        nodes: Nodes,
        /// Not below.
        at_least: Option<u64>,
        /// Not above.
        at_most: Option<u64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Branches that each knows, the best chain included.
    Branches {
        /// Whose.
        nodes: Nodes,
        /// Not below.
        at_least: Option<u64>,
        /// Not above.
        at_most: Option<u64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Each of these refuses a node.
    Banned {
        /// Who is refused.
        node: usize,
        /// By whom.
        by: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Nobody of these refuses a node.
    NotBanned {
        /// Who is not refused.
        node: usize,
        /// By whom.
        by: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// A figure of each node's `/metrics`.
    Metric {
        /// Whose.
        nodes: Nodes,
        /// Its name, with its labels if it has any: `medring_height`.
        name: String,
        /// Not below.
        at_least: Option<f64>,
        /// Not above.
        at_most: Option<f64>,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// Each of these runs.
    Alive {
        /// Who.
        nodes: Nodes,
        /// Deadline, s.
        within_s: Option<u64>,
    },
    /// A node ended by itself.
    Ended {
        /// Who.
        node: usize,
        /// Deadline, s.
        within_s: Option<u64>,
    },
}

impl Condition {
    /// Its deadline, s; `None`: it must hold at once.
    pub fn within_s(&self) -> Option<u64> {
        match self {
            Self::Height { within_s, .. }
            | Self::Grown { within_s, .. }
            | Self::Agree { within_s, .. }
            | Self::Apart { within_s, .. }
            | Self::Confirmed { within_s, .. }
            | Self::Holds { within_s, .. }
            | Self::Left { within_s, .. }
            | Self::Peers { within_s, .. }
            | Self::Reorg { within_s, .. }
            | Self::Branches { within_s, .. }
            | Self::Banned { within_s, .. }
            | Self::NotBanned { within_s, .. }
            | Self::Metric { within_s, .. }
            | Self::Alive { within_s, .. }
            | Self::Ended { within_s, .. } => *within_s,
        }
    }
}
