//! Malicious nodes: a core like any other whose outputs are twisted on their way out.

use super::Simulation;
use super::events::What;
use super::fault::Deed;
use super::network::{Gossip, Message};
use medring_node::core::{Input, Output, Peer, Topic};
use medring_protocol::BlockId;
use medring_protocol::block::{Block, Header};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::compact::CompactBlock;
use medring_protocol::pow::Work;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit;
use medring_protocol::wire::{Request, Response, Status};
use std::sync::Arc;

/// Rules that a liar's blocks break, one each.
const LIES: [&str; 5] = ["R-SIG", "R-DUP", "R-EXPIRY", "R-UPLOADER", "R-TIME"];
/// The peer that a liar's own blocks seem to come from.
const NOBODY: Peer = Peer(u64::MAX);
/// How often a spammer floods its peers, ms.
const SPAM_MS: std::ops::RangeInclusive<u64> = 1_000..=6_000;
/// Headers of little work that a spammer serves.
const SPAM_HEADERS: u64 = 300;

/// What a malicious node needs for its deed.
#[derive(Debug)]
pub(super) struct Evil {
    pub(super) deed: Deed,
    /// A withholder's blocks.
    pub(super) kept: Vec<Arc<Gossip>>,
    /// Who asked for headers, by the numbers of peer and question: a spammer's own answer goes there.
    asked_headers: std::collections::BTreeSet<(Peer, u64)>,
    forged: u64,
}

impl Evil {
    pub(super) fn new(deed: Deed) -> Self {
        Self { deed, kept: Vec::new(), asked_headers: Default::default(), forged: 0 }
    }
}

