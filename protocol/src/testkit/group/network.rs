//! What the network does to messages on their way, and what it remembers of them.

use super::mutate::mutations;
use super::node::Reply;
use super::world::{Due, UNDELIVERED_MS, World, peer};
use crate::codec;
use crate::group::machine::{Input, SendId};
use crate::group::message::{Answer, Endpoint, Message};
use std::collections::BTreeMap;

/// Chances in percent, and how long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The message is lost; the sender is told that it could not be delivered.
    pub drop: u64,
    /// The message arrives, its answer is lost.
    pub drop_answer: u64,
    /// It arrives once more, later.
    pub duplicate: u64,
    /// Something that was said to this node before is said again.
    pub replay: u64,
    /// It comes back to its sender, from the node it was meant for.
    pub reflect: u64,
    /// A copy with one field spoiled arrives, before or after it.
    pub mutate: u64,
    /// A copy goes to another node, or comes from another peer.
    pub misdirect: u64,
    /// Longest way of a message or an answer, ms: it takes anything up to that, so messages overtake each other.
    pub delay_ms: u64,
}

impl Faults {
    /// A quiet network: 10 ms at most.
    pub const NONE: Self =
        Self { drop: 0, drop_answer: 0, duplicate: 0, replay: 0, reflect: 0, mutate: 0, misdirect: 0, delay_ms: 10 };
    /// A bad one.
    pub const BAD: Self = Self {
        drop: 15,
        drop_answer: 10,
        duplicate: 10,
        replay: 10,
        reflect: 5,
        mutate: 15,
        misdirect: 10,
        delay_ms: 3_000,
    };
}

/// A message as it was sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Index of the sender.
    pub from: usize,
    /// Index of the receiver.
    pub to: usize,
    /// What was said.
    pub message: Message,
}

/// What went over the network.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// All of it, in the order in which it was sent, if the world keeps it.
    pub packets: Vec<Packet>,
    /// Messages sent, by kind.
    pub messages: BTreeMap<&'static str, u64>,
    /// Their bytes in the codec, without the envelope.
    pub bytes: u64,
}

impl Traffic {
    pub(super) fn note(&mut self, from: usize, to: usize, message: &Message, keep: bool) {
        *self.messages.entry(kind(message)).or_default() += 1;
        self.bytes += u64::try_from(codec::encoded_len(message)).unwrap_or(0);
        if keep {
            self.packets.push(Packet { from, to, message: message.clone() });
        }
    }

    /// Messages sent in all.
    pub fn count(&self) -> u64 {
        self.messages.values().sum()
    }
}

impl World {
    pub(super) fn send(&mut self, node: usize, id: SendId, to: &Endpoint, message: Message) {
        let reply = Reply { node, run: self.nodes[node].run, id };
        let target = self.nodes.iter().position(|other| other.me.endpoint.peer_id == to.peer_id);
        self.note(|| format!("n{node} → {target:?} {}", brief(&message)));
        self.check_sent(node, &message);
        let faults = self.faults;
        let Some(to) = target else {
            return self.due(UNDELIVERED_MS, Due::Delivered { reply, answer: None });
        };
        self.traffic.note(node, to, &message, self.thorough);
        self.mischief(node, to, &message);
        if self.dice.percent(faults.drop) || !self.nodes[node].online {
            return self.due(UNDELIVERED_MS, Due::Delivered { reply, answer: None });
        }
        self.say(peer(node), to, message, Some(reply));
    }

    fn say(&mut self, from: Vec<u8>, to: usize, message: Message, reply: Option<Reply>) {
        let delay = self.dice.below(self.faults.delay_ms + 1);
        self.due(delay, Due::Arrive { to, from, message: Box::new(message), reply });
    }

    /// What the adversary adds to one message.
    fn mischief(&mut self, node: usize, to: usize, message: &Message) {
        let faults = self.faults;
        if self.dice.percent(faults.duplicate) {
            self.say(peer(node), to, message.clone(), None);
        }
        if self.dice.percent(faults.reflect) {
            self.say(peer(to), node, message.clone(), None);
        }
        if self.dice.percent(faults.replay)
            && let Some(old) = self.dice.pick(&self.traffic.packets)
        {
            self.say(peer(old.from), old.to, old.message, None);
        }
        if self.dice.percent(faults.misdirect) {
            let (other, liar) = (self.dice.index(self.nodes.len()), self.dice.index(self.nodes.len() + 1));
            self.say(peer(node), other, message.clone(), None);
            self.say(peer(liar), to, message.clone(), None);
        }
        if self.dice.percent(faults.mutate)
            && let Some((_, spoiled)) = self.dice.pick(&mutations(message))
        {
            let own = is_blamed_on_its_sender(&spoiled);
            let from = if own { self.dice.index(self.nodes.len() + 1) } else { node };
            if !own || from != node {
                self.say(peer(from), to, spoiled, None);
            }
        }
    }

