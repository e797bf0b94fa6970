//! What a scenario came to: for people a drawing, one column per node and one line per step; for machines JSON.

use super::file::Scenario;
use medring_protocol::BlockId;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What was seen of one node after a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Seen {
    /// It runs.
    Up {
        /// A letter per branch, in the order in which their tips were seen: equal letters, equal tips.
        branch: String,
        /// Height of its best chain.
        height: u64,
        /// Its tip.
        tip: BlockId,
    },
    /// It is paused.
    Paused,
    /// It does not run.
    Down,
    /// It runs and does not answer.
    Silent,
}

/// One step that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Its line in the scenario's file.
    pub line: usize,
    /// When it was over, ms since the scenario began.
    pub at_ms: u64,
    /// What it was, in words.
    pub what: String,
    /// Every node after it.
    pub nodes: Vec<Seen>,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its name.
    pub scenario: String,
    /// What it is about.
    pub about: String,
    /// Where it ran: `processes` or `simulator`.
    pub world: String,
    /// Its seed.
    pub seed: u64,
    /// Whether every step was done and held.
    pub passed: bool,
    /// How long it took, ms; virtual in the simulator.
    pub took_ms: u64,
    /// How many steps it has.
    pub steps_total: usize,
    /// Those that were done; the last one failed, unless `passed`.
    pub steps: Vec<StepReport>,
}

/// Gives each tip a letter, in the order in which they are seen.
#[derive(Debug, Default)]
pub(super) struct Letters(BTreeMap<BlockId, String>);

impl Letters {
    pub(super) fn of(&mut self, tip: BlockId) -> String {
        let next = self.0.len();
        self.0.entry(tip).or_insert_with(|| letters(next)).clone()
    }
}

/// a … z, then aa, ab, …
fn letters(number: usize) -> String {
    let last = char::from(b'a' + u8::try_from(number % 26).unwrap_or_default());
    if number < 26 { last.into() } else { format!("{}{last}", letters(number / 26 - 1)) }
}

/// Width of a node's column.
const COLUMN: usize = 6;

impl Report {
    pub(super) fn new(scenario: &Scenario, world: &str) -> Self {
        Self {
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            world: world.into(),
            seed: scenario.seed,
            passed: false,
            took_ms: 0,
            steps_total: scenario.steps.len(),
            steps: Vec::new(),
        }
    }

    /// The head of the drawing, over the columns of `nodes` nodes.
    pub fn head(scenario: &Scenario) -> String {
        let columns: String = (0..scenario.nodes).map(|i| format!("{i:<COLUMN$}")).collect();
        format!("{:<11}{columns}\n", "")
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { branch, height, .. } => f.pad(&format!("{branch}{height}")),
            Self::Paused => f.pad("z"),
            Self::Down => f.pad("-"),
            Self::Silent => f.pad("?"),
        }
    }
}

/// One line: when, each node's branch and height, and what was done.
impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: String = self.nodes.iter().map(|seen| format!("{seen:<COLUMN$}")).collect();
        let mark = if self.problem.is_some() { "✗ " } else { "" };
        write!(f, "{:>7.1} s  {columns}{mark}{}", self.at_ms as f64 / 1000.0, self.what)?;
        self.problem.iter().try_for_each(|problem| write!(f, "\n{:<11}line {}: {problem}", "", self.line))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, world, seed, .. } = self;
        let seconds = self.took_ms as f64 / 1000.0;
        let (done, all) = (self.steps.len(), self.steps_total);
        if self.passed {
            return write!(f, "{scenario} passed: {all} steps in {seconds:.1} s ({world}, seed {seed})");
        }
        write!(f, "{scenario} FAILED at step {done} of {all} after {seconds:.1} s ({world}, seed {seed})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tips_get_letters_in_the_order_they_are_seen() {
        let mut seen = Letters::default();
        let tip = |i: u8| BlockId([i; 32]);
        assert_eq!([3, 1, 3, 2].map(|i| seen.of(tip(i))), ["a", "b", "a", "c"]);
        assert_eq!([0, 25, 26, 51, 52, 701, 702].map(letters), ["a", "z", "aa", "az", "ba", "zz", "aaa"]);
    }
}
