//! What a scenario may say: every number within its bounds, every node and every name known.

use super::file::NodeSettings;
use super::step::{Action, Condition, Nodes, Step};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Nodes of one scenario.
pub(super) const NODES: RangeInclusive<u64> = 1..=200;
/// Seeds: what a TOML number holds.
pub(super) const SEED: RangeInclusive<u64> = 0..=i64::MAX as u64;
/// Time between blocks, ms.
pub(super) const BLOCK_TIME_MS: RangeInclusive<u64> = 100..=3_600_000;
/// Steps of one scenario.
pub(super) const STEPS_MAX: usize = 500;
/// Deadlines, s.
const WITHIN_S: RangeInclusive<u64> = 1..=3_600;
/// Delays, ms.
const DELAY_MS: RangeInclusive<u64> = 0..=60_000;
/// Clocks off by, ms: a day.
const SKEW_MS_MAX: u64 = 86_400_000;
/// Blocks of one step.
const BLOCKS: RangeInclusive<u64> = 1..=1_000;
/// Records of one step.
const RECORDS: RangeInclusive<u64> = 1..=100;
/// How many ordinary miners one node may be worth.
const HASH_SHARE: RangeInclusive<u64> = 0..=1_000;
/// Links of one node.
const PEERS: RangeInclusive<u64> = 1..=250;
/// Letters of a name.
const NAME_BYTES_MAX: usize = 32;
/// Letters of a metric's name with its labels.
const METRIC_BYTES_MAX: usize = 128;

pub(super) fn in_bounds(what: &str, number: u64, bounds: RangeInclusive<u64>) -> Result<(), String> {
    if bounds.contains(&number) {
        return Ok(());
    }
    Err(format!("{what} is {number}; use {} … {}", bounds.start(), bounds.end()))
}

fn node(number: usize, nodes: usize) -> Result<(), String> {
    if number < nodes {
        return Ok(());
    }
    Err(format!("there is no node {number}: with nodes = {nodes} they are 0 … {}", nodes - 1))
}

fn some_nodes(numbers: &[usize], nodes: usize) -> Result<(), String> {
    if numbers.is_empty() {
        return Err("the list of nodes is empty; leave it out, or name at least one".into());
    }
    numbers.iter().try_for_each(|number| node(*number, nodes))?;
    match numbers.iter().enumerate().find(|(i, number)| numbers[..*i].contains(number)) {
        None => Ok(()),
        Some((_, twice)) => Err(format!("node {twice} stands twice in one list")),
    }
}

/// The number of the node that a table `[node.N]` is about.
pub(super) fn settings(key: &str, settings: &NodeSettings, nodes: usize) -> Result<usize, String> {
    let number = key.parse().map_err(|_| format!("[node.{key}] names no node; write for example [node.4]"))?;
    node(number, nodes)?;
    if let Some(links) = &settings.links {
        links.iter().try_for_each(|link| node(*link, nodes))?;
        if links.contains(&number) {
            return Err(format!("node {number} is to be linked to itself"));
        }
    }
    settings.max_peers.map_or(Ok(()), |most| in_bounds("max_peers", most.into(), PEERS))?;
    settings.wire_version.map_or(Ok(()), |version| in_bounds("wire_version", version.into(), 1..=2))?;
    settings.hash_share.map_or(Ok(()), |share| in_bounds("hash_share", share.into(), HASH_SHARE))?;
    Ok(number)
}

/// What the steps read so far have named.
pub(super) struct Names {
    nodes: usize,
    records: BTreeSet<String>,
    blocks: BTreeSet<String>,
}

