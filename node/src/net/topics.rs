//! The gossip topics of one chain, and which of them this node listens on: whole blocks only while a peer needs them.

use super::behaviour::Gossip;
use crate::core::Topic;
use libp2p::PeerId;
use libp2p::gossipsub::{IdentTopic, TopicHash};
use medring_protocol::ChainId;
use std::collections::BTreeSet;

/// The topics' names, and who is linked that knows whole blocks only.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    records: IdentTopic,
    blocks: IdentTopic,
    compact: IdentTopic,
    /// What this node speaks.
    version: u16,
    /// Linked peers of wire version 1.
    old: BTreeSet<PeerId>,
}

impl Topics {
    /// Those of `chain`, for a node that speaks wire `version`.
    pub(super) fn new(chain: &ChainId, version: u16) -> Self {
        let topic = |what: &str| IdentTopic::new(format!("/medring/{chain}/{what}"));
        let [records, blocks, compact] = ["records/1", "blocks/1", "blocks/2"].map(topic);
        Self { records, blocks, compact, version, old: BTreeSet::new() }
    }

    pub(super) fn ident(&self, topic: Topic) -> &IdentTopic {
        match topic {
            Topic::Records => &self.records,
            Topic::Blocks => &self.blocks,
            Topic::CompactBlocks => &self.compact,
        }
    }

    pub(super) fn of(&self, hash: &TopicHash) -> Option<Topic> {
        self.known().find(|topic| self.ident(*topic).hash() == *hash)
    }

    /// Every topic a peer may name.
    pub(super) fn known(&self) -> impl Iterator<Item = Topic> {
        [Topic::Records, Topic::Blocks, Topic::CompactBlocks].into_iter()
    }

    /// Topics listened on from the start.
    pub(super) fn own(&self) -> [Topic; 2] {
        [Topic::Records, if self.version > 1 { Topic::CompactBlocks } else { Topic::Blocks }]
    }

    /// A linked peer said which version it speaks: with the first of version 1 we listen on its topic.
    pub(super) fn met(&mut self, peer: PeerId, version: u16, gossip: &mut Gossip) {
        let met_first = version == 1 && self.old.insert(peer) && self.old.len() == 1;
        if met_first && self.version > 1 {
            // Err: our own filter refuses the topic, which it lists.
            let _ = gossip.subscribe(&self.blocks);
        }
    }

    /// A peer is gone: with the last of version 1 we leave its topic.
    pub(super) fn left(&mut self, peer: &PeerId, gossip: &mut Gossip) {
        if self.old.remove(peer) && self.old.is_empty() && self.version > 1 {
            gossip.unsubscribe(&self.blocks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_found_by_its_hash_and_an_old_node_listens_on_the_old_one() {
        let topics = Topics::new(&ChainId([7; 32]), 2);
        for topic in topics.known() {
            assert_eq!(topics.of(&topics.ident(topic).hash()), Some(topic));
        }
        assert_eq!(topics.of(&Topics::new(&ChainId([8; 32]), 2).ident(Topic::Blocks).hash()), None);
        assert_eq!(topics.own(), [Topic::Records, Topic::CompactBlocks]);
        assert_eq!(Topics::new(&ChainId([7; 32]), 1).own(), [Topic::Records, Topic::Blocks]);
    }
}
