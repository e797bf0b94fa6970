//! Nodes of wire version 1, which gossip whole blocks, among nodes of version 2.

use super::*;

fn of_version(kit: &Kit, version: u16) -> Alone {
    let mut alone = Alone::new(kit);
    alone.config.wire_version = version;
    alone.restarted()
}

/// Topics of the blocks gossiped, taken.
fn published(node: &mut Alone) -> Vec<Topic> {
    let topics = node.taken().into_iter().filter_map(|o| match o {
        Output::Publish { topic, .. } => Some(topic),
        _ => None,
    });
    topics.collect()
}

fn told(node: &mut Alone, peer: Peer, version: u16) {
    let genesis = node.config.params.genesis();
    let status = Status { version, ..status(&node.config, &genesis, 0) };
    node.input(Input::Status { peer, status });
}

#[test]
fn whole_blocks_are_gossiped_only_while_a_peer_needs_them() {
    let kit = Kit::new(121);
    let mut node = of_version(&kit, 2);
    node.input(Input::Connected { peer: EVE });
    told(&mut node, EVE, 2);
    node.taken();
    node.mine();
    assert_eq!(published(&mut node), [Topic::CompactBlocks]);
    node.input(Input::Connected { peer: BOB });
    told(&mut node, BOB, 1);
    node.taken();
    node.mine();
    assert_eq!(published(&mut node), [Topic::CompactBlocks, Topic::Blocks]);
    node.input(Input::Disconnected { peer: BOB });
    node.taken();
    node.mine();
    assert_eq!(published(&mut node), [Topic::CompactBlocks]);
    let mut old = of_version(&kit, 1);
    old.mine();
    assert_eq!(published(&mut old), [Topic::Blocks]);
    assert_eq!((old.core.snapshot().status.version, node.core.snapshot().status.version), (1, 2));
}

#[test]
fn what_came_on_one_topic_is_gossiped_on_the_other_and_not_again_on_its_own() {
    let kit = Kit::new(122);
    let mut node = of_version(&kit, 2);
    for (peer, version) in [(EVE, 1), (BOB, 2)] {
        node.input(Input::Connected { peer });
        told(&mut node, peer, version);
    }
    let chain = branch(&kit, &kit.params.genesis(), 2, 1);
    node.taken();
    assert_eq!(node.gossip_block(EVE, &chain[0]), Verdict::Accept);
    assert_eq!(published(&mut node), [Topic::CompactBlocks]);
    let compact = medring_protocol::compact::CompactBlock::new(&chain[1], &[], |_| false);
    assert_eq!(node.gossip(BOB, Topic::CompactBlocks, compact.encode()), Verdict::Accept);
    assert_eq!(published(&mut node), [Topic::Blocks]);
}

#[test]
fn an_old_node_ignores_compact_blocks_and_nobody_asks_it_for_records() {
    let kit = Kit::new(123);
    let block = branch(&kit, &kit.params.genesis(), 1, 1).remove(0);
    let compact = medring_protocol::compact::CompactBlock::new(&block, &[], |_| false).encode();
    let mut old = of_version(&kit, 1);
    old.meet(EVE, &kit.params.genesis(), 0);
    assert_eq!(old.gossip(EVE, Topic::CompactBlocks, compact), Verdict::Ignore);
    let request = Request::BlockRecords { block: block.id(), indexes: vec![0] };
    old.input(Input::Request { peer: EVE, id: RequestId(1), request });
    assert!(old.is_dropped(EVE), "it would not even have read that");
}

/// ```text
/// old ─ new ─ old ─ new
/// ```
#[test]
fn blocks_and_records_cross_a_network_of_mixed_versions() {
    let kit = Kit::new(124);
    let versions = [1, 2, 1, 2];
    let node = |(i, version): (u8, u16)| {
        let mut alone = of_version(&kit, version);
        alone.config.miner_tag = [i; 16];
        alone.restarted()
    };
    let mut world = World::new((0..).zip(versions).map(node).collect());
    for i in 0..3 {
        world.link(i, i + 1);
    }
    world.submit(3, &kit.enrol_all(1));
    for miner in 0..4 {
        let record = kit.record(Kind::Ehr, miner, 2);
        if miner > 0 {
            world.submit(usize::try_from(miner).unwrap() - 1, &record);
        }
        let header = world.mine(usize::try_from(miner).unwrap());
        assert_eq!(world.one_tip(), header.id(), "at once, by gossip");
    }
    assert!(world.nodes.iter().all(|node| node.pool().is_empty()));
    assert!(!world.events.iter().flatten().any(|e| matches!(e, Event::PeerFault { .. })));
}
