//! Steps in words, as reports show them.

use super::step::{Action, Condition, Nodes, Step, Word};
use std::fmt;

/// `0 1 2`.
fn list(nodes: &[usize]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// `node 3`, `nodes 0 1`, or everybody whom a step is about without naming them.
fn who(nodes: &Nodes) -> String {
    match nodes.as_deref() {
        None => "all".into(),
        Some([one]) => format!("node {one}"),
        Some(some) => format!("nodes {}", list(some)),
    }
}

fn named(nodes: &[usize]) -> String {
    who(&Some(nodes.to_vec()))
}

fn groups(groups: &[Vec<usize>]) -> String {
    groups.iter().map(|group| list(group)).collect::<Vec<_>>().join(" | ")
}

fn of(from: &Nodes) -> String {
    from.as_ref().map_or_else(String::new, |nodes| format!(" from {}", named(nodes)))
}

fn bounds<T: fmt::Display + PartialEq>(least: &Option<T>, most: &Option<T>) -> String {
    match (least, most) {
        (Some(least), Some(most)) if least == most => format!("exactly {least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any".into(),
    }
}

fn count(number: impl Into<u64>, what: &str) -> String {
    match number.into() {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(action) => action.fmt(f),
            Self::Expect(condition) => condition.fmt(f),
            Self::Remember { block, node } => write!(f, "the tip of node {node} is {block:?}"),
            Self::Order { word: Word::Invalidate, block, node } => {
                write!(f, "node {node} is told not to choose {block:?}")
            }
            Self::Order { word: Word::Reconsider, block, node } => {
                write!(f, "node {node} is told to choose {block:?} like any other")
            }
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { node } => write!(f, "start node {node}"),
            Self::Stop { node } => write!(f, "stop node {node}"),
            Self::Kill { node } => write!(f, "kill node {node}"),
            Self::Restart { node } => write!(f, "kill node {node} and start it again"),
            Self::Pause { node } => write!(f, "pause node {node}"),
            Self::Resume { node } => write!(f, "resume node {node}"),
            Self::Partition(cut) => write!(f, "partition {}", groups(cut)),
            Self::Heal {} => f.write_str("heal"),
            Self::Delay { nodes, from, ms } => write!(f, "{} hears {ms} ms late{}", named(nodes), of(from)),
            Self::Loss { nodes, from, percent } => write!(f, "{} loses {percent} %{}", named(nodes), of(from)),
            Self::ClockSkew { node, ms } => write!(f, "the clock of node {node} is {ms:+} ms off"),
            Self::DiskFull { node } => write!(f, "the disk of node {node} is full"),
            Self::DiskRoom { node } => write!(f, "there is room on the disk of node {node}"),
            Self::Mine { nodes, blocks } => match nodes[..] {
                [_] => write!(f, "{} mines {}", named(nodes), count(*blocks, "block")),
                _ => write!(f, "{} mine {} each, at once", named(nodes), count(*blocks, "block")),
            },
            Self::Submit { node, records, count: number } => {
                write!(f, "node {node} takes {}, {records:?}", count(*number, "record"))
            }
            Self::Behave { node, r#as } => write!(f, "node {node} is {as} from now on"),
            Self::Connect { node, to } => write!(f, "node {node} dials node {to}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height { nodes, at_least, at_most, .. } => {
                write!(f, "{}: height {}", who(nodes), bounds(at_least, at_most))
            }
            Self::Grown { nodes, blocks, .. } => write!(f, "{}: {} later", who(nodes), count(*blocks, "block")),
            Self::Agree { nodes, .. } => write!(f, "{}: one tip", who(nodes)),
            Self::Apart { groups: cut, .. } => write!(f, "{}: each group on a tip of its own", groups(cut)),
            Self::Confirmed { records, nodes, depth, .. } => {
                write!(f, "{}: {records:?} confirmed, {} deep", who(nodes), depth.unwrap_or(1))
            }
            Self::Holds { block, nodes, .. } => write!(f, "{}: {block:?} is on the best chain", who(nodes)),
            Self::Left { block, nodes, .. } => write!(f, "{}: {block:?} is on no best chain", who(nodes)),
            Self::Peers { nodes, at_least, at_most, .. } => {
                write!(f, "{}: peers {}", who(nodes), bounds(at_least, at_most))
            }
            Self::Reorg { nodes, at_least, at_most, .. } => {
                write!(f, "{}: deepest reorganisation {}", who(nodes), bounds(at_least, at_most))
            }
            Self::Branches { nodes, at_least, at_most, .. } => {
                write!(f, "{}: branches {}", who(nodes), bounds(at_least, at_most))
            }
            Self::Banned { node, by, .. } => write!(f, "{}: refuse node {node}", who(by)),
            Self::NotBanned { node, by, .. } => write!(f, "{}: do not refuse node {node}", who(by)),
            Self::Metric { nodes, name, at_least, at_most, .. } => {
                write!(f, "{}: {name} {}", who(nodes), bounds(at_least, at_most))
            }
            Self::Alive { nodes, .. } => write!(f, "{}: alive", who(nodes)),
            Self::Ended { node, .. } => write!(f, "node {node} ended by itself"),
        }
    }
}
