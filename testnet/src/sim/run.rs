//! Running: events in order of time, faults, and the wait for one tip.

use super::events::What;
use super::log::short;
use super::network::Message;
use super::{DynError, SimFailure, SimReport, Simulation, checks};
use medring_node::core::{Input, Peer};
use medring_protocol::codec;
use sha2::{Digest, Sha256};

/// How long an end of a dead link takes to notice, ms.
const NOTICE_MS: std::ops::RangeInclusive<u64> = 100..=15_000;
/// How often it is looked whether all agree, ms.
const LOOK_MS: u64 = 1_000;

impl Simulation {
    /// Runs the busy time, heals everything, waits until all agree, and judges.
    ///
    /// # Errors
    /// A check failed; the failure names the seed that brings it back.
    pub fn run(mut self) -> Result<SimReport, SimFailure> {
        self.run_until(self.busy_until_ms)?;
        for link in 0..self.links.len() {
            self.links[link].cut = false;
            self.queue.push(self.now_ms, What::LinkUp { link });
        }
        let until_ms = self.now_ms + self.config.settle_ms;
        while !checks::settled(&self) {
            if self.now_ms >= until_ms {
                return Err(self.failure(format!(
                    "no agreement within {} ms: {}",
                    self.config.settle_ms,
                    checks::tips(&self)
                )));
            }
            self.run_until(self.now_ms + LOOK_MS)?;
        }
        checks::all(&self).map_err(|problem| self.failure(problem))?;
        Ok(self.report())
    }

    /// Handles every event up to a time.
    pub(crate) fn run_until(&mut self, until_ms: u64) -> Result<(), SimFailure> {
        while let Some((at_ms, what)) = self.queue.pop(until_ms) {
            self.now_ms = at_ms;
            self.happen(what).map_err(|e| self.failure(e.to_string()))?;
            if let Some(problem) = self.problem.take() {
                return Err(self.failure(problem));
            }
        }
        self.now_ms = until_ms;
        checks::bounded(self).map_err(|problem| self.failure(problem))
    }

