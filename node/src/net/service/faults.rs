//! Faults on purpose (test networks only): peers that are cut off, and what others say late or never.

use super::super::hearing::Fate;
use super::{Service, now};
use crate::core::{Input, Output, RequestError, Verdict};
use crate::faults::Faults;
use libp2p::PeerId;
use tokio::sync::oneshot;

impl Service {
    /// From now on these faults and no others; `reply` is told when no link that they refuse is left.
    pub(super) fn set_faults(&mut self, faults: Faults, reply: oneshot::Sender<()>) {
        // Checked by whoever sent them.
        self.swarm.behaviour_mut().gate.cut = faults.cut_peers().unwrap_or_default();
        self.ear.set(faults, now());
        self.cut_links(reply);
    }

    /// Shuts or opens the door to everybody.
    pub(super) fn isolate(&mut self, on: bool, reply: oneshot::Sender<()>) {
        self.swarm.behaviour_mut().gate.shut = on;
        self.cut_links(reply);
    }

    /// Ends every link that the gate refuses, and hurries to those that it allows again.
    fn cut_links(&mut self, reply: oneshot::Sender<()>) {
        self.isolated.push(reply);
        for peer_id in self.refused() {
            self.drop_links(peer_id);
        }
        self.bootstrap.hurry(now());
        self.answer_isolated();
    }

    /// Linked peers that the gate refuses.
    fn refused(&self) -> Vec<PeerId> {
        let gate = &self.swarm.behaviour().gate;
        self.peers.ids().into_iter().filter(|peer_id| gate.refuses(peer_id)).collect()
    }

    /// Tells those who wait for it that no refused link is left, if that is so.
    pub(super) fn answer_isolated(&mut self) {
        if self.isolated.is_empty() || !self.refused().is_empty() {
            return;
        }
        for reply in self.isolated.drain(..) {
            let _ = reply.send(());
        }
    }

    /// A peer said something: the core hears it, now or later, or it is lost.
    pub(super) fn deliver(&mut self, from: PeerId, input: Input) {
        match self.ear.hear(from, input, now()) {
            Fate::Now(input) => self.backlog.push_back(input),
            Fate::Late => {}
            Fate::Lost(input) => self.lost(input),
        }
    }

    /// Nobody waits for ever for what was lost: a question ends as a broken stream does, for whoever asked.
    pub(super) fn lost(&mut self, input: Input) {
        match input {
            Input::Gossip { message, .. } => self.output(Output::Verdict { message, verdict: Verdict::Ignore }),
            Input::Request { peer, id, .. } => drop(self.requests.channel(peer, id)),
            Input::Response { peer, id, .. } => {
                let response = Err(RequestError::Link("lost on purpose".into()));
                self.backlog.push_back(Input::Response { peer, id, response });
            }
            _ => {}
        }
    }
}
