//! Scenario files on virtual time: a [`World`] over a [`Simulation`] whose misfortunes are not a list but steps.
//!
//! The network is that of one machine: links of 1–4 ms one way that keep their order, and who is linked to whom by the
//! scenario. What a scenario can do to a real node is done to the model around its core ([`hooks`], [`links`]), with the rules
//! and the numbers of real nodes where it matters: who is let in, for how long somebody is banned, how a loss ends a question.

mod acts;
mod cast;
mod figures;
mod hooks;
mod links;
mod mining;

pub(super) use cast::Scene;

use super::node::SimCore;
use super::{Latency, SimConfig, SimFailure, Simulation};
use crate::scenario::{Action, Condition, Scenario, ScenarioError, Step, Told, Word, World, chain};
use cast::Cast;
use medring_node::core::Ticket;
use medring_protocol::chain::StateRead;
use medring_protocol::testkit::{self, Kit};
use medring_protocol::{BlockId, RecordId};
use std::collections::BTreeMap;

/// How far [`World::pass`] goes, ms.
const PASS_MS: u64 = 50;
/// From the start of the nodes to that of the scenario's time: links come up, and everybody says where they stand, ms.
const WARM_UP_MS: u64 = 2_000;

/// A network of the simulator that a scenario is played on. As on real processes, block 1 enrols whoever submits records.
pub struct SimWorld {
    sim: Simulation,
    /// When the scenario's time began, virtual ms.
    began_ms: u64,
    records: BTreeMap<String, Vec<RecordId>>,
    /// The last question to a core that has an answer.
    last_ticket: u64,
}

/// A check of the simulator's own failed.
fn failed(failure: SimFailure) -> String {
    format!("the simulator saw what must never be: {}", failure.problem)
}

/// What the simulator does not have, and the line that asks for it.
fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    let refused = |line, problem| ScenarioError { name: scenario.name.clone(), line: Some(line), problem };
    scenario.steps.iter().try_for_each(|placed| match &placed.step {
        Step::Expect(Condition::Metric { name, .. }) => figures::check(name).map_err(|e| refused(placed.line, e)),
        _ => Ok(()),
    })
}

impl SimWorld {
    /// The network when the scenario's time begins: every node up that is not started later, linked, at height 1.
    ///
    /// # Errors
    /// The scenario asks for a figure that the simulator does not have, or a check of the simulator's own failed.
    pub fn start(scenario: &Scenario) -> Result<Self, ScenarioError> {
        check(scenario)?;
        let wrong = |problem| ScenarioError { name: scenario.name.clone(), line: None, problem };
        let mut sim = network(scenario).map_err(failed).map_err(wrong)?;
        sim.raise(scenario).map_err(wrong)?;
        for (node, settings) in &scenario.node {
            sim.behave(*node, settings.behaviour);
        }
        if scenario.mine {
            sim.schedule_block(1);
        }
        Ok(Self { began_ms: sim.now_ms, sim, records: BTreeMap::new(), last_ticket: 0 })
    }

    /// A node's core, if the node can answer.
    fn core(&self, node: usize) -> Told<&SimCore> {
        self.sim.answering(node)
    }

