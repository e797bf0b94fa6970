//! What steps do to a simulated network.

use super::SimWorld;
use super::cast::Cast;
use crate::hearing::set_rule;
use crate::scenario::{Action, Nodes, Told, Word};
use crate::sim::Simulation;
use crate::sim::clock::Clock;
use crate::sim::essence::Essence;
use medring_node::core::{Input, OperatorCommand, Ticket};
use medring_node::faults::Behaviour;
use medring_protocol::BlockId;
use medring_protocol::record::Kind;

/// From an action to the next step: about what it takes to look at every node of real processes, ms.
const MOMENT_MS: u64 = 20;
/// How long what was asked of a node may take, ms.
const ANSWER_WITHIN_MS: u64 = 60_000;
/// Heights for which a submitted record asks to live.
const LIFE_HEIGHTS: u64 = 5_000;

impl Simulation {
    /// A node treats others so from now on.
    pub(super) fn behave(&mut self, node: usize, behaviour: Behaviour) {
        // Whoever lied once may be blamed for it later.
        self.nodes[node].dishonest |= behaviour != Behaviour::Honest;
        if let Some(scene) = &mut self.scene {
            scene.cast[node].behaviour = behaviour;
        }
    }
}

impl SimWorld {
    pub(super) fn cast(&self, node: usize) -> Told<&Cast> {
        let cast = self.sim.scene.as_ref().and_then(|scene| scene.cast.get(node));
        cast.ok_or_else(|| format!("there is no node {node}"))
    }

    pub(super) fn carry_out(&mut self, action: &Action) -> Told<()> {
        match action {
            Action::Start { node } => self.start_one(*node)?,
            Action::Stop { node } => {
                self.asked(*node)?;
                self.end(*node);
            }
            Action::Kill { node } => {
                self.running(*node)?;
                self.end(*node);
            }
            Action::Restart { node } => {
                if self.running(*node).is_ok() {
                    self.end(*node);
                }
                self.start_one(*node)?;
            }
            Action::Pause { node } => {
                self.running(*node)?;
                self.sim.set_paused(*node, true);
            }
            Action::Resume { node } => {
                self.running(*node)?;
                if !self.cast(*node)?.paused {
                    return Err(format!("node {node} is not paused"));
                }
                self.sim.set_paused(*node, false);
            }
            Action::Partition(groups) => self.sim.part(groups),
            Action::Heal {} => self.heal(),
            Action::Delay { nodes, from, ms } => self.hear(nodes, from, Some(*ms), None),
            Action::Loss { nodes, from, percent } => self.hear(nodes, from, None, Some(*percent)),
            Action::ClockSkew { node, ms } => self.skew(*node, *ms)?,
            Action::DiskFull { node } => self.sim.nodes[*node].disk.set_full(true),
            Action::DiskRoom { node } => self.sim.nodes[*node].disk.set_full(false),
            Action::Mine { nodes, blocks } => self.sim.mine_now(nodes, *blocks)?,
            Action::Submit { node, records, count } => self.submit(*node, records, *count)?,
            Action::Behave { node, r#as } => self.sim.behave(*node, *r#as),
            Action::Connect { node, to } => {
                self.asked(*node)?;
                let link = self.sim.link_between(*node, *to);
                self.sim.dial_once(link, self.sim.now_ms + 1);
            }
        }
        self.advance(MOMENT_MS)
    }

    /// `Err`: it does not run.
    fn running(&self, node: usize) -> Told<()> {
        match self.sim.nodes[node].core {
            Some(_) => Ok(()),
            None => Err(format!("node {node} does not run")),
        }
    }

    /// `Err`: it does not run, or is paused and hears nothing.
    fn asked(&self, node: usize) -> Told<()> {
        self.core(node).map(drop).map_err(|why| format!("node {node}: {why}"))
    }

    fn start_one(&mut self, node: usize) -> Told<()> {
        if self.running(node).is_ok() {
            return Err(format!("node {node} runs already"));
        }
        self.sim.start_node(node, u64::MAX).map_err(|e| e.to_string())?;
        // A store that takes no write ends it at once.
        self.running(node).map_err(|_| format!("node {node} ended when it was started: its disk takes no write"))
    }

    /// Its process ends, in order or not: what it wrote is there, and it comes back as the node that it was.
    fn end(&mut self, node: usize) {
        let before = self.sim.nodes[node].core.as_ref().map(Essence::of);
        self.sim.nodes[node].before = before;
        self.sim.kill(node);
    }

    fn heal(&mut self) {
        for node in 0..self.sim.nodes.len() {
            if let Some(scene) = &mut self.sim.scene {
                scene.cast[node].hearing.clear();
            }
            self.sim.hear_otherwise(node);
        }
        self.sim.part(&[]);
    }

    fn hear(&mut self, to: &[usize], from: &Nodes, delay_ms: Option<u64>, loss_percent: Option<u8>) {
        let whose: Vec<Option<String>> = match from.as_deref() {
            None | Some([]) => vec![None],
            Some(some) => some.iter().map(|node| Some(node.to_string())).collect(),
        };
        for node in to {
            if let Some(scene) = &mut self.sim.scene {
                let hearing = &mut scene.cast[*node].hearing;
                whose.iter().for_each(|from| set_rule(hearing, from.as_deref(), delay_ms, loss_percent));
            }
            self.sim.hear_otherwise(*node);
        }
    }

    fn skew(&mut self, node: usize, offset_ms: i64) -> Told<()> {
        let clock = Clock { offset_ms, drift_ppm: 0, since_ms: self.sim.now_ms };
        if self.cast(node)?.paused {
            // It looks at its clock when it goes on.
            self.sim.nodes[node].clock = clock;
        } else {
            self.sim.set_clock(node, clock);
        }
        Ok(())
    }

    fn submit(&mut self, node: usize, name: &str, count: u32) -> Told<()> {
        for _ in 0..count {
            self.asked(node)?;
            let height = self.core(node)?.snapshot().height;
            let ticket = self.next_ticket();
            let record = self.sim.kit.record(Kind::Ehr, ticket.0, height + 1);
            let record = self.sim.wrap(node, record, height + LIFE_HEIGHTS);
            let id = record.id(&self.sim.kit.chain);
            self.sim.input(node, Input::Submit { ticket, record: Box::new(record) });
            self.answer(node, ticket)?;
            self.records.entry(name.to_owned()).or_default().push(id);
        }
        Ok(())
    }

    pub(super) fn operate(&mut self, node: usize, word: Word, block: &BlockId) -> Told<()> {
        self.asked(node)?;
        let command = match word {
            Word::Invalidate => OperatorCommand::Invalidate(*block),
            Word::Reconsider => OperatorCommand::Reconsider(*block),
        };
        let ticket = self.next_ticket();
        self.sim.nodes[node].forget_work();
        self.sim.input(node, Input::Operator { ticket, command });
        self.answer(node, ticket)?;
        self.advance(MOMENT_MS)
    }

    /// Waits for the answer to a question.
    fn answer(&mut self, node: usize, ticket: Ticket) -> Told<()> {
        let end_ms = self.sim.now_ms + ANSWER_WITHIN_MS;
        loop {
            if let Some(answer) = self.sim.scene.as_mut().and_then(|scene| scene.answers.remove(&ticket)) {
                return answer;
            }
            self.asked(node)?;
            if self.sim.now_ms >= end_ms {
                return Err(format!("node {node} gave no answer within {} s", ANSWER_WITHIN_MS / 1_000));
            }
            self.advance(1)?;
        }
    }
}
