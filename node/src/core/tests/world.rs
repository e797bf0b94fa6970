//! A few cores with links that deliver at once and in order, and flooding gossip.

use super::*;
use std::collections::BTreeSet;

pub(super) struct World {
    pub(super) nodes: Vec<Alone>,
    links: BTreeSet<(usize, usize)>,
    seen: Vec<BTreeSet<(Topic, Vec<u8>)>>,
    /// Messages awaiting their verdict: (node, message) → what.
    judged: BTreeMap<(usize, MessageId), (Topic, Vec<u8>)>,
    messages: u64,
    pub(super) events: Vec<Vec<Event>>,
}

impl World {
    pub(super) fn new(nodes: Vec<Alone>) -> Self {
        let (seen, events) = (vec![BTreeSet::new(); nodes.len()], nodes.iter().map(|_| Vec::new()).collect());
        Self { nodes, links: BTreeSet::new(), seen, judged: BTreeMap::new(), messages: 0, events }
    }

    pub(super) fn of(kit: &Kit, count: u8) -> Self {
        let node = |i: u8| {
            let mut alone = Alone::new(kit);
            alone.config.miner_tag = [i; 16];
            alone.restarted()
        };
        Self::new((0..count).map(node).collect())
    }

    pub(super) fn link(&mut self, a: usize, b: usize) {
        for (me, other) in [(a, b), (b, a)] {
            self.links.insert((me, other));
            self.nodes[me].input(Input::Connected { peer: Peer(other as u64) });
        }
        self.run();
    }

    pub(super) fn unlink(&mut self, a: usize, b: usize) {
        for (me, other) in [(a, b), (b, a)] {
            if self.links.remove(&(me, other)) {
                self.nodes[me].input(Input::Disconnected { peer: Peer(other as u64) });
            }
        }
        self.run();
    }

    /// Delivers until nothing is under way.
    pub(super) fn run(&mut self) {
        loop {
            let mut quiet = true;
            for me in 0..self.nodes.len() {
                for output in self.nodes[me].taken() {
                    quiet = false;
                    self.route(me, output);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn route(&mut self, me: usize, output: Output) {
        let from = Peer(me as u64);
        match output {
            Output::SendStatus { peer, status } => self.deliver(me, peer, Input::Status { peer: from, status }),
            Output::Ask { peer, id, request } => self.deliver(me, peer, Input::Request { peer: from, id, request }),
            Output::Respond { peer, id, response } => {
                self.deliver(me, peer, Input::Response { peer: from, id, response: Ok(response) });
            }
            Output::Publish { topic, bytes } => self.flood(me, topic, &bytes),
            Output::Verdict { message, verdict } => {
                let (topic, bytes) = self.judged.remove(&(me, message)).expect("one verdict for each message");
                if verdict == Verdict::Accept {
                    self.flood(me, topic, &bytes);
                }
            }
            Output::Disconnect { peer, .. } => {
                let other = index(peer);
                self.unlink(me, other);
            }
            Output::Event(event) => self.events[me].push(event),
            Output::Submitted { .. } | Output::Operated { .. } | Output::Verify { .. } | Output::Mine(_) => {}
        }
    }

    fn deliver(&mut self, me: usize, to: Peer, input: Input) {
        let other = index(to);
        if self.links.contains(&(me, other)) {
            self.nodes[other].input(input);
        }
    }

    fn flood(&mut self, me: usize, topic: Topic, bytes: &[u8]) {
        self.seen[me].insert((topic, bytes.to_vec()));
        let others: Vec<usize> = self.links.range((me, 0)..(me + 1, 0)).map(|(_, other)| *other).collect();
        for other in others {
            if self.seen[other].insert((topic, bytes.to_vec())) {
                let message = MessageId(self.messages);
                self.messages += 1;
                self.judged.insert((other, message), (topic, bytes.to_vec()));
                self.nodes[other].input(Input::Gossip { peer: Peer(me as u64), message, topic, bytes: bytes.to_vec() });
            }
        }
    }

    /// Lets time pass everywhere, second by second.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            for node in &mut self.nodes {
                node.pass(1_000);
            }
            self.run();
        }
    }

    pub(super) fn mine(&mut self, node: usize) -> Header {
        // A record may have come after the last template.
        self.pass(1);
        let header = self.nodes[node].mine();
        self.run();
        header
    }

    pub(super) fn submit(&mut self, node: usize, record: &Record) -> RecordId {
        let id = self.nodes[node].submit(record).unwrap();
        self.run();
        id
    }

    pub(super) fn one_tip(&self) -> BlockId {
        let tips: BTreeSet<_> = self.nodes.iter().map(Alone::tip).collect();
        assert_eq!(tips.len(), 1, "all nodes are on one tip");
        let states: BTreeSet<_> = self.nodes.iter().map(|n| n.core.store().state_hash().unwrap()).collect();
        assert_eq!(states.len(), 1, "and their states are equal");
        *tips.first().unwrap()
    }
}

fn index(peer: Peer) -> usize {
    usize::try_from(peer.0).unwrap()
}
