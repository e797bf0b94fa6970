//! The host's duty: give a machine its inputs, store what changed, and only then carry out what it wants.

use super::node::Death;
use super::world::{Due, UNDELIVERED_MS, World};
use crate::group::machine::{Env, Input, Output, Snapshot};

impl World {
    /// Gives a node an input, stores what changed, carries out what it wants.
    pub fn feed(&mut self, node: usize, input: Input) {
        if !matches!(input, Input::Tick | Input::Chain) {
            self.nodes[node].spins = 0;
        }
        let at = &mut self.nodes[node];
        let Some(machine) = at.machine.as_mut() else { return };
        let mut env = Env { now_ms: self.now_ms, chain: &at.view, rng: &mut at.dice };
        machine.handle(&mut env, input);
        self.host(node);
    }

    pub(super) fn host(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        let Some(machine) = at.machine.as_mut() else { return };
        let snapshot = (self.thorough && machine.changed()).then(|| machine.snapshot());
        let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
        at.wake_ms = machine.next_deadline_ms();
        let mut carried = outputs.len();
        let (mut dies, mut stands) = (false, true);
        if let Some(snapshot) = snapshot {
            at.steps += 1;
            let death = at.death.filter(|(step, _)| *step == at.steps).map(|(_, death)| death);
            dies = death.is_some();
            match death {
                Some(Death::Before) => carried = 0,
                Some(Death::After(first)) => carried = carried.min(first),
                None => {}
            }
            stands = death != Some(Death::Before);
            if stands {
                self.store(node, snapshot);
            }
        }
        outputs.into_iter().take(carried).for_each(|output| self.carry_out(node, output));
        if self.thorough && stands {
            self.check(node);
        }
        if dies {
            self.nodes[node].death = None;
            self.kill(node);
        }
    }

    fn store(&mut self, node: usize, snapshot: Snapshot) {
        if self.thorough {
            self.check_stored(node, &snapshot);
            let at = &mut self.nodes[node];
            at.backups.extend(at.disk.take());
        }
        self.nodes[node].disk = Some(snapshot);
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { id, to, message } => self.send(node, id, &to, message),
            Output::Answer { ticket, answer } => {
                let Some(reply) = self.nodes[node].tickets.remove(&ticket) else {
                    self.fail(&format!("n{node} answers message {ticket}, which it was not given or answered before"))
                };
                self.last_answer = Some(answer);
                if reply.run != u32::MAX {
                    let lost = self.dice.percent(self.faults.drop_answer);
                    let delay = if lost { UNDELIVERED_MS } else { self.dice.below(self.faults.delay_ms + 1) };
                    self.due(delay, Due::Delivered { reply, answer: (!lost).then_some(answer) });
                }
                self.note(|| format!("n{node} answers n{}: {answer:?}", reply.node));
            }
            Output::Submit { commit, record, deadline_height } => {
                self.note(|| format!("n{node} submits {record:?} of {:?} until {deadline_height}", commit.gid));
                self.ledger.commits.insert(commit.gid, record);
                let delay = self.dice.below(self.mining_delay + 1);
                self.chain.submit(record, delay, deadline_height);
            }
            Output::Event(event) => {
                self.note(|| format!("n{node} event {event:?}"));
                self.check_event(node, &event);
                self.ledger.events.push((node, event));
            }
        }
    }
}