    pub(super) fn arrive(&mut self, to: usize, from: Vec<u8>, message: Message, reply: Option<Reply>) {
        if !self.nodes[to].reachable() {
            if let Some(reply) = reply {
                self.due(UNDELIVERED_MS, Due::Delivered { reply, answer: None });
            }
            return;
        }
        self.note(|| {
            format!("n{to} ← n{} {}{}", from[7], brief(&message), if reply.is_none() { " (forged)" } else { "" })
        });
        self.count += 1;
        let ticket = self.count;
        // Nobody waits for the answer to what the adversary said.
        let nobody = Reply { node: to, run: u32::MAX, id: SendId(0) };
        let run = self.nodes[to].run;
        self.nodes[to].tickets.insert(ticket, reply.unwrap_or(nobody));
        self.feed(to, Input::Message { from, ticket, message });
        if self.nodes[to].run == run && self.nodes[to].tickets.contains_key(&ticket) {
            self.fail(&format!("n{to} gave no answer"));
        }
    }

    /// The message that arrives next, if that is what happens next: to whom, from which peer, what.
    pub fn next_arrival(&self) -> Option<(usize, Vec<u8>, Message)> {
        match self.queue.first_key_value() {
            Some((_, Due::Arrive { to, from, message, .. })) => Some((*to, from.clone(), (**message).clone())),
            _ => None,
        }
    }

    /// A node's network fails, and what it has under way is lost.
    pub fn silence(&mut self, silent: &[u8]) {
        self.queue.retain(|_, due| !matches!(due, Due::Arrive { from, .. } if from == silent));
        self.nodes.iter_mut().filter(|node| node.me.endpoint.peer_id == silent).for_each(|node| node.online = false);
    }

    /// Says something to a node in the name of any peer; returns what it answers, unless it is down or dies over it.
    pub fn hear(&mut self, to: usize, from: Vec<u8>, message: Message) -> Option<Answer> {
        self.last_answer = None;
        self.arrive(to, from, message, None);
        self.last_answer
    }
}

/// Whether a node that says such a thing falsely is held responsible by its Noise key: the network cannot speak for it.
pub const fn is_blamed_on_its_sender(message: &Message) -> bool {
    matches!(message, Message::M1(_) | Message::M2(_) | Message::M3(_) | Message::Confirm(_))
}

/// The name of a message's kind.
pub const fn kind(message: &Message) -> &'static str {
    match message {
        Message::Join(_) => "join",
        Message::Probe => "probe",
        Message::Propose(_) => "propose",
        Message::WantProposal { .. } => "want-proposal",
        Message::M1(_) => "m1",
        Message::M2(_) => "m2",
        Message::M3(_) => "m3",
        Message::Share(_) => "share",
        Message::Confirm(_) => "confirm",
        Message::Abort(_) => "abort",
        Message::WantDisclosure { .. } => "want-disclosure",
        Message::Disclose(_) => "disclose",
        Message::Ask(_) => "ask",
        Message::Notice(_) => "notice",
        Message::Recall(_) => "recall",
    }
}

/// A message in a few words.
pub(super) fn brief(message: &Message) -> String {
    let gid = match message {
        Message::Propose(p) => format!("{:?} epoch {} attempt {}", p.ed.gid(), p.ed.epoch, p.ed.attempt),
        Message::M1(m) => format!("{:?} pair {}", m.gid, m.pair),
        Message::M2(m) => format!("{:?} pair {}", m.gid, m.pair),
        Message::M3(m) => format!("{:?} pair {}", m.gid, m.pair),
        Message::Share(m) => format!("{:?} of {}", m.gid, m.index),
        Message::Confirm(m) => format!("{:?} of {}", m.gid, m.index),
        Message::Abort(m) => format!("{:?} by {:?} in {:?}, accused {:?}", m.gid, m.by, m.phase, m.accused),
        Message::WantProposal { gid } | Message::WantDisclosure { gid } => format!("{gid:?}"),
        Message::Ask(m) => format!("{:?} by {:?}", m.wish, m.by),
        Message::Notice(m) => format!("{:?} {:?}", m.why, m.member),
        Message::Join(_) | Message::Probe | Message::Disclose(_) | Message::Recall(_) => String::new(),
    };
    format!("{} {gid}", kind(message))
}
