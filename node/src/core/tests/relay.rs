//! Compact blocks: put together, asked for, stalled, forged, colliding.

use super::*;
use medring_protocol::WireId;
use medring_protocol::compact::CompactBlock;

/// A message as an honest node sends it.
fn compact(kit: &Kit, block: &Block) -> Vec<u8> {
    CompactBlock::new(block, &block.wire_ids(&kit.chain), |_| false).encode()
}

/// A core with everyone enrolled, `count` records, and a block that holds them.
fn ready(seed: u64, count: u64) -> (Kit, Alone, Block) {
    let kit = Kit::new(seed);
    let (mut node, first) = enrolled(&kit);
    node.meet_v2(EVE, &first.header, 0);
    node.meet_v2(BOB, &first.header, 0);
    node.taken();
    let block = kit.block(&first.header, (0..count).map(|n| kit.record(Kind::Ehr, n, 2)).collect(), 1);
    (kit, node, block)
}

/// What `peer` was asked of records and blocks.
fn asked_for_blocks(node: &mut Alone, peer: Peer) -> Vec<(RequestId, Request)> {
    let mut asked = node.asked(peer);
    asked.retain(|(_, request)| matches!(request, Request::BlockRecords { .. } | Request::Blocks { .. }));
    asked
}

/// The one such question.
fn question(node: &mut Alone, peer: Peer) -> (RequestId, Request) {
    let mut asked = asked_for_blocks(node, peer);
    assert_eq!(asked.len(), 1, "one question to {peer:?}: {asked:?}");
    asked.remove(0)
}

impl Alone {
    /// As `meet`, by a peer that speaks the newest version.
    fn meet_v2(&mut self, peer: Peer, tip: &Header, work: u64) {
        self.input(Input::Connected { peer });
        let version = medring_protocol::wire::VERSION;
        let status = Status { version, ..status(&self.config, tip, work) };
        self.input(Input::Status { peer, status });
    }

    /// Gossips a compact block that may have to wait for its verdict.
    fn hear(&mut self, peer: Peer, bytes: Vec<u8>) -> MessageId {
        let message = MessageId(self.tickets);
        self.tickets += 1;
        self.input(Input::Gossip { peer, message, topic: Topic::CompactBlocks, bytes });
        message
    }

    /// The verdict on a message so far.
    fn verdict_on(&self, message: MessageId) -> Option<Verdict> {
        let of = |o: &Output| match o {
            Output::Verdict { message: m, verdict } if *m == message => Some(*verdict),
            _ => None,
        };
        let verdicts: Vec<_> = self.out.iter().filter_map(of).collect();
        assert!(verdicts.len() <= 1, "at most one verdict for each message");
        verdicts.first().copied()
    }
}

#[test]
fn a_block_of_records_in_the_pool_costs_no_question_and_no_second_verification() {
    let (kit, mut node, block) = ready(101, 5);
    for record in &block.records {
        node.gossip(BOB, Topic::Records, record.encode());
    }
    let verified = node.verified;
    let message = node.hear(EVE, compact(&kit, &block));
    assert_eq!(node.verdict_on(message), Some(Verdict::Accept));
    assert_eq!(node.tip(), block.id());
    assert!(asked_for_blocks(&mut node, EVE).is_empty());
    assert_eq!(node.verified, verified, "their signatures were verified when they came");
    let again = node.hear(BOB, compact(&kit, &block));
    assert_eq!(node.verdict_on(again), Some(Verdict::Ignore));
}

