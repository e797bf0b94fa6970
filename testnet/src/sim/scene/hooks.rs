//! Where a scenario reaches into a simulation. Each of these does nothing in a simulation that plays none.

use super::cast::Late;
use crate::sim::Simulation;
use crate::sim::events::What;
use crate::sim::network::{Message, Parcel};
use medring_node::core::{Input, Output, Peer, RequestError, Topic};
use rand::RngExt;

/// Messages that wait for a paused node, or at the ear of one that hears late; more are lost.
const WAITING_MAX: usize = 4_096;

impl Simulation {
    /// What happens to a paused node waits until it goes on.
    pub(in crate::sim) fn unless_paused(&mut self, what: What) -> Option<What> {
        let Some(scene) = &mut self.scene else { return Some(what) };
        let node = match &what {
            What::Deliver { link, to, .. } => self.links[*link].ends[*to],
            What::Gone { node, .. }
            | What::Tick { node, .. }
            | What::Verified { node, .. }
            | What::Hear { node, .. }
            | What::Broken { node, .. } => *node,
            _ => return Some(what),
        };
        let cast = &mut scene.cast[node];
        if !cast.paused {
            return Some(what);
        }
        match what {
            // Whatever is due by then is done when it goes on.
            What::Tick { .. } => self.nodes[node].tick_ms = None,
            What::Deliver { .. } if cast.waiting.len() >= WAITING_MAX => {}
            what => cast.waiting.push(what),
        }
        None
    }

    /// Stops a node where it stands, or lets it go on with all that waits for it.
    pub(super) fn set_paused(&mut self, node: usize, paused: bool) {
        let Some(scene) = &mut self.scene else { return };
        scene.cast[node].paused = paused;
        if paused {
            return;
        }
        for what in std::mem::take(&mut scene.cast[node].waiting) {
            self.queue.push(self.now_ms, what);
        }
        self.nodes[node].tick_ms = None;
        self.input(node, Input::Tick);
        self.dial_all_of(node);
    }

    /// What a node's ear makes of a message: `None`, it is heard later or never.
    pub(in crate::sim) fn heard(&mut self, link: usize, epoch: u64, to: usize, parcel: Parcel) -> Option<Parcel> {
        let Some(scene) = &mut self.scene else { return Some(parcel) };
        let ends = self.links[link].ends;
        let (node, from) = (ends[to], ends[1 - to]);
        let cast = &mut scene.cast[node];
        let (delay_ms, loss_percent) = cast.hears(from);
        let lost = loss_percent > 0 && self.rng.random_range(0..100) < loss_percent;
        if lost || cast.late.len() >= WAITING_MAX {
            self.lose(link, to, parcel);
            return None;
        }
        // What is said later never overtakes what its speaker said before.
        let last = cast.late.iter().rev().find(|(_, late)| late.link == link).map(|((at_ms, _), _)| *at_ms);
        let at_ms = last.unwrap_or(0).max(self.now_ms + delay_ms);
        if at_ms == self.now_ms && last.is_none() {
            return Some(parcel);
        }
        cast.said += 1;
        cast.late.insert((at_ms, cast.said), Late { link, epoch, to, parcel });
        let life = self.nodes[node].life;
        self.queue.push(at_ms, What::Hear { node, life });
        None
    }

    /// What is due at a node's ear is heard.
    pub(in crate::sim) fn hear_late(&mut self, node: usize) {
        while let Some(scene) = &mut self.scene
            && let Some(first) = scene.cast[node].late.first_entry()
            && first.key().0 <= self.now_ms
        {
            let Late { link, epoch, to, parcel } = first.remove();
            if let Some(peers) = self.links[link].peers.filter(|_| self.links[link].epoch == epoch) {
                self.arrive(link, node, peers[to], parcel);
            }
        }
    }

    /// Other rules hold for what a node hears: what waits at its ear is heard at once.
    pub(super) fn hear_otherwise(&mut self, node: usize) {
        let Some(scene) = &mut self.scene else { return };
        let (now_ms, life) = (self.now_ms, self.nodes[node].life);
        let late = std::mem::take(&mut scene.cast[node].late);
        scene.cast[node].late = late.into_iter().map(|((_, number), late)| ((now_ms, number), late)).collect();
        self.queue.push(now_ms, What::Hear { node, life });
    }