    fn happen(&mut self, what: What) -> Result<(), DynError> {
        self.stats.events += 1;
        match what {
            What::Deliver { link, epoch, to, message } => self.deliver(link, epoch, to, message),
            What::LinkUp { link } => self.link_up(link),
            What::LinkDown { link, epoch } => {
                if self.links[link].cut && self.links[link].epoch == epoch {
                    self.take_down(link);
                }
            }
            What::Gone { node, life, peer } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Disconnected { peer });
                }
            }
            What::Tick { node, life } => {
                let at = &mut self.nodes[node];
                if at.life == life && at.tick_ms == Some(self.now_ms) {
                    at.tick_ms = None;
                    self.input(node, Input::Tick);
                }
            }
            What::Verified { node, life, job, result } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Verified { job, result });
                }
            }
            What::Mine => self.mine(),
            What::Submit => self.submit(),
            What::Cut { index } => self.cut(index, true),
            What::Heal { index } => self.cut(index, false),
            What::Crash { index } => self.crash(index)?,
            What::Restart { node } => {
                if self.nodes[node].core.is_none() {
                    self.start_node(node, u64::MAX)?;
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self, link: usize, epoch: u64, to: usize, message: Message) {
        let at = &self.links[link];
        let Some(peers) = at.peers.filter(|_| at.epoch == epoch && !at.cut) else { return };
        let (node, peer) = (at.ends[to], peers[to]);
        let (name, bytes) = match &message {
            Message::Status(status) => ("status", codec::encode(status)),
            Message::Request(_, request) => ("request", codec::encode(request)),
            Message::Response(_, response) => ("response", codec::encode(response)),
            Message::Gossip(_, bytes) => ("gossip", bytes.to_vec()),
        };
        self.say(node, format!("from {}: {name} {}", peer.0, short(&bytes)));
        match message {
            Message::Status(status) => self.input(node, Input::Status { peer, status: *status }),
            Message::Request(id, request) => self.input(node, Input::Request { peer, id, request }),
            Message::Response(id, response) => self.input(node, Input::Response { peer, id, response: Ok(response) }),
            Message::Gossip(topic, bytes) => {
                if self.nodes[node].is_news(Sha256::digest(bytes.as_slice()).into(), self.now_ms) {
                    let message = self.nodes[node].new_message(topic, bytes.clone(), link);
                    self.input(node, Input::Gossip { peer, message, topic, bytes: bytes.to_vec() });
                }
            }
        }
    }

    fn link_up(&mut self, link: usize) {
        let [a, b] = self.links[link].ends;
        let alive = self.nodes[a].core.is_some() && self.nodes[b].core.is_some();
        if !alive || self.links[link].cut || self.links[link].peers.is_some() {
            return;
        }
        let peers = [self.nodes[a].new_peer(link), self.nodes[b].new_peer(link)];
        self.links[link].peers = Some(peers);
        self.links[link].epoch += 1;
        for (node, peer) in [(a, peers[0]), (b, peers[1])] {
            self.input(node, Input::Connected { peer });
        }
    }

    /// Ends a connection; both ends are told soon.
    pub(super) fn take_down(&mut self, link: usize) {
        let Some(peers) = self.links[link].peers.take() else { return };
        self.links[link].epoch += 1;
        for (node, peer) in self.links[link].ends.into_iter().zip(peers) {
            self.tell_gone(node, peer, 1);
        }
    }

    fn tell_gone(&mut self, node: usize, peer: Peer, after_ms: u64) {
        self.nodes[node].links.remove(&peer);
        let life = self.nodes[node].life;
        self.queue.push(self.now_ms + after_ms, What::Gone { node, life, peer });
    }

    /// Messages across the cut vanish at once; the ends notice later. Healed, links that were noticed come up again, and
    /// those that were not go on as if nothing had been.
    fn cut(&mut self, index: usize, cut: bool) {
        let Some(partition) = self.config.partitions.get(index).copied() else { return };
        self.say(0, format!("partition {index}: {cut}"));
        for link in 0..self.links.len() {
            if !self.links[link].crosses(partition.side) {
                continue;
            }
            self.links[link].cut = cut;
            let epoch = self.links[link].epoch;
            let at_ms = self.now_ms + self.draw(NOTICE_MS);
            self.queue.push(at_ms, if cut { What::LinkDown { link, epoch } } else { What::LinkUp { link } });
        }
    }

    fn crash(&mut self, index: usize) -> Result<(), DynError> {
        let Some(crash) = self.config.crashes.get(index).copied() else { return Ok(()) };
        if self.nodes[crash.node].core.is_none() {
            return Ok(());
        }
        self.say(crash.node, format!("crash {index}"));
        self.kill(crash.node, crash.down_ms);
        if let Some(write) = crash.at_write {
            // It comes back at once, and its disk is about to fail.
            self.nodes[crash.node].doomed_ms = crash.down_ms;
            self.start_node(crash.node, write)?;
        }
        Ok(())
    }

    /// A node dies; its peers notice soon, and it comes back after `down_ms`.
    pub(super) fn kill(&mut self, node: usize, down_ms: u64) {
        self.stats.crashes += 1;
        for link in 0..self.links.len() {
            if self.links[link].ends.contains(&node)
                && let Some(peers) = self.links[link].peers.take()
            {
                self.links[link].epoch += 1;
                let end = 1 - self.links[link].end_of(node);
                let after_ms = self.draw(1..=2_000);
                self.tell_gone(self.links[link].ends[end], peers[end], after_ms);
            }
        }
        self.nodes[node].kill();
        self.queue.push(self.now_ms + down_ms, What::Restart { node });
    }

    /// A node begins a life: from what its disk holds, with its links dialled anew.
    pub(super) fn start_node(&mut self, node: usize, fail_at_write: u64) -> Result<(), DynError> {
        self.say(node, "starts".into());
        self.nodes[node].start(self.now_ms, fail_at_write)?;
        for link in 0..self.links.len() {
            if self.links[link].ends.contains(&node) {
                let at_ms = self.now_ms + self.draw(1..=2_000);
                self.queue.push(at_ms, What::LinkUp { link });
            }
        }
        self.carry_out(node);
        Ok(())
    }
}
