//! The interpreter: plays a scenario on a world, one step after the other, and looks at every node after each.

use super::file::{Placed, Scenario};
use super::report::{Letters, Report, Seen, StepReport};
use super::step::{Action, Condition, Nodes, Step};
use super::world::{Told, World};
use medring_node::faults::Behaviour;
use medring_protocol::BlockId;
use std::collections::{BTreeMap, BTreeSet};

/// What the steps so far make of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    runs: bool,
    paused: bool,
    honest: bool,
}

struct Run<'a, W: World> {
    world: &'a mut W,
    standing: Vec<Standing>,
    blocks: BTreeMap<&'a str, BlockId>,
    letters: Letters,
}

/// Plays `scenario` on `world` up to the first step that fails; `tell` hears of each step as it is done.
pub fn run<W: World>(scenario: &Scenario, world: &mut W, tell: &mut dyn FnMut(&StepReport)) -> Report {
    let standing = |node| {
        let settings = scenario.settings(node);
        Standing { runs: !settings.later, paused: false, honest: settings.behaviour == Behaviour::Honest }
    };
    let mut run = Run {
        standing: (0..scenario.nodes).map(standing).collect(),
        blocks: BTreeMap::new(),
        letters: Letters::default(),
        world,
    };
    let mut report = Report::new(scenario, run.world.kind());
    for placed in &scenario.steps {
        let step = run.step(placed);
        tell(&step);
        let failed = step.problem.is_some();
        report.steps.push(step);
        if failed {
            break;
        }
    }
    report.took_ms = run.world.now_ms();
    report.passed = report.steps.len() == scenario.steps.len() && report.steps.iter().all(|s| s.problem.is_none());
    report
}

impl<'a, W: World> Run<'a, W> {
    fn step(&mut self, placed: &'a Placed) -> StepReport {
        let problem = match &placed.step {
            Step::Act(action) => self.act(action),
            Step::Expect(condition) => self.expect(condition),
            Step::Remember { block, node } => self.world.tip(*node).map(|(id, _)| {
                self.blocks.insert(block, id);
            }),
            Step::Order { word, block, node } => {
                self.remembered(block).and_then(|id| self.world.order(*node, *word, &id))
            }
        };
        let nodes = (0..self.standing.len()).map(|node| self.look(node)).collect();
        StepReport {
            line: placed.line,
            at_ms: self.world.now_ms(),
            what: placed.step.to_string(),
            nodes,
            problem: problem.err(),
        }
    }