    /// A message is lost on purpose. A question ends as a broken stream does, for whoever asked.
    fn lose(&mut self, link: usize, to: usize, parcel: Parcel) {
        let Some(peers) = self.links[link].peers else { return };
        let ends = self.links[link].ends;
        let asker = match parcel.message {
            Message::Request(id, _) => Some((1 - to, id)),
            Message::Response(id, _) => Some((to, id)),
            Message::Gossip(gossip) => {
                // Gossip has seen it, and takes it from nobody else for a while.
                self.nodes[ends[to]].is_news(gossip.id, self.now_ms);
                None
            }
            Message::Status(_) => None,
        };
        if let Some((end, id)) = asker {
            let (node, life) = (ends[end], self.nodes[ends[end]].life);
            self.queue.push(self.now_ms, What::Broken { node, life, peer: peers[end], id });
        }
    }

    /// A question of a node has no answer.
    pub(in crate::sim) fn broken(&mut self, node: usize, peer: Peer, id: medring_node::core::RequestId) {
        let response = Err(RequestError::Link("lost on purpose".into()));
        self.input(node, Input::Response { peer, id, response });
    }

    /// Something reaches a node's core by a link.
    pub(in crate::sim) fn count_arrival(&mut self, node: usize, input: &Input) {
        if let Some(scene) = &mut self.scene {
            scene.cast[node].figures.arrive(input);
        }
    }

    /// What a node lets out: an honest one everything, others what their behaviour makes of it.
    pub(in crate::sim) fn let_out(&mut self, node: usize, output: Output) -> Option<Output> {
        if self.nodes[node].evil.is_some() {
            return self.twist(node, output);
        }
        let Some(scene) = &mut self.scene else { return Some(output) };
        let cast = &mut scene.cast[node];
        cast.figures.count(&output, self.kit.params.confirmations);
        let told = cast.behaviour.twist(output);
        if let Some(Output::Verdict { verdict, .. }) = &told {
            cast.figures.judge(*verdict);
        }
        told
    }

    /// Whether a node listens to gossip of a topic: to compact blocks if it knows them, to whole ones if it or a peer knows
    /// nothing else.
    pub(in crate::sim) fn listens(&self, node: usize, topic: Topic) -> bool {
        let knows_compact = |node: usize| self.nodes[node].config.wire_version > 1;
        match topic {
            _ if self.scene.is_none() => true,
            Topic::Records => true,
            Topic::CompactBlocks => knows_compact(node),
            Topic::Blocks => {
                let other = |link: &usize| self.links[*link].ends[1 - self.links[*link].end_of(node)];
                !knows_compact(node) || self.nodes[node].links.values().any(|link| !knows_compact(other(link)))
            }
        }
    }

    /// A node proved that another does not keep to the rules.
    pub(in crate::sim) fn refuse(&mut self, node: usize, peer: Peer) {
        let Some(whom) = self.nodes[node].face(peer) else { return };
        if let Some(scene) = &mut self.scene {
            scene.cast[node].ban(whom, self.now_ms);
        }
    }

    /// Who finds the next block: in a scenario as likely as its share of all miners says, and nobody if it is dead or paused.
    pub(in crate::sim) fn finder(&mut self) -> Option<usize> {
        let Some(scene) = &self.scene else { return self.some_node() };
        let shares: Vec<u64> = scene.cast.iter().map(|cast| cast.share).collect();
        let all: u64 = shares.iter().sum();
        let mut at = self.draw(0..=all.checked_sub(1)?);
        let node = shares.iter().position(|share| {
            let found = at < *share;
            at = at.saturating_sub(*share);
            found
        })?;
        let stopped = self.scene.as_ref().is_some_and(|scene| scene.cast[node].paused);
        (!stopped && self.nodes[node].core.is_some()).then_some(node)
    }

    /// A submission or an operator's word has an answer.
    pub(in crate::sim) fn answered(&mut self, ticket: medring_node::core::Ticket, answer: Result<(), String>) {
        if let Some(scene) = &mut self.scene {
            scene.answers.insert(ticket, answer);
        }
    }
}
