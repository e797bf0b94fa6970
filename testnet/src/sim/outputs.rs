//! Carrying out what cores ask for: the simulated driver and signature worker.

use super::events::What;
use super::log::mark;
use super::network::Message;
use super::{Simulation, report, traffic};
use medring_node::core::{Event, Output, Peer, Verdict};
use medring_protocol::record::SigCheck;
use sha2::{Digest, Sha256};
use std::fmt::Arguments;
use std::sync::Arc;

/// A node that was dropped by a peer is dialled again after this long, ms …
const REDIAL_MS: u64 = 5_000;
/// … and one that was blamed after this long.
const BAN_MS: u64 = 60_000;

impl Simulation {
    /// Takes all outputs of a node, and schedules its next tick.
    pub(super) fn carry_out(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].core.as_mut().and_then(|core| core.poll_output()) {
            if let Some(output) = self.let_out(node, output) {
                self.output(node, output);
            }
        }
        let at = &mut self.nodes[node];
        let Some(due) = at.core.as_ref().and_then(|core| core.next_deadline()) else { return };
        if due <= at.clock.local_ms(self.now_ms) {
            return self.fail(format!("node {node} would spin: what was due at {due} is not done"));
        }
        let due_ms = at.clock.when_ms(due, self.now_ms);
        if at.tick_ms.is_none_or(|tick| tick > due_ms || tick <= self.now_ms) {
            at.tick_ms = Some(due_ms);
            let life = at.life;
            self.queue.push(due_ms, What::Tick { node, life });
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            Output::SendStatus { peer, status } => self.send(node, peer, Message::Status(Arc::new(status))),
            Output::Ask { peer, id, request } => self.send(node, peer, Message::Request(id, Box::new(request))),
            Output::Respond { peer, id, response } => self.send(node, peer, Message::Response(id, Box::new(response))),
            Output::Verdict { message, verdict } => self.judged(node, message, verdict),
            Output::Publish { topic, bytes } => {
                let gossip = traffic::gossip(topic, bytes);
                self.say(node, format_args!("publishes {topic:?} {:08x}", mark(&gossip.id)));
                if self.nodes[node].is_news(gossip.id, self.now_ms) {
                    self.flood(node, &gossip, None);
                }
            }
            Output::Verify { job, checks } => {
                let result = self.verify(&checks);
                let (life, wait_ms) = (self.nodes[node].life, self.draw(self.config.verify_ms.clone()));
                self.queue.push(self.now_ms + wait_ms, What::Verified { node, life, job, result });
            }
            Output::Disconnect { peer, reason, fault } => {
                if fault {
                    self.refuse(node, peer);
                }
                self.disconnect(node, peer, &reason);
            }
            Output::Submitted { ticket, result } => match result {
                Ok(id) => {
                    self.answered(ticket, Ok(()));
                    self.say(node, format_args!("admits {id}"));
                    let expiry = usize::try_from(ticket.0).ok().and_then(|at| self.expiries.get(at)).copied();
                    self.nodes[node].admitted.insert(id, expiry.unwrap_or(u64::MAX));
                }
                Err(error) => {
                    self.answered(ticket, Err(error.to_string()));
                    self.say(node, format_args!("refuses: {error}"));
                    self.refused += 1;
                }
            },
            // Only a scenario has operators.
            Output::Operated { ticket, result } => {
                self.answered(ticket, result.map(drop).map_err(|error| error.to_string()));
            }
            Output::Mine(template) => self.nodes[node].template = Some(template.header),
            Output::Event(event) => self.event(node, &event),
        }
    }

    fn judged(&mut self, node: usize, message: medring_node::core::MessageId, verdict: Verdict) {
        let Some((gossip, link)) = self.nodes[node].judging.remove(&message) else {
            return self.fail(format!("node {node} judged a message twice"));
        };
        self.say(node, format_args!("{verdict:?} {:08x}", mark(&gossip.id)));
        match verdict {
            Verdict::Accept => {
                let gossip = self.pass_on(node, gossip);
                self.flood(node, &gossip, link);
            }
            Verdict::Ignore => {}
            Verdict::Reject => {
                let honest = |end: &usize| self.nodes[*end].is_honest();
                if link.is_some_and(|link| self.links[link].ends.iter().all(honest)) {
                    self.fail(format!("node {node} rejected an honest message"));
                }
            }
        }
    }

    fn event(&mut self, node: usize, event: &Event) {
        self.say(node, format_args!("{event:?}"));
        // A scenario may be about what an operator is warned of; it says itself what must hold.
        let of_the_scenario = self.scene.is_some() && matches!(event, Event::Warning(_));
        if self.nodes[node].is_honest()
            && !of_the_scenario
            && let Err(problem) = self.nodes[node].note(event, self.clocks_off)
        {
            self.fail(format!("node {node} {problem}"));
        }
        match event {
            Event::Tip { disconnected, connected, .. } => {
                let now_ms = self.now_ms;
                self.stats.tip_moved(now_ms, disconnected.len(), connected);
            }
            Event::Pooled { record } => {
                let now_ms = self.now_ms;
                if let Some((_, submitted_ms)) = self.records.get(record) {
                    self.stats.record_delays_ms.push(now_ms - submitted_ms);
                }
            }
            Event::PeerFault { peer, reason } => self.blamed(node, *peer, reason),
            Event::Fatal(_) => {
                let down_ms = self.nodes[node].doomed_ms.take();
                self.kill(node);
                // In a scenario somebody starts it, or nobody.
                if self.scene.is_none() {
                    self.come_back(node, down_ms.unwrap_or(0));
                }
            }
            Event::Dropped { .. }
            | Event::MinedBlock { .. }
            | Event::Reorg { .. }
            | Event::WrongNetwork { .. }
            | Event::Warning(_) => {}
        }
    }

    /// Honest nodes blame malicious ones only.
    fn blamed(&mut self, node: usize, peer: Peer, reason: &str) {
        let Some(face) = self.nodes[node].face(peer) else { return };
        match (self.nodes[node].is_honest(), self.nodes[face].is_honest()) {
            (true, true) => self.fail(format!("node {node} blamed honest node {face}: {reason}")),
            (true, false) => self.stats.blamed += 1,
            (false, _) => {}
        }
    }

    /// A node wants to be rid of a peer. Honest nodes are dialled again soon.
    fn disconnect(&mut self, node: usize, peer: Peer, reason: &str) {
        let Some(link) = self.nodes[node].links.get(&peer).copied() else { return };
        self.say(node, format_args!("drops {}: {reason}", peer.0));
        self.take_down(link);
        if self.scene.is_some() {
            return;
        }
        let honest = self.links[link].ends.iter().all(|end| self.nodes[*end].is_honest());
        self.queue.push(self.now_ms + if honest { REDIAL_MS } else { BAN_MS }, What::LinkUp { link });
    }

    /// Real verification, once for each signature in the whole network.
    fn verify(&mut self, checks: &[SigCheck]) -> Result<(), usize> {
        self.stats.signatures_asked += checks.len() as u64;
        let (known, verified) = (&mut self.verified, &mut self.stats.signatures_verified);
        let mut good = |check: &SigCheck| {
            *known.entry(name(check)).or_insert_with(|| {
                *verified += 1;
                check.verify()
            })
        };
        checks.iter().position(|check| !good(check)).map_or(Ok(()), Err)
    }

    /// Whether a signature is good: remembered, or verified now.
    pub(super) fn is_good(&self, check: &SigCheck) -> bool {
        self.verified.get(&name(check)).copied().unwrap_or_else(|| check.verify())
    }

    pub(super) fn say(&mut self, node: usize, what: Arguments<'_>) {
        self.log.line(format_args!("{} {node} {what}", self.now_ms));
    }

    /// Keeps the first problem.
    pub(super) fn fail(&mut self, problem: String) {
        self.log.line(format_args!("{} PROBLEM {problem}", self.now_ms));
        self.problem.get_or_insert(problem);
    }

    pub(super) fn failure(&self, problem: String) -> report::SimFailure {
        report::SimFailure {
            seed: self.config.seed,
            at_ms: self.now_ms.saturating_sub(self.start_ms),
            problem,
            log_tail: self.log.tail(),
        }
    }
}

/// By key, message and signature.
fn name(check: &SigCheck) -> [u8; 32] {
    let mut state = Sha256::new();
    for part in [check.key.0.as_slice(), &check.hash, &check.signature.0] {
        state.update(part);
    }
    state.finalize().into()
}