    fn act(&mut self, action: &Action) -> Told<()> {
        self.world.act(action)?;
        match action {
            Action::Start { node } | Action::Restart { node } => {
                self.standing[*node].runs = true;
                self.standing[*node].paused = false;
            }
            Action::Stop { node } | Action::Kill { node } => self.standing[*node].runs = false,
            Action::Pause { node } => self.standing[*node].paused = true,
            Action::Resume { node } => self.standing[*node].paused = false,
            Action::Behave { node, r#as } => self.standing[*node].honest = *r#as == Behaviour::Honest,
            _ => {}
        }
        Ok(())
    }

    /// What a report shows of a node; nothing here can fail a step.
    fn look(&mut self, node: usize) -> Seen {
        let standing = self.standing[node];
        if !standing.runs || !self.world.is_alive(node).unwrap_or(false) {
            return Seen::Down;
        }
        if standing.paused {
            return Seen::Paused;
        }
        match self.world.tip(node) {
            Ok((tip, height)) => Seen::Up { branch: self.letters.of(tip), height, tip },
            Err(_) => Seen::Silent,
        }
    }

    fn expect(&mut self, condition: &'a Condition) -> Told<()> {
        let deadline_ms = self.world.now_ms() + condition.within_s().unwrap_or(0) * 1000;
        let began = self.heights();
        loop {
            let seen = match self.holds(condition, &began) {
                Ok(()) => return Ok(()),
                Err(seen) => seen,
            };
            if self.world.now_ms() >= deadline_ms {
                let waited = condition.within_s().map(|s| format!(" after {s} s")).unwrap_or_default();
                return Err(format!("{seen}{waited}"));
            }
            self.world.pass()?;
        }
    }

    fn heights(&mut self) -> Vec<u64> {
        (0..self.standing.len())
            .map(|node| if self.answers(node) { self.world.tip(node).map_or(0, |t| t.1) } else { 0 })
            .collect()
    }

    fn answers(&self, node: usize) -> bool {
        self.standing[node].runs && !self.standing[node].paused
    }

    /// The nodes a condition is about.
    fn which(&self, nodes: &Nodes) -> Vec<usize> {
        let ordinary = |node: &usize| self.answers(*node) && self.standing[*node].honest;
        nodes.clone().unwrap_or_else(|| (0..self.standing.len()).filter(ordinary).collect())
    }

    /// `Err` says what was seen instead.
    fn holds(&mut self, condition: &Condition, began: &[u64]) -> Told<()> {
        match condition {
            Condition::Height { nodes, at_least, at_most, .. } => {
                self.bounded(nodes, "height", (*at_least, *at_most), |w, i| Ok(w.tip(i)?.1))
            }
            Condition::Peers { nodes, at_least, at_most, .. } => {
                self.bounded(nodes, "peers", (*at_least, *at_most), |w, i| w.peers(i))
            }
            Condition::Reorg { nodes, at_least, at_most, .. } => {
                self.bounded(nodes, "deepest reorganisation", (*at_least, *at_most), |w, i| w.deepest_reorg(i))
            }
            Condition::Branches { nodes, at_least, at_most, .. } => {
                self.bounded(nodes, "branches", (*at_least, *at_most), |w, i| w.branches(i))
            }
            Condition::Metric { nodes, name, at_least, at_most, .. } => {
                self.each(nodes, |w, i| within(name, w.metric(i, name)?, *at_least, *at_most))
            }
            Condition::Grown { nodes, blocks, .. } => self.each(nodes, |w, i| {
                let grown = w.tip(i)?.1.saturating_sub(began[i]);
                if grown >= *blocks { Ok(()) } else { Err(format!("{grown} of {blocks} blocks")) }
            }),
            Condition::Agree { nodes, .. } => self.one_tip(&self.which(nodes)).map(drop),
            Condition::Apart { groups, .. } => self.apart(groups),
            Condition::Confirmed { records, nodes, depth, .. } => {
                let depth = depth.unwrap_or(1);
                self.each(nodes, |w, i| match w.depths(i, records)?.iter().filter(|is| **is < depth).count() {
                    0 => Ok(()),
                    left => Err(format!("{left} records {records:?} are not {depth} deep")),
                })
            }
            Condition::Holds { block, nodes, .. } => self.block(nodes, block, true),
            Condition::Left { block, nodes, .. } => self.block(nodes, block, false),
            Condition::Banned { node, by, .. } => self.refused(by, *node, true),
            Condition::NotBanned { node, by, .. } => self.refused(by, *node, false),
            Condition::Alive { nodes, .. } => {
                self.each(nodes, |w, i| if w.is_alive(i)? { Ok(()) } else { Err("it does not run".into()) })
            }
            Condition::Ended { node, .. } => match self.world.is_alive(*node)? {
                true => Err(format!("node {node} runs")),
                false => {
                    self.standing[*node].runs = false;
                    Ok(())
                }
            },
        }
    }

    fn each(&mut self, nodes: &Nodes, mut look: impl FnMut(&mut W, usize) -> Told<()>) -> Told<()> {
        let nodes = self.which(nodes);
        if nodes.is_empty() {
            return Err("no honest node runs".into());
        }
        nodes.into_iter().try_for_each(|node| look(self.world, node).map_err(|seen| format!("node {node}: {seen}")))
    }

    fn bounded(
        &mut self,
        nodes: &Nodes,
        what: &str,
        (least, most): (Option<u64>, Option<u64>),
        mut look: impl FnMut(&mut W, usize) -> Told<u64>,
    ) -> Told<()> {
        let number = |n: u64| n as f64;
        self.each(nodes, |w, i| within(what, number(look(w, i)?), least.map(number), most.map(number)))
    }

    fn remembered(&self, name: &str) -> Told<BlockId> {
        self.blocks.get(name).copied().ok_or_else(|| format!("block {name:?} was not remembered"))
    }

    fn block(&mut self, nodes: &Nodes, name: &str, wanted: bool) -> Told<()> {
        let id = self.remembered(name)?;
        self.each(nodes, |w, i| match (w.holds(i, &id)?, wanted) {
            (is, wanted) if is == wanted => Ok(()),
            (true, _) => Err(format!("block {name:?} is on its best chain")),
            (false, _) => Err(format!("block {name:?} is not on its best chain")),
        })
    }

    fn refused(&mut self, by: &Nodes, whom: usize, wanted: bool) -> Told<()> {
        let by = self.which(by).into_iter().filter(|node| *node != whom).collect();
        self.each(&Some(by), |w, i| match (w.bans(i, whom)?, wanted) {
            (is, wanted) if is == wanted => Ok(()),
            (true, _) => Err(format!("it refuses node {whom}")),
            (false, _) => Err(format!("it does not refuse node {whom}")),
        })
    }

    fn one_tip(&mut self, nodes: &[usize]) -> Told<BlockId> {
        let tips =
            nodes.iter().map(|node| Ok((*node, self.world.tip(*node).map_err(|e| format!("node {node}: {e}"))?)));
        let tips: Vec<(usize, (BlockId, u64))> = tips.collect::<Told<_>>()?;
        let all = || {
            let one =
                |(node, (id, height)): &(usize, (BlockId, u64))| format!("node {node} at {height} ({})", id.short());
            tips.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        match tips.first() {
            None => Err("no honest node runs".into()),
            Some((_, first)) if tips.iter().all(|(_, tip)| tip.0 == first.0) => Ok(first.0),
            Some(_) => Err(all()),
        }
    }

    fn apart(&mut self, groups: &[Vec<usize>]) -> Told<()> {
        let tips = groups.iter().map(|group| self.one_tip(group)).collect::<Told<Vec<_>>>()?;
        if tips.iter().collect::<BTreeSet<_>>().len() == tips.len() {
            return Ok(());
        }
        Err("two of the groups are on one tip".into())
    }
}

fn within(what: &str, is: f64, least: Option<f64>, most: Option<f64>) -> Told<()> {
    match (least, most) {
        (Some(least), _) if is < least => Err(format!("{what} is {is}, not {least} or more")),
        (_, Some(most)) if is > most => Err(format!("{what} is {is}, not {most} or less")),
        _ => Ok(()),
    }
}
