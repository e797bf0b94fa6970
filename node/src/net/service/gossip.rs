//! Gossip: to the core for a verdict, and out into the mesh.

use super::Service;
use crate::core::{Input, MessageId, Topic, Verdict};
use libp2p::PeerId;
use libp2p::gossipsub::{self, MessageAcceptance, PublishError};

/// Gossip messages that may await the core's verdict; more are ignored at once.
const GOSSIP_AWAITED_MAX: usize = 1024;

impl Service {
    pub(super) fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let length = bytes.len();
        let ident = self.topics.ident(topic).clone();
        self.capture.add(&bytes);
        match self.swarm.behaviour_mut().gossip.publish(ident, bytes) {
            Ok(_) => {}
            Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {
                tracing::debug!(?topic, length, "gossip: seen already, or nobody listens");
            }
            Err(PublishError::AllQueuesFull(peers)) => {
                tracing::debug!(?topic, length, peers, "gossip: every link is busy; peers will ask for it");
            }
            Err(error) => tracing::error!(?topic, length, %error, "gossip: not published"),
        }
    }

    pub(super) fn report(&mut self, id: &gossipsub::MessageId, source: &PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        self.metrics.gossip(verdict);
        if !self.swarm.behaviour_mut().gossip.report_message_validation_result(id, source, acceptance) {
            tracing::debug!(%id, "gossip: the verdict came after the message had left the cache");
        }
    }

    pub(super) fn gossip_message(&mut self, source: PeerId, id: gossipsub::MessageId, message: gossipsub::Message) {
        let (Some(peer), Some(topic)) = (self.peers.open(&source), self.topics.of(&message.topic)) else {
            return self.report(&id, &source, Verdict::Ignore);
        };
        let now_ms = (self.now_ms)();
        let length = u64::try_from(message.data.len()).unwrap_or(u64::MAX);
        if !self.peers.get_mut(&source).is_some_and(|state| state.usage.may_gossip(length, now_ms)) {
            self.excess(source, "messages");
            return self.report(&id, &source, Verdict::Ignore);
        }
        if self.gossip.len() >= GOSSIP_AWAITED_MAX {
            return self.report(&id, &source, Verdict::Ignore);
        }
        self.gossip_last += 1;
        let number = MessageId(self.gossip_last);
        self.gossip.insert(number, (id, source, topic));
        self.deliver(source, Input::Gossip { peer, message: number, topic, bytes: message.data });
    }

    /// A peer brought something that goes on to others: that counts when places are scarce.
    pub(super) fn useful(&mut self, source: &PeerId, topic: Topic, verdict: Verdict) {
        let now_ms = (self.now_ms)();
        let Some(state) = self.peers.get_mut(source).filter(|_| verdict == Verdict::Accept) else { return };
        match topic {
            Topic::Blocks | Topic::CompactBlocks => state.usage.block_ms = Some(now_ms),
            Topic::Records => state.usage.record_ms = Some(now_ms),
        }
    }
}