impl Names {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes, records: BTreeSet::new(), blocks: BTreeSet::new() }
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Act(action) => self.action(action),
            Step::Expect(condition) => {
                condition.within_s().map_or(Ok(()), |s| in_bounds("within_s", s, WITHIN_S))?;
                self.condition(condition)
            }
            Step::Remember { block, node: of } => {
                node(*of, self.nodes)?;
                name("block", block)?;
                self.blocks.insert(block.clone());
                Ok(())
            }
            Step::Order { block, node: of, .. } => {
                node(*of, self.nodes)?;
                known("block", block, &self.blocks, "remember")
            }
        }
    }

    fn action(&mut self, action: &Action) -> Result<(), String> {
        let nodes = self.nodes;
        match action {
            Action::Start { node: i }
            | Action::Stop { node: i }
            | Action::Kill { node: i }
            | Action::Restart { node: i }
            | Action::Pause { node: i }
            | Action::Resume { node: i }
            | Action::DiskFull { node: i }
            | Action::DiskRoom { node: i }
            | Action::Behave { node: i, .. } => node(*i, nodes),
            Action::Partition(groups) => in_groups(groups, nodes),
            Action::Heal {} => Ok(()),
            Action::Delay { nodes: to, from, ms } => {
                in_bounds("ms", *ms, DELAY_MS)?;
                self.two_lists(to, from)
            }
            Action::Loss { nodes: to, from, percent } => {
                in_bounds("percent", (*percent).into(), 0..=100)?;
                self.two_lists(to, from)
            }
            Action::ClockSkew { node: i, ms } => {
                in_bounds("ms", ms.unsigned_abs(), 0..=SKEW_MS_MAX)?;
                node(*i, nodes)
            }
            Action::Mine { nodes: who, blocks } => {
                in_bounds("blocks", (*blocks).into(), BLOCKS)?;
                some_nodes(who, nodes)
            }
            Action::Submit { node: i, records, count } => {
                node(*i, nodes)?;
                in_bounds("count", (*count).into(), RECORDS)?;
                name("records", records)?;
                self.records.insert(records.clone());
                Ok(())
            }
            Action::Connect { node: i, to } => some_nodes(&[*i, *to], nodes)
                .map_err(|p| if i == to { format!("node {i} would dial itself") } else { p }),
        }
    }

    fn two_lists(&self, to: &[usize], from: &Nodes) -> Result<(), String> {
        some_nodes(to, self.nodes)?;
        self.nodes(from)
    }

    fn nodes(&self, nodes: &Nodes) -> Result<(), String> {
        nodes.as_deref().map_or(Ok(()), |some| some_nodes(some, self.nodes))
    }

    fn condition(&self, condition: &Condition) -> Result<(), String> {
        match condition {
            Condition::Height { nodes, at_least, at_most, .. }
            | Condition::Peers { nodes, at_least, at_most, .. }
            | Condition::Reorg { nodes, at_least, at_most, .. }
            | Condition::Branches { nodes, at_least, at_most, .. } => {
                self.nodes(nodes)?;
                bounds(at_least.map(|n| n as f64), at_most.map(|n| n as f64))
            }
            Condition::Metric { nodes, name, at_least, at_most, .. } => {
                self.nodes(nodes)?;
                if name.is_empty() || name.len() > METRIC_BYTES_MAX {
                    return Err(format!("name has {} letters; use 1 … {METRIC_BYTES_MAX}", name.len()));
                }
                bounds(*at_least, *at_most)
            }
            Condition::Grown { nodes, blocks, within_s } => {
                in_bounds("blocks", *blocks, BLOCKS)?;
                if within_s.is_none() {
                    return Err("grown needs within_s: it waits for what is mined from now on".into());
                }
                self.nodes(nodes)
            }
            Condition::Agree { nodes, .. } | Condition::Alive { nodes, .. } => self.nodes(nodes),
            Condition::Apart { groups, .. } if groups.len() < 2 => Err("apart needs two groups or more".into()),
            Condition::Apart { groups, .. } => in_groups(groups, self.nodes),
            Condition::Confirmed { records, nodes, depth, .. } => {
                depth.map_or(Ok(()), |depth| in_bounds("depth", depth, BLOCKS))?;
                known("records", records, &self.records, "submit")?;
                self.nodes(nodes)
            }
            Condition::Holds { block, nodes, .. } | Condition::Left { block, nodes, .. } => {
                known("block", block, &self.blocks, "remember")?;
                self.nodes(nodes)
            }
            Condition::Banned { node: i, by, .. } | Condition::NotBanned { node: i, by, .. } => {
                node(*i, self.nodes)?;
                self.nodes(by)
            }
            Condition::Ended { node: i, .. } => node(*i, self.nodes),
        }
    }
}

fn in_groups(groups: &[Vec<usize>], nodes: usize) -> Result<(), String> {
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        return Err("a group is empty; write for example [[0, 1], [2, 3]]".into());
    }
    some_nodes(&groups.concat(), nodes)
}

fn bounds(at_least: Option<f64>, at_most: Option<f64>) -> Result<(), String> {
    match (at_least, at_most) {
        (None, None) => Err("at_least or at_most is missing".into()),
        (Some(least), Some(most)) if least > most => Err(format!("at_least {least} is above at_most {most}")),
        _ => Ok(()),
    }
}

fn name(what: &str, text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(plain) {
        return Ok(());
    }
    Err(format!("{what} = {text:?}; a name has 1 … {NAME_BYTES_MAX} of a-z, 0-9 and -"))
}

fn known(what: &str, text: &str, names: &BTreeSet<String>, made_by: &str) -> Result<(), String> {
    if names.contains(text) {
        return Ok(());
    }
    Err(format!("no step before this one makes {what} {text:?}; `{made_by}` does"))
}
