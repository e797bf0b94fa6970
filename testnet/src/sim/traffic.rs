//! Messages on their way: the sender's uplink, the link's delay, order, loss and cuts, and the arrival.

use super::Simulation;
use super::events::What;
use super::log::mark;
use super::network::{Gossip, Message, Parcel};
use medring_node::core::{Input, Peer, Topic};
use medring_protocol::codec;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Framing, encryption, TCP and IP around a message, bytes.
const FRAME_BYTES: usize = 120;
/// What travels in one piece, bytes.
const SEGMENT_BYTES: usize = 1_400;
/// What a lost segment costs above the way there and back, ms; doubled for each further loss of the same.
const RETRANSMIT_MS: u64 = 200;
/// Losses in a row after which a connection is given up.
const RETRANSMITS_MAX: u32 = 7;
/// Gossip that would wait longer than this for its sender's uplink is dropped, as a real node does, ms.
const GOSSIP_WAIT_MS: u64 = 8_000;
/// A connection that died of loss is dialled again after this long, ms.
const REDIAL_MS: u64 = 2_000;

/// A gossip message of these bytes.
pub(super) fn gossip(topic: Topic, bytes: Vec<u8>) -> Arc<Gossip> {
    let id = Sha256::digest(&bytes).into();
    Arc::new(Gossip { topic, bytes, id })
}

impl Simulation {
    /// Gossip floods: to every link but the one it came by.
    pub(super) fn flood(&mut self, node: usize, gossip: &Arc<Gossip>, from: Option<usize>) {
        let listens = |link: &usize| {
            let other = self.links[*link].ends[1 - self.links[*link].end_of(node)];
            Some(*link) != from && self.listens(other, gossip.topic)
        };
        let links: Vec<usize> = self.nodes[node].links.values().copied().filter(listens).collect();
        for link in links {
            self.send_on(node, link, Message::Gossip(gossip.clone()));
        }
    }

    /// Puts a message for a peer on its way.
    pub(super) fn send(&mut self, node: usize, peer: Peer, message: Message) {
        if let Some(link) = self.nodes[node].links.get(&peer).copied() {
            self.send_on(node, link, message);
        }
    }

    /// Puts a message on a link.
    pub(super) fn send_on(&mut self, node: usize, link: usize, message: Message) {
        if self.links[link].peers.is_none() {
            return;
        }
        let (bytes, mark) = self.measure(node, &message);
        let wire_bytes = bytes + FRAME_BYTES;
        let free_us = self.nodes[node].uplink_free_us.max(self.now_ms * 1_000);
        let gossiped = matches!(message, Message::Gossip(_));
        if gossiped && free_us / 1_000 > self.now_ms + GOSSIP_WAIT_MS {
            self.stats.gossip_dropped += 1;
            return;
        }
        self.stats.sent(message.kind(), wire_bytes);
        // 1 kbit/s is 1 bit/ms.
        let sent_us = free_us + wire_bytes as u64 * 8_000 / self.nodes[node].uplink_kbps.max(1);
        self.nodes[node].uplink_free_us = sent_us;
        let Some(stall_ms) = self.stall_ms(link, wire_bytes) else {
            self.stats.connections_lost += 1;
            self.take_down(link);
            self.dial(link, self.now_ms + REDIAL_MS);
            return;
        };
        let jitter_ms = self.draw(self.config.jitter_ms.clone());
        let at = &mut self.links[link];
        let to = 1 - at.end_of(node);
        let mut arrives_ms = sent_us.div_ceil(1_000) + at.latency_ms * self.slowness + jitter_ms + stall_ms;
        if at.ordered {
            arrives_ms = arrives_ms.max(at.busy_until_ms[to]);
            at.busy_until_ms[to] = arrives_ms;
        }
        let parcel = Parcel { message, bytes, mark };
        self.queue.push(arrives_ms, What::Deliver { link, epoch: at.epoch, to, parcel });
    }

    /// How long lost segments hold a message up; `None`: too often for the connection to live.
    fn stall_ms(&mut self, link: usize, bytes: usize) -> Option<u64> {
        if self.loss_percent == 0 {
            return Some(0);
        }
        let (mut stall_ms, mut wait_ms) = (0, RETRANSMIT_MS + 2 * self.links[link].latency_ms * self.slowness);
        let mut missing = bytes.div_ceil(SEGMENT_BYTES).min(1_024);
        for _ in 0..RETRANSMITS_MAX {
            let lost = (0..missing).filter(|_| self.draw(0..=99) < self.loss_percent).count();
            if lost == 0 {
                return Some(stall_ms);
            }
            self.stats.retransmitted += lost as u64;
            (stall_ms, wait_ms, missing) = (stall_ms + wait_ms, wait_ms * 2, lost);
        }
        None
    }

    /// Length and name of a message's content.
    fn measure(&mut self, node: usize, message: &Message) -> (usize, u32) {
        let of = |bytes: &[u8]| (bytes.len(), mark(&Sha256::digest(bytes).into()));
        match message {
            Message::Gossip(gossip) => (gossip.bytes.len(), mark(&gossip.id)),
            Message::Request(_, request) => of(&codec::encode(request)),
            Message::Response(_, response) => of(&codec::encode(response)),
            // One status goes to all peers.
            Message::Status(status) => {
                if let Some((last, bytes, mark)) = &self.nodes[node].last_status
                    && last == status
                {
                    return (*bytes, *mark);
                }
                let (bytes, mark) = of(&codec::encode(&**status));
                self.nodes[node].last_status = Some((status.clone(), bytes, mark));
                (bytes, mark)
            }
        }
    }

    /// A message arrives, unless its connection has died meanwhile or a cut holds it up.
    pub(super) fn deliver(&mut self, link: usize, epoch: u64, to: usize, parcel: Parcel) {
        let at = &mut self.links[link];
        let Some(peers) = at.peers.filter(|_| at.epoch == epoch) else { return };
        if at.is_cut() {
            at.held.push((to, parcel));
            return;
        }
        let (node, peer) = (at.ends[to], peers[to]);
        if let Some(parcel) = self.heard(link, epoch, to, parcel) {
            self.arrive(link, node, peer, parcel);
        }
    }

    /// A message is heard.
    pub(super) fn arrive(&mut self, link: usize, node: usize, peer: Peer, parcel: Parcel) {
        let Parcel { message, bytes, mark } = parcel;
        self.say(node, format_args!("from {}: {} {mark:08x} {bytes}", peer.0, message.kind()));
        let input = match message {
            Message::Status(status) => Input::Status { peer, status: Arc::unwrap_or_clone(status) },
            Message::Request(id, request) => Input::Request { peer, id, request: *request },
            Message::Response(id, response) => Input::Response { peer, id, response: Ok(*response) },
            Message::Gossip(gossip) => {
                if !self.nodes[node].is_news(gossip.id, self.now_ms) {
                    return;
                }
                let (topic, bytes) = (gossip.topic, gossip.bytes.clone());
                let message = self.nodes[node].new_message(gossip, Some(link));
                Input::Gossip { peer, message, topic, bytes }
            }
        };
        self.eavesdrop(node, &input);
        self.count_arrival(node, &input);
        self.input(node, input);
    }

    /// A cut is over: what it held up arrives.
    pub(super) fn release_held(&mut self, link: usize) {
        let at = &mut self.links[link];
        let (epoch, after_ms) = (at.epoch, at.latency_ms);
        for (to, parcel) in std::mem::take(&mut at.held) {
            self.queue.push(self.now_ms + after_ms, What::Deliver { link, epoch, to, parcel });
        }
    }
}