#[test]
fn missing_records_are_asked_of_the_forwarder_and_gossip_waits_for_them() {
    let (kit, mut node, block) = ready(102, 5);
    for place in [1, 2, 4] {
        node.gossip(BOB, Topic::Records, block.records[place].encode());
    }
    let verified = node.verified;
    let message = node.hear(EVE, compact(&kit, &block));
    assert_eq!((node.verdict_on(message), node.core.snapshot().tables.compact_blocks), (None, 1));
    let (id, request) = question(&mut node, EVE);
    assert_eq!(request, Request::BlockRecords { block: block.id(), indexes: vec![0, 3] });
    node.respond(EVE, id, Response::BlockRecords(vec![block.records[0].clone(), block.records[3].clone()]));
    assert_eq!(node.verdict_on(message), Some(Verdict::Accept));
    assert_eq!(node.tip(), block.id());
    assert_eq!(node.verified, verified + 4, "only those of the records that came with it");
    assert_eq!(node.core.snapshot().tables.compact_blocks, 0);
    assert!(!node.is_dropped(EVE));
}

#[test]
fn a_miner_sends_along_what_others_may_lack_and_serves_what_they_ask_for() {
    let kit = Kit::new(103);
    let mut world = World::of(&kit, 2);
    world.link(0, 1);
    world.submit(0, &kit.enrol_all(1));
    world.mine(0);
    world.events.iter_mut().for_each(Vec::clear);
    // The second node never hears of these.
    let records: Vec<Record> = (0..12).map(|n| kit.record(Kind::Ehr, n, 2)).collect();
    for record in &records {
        world.nodes[0].submit(record).unwrap();
    }
    world.nodes[0].out.retain(|o| !matches!(o, Output::Publish { topic: Topic::Records, .. }));
    world.nodes[0].now_ms += limits::TEMPLATE_INTERVAL_MIN_MS;
    world.nodes[0].input(Input::Tick);
    let header = world.nodes[0].mine();
    let sent = world.nodes[0].out.iter().find_map(|o| match o {
        Output::Publish { topic: Topic::CompactBlocks, bytes } => Some(bytes.clone()),
        _ => None,
    });
    let sent = sent.expect("the block is gossiped");
    assert!(sent.len() > 1_600 && sent.len() <= wire_limits::COMPACT_SENT_ALONG_BYTES_AIM, "{} bytes", sent.len());
    assert_eq!(CompactBlock::decode(&sent).unwrap().records(), 12);
    world.run();
    assert_eq!(world.one_tip(), header.id());
    assert!(!world.events.iter().flatten().any(|e| matches!(e, Event::PeerFault { .. })));
}

/// ```text
/// genesis ─ e ─ a (records 0 and 1)
///             └ b (the same records) ─ c
/// ```
#[test]
fn a_rival_block_is_put_together_from_records_that_left_the_pool() {
    let (kit, mut node, a) = ready(104, 2);
    for record in &a.records {
        node.gossip(BOB, Topic::Records, record.encode());
    }
    node.hear(EVE, compact(&kit, &a));
    let parent = node.core.tree().get(&a.header.prev).unwrap().header;
    let b = kit.block(&parent, a.records.clone(), 2);
    let c = kit.block(&b.header, vec![], 2);
    node.hear(BOB, compact(&kit, &b));
    let message = node.hear(BOB, compact(&kit, &c));
    assert_eq!(node.verdict_on(message), Some(Verdict::Accept));
    assert_eq!(node.tip(), c.id());
    assert!(asked_for_blocks(&mut node, BOB).is_empty());
}

#[test]
fn a_wrong_index_costs_whoever_asks_or_answers_with_it_the_link() {
    let (kit, mut node, block) = ready(105, 3);
    let message = node.hear(EVE, compact(&kit, &block));
    let (id, _) = question(&mut node, EVE);
    let late = node.hear(BOB, compact(&kit, &block));
    assert_eq!(node.verdict_on(late), Some(Verdict::Ignore), "it is under way");
    node.respond(EVE, id, Response::BlockRecords(block.records[1..].to_vec()));
    assert!(node.is_dropped(EVE), "two records where three were asked for");
    let (id, request) = question(&mut node, BOB);
    assert_eq!(request, Request::BlockRecords { block: block.id(), indexes: vec![0, 1, 2] });
    node.respond(BOB, id, Response::BlockRecords(block.records.clone()));
    assert_eq!((node.verdict_on(message), node.tip()), (Some(Verdict::Accept), block.id()));

    for (indexes, dropped) in [(vec![0, 2], false), (vec![0, 3], true)] {
        let (count, request) = (indexes.len(), Request::BlockRecords { block: block.id(), indexes });
        node.input(Input::Request { peer: BOB, id: RequestId(1), request });
        assert_eq!(node.is_dropped(BOB), dropped);
        let answer = node.out.iter().rev().find_map(|o| match o {
            Output::Respond { response: Response::BlockRecords(records), .. } => Some(records.len()),
            _ => None,
        });
        assert_eq!(answer, Some(if dropped { 0 } else { count }));
    }
}

