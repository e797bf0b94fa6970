//! Carrying out what cores ask for: the simulated driver, network and signature worker.

use super::events::What;
use super::log::short;
use super::network::Message;
use super::{Simulation, report};
use medring_node::core::{Event, Output, Peer, Topic, Verdict};
use medring_protocol::record::SigCheck;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A node that was dropped by a peer is dialled again after this long, ms.
const REDIAL_MS: u64 = 5_000;

impl Simulation {
    /// Takes all outputs of a node, and schedules its next tick.
    pub(super) fn carry_out(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].core.as_mut().and_then(|core| core.poll_output()) {
            self.output(node, output);
        }
        let Some(due) = self.nodes[node].core.as_ref().and_then(|core| core.next_deadline()) else { return };
        if due <= self.now_ms {
            return self.fail(format!("node {node} would spin: what was due at {due} is not done"));
        }
        let life = self.nodes[node].life;
        if self.nodes[node].tick_ms.is_none_or(|tick| tick > due || tick <= self.now_ms) {
            self.nodes[node].tick_ms = Some(due);
            self.queue.push(due, What::Tick { node, life });
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            Output::SendStatus { peer, status } => self.send(node, peer, Message::Status(Box::new(status))),
            Output::Ask { peer, id, request } => self.send(node, peer, Message::Request(id, request)),
            Output::Respond { peer, id, response } => self.send(node, peer, Message::Response(id, response)),
            Output::Verdict { message, verdict } => {
                let Some((topic, bytes, link)) = self.nodes[node].judging.remove(&message) else {
                    return self.fail(format!("node {node} judged a message twice"));
                };
                self.say(node, format!("{verdict:?} {}", short(&bytes)));
                match verdict {
                    Verdict::Accept => self.flood(node, topic, &bytes, Some(link)),
                    Verdict::Ignore => {}
                    Verdict::Reject => self.fail(format!("node {node} rejected an honest message")),
                }
            }
            Output::Publish { topic, bytes } => {
                self.say(node, format!("publishes {topic:?} {}", short(&bytes)));
                if self.nodes[node].is_news(Sha256::digest(&bytes).into(), self.now_ms) {
                    self.flood(node, topic, &Arc::new(bytes), None);
                }
            }
            Output::Verify { job, checks } => {
                let result = self.verify(&checks);
                let (life, wait_ms) = (self.nodes[node].life, self.draw(self.config.verify_ms.clone()));
                self.queue.push(self.now_ms + wait_ms, What::Verified { node, life, job, result });
            }
            Output::Disconnect { peer, reason, .. } => self.disconnect(node, peer, &reason),
            Output::Submitted { ticket: _, result } => match result {
                Ok(id) => {
                    self.say(node, format!("admits {id}"));
                    self.nodes[node].admitted.insert(id);
                }
                Err(error) => {
                    self.say(node, format!("refuses: {error}"));
                    self.refused += 1;
                }
            },
            Output::Mine(template) => self.nodes[node].template = Some(template.header),
            Output::Event(event) => self.event(node, &event),
        }
    }

    fn event(&mut self, node: usize, event: &Event) {
        self.say(node, format!("{event:?}"));
        if let Err(problem) = self.nodes[node].note(event) {
            self.fail(format!("node {node} {problem}"));
        }
        match event {
            Event::Tip { disconnected, .. } => self.stats.tip_moved(disconnected.len()),
            Event::Fatal(_) => {
                let down_ms = self.nodes[node].doomed_ms;
                self.kill(node, down_ms);
            }
            _ => {}
        }
    }

    /// Puts a message on its way.
    fn send(&mut self, node: usize, peer: Peer, message: Message) {
        let Some(link) = self.nodes[node].links.get(&peer).copied() else { return };
        self.send_on(node, link, message);
    }

    fn send_on(&mut self, node: usize, link: usize, message: Message) {
        let jitter_ms = self.draw(self.config.jitter_ms.clone());
        let at = &self.links[link];
        if at.peers.is_none() || at.cut {
            return;
        }
        let (epoch, to) = (at.epoch, 1 - at.end_of(node));
        self.queue.push(self.now_ms + at.latency_ms + jitter_ms, What::Deliver { link, epoch, to, message });
        self.stats.messages += 1;
    }

    /// Gossip floods: to every link but the one it came by.
    fn flood(&mut self, node: usize, topic: Topic, bytes: &Arc<Vec<u8>>, from: Option<usize>) {
        let links: Vec<usize> = self.nodes[node].links.values().copied().filter(|link| Some(*link) != from).collect();
        for link in links {
            self.send_on(node, link, Message::Gossip(topic, bytes.clone()));
        }
    }

    /// A node wants to be rid of a peer; honest nodes are dialled again.
    fn disconnect(&mut self, node: usize, peer: Peer, reason: &str) {
        let Some(link) = self.nodes[node].links.get(&peer).copied() else { return };
        self.say(node, format!("drops {}: {reason}", peer.0));
        self.take_down(link);
        self.queue.push(self.now_ms + REDIAL_MS, What::LinkUp { link });
    }

    /// Real verification, once for each signature in the whole network.
    fn verify(&mut self, checks: &[SigCheck]) -> Result<(), usize> {
        for (i, check) in checks.iter().enumerate() {
            let mut state = Sha256::new();
            for part in [check.key.0.as_slice(), &check.hash, &check.signature.0] {
                state.update(part);
            }
            let good = *self.verified.entry(state.finalize().into()).or_insert_with(|| check.verify());
            if !good {
                return Err(i);
            }
        }
        Ok(())
    }

    pub(super) fn say(&mut self, node: usize, what: String) {
        self.log.line(format!("{} {node} {what}", self.now_ms));
    }

    /// Keeps the first problem.
    pub(super) fn fail(&mut self, problem: String) {
        self.log.line(format!("{} PROBLEM {problem}", self.now_ms));
        self.problem.get_or_insert(problem);
    }

    pub(super) fn failure(&self, problem: String) -> report::SimFailure {
        let tail = self.log.lines().len().saturating_sub(40);
        report::SimFailure {
            seed: self.config.seed,
            at_ms: self.now_ms.saturating_sub(medring_protocol::testkit::GENESIS_TIME_MS),
            problem,
            log_tail: self.log.lines()[tail..].to_vec(),
        }
    }
}