    fn advance(&mut self, ms: u64) -> Told<()> {
        self.sim.advance(ms)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

/// The nodes of a scenario, none of which runs yet, and their links, none of which stands.
fn network(scenario: &Scenario) -> Result<Simulation, SimFailure> {
    let kit = Kit::with_params(scenario.seed, |params| {
        params.target_spacing_ms = scenario.block_time_ms;
        params.future_limit_ms = chain::future_limit_ms(scenario.block_time_ms);
        params.stamp_granularity_ms = chain::STAMP_GRANULARITY_MS;
        params.stamp_window_ms = chain::STAMP_WINDOW_MS;
        params.expiry_window_heights = chain::EXPIRY_WINDOW_HEIGHTS;
        params.confirmations = chain::CONFIRMATIONS;
    });
    let config = SimConfig {
        latency: Latency::Uniform(0..=0),
        jitter_ms: 0..=2,
        uplink_kbps: 100_000..=100_000,
        verify_ms: 0..=2,
        block_interval_ms: scenario.block_time_ms,
        // The steps say when it ends.
        busy_ms: u64::MAX / 4,
        ..SimConfig::new(scenario.seed, scenario.nodes)
    };
    let mut sim = Simulation::empty(config, kit)?;
    let cast = (0..scenario.nodes).map(|node| Cast::new(&scenario.settings(node))).collect();
    sim.scene = Some(Scene { cast, mines: scenario.mine, ..Scene::default() });
    for node in 0..scenario.nodes {
        if let Some(version) = scenario.settings(node).wire_version {
            sim.nodes[node].config.wire_version = version;
        }
        for other in scenario.links_of(node) {
            let link = sim.link_between(node, other);
            if let Some(scene) = &mut sim.scene {
                scene.kept.insert(link);
            }
        }
    }
    Ok(sim)
}

impl Simulation {
    /// Starts the nodes that are there from the beginning, gives them the block that enrols, and waits until they have it.
    fn raise(&mut self, scenario: &Scenario) -> Told<()> {
        let early: Vec<usize> = (0..scenario.nodes).filter(|node| !scenario.settings(*node).later).collect();
        let enrolment = vec![self.kit.enrol_all(1)];
        let first = self.kit.forge(&self.kit.params.genesis(), enrolment, |header| {
            header.time_ms = testkit::GENESIS_TIME_MS + 1_000;
        });
        self.stats.forged += 1;
        for node in &early {
            self.start_node(*node, u64::MAX).map_err(|e| e.to_string())?;
            self.give_block(*node, &first);
        }
        self.advance(WARM_UP_MS)?;
        let behind = |node: &&usize| self.answering(**node).is_ok_and(|core| core.snapshot().height == 0);
        match early.iter().find(behind) {
            None => Ok(()),
            Some(node) => Err(format!("node {node} did not take the block that enrols")),
        }
    }

    /// Lets time pass.
    fn advance(&mut self, ms: u64) -> Told<()> {
        self.run_until(self.now_ms + ms).map_err(failed)?;
        // What an action made go wrong is seen with the next event, if there is one.
        let problem = self.problem.take();
        problem.map_or(Ok(()), |problem| Err(failed(self.failure(problem))))
    }

    /// A node's core, if the node runs and is not paused.
    fn answering(&self, node: usize) -> Told<&SimCore> {
        let core = self.nodes[node].core.as_ref().ok_or("it does not run")?;
        let paused = self.scene.as_ref().is_some_and(|scene| scene.cast[node].paused);
        if paused { Err("it is paused and does not answer".into()) } else { Ok(core) }
    }
}

fn told<T, E: std::fmt::Display>(result: Result<T, E>) -> Told<T> {
    result.map_err(|e| e.to_string())
}

impl World for SimWorld {
    fn kind(&self) -> &'static str {
        "simulator"
    }

    fn now_ms(&self) -> u64 {
        self.sim.now_ms - self.began_ms
    }

    fn pass(&mut self) -> Told<()> {
        self.advance(PASS_MS)
    }

    fn act(&mut self, action: &Action) -> Told<()> {
        self.carry_out(action)
    }

    fn order(&mut self, node: usize, word: Word, block: &BlockId) -> Told<()> {
        self.operate(node, word, block)
    }

    fn is_alive(&mut self, node: usize) -> Told<bool> {
        Ok(self.sim.nodes[node].core.is_some())
    }

    fn tip(&mut self, node: usize) -> Told<(BlockId, u64)> {
        told(self.core(node)?.store().tip())
    }

    fn holds(&mut self, node: usize, block: &BlockId) -> Told<bool> {
        let core = self.core(node)?;
        let Some(known) = core.tree().get(block) else { return Ok(false) };
        Ok(told(core.store().id_at(known.header.height))? == Some(*block))
    }

    fn depths(&mut self, node: usize, records: &str) -> Told<Vec<u64>> {
        let ids = self.records.get(records).ok_or_else(|| format!("no records are called {records:?}"))?;
        let store = self.core(node)?.store();
        let tip = told(store.tip())?.1;
        let depth = |id| Ok(told(store.location(id))?.map_or(0, |at| tip.saturating_sub(at.height) + 1));
        ids.iter().map(depth).collect()
    }

    fn peers(&mut self, node: usize) -> Told<u64> {
        Ok(self.core(node)?.snapshot().peers.len() as u64)
    }

    fn branches(&mut self, node: usize) -> Told<u64> {
        let core = self.core(node)?;
        let tip = told(core.store().tip())?.0;
        // The tip is one even where headers are known above it.
        Ok(core.tree().leaves().filter(|(id, _)| **id != tip).count() as u64 + 1)
    }

    fn deepest_reorg(&mut self, node: usize) -> Told<u64> {
        self.core(node)?;
        Ok(self.cast(node)?.figures.reorg_depth_max)
    }

    fn bans(&mut self, node: usize, whom: usize) -> Told<bool> {
        self.core(node)?;
        Ok(self.cast(node)?.bans(whom, self.sim.now_ms))
    }

    fn metric(&mut self, node: usize, name: &str) -> Told<f64> {
        figures::of(name, &self.cast(node)?.figures, &self.core(node)?.snapshot())
    }
}

#[cfg(test)]
mod tests;