#[test]
fn a_message_that_cannot_be_read_or_whose_work_is_not_done_costs_the_link_and_no_question() {
    let (kit, _, block) = ready(106, 2);
    let lazy = |mut block: Block| {
        while block.header.target.decode().unwrap().is_met_by(&block.id()) {
            block.header.nonce += 1;
        }
        block
    };
    // Work comes before all other questions: who it belongs to, and whether its time has come.
    let mut stray = block.clone();
    stray.header.prev = BlockId([7; 32]);
    let mut early = block.clone();
    early.header.time_ms += 100 * kit.params.future_limit_ms;
    let easy = kit.forge(&kit.params.genesis(), vec![], |header| {
        header.target = medring_protocol::pow::CompactTarget(0x207f_fffe);
    });
    let mut junk = compact(&kit, &block);
    junk.pop();
    let lazy = [block.clone(), stray, early].map(|block| compact(&kit, &lazy(block)));
    for bytes in lazy.into_iter().chain([compact(&kit, &easy), junk]) {
        let (_, mut node, _) = ready(106, 2);
        let headers = node.core.snapshot().tables.headers;
        let message = node.hear(EVE, bytes);
        assert_eq!(node.verdict_on(message), Some(Verdict::Reject));
        assert!(node.is_dropped(EVE) && asked_for_blocks(&mut node, EVE).is_empty());
        assert_eq!(node.core.snapshot().tables.headers, headers, "it leaves no trace");
    }
}

/// ```text
/// genesis ─ e ─ 1 ─ … ─ 150
///             └ low (one record nobody has)
///                          └ tie, on 149
/// ```
#[test]
fn an_announcement_without_more_work_than_ours_is_ignored_and_nothing_is_asked() {
    let (kit, mut node, low) = ready(107, 1);
    let parent = node.core.tree().get(&low.header.prev).unwrap().header;
    let chain = branch(&kit, &parent, 150, 2);
    for block in &chain {
        node.hear(BOB, compact(&kit, block));
    }
    assert_eq!(node.tip(), chain[149].id());
    let tie = kit.block(&chain[148].header, low.records.clone(), 3);
    for (block, stored) in [(&low, 0), (&tie, 1)] {
        let headers = node.core.snapshot().tables.headers;
        let message = node.hear(EVE, compact(&kit, block));
        assert_eq!(node.verdict_on(message), Some(Verdict::Ignore));
        assert!(node.asked(EVE).iter().all(|(_, r)| matches!(r, Request::Pool)), "nothing is asked");
        assert_eq!(node.core.snapshot().tables.headers, headers + stored);
        assert!(!node.is_dropped(EVE));
    }
}

#[test]
fn an_announcement_on_an_unknown_parent_makes_us_ask_for_headers() {
    let (kit, mut node, block) = ready(108, 0);
    let chain = branch(&kit, &block.header, 2, 1);
    let message = node.hear(EVE, compact(&kit, &chain[1]));
    assert_eq!(node.verdict_on(message), Some(Verdict::Ignore));
    let asked = node.asked(EVE);
    assert!(asked.iter().any(|(_, r)| matches!(r, Request::Headers { .. })), "{asked:?}");
    assert_eq!(node.core.snapshot().tables.compact_blocks, 0);
}