/// The rules of a node with this deed: a liar believes its own lies.
pub(super) fn rules(deed: Deed) -> RuleSet {
    let lies: &[&'static str] = if deed == Deed::Liar { &LIES } else { &[] };
    lies.iter().fold(RuleSet::standard(), |rules, lie| rules.without(lie))
}

impl Simulation {
    /// A block that nobody of the network found reaches a node.
    pub(super) fn give_block(&mut self, node: usize, block: &Block) {
        let gossip = super::traffic::gossip(Topic::Blocks, block.encode());
        let message = self.nodes[node].new_message(gossip.clone(), None);
        self.input(node, Input::Gossip { peer: NOBODY, message, topic: Topic::Blocks, bytes: gossip.bytes.clone() });
    }

    fn deed(&self, node: usize) -> Option<Deed> {
        self.nodes[node].evil.as_ref().map(|evil| evil.deed)
    }

    pub(super) fn schedule_spam(&mut self, node: usize) {
        if self.deed(node) == Some(Deed::Spammer) && self.now_ms < self.busy_until_ms {
            let at_ms = self.now_ms + self.draw(SPAM_MS);
            self.queue.push(at_ms, What::Spam { node });
        }
    }

    /// What a malicious node sees of what reaches it, before its core does.
    pub(super) fn eavesdrop(&mut self, node: usize, input: &Input) {
        let Some(deed) = self.deed(node) else { return };
        match (deed, input) {
            (Deed::Withholder, Input::Status { status, .. }) => {
                let own = self.nodes[node].core.as_ref().map_or(0, |core| core.snapshot().height);
                if status.height + 1 >= own {
                    self.release(node);
                }
            }
            (Deed::Spammer, Input::Request { peer, id, request: Request::Headers { .. } }) => {
                if let Some(evil) = &mut self.nodes[node].evil {
                    evil.asked_headers.insert((*peer, id.0));
                }
            }
            _ => {}
        }
    }

    /// What becomes of a malicious node's output: something else, or nothing.
    pub(super) fn twist(&mut self, node: usize, output: Output) -> Option<Output> {
        match (self.deed(node)?, output) {
            (Deed::Staller, Output::Respond { .. }) => None,
            (Deed::Withholder, Output::Publish { topic: Topic::CompactBlocks, bytes }) => {
                let gossip = super::traffic::gossip(Topic::CompactBlocks, bytes);
                self.nodes[node].evil.as_mut()?.kept.push(gossip);
                None
            }
            (Deed::Withholder, Output::SendStatus { .. }) if !self.nodes[node].evil.as_ref()?.kept.is_empty() => None,
            (Deed::Equivocator, Output::Publish { topic: Topic::CompactBlocks, bytes }) => {
                self.equivocate(node, bytes);
                None
            }
            (Deed::Spammer, Output::SendStatus { peer, status }) => {
                Some(Output::SendStatus { peer, status: self.boast(status) })
            }
            (Deed::Spammer, Output::Respond { peer, id, response }) => {
                let headers = self.nodes[node].evil.as_mut()?.asked_headers.remove(&(peer, id.0));
                let response = if headers { Response::Headers(self.little_work()) } else { response };
                Some(Output::Respond { peer, id, response })
            }
            (_, output) => Some(output),
        }
    }

    /// What a malicious node passes on in place of a message it accepted.
    pub(super) fn pass_on(&mut self, node: usize, gossip: Arc<Gossip>) -> Arc<Gossip> {
        if self.deed(node) != Some(Deed::Mutator) || gossip.topic != Topic::CompactBlocks {
            return gossip;
        }
        let Some(mut block) = self.block_of(node, &gossip.bytes) else { return gossip };
        if block.records.pop().is_none() {
            block.records.push(self.kit.record(Kind::Phr, self.submitted, block.header.height));
        }
        self.compact(&block)
    }

    /// The block that a compact message of a node's own or one it took names.
    fn block_of(&self, node: usize, compact: &[u8]) -> Option<Block> {
        let header = CompactBlock::decode(compact).ok()?.header;
        self.nodes[node].core.as_ref()?.store().block(&header.id()).ok()?
    }

    fn compact(&self, block: &Block) -> Arc<Gossip> {
        let compact = CompactBlock::new(block, &block.wire_ids(&self.kit.chain), |_| false);
        super::traffic::gossip(Topic::CompactBlocks, compact.encode())
    }

    fn boast(&mut self, status: Status) -> Status {
        let mut tip = [0; 32];
        tip[..8].copy_from_slice(&self.draw(0..=u64::MAX).to_be_bytes());
        Status { tip: BlockId(tip), work: Work::from_bytes(&[0x7f; 32]), ..status }
    }

    /// Valid headers from genesis on, all of them stamped long ago; the same for every spammer.
    fn little_work(&mut self) -> Vec<Header> {
        if self.little_work.is_empty() {
            let mut parent = self.kit.params.genesis();
            for _ in 0..SPAM_HEADERS {
                let time_ms = parent.time_ms + 1;
                parent = self.kit.forge(&parent, Vec::new(), |header| header.time_ms = time_ms).header;
                self.little_work.push(parent);
            }
        }
        self.little_work.clone()
    }

    /// The blocks kept back go out.
    fn release(&mut self, node: usize) {
        let Some(evil) = &mut self.nodes[node].evil else { return };
        for gossip in std::mem::take(&mut evil.kept) {
            self.flood(node, &gossip, None);
        }
    }

    /// One block to the first half of the peers, another on the same parent to the rest.
    fn equivocate(&mut self, node: usize, bytes: Vec<u8>) {
        let twin = self.block_of(node, &bytes).map(|block| {
            let mut twin = Block { header: Header { miner_tag: [0xee; 16], ..block.header }, records: block.records };
            testkit::mine(&mut twin.header);
            self.compact(&twin)
        });
        self.stats.forged += 1;
        let first = super::traffic::gossip(Topic::CompactBlocks, bytes);
        let links: Vec<usize> = self.nodes[node].links.values().copied().collect();
        for (i, link) in links.into_iter().enumerate() {
            let gossip = twin.as_ref().filter(|_| i % 2 == 1).unwrap_or(&first);
            self.send_on(node, link, Message::Gossip(gossip.clone()));
        }
    }

    /// A spammer's round: an orphan for every peer, now and then bytes that are nothing.
    pub(super) fn spam(&mut self, node: usize) {
        self.schedule_spam(node);
        let Some(height) = self.nodes[node].core.as_ref().map(|core| core.snapshot().height) else { return };
        let Some(evil) = &mut self.nodes[node].evil else { return };
        evil.forged += 1;
        let number = evil.forged;
        let links: Vec<usize> = self.nodes[node].links.values().copied().collect();
        for link in links {
            self.stats.forged += 1;
            let junk = testkit::bytes(self.kit.seed, "junk", number ^ (link as u64) << 32, 64);
            let bytes = if number.is_multiple_of(6) {
                junk
            } else {
                let mut header = Header { height, ..self.kit.params.genesis() };
                header.miner_tag.copy_from_slice(&junk[..16]);
                let time_ms = self.now_ms;
                self.kit.forge(&header, Vec::new(), |header| header.time_ms = time_ms).encode()
            };
            self.send_on(node, link, Message::Gossip(super::traffic::gossip(Topic::Blocks, bytes)));
        }
    }

    /// A liar found a block: it breaks a rule, and the liar's own core takes it for good and passes it on. `false`: this
    /// node mines as all do.
    pub(super) fn lie(&mut self, node: usize, template: &Header) -> bool {
        if self.deed(node) != Some(Deed::Liar) {
            return false;
        }
        self.stats.forged += 1;
        let lie = LIES[usize::try_from(self.draw(0..=LIES.len() as u64 - 1)).unwrap_or(0)];
        let Some(core) = &self.nodes[node].core else { return true };
        let Some(parent) = core.tree().get(&template.prev).map(|parent| parent.header) else { return true };
        let records = self.lying_records(node, lie, template.height);
        let block = self.kit.forge(&parent, records, |header| {
            header.time_ms = if lie == "R-TIME" { parent.time_ms } else { template.time_ms };
            (header.target, header.miner_tag) = (template.target, template.miner_tag);
        });
        self.say(node, format_args!("lies by {lie} in {} at {}", block.id(), template.height));
        self.give_block(node, &block);
        true
    }

    fn lying_records(&mut self, node: usize, lie: &str, height: u64) -> Vec<Record> {
        self.submitted += 1;
        let good = self.kit.record(Kind::Phr, self.submitted, height);
        let envelope = |record: Record, expiry: u64| {
            let secret = &self.kit.patient.secret;
            Record::wrap(&self.kit.chain, record.content, record.signature, record.envelope.stamp_ms, expiry, secret)
        };
        match lie {
            "R-SIG" => {
                let mut bad = good;
                bad.signature.0[0] ^= 1;
                let expiry = bad.envelope.expiry_height;
                vec![envelope(bad, expiry)]
            }
            "R-EXPIRY" => vec![envelope(good, height.saturating_sub(1))],
            "R-UPLOADER" => {
                let mut content = good.content;
                content.uploader = self.stranger.id;
                vec![self.kit.sign_as(&self.stranger, content, height)]
            }
            "R-DUP" => self.placed_record(node).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Some record that stands on a node's chain already.
    fn placed_record(&self, node: usize) -> Option<Record> {
        let store = self.nodes[node].core.as_ref()?.store();
        let tip = store.tip().ok()?.1;
        (1..=tip).rev().take(50).find_map(|height| {
            let id = store.id_at(height).ok()??;
            store.block(&id).ok()??.records.into_iter().find(|record| record.content.kind.is_health())
        })
    }
}
