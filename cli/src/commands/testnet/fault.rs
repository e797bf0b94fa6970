//! `medring testnet partition · heal · delay · loss · pause · resume · clock-skew · disk-full · faults`: what can be wrong with a
//! testnet's nodes, and how to end it.

use super::{FolderArgs, NodeArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style, quoted};
use clap::Args;
use medring_node::faults::Faults;
use medring_testnet::procs::Testnet;
use serde::Serialize;
use std::time::Duration;

/// `medring testnet partition`.
#[derive(Args, Debug)]
pub(crate) struct PartitionArgs {
    /// Groups of nodes, '0,1|2,3,4' or 0,1/2,3,4; nodes not named are one more group
    #[arg(value_name = "GROUPS", value_parser = groups)]
    groups: Groups,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `medring testnet delay`.
#[derive(Args, Debug)]
pub(crate) struct DelayArgs {
    /// Nodes that hear late: 0,1
    #[arg(value_name = "NODES", value_delimiter = ',', required = true, num_args = 1)]
    nodes: Vec<usize>,
    /// How late: 200ms; 0s ends it
    #[arg(value_name = "TIME", value_parser = super::duration)]
    time: Duration,
    /// Whom they hear late [default: everybody]
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    from: Vec<usize>,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `medring testnet loss`.
#[derive(Args, Debug)]
pub(crate) struct LossArgs {
    /// Nodes that miss what is said: 0,1
    #[arg(value_name = "NODES", value_delimiter = ',', required = true, num_args = 1)]
    nodes: Vec<usize>,
    /// How much of it: 20%; 0% ends it
    #[arg(value_name = "PERCENT", value_parser = percent)]
    percent: u8,
    /// Whom they miss [default: everybody]
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    from: Vec<usize>,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `medring testnet clock-skew`.
#[derive(Args, Debug)]
pub(crate) struct SkewArgs {
    /// The node's number, from 0
    #[arg(value_name = "I")]
    node: usize,
    /// How far ahead (+5s) or behind (-5s); 0s ends it
    #[arg(value_name = "TIME", allow_hyphen_values = true, value_parser = skew)]
    ms: i64,
    #[command(flatten)]
    folder: FolderArgs,
}

/// `medring testnet disk-full`.
#[derive(Args, Debug)]
pub(crate) struct DiskArgs {
    /// The node's number, from 0
    #[arg(value_name = "I")]
    node: usize,
    /// There is room again
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    folder: FolderArgs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Groups(Vec<Vec<usize>>);

fn groups(text: &str) -> Result<Groups, String> {
    let number = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} is no node's number"));
    let group = |text: &str| text.split(',').map(number).collect::<Result<Vec<usize>, _>>();
    let groups = text.split(['|', '/']).map(group).collect::<Result<Vec<_>, _>>()?;
    let all = groups.concat();
    match all.iter().enumerate().find(|(i, node)| all[..*i].contains(node)) {
        Some((_, twice)) => Err(format!("node {twice} stands in two groups")),
        None => Ok(Groups(groups)),
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100);
    number.ok_or_else(|| format!("{text:?} is no share; write 0% … 100%"))
}

fn skew(text: &str) -> Result<i64, String> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let ms = i64::try_from(super::duration(rest)?.as_millis()).map_err(|e| e.to_string())?;
    if ms > 86_400_000 {
        return Err("a clock is at most 24h off".into());
    }
    Ok(sign * ms)
}

#[derive(Serialize)]
struct Done {
    done: String,
    undo: Option<String>,
}

impl Report for Done {
    fn text(&self, _: Style) -> String {
        let undo = self.undo.as_ref().map(|undo| format!("; `{undo}` ends it")).unwrap_or_default();
        format!("{}{undo}\n", self.done)
    }
}

/// Tells what was done, and the command that ends it.
fn done(context: &Context, net: &Testnet, what: String, undo: Option<String>) -> Outcome {
    let folder = quoted(&net.folder().display().to_string());
    let undo = undo.map(|undo| format!("medring testnet {undo} --dir {folder}"));
    context.output.report(&Done { done: what, undo });
    Ok(Exit::Ok)
}

fn list(nodes: &[usize]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Of whom, as a flag.
fn of(from: &[usize]) -> String {
    if from.is_empty() { String::new() } else { format!(" --from {}", list(from)) }
}

/// `medring testnet partition GROUPS`.
pub(super) fn partition(args: &PartitionArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    let Groups(groups) = &args.groups;
    net.partition(groups)?;
    let rest: Vec<usize> = (0..net.state().nodes.len()).filter(|i| !groups.concat().contains(i)).collect();
    let all = groups.iter().chain(Some(&rest).filter(|rest| !rest.is_empty()));
    let shown = all.map(|group| list(group)).collect::<Vec<_>>().join(" | ");
    done(context, &net, format!("no link stands between {shown}"), Some("heal".into()))
}

/// `medring testnet heal`.
pub(super) fn heal(args: &FolderArgs, context: &Context) -> Outcome {
    let net = args.open()?;
    net.heal()?;
    done(context, &net, "no link is cut, and nothing is late or lost; nodes link again by themselves".into(), None)
}

/// `medring testnet delay NODES TIME`.
pub(super) fn delay(args: &DelayArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    let ms = u64::try_from(args.time.as_millis()).unwrap_or(u64::MAX);
    net.hear(&args.nodes, &args.from, Some(ms), None)?;
    let who = list(&args.nodes);
    if ms == 0 {
        return done(context, &net, format!("{who} hears at once"), None);
    }
    let undo = format!("delay {who} 0s{}", of(&args.from));
    let whom = if args.from.is_empty() { "everybody".into() } else { list(&args.from) };
    done(context, &net, format!("{who} hears {whom} {ms} ms late"), Some(undo))
}

/// `medring testnet loss NODES PERCENT`.
pub(super) fn loss(args: &LossArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    net.hear(&args.nodes, &args.from, None, Some(args.percent))?;
    let who = list(&args.nodes);
    if args.percent == 0 {
        return done(context, &net, format!("{who} misses nothing"), None);
    }
    let undo = format!("loss {who} 0%{}", of(&args.from));
    let whom = if args.from.is_empty() { "everybody".into() } else { list(&args.from) };
    done(context, &net, format!("{who} misses {} % of what {whom} says", args.percent), Some(undo))
}

/// `medring testnet pause I`.
pub(super) fn pause(args: &NodeArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    net.pause(args.node)?;
    let what = format!("node {0} stands still (SIGSTOP) and its links stay", args.node);
    done(context, &net, what, Some(format!("resume {}", args.node)))
}

/// `medring testnet resume I`.
pub(super) fn resume(args: &NodeArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    net.resume(args.node)?;
    done(context, &net, format!("node {} goes on", args.node), None)
}

/// `medring testnet clock-skew I TIME`.
pub(super) fn clock_skew(args: &SkewArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    net.clock_skew(args.node, args.ms)?;
    if args.ms == 0 {
        return done(context, &net, format!("the clock of node {} is right", args.node), None);
    }
    let what = format!("the clock of node {} is {:+} ms off", args.node, args.ms);
    done(context, &net, what, Some(format!("clock-skew {} 0s", args.node)))
}

/// `medring testnet disk-full I`.
pub(super) fn disk_full(args: &DiskArgs, context: &Context) -> Outcome {
    let net = args.folder.open()?;
    net.disk_full(args.node, !args.off)?;
    let i = args.node;
    if args.off {
        return done(
            context,
            &net,
            format!("there is room for node {i}; `medring testnet restart {i}` starts it if it stopped"),
            None,
        );
    }
    let what = format!("the disk of node {i} is full: it stops at its next write and does not start");
    done(context, &net, what, Some(format!("disk-full {i} --off")))
}

#[derive(Serialize)]
struct InForce {
    nodes: Vec<NodeFaults>,
}

#[derive(Serialize)]
struct NodeFaults {
    name: String,
    paused: bool,
    faults: Faults,
}

impl Report for InForce {
    fn text(&self, style: Style) -> String {
        let row = |node: &NodeFaults| vec![node.name.clone(), in_words(node)];
        style.table(&["node", "what is wrong with it"], &self.nodes.iter().map(row).collect::<Vec<_>>())
    }
}

fn in_words(node: &NodeFaults) -> String {
    let Faults { cut, hearing, clock_skew_ms, disk_full, behaviour, seed: _ } = &node.faults;
    let mut words = Vec::new();
    if node.paused {
        words.push("paused".to_owned());
    }
    if !cut.is_empty() {
        words.push(format!("cut off from {}", cut.len()));
    }
    for rule in hearing {
        let whom = if rule.from.is_some() { "one peer" } else { "everybody" };
        words.push(format!("hears {whom} {} ms late, misses {} %", rule.delay_ms, rule.loss_percent));
    }
    if *clock_skew_ms != 0 {
        words.push(format!("clock {clock_skew_ms:+} ms"));
    }
    if *disk_full {
        words.push("disk full".to_owned());
    }
    if *behaviour != medring_node::faults::Behaviour::Honest {
        words.push(behaviour.to_string());
    }
    if words.is_empty() { "nothing".into() } else { words.join("; ") }
}

/// `medring testnet faults`.
pub(super) fn faults(args: &FolderArgs, context: &Context) -> Outcome {
    let net = args.open()?;
    let nodes = net.state().nodes.iter().enumerate();
    let node = |(i, node): (usize, &medring_testnet::procs::NodeEntry)| {
        Ok(NodeFaults { name: node.name.clone(), paused: node.is_paused(), faults: net.faults(i)? })
    };
    let nodes = nodes.map(node).collect::<Outcome<Vec<_>>>()?;
    context.output.report(&InForce { nodes });
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbers_between_bars() {
        let two = Groups(vec![vec![0, 1], vec![2, 3, 4]]);
        assert_eq!(groups("0,1|2,3,4"), Ok(two.clone()));
        assert_eq!(groups("0, 1 / 2,3,4"), Ok(two));
        for wrong in ["", "0,|1", "a|b", "0|1|0", "0,1|"] {
            assert!(groups(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_and_clocks_have_bounds() {
        assert_eq!((percent("20%"), percent("0")), (Ok(20), Ok(0)));
        assert!(percent("101%").is_err() && percent("-1").is_err() && percent("x").is_err());
        assert_eq!((skew("+5s"), skew("-1.5s"), skew("0s")), (Ok(5000), Ok(-1500), Ok(0)));
        assert!(skew("5").is_err() && skew("25h").is_err() && skew("--1s").is_err());
    }
}