#[test]
fn a_stalling_peer_loses_its_turn_to_the_next_that_gossiped_the_block() {
    let (kit, mut node, block) = ready(109, 2);
    let message = node.hear(EVE, compact(&kit, &block));
    node.hear(BOB, compact(&kit, &block));
    let (late, _) = question(&mut node, EVE);
    node.pass(limits::RELAY_RECORDS_TIMEOUT_MS - 1);
    assert!(asked_for_blocks(&mut node, BOB).is_empty());
    node.pass(1);
    let (id, _) = question(&mut node, BOB);
    node.respond(BOB, id, Response::BlockRecords(block.records.clone()));
    assert_eq!((node.verdict_on(message), node.tip()), (Some(Verdict::Accept), block.id()));
    node.respond(EVE, late, Response::BlockRecords(block.records.clone()));
    assert!(!node.is_dropped(EVE), "slow is no fault, and what comes late is nobody's");
}

/// Else whoever gossips false short ids and then keeps silent makes honest nodes blame each other (seed 5 of the simulator).
#[test]
fn who_gossiped_other_short_ids_is_asked_for_the_whole_block() {
    let (kit, mut node, block) = ready(117, 2);
    let mut longer = block.clone();
    longer.records.push(kit.record(Kind::Ehr, 7, 2));
    node.hear(EVE, compact(&kit, &longer));
    node.hear(BOB, compact(&kit, &block));
    question(&mut node, EVE);
    node.pass(limits::RELAY_RECORDS_TIMEOUT_MS);
    let (id, request) = question(&mut node, BOB);
    assert_eq!(request, Request::Blocks { ids: vec![block.id()] });
    node.respond(BOB, id, Response::Blocks(vec![block.clone()]));
    assert_eq!(node.tip(), block.id());
    assert!(!node.is_dropped(BOB));
}

#[test]
fn a_link_that_dies_passes_the_turn_on_at_once() {
    let (kit, mut node, block) = ready(110, 2);
    node.hear(EVE, compact(&kit, &block));
    node.hear(BOB, compact(&kit, &block));
    question(&mut node, EVE);
    node.input(Input::Disconnected { peer: EVE });
    let (id, _) = question(&mut node, BOB);
    node.respond(BOB, id, Response::BlockRecords(block.records.clone()));
    assert_eq!(node.tip(), block.id());
}

#[test]
fn when_nobody_gives_the_records_the_message_is_ignored_and_sync_fetches_the_block() {
    let (kit, mut node, block) = ready(111, 2);
    let message = node.hear(EVE, compact(&kit, &block));
    question(&mut node, EVE);
    node.pass(limits::RELAY_RECORDS_TIMEOUT_MS);
    assert_eq!(node.verdict_on(message), Some(Verdict::Ignore));
    let parent = medring_protocol::block::Block {
        header: node.core.tree().get(&block.header.prev).unwrap().header,
        records: vec![kit.enrol_all(1)],
    };
    let chain = [parent, block.clone()];
    node.serve(EVE, &chain);
    let status = Status { version: 2, ..status(&node.config, &block.header, 1_000) };
    node.input(Input::Status { peer: EVE, status });
    node.pass(limits::GOSSIP_GRACE_MS);
    node.serve(EVE, &chain);
    assert_eq!(node.tip(), block.id());
}

/// Among 256 records in the pool and 256 of the block one pair has the same short id of three bytes.
#[test]
fn a_short_id_collision_falls_back_to_the_whole_block_and_blames_nobody() {
    let (kit, mut node, block) = ready(112, 0);
    let parent = node.core.tree().get(&block.header.prev).unwrap().header;
    let pooled: Vec<Record> = (1_000..1_256).map(|n| kit.record(Kind::Ehr, n, 2)).collect();
    for record in &pooled {
        node.gossip(BOB, Topic::Records, record.encode());
    }
    let records: Vec<Record> = (0..256).map(|n| kit.record(Kind::Ehr, n, 2)).collect();
    let wires: Vec<WireId> = records.iter().map(|r| r.wire_id(&kit.chain)).collect();
    let known: Vec<_> = pooled.iter().map(|r| (r.wire_id(&kit.chain), std::sync::Arc::new(r.clone()))).collect();
    let (block, message) = (0..20_000)
        .find_map(|tag: u64| {
            let block = kit.forge(&parent, records.clone(), |h| h.miner_tag[8..].copy_from_slice(&tag.to_be_bytes()));
            let compact = CompactBlock::with_id_length(&block, &wires, |_| false, 3);
            let at_hand = known.iter().map(|(wire, record)| (*wire, record));
            let fits = medring_protocol::compact::Assembly::new(&kit.chain, &compact, at_hand);
            (fits.missing().len() < 256).then(|| (block, compact.encode()))
        })
        .expect("one block in 256 has such a pair");
    let message = node.hear(EVE, message);
    let (id, request) = question(&mut node, EVE);
    let Request::BlockRecords { indexes, .. } = request else { panic!("{request:?}") };
    let missing = indexes.iter().map(|place| block.records[usize::from(*place)].clone()).collect();
    node.respond(EVE, id, Response::BlockRecords(missing));
    assert_eq!(node.verdict_on(message), None);
    assert!(!node.core.tree().get(&block.id()).unwrap().invalid, "a root that does not fit condemns nothing");
    let (id, request) = question(&mut node, EVE);
    assert_eq!(request, Request::Blocks { ids: vec![block.id()] });
    node.respond(EVE, id, Response::Blocks(vec![block.clone()]));
    assert_eq!((node.verdict_on(message), node.tip()), (Some(Verdict::Accept), block.id()));
    assert!(!node.is_dropped(EVE));
}

#[test]
fn false_short_ids_under_a_good_header_cost_their_forwarder_the_link_and_the_block_nothing() {
    let (kit, mut node, block) = ready(113, 2);
    let lie = CompactBlock::new(&block, &[WireId([1; 32]), WireId([2; 32])], |_| false).encode();
    let message = node.hear(EVE, lie);
    node.hear(BOB, compact(&kit, &block));
    let (id, _) = question(&mut node, EVE);
    // Eve gives what it promised, which is not the block.
    node.respond(EVE, id, Response::BlockRecords(vec![kit.record(Kind::Emr, 8, 2), kit.record(Kind::Emr, 9, 2)]));
    let (id, _) = question(&mut node, EVE);
    let mut other = block.clone();
    other.records[0] = kit.record(Kind::Emr, 8, 2);
    node.respond(EVE, id, Response::Blocks(vec![other]));
    assert!(node.is_dropped(EVE), "another body under a good header");
    assert!(!node.core.tree().get(&block.id()).unwrap().invalid);
    let (id, request) = question(&mut node, BOB);
    assert_eq!(request, Request::Blocks { ids: vec![block.id()] });
    node.respond(BOB, id, Response::Blocks(vec![block.clone()]));
    assert_eq!(node.tip(), block.id());
    assert_eq!(node.verdict_on(message), Some(Verdict::Reject), "now it shows that the message was false");
    assert!(!node.is_dropped(BOB));
}

#[test]
fn an_invalid_block_is_blamed_on_its_forwarder_and_never_fetched_again() {
    let (kit, mut node, block) = ready(114, 1);
    let parent = node.core.tree().get(&block.header.prev).unwrap().header;
    let twice = kit.block(&parent, vec![block.records[0].clone(), block.records[0].clone()], 7);
    let message = node.hear(EVE, compact(&kit, &twice));
    let (id, _) = question(&mut node, EVE);
    node.respond(EVE, id, Response::BlockRecords(twice.records.clone()));
    assert!(node.is_dropped(EVE));
    assert!(matches!(node.verdict_on(message), Some(Verdict::Reject | Verdict::Ignore)));
    assert!(node.core.tree().get(&twice.id()).unwrap().invalid);
    let again = node.hear(BOB, compact(&kit, &twice));
    assert_eq!(node.verdict_on(again), Some(Verdict::Reject));
    assert!(asked_for_blocks(&mut node, BOB).is_empty());
}

#[test]
fn at_most_eight_blocks_wait_for_records() {
    let (kit, mut node, block) = ready(115, 1);
    let parent = node.core.tree().get(&block.header.prev).unwrap().header;
    for tag in (0_u8..).take(limits::RELAY_BLOCKS_MAX + 3) {
        let rival = kit.block(&parent, vec![kit.record(Kind::Ehr, u64::from(tag), 2)], tag);
        node.hear(EVE, compact(&kit, &rival));
    }
    assert_eq!(node.core.snapshot().tables.compact_blocks, limits::RELAY_BLOCKS_MAX);
    assert_eq!(asked_for_blocks(&mut node, EVE).len(), limits::RELAY_BLOCKS_MAX);
}

/// A status that names a block which gossip is bringing is no reason to fetch it whole.
#[test]
fn a_peers_next_block_is_awaited_from_gossip_before_it_is_asked_for() {
    let (kit, mut node, block) = ready(116, 1);
    let message = node.hear(EVE, compact(&kit, &block));
    let (id, _) = question(&mut node, EVE);
    let told = Status { version: 2, ..status(&node.config, &block.header, 1_000) };
    node.input(Input::Status { peer: BOB, status: told });
    node.pass(limits::GOSSIP_GRACE_MS);
    let headers = node.asked(BOB);
    for (id, request) in headers {
        let chain = [block.clone()];
        if matches!(request, Request::Headers { .. }) {
            node.respond(BOB, id, Response::Headers(chain.iter().map(|b| b.header).collect()));
        }
    }
    assert!(asked_for_blocks(&mut node, BOB).is_empty(), "its records are on their way");
    node.respond(EVE, id, Response::BlockRecords(block.records.clone()));
    assert_eq!((node.verdict_on(message), node.tip()), (Some(Verdict::Accept), block.id()));

    let next = kit.block(&block.header, vec![], 1);
    let told = Status { version: 2, ..status(&node.config, &next.header, 2_000) };
    node.input(Input::Status { peer: BOB, status: told });
    assert!(node.asked(BOB).iter().all(|(_, r)| matches!(r, Request::Pool)), "gossip has a second to bring it");
    node.pass(limits::GOSSIP_GRACE_MS);
    node.serve(BOB, &[block, next.clone()]);
    assert_eq!(node.tip(), next.id());
}

#[test]
fn a_clock_set_back_does_not_keep_a_block_waiting() {
    let (kit, mut node, block) = ready(117, 1);
    node.now_ms += 5_000_000;
    node.input(Input::Tick);
    let message = node.hear(EVE, compact(&kit, &block));
    question(&mut node, EVE);
    node.now_ms -= 4_000_000;
    node.input(Input::Tick);
    node.pass(limits::RELAY_RECORDS_TIMEOUT_MS);
    assert_eq!(node.verdict_on(message), Some(Verdict::Ignore));
}

/// Two headers have more work than our next block; their blocks never come.
#[test]
fn a_header_whose_block_is_kept_back_does_not_silence_ours() {
    let (kit, mut node, block) = ready(118, 1);
    let child = kit.block(&block.header, vec![kit.record(Kind::Ehr, 7, 3)], 1);
    node.hear(EVE, compact(&kit, &block));
    node.hear(EVE, compact(&kit, &child));
    let ours = node.mine();
    assert_eq!(node.tip(), ours.id());
    assert_eq!(node.core.tree().best_header(), child.id(), "which has more work");
    let published = |o: &Output| matches!(o, Output::Publish { topic: Topic::CompactBlocks, .. });
    assert!(node.out.iter().any(published), "and ours is gossiped all the same");
}
