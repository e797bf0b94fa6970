//! Bodies: from whom, how many, and what becomes of those that do not come.

use super::*;
use std::collections::BTreeSet;

const CAROL: Peer = Peer(902);

/// A core that knows the headers of `chain` and of two peers who have it.
fn ready(kit: &Kit, chain: &[Block], peers: &[Peer]) -> Alone {
    let tip = &chain.last().unwrap().header;
    let mut node = Alone::new(kit);
    for peer in peers {
        node.meet(*peer, tip, u64::MAX);
    }
    while let Some((asked, (id, locator))) = peers.iter().find_map(|peer| Some((*peer, node.headers_asked(*peer)?))) {
        let response = answer(&node.config, chain, &Request::Headers { locator });
        node.respond(asked, id, response);
    }
    node
}

fn bodies(chain: &[Block], ids: &[BlockId]) -> Response {
    Response::Blocks(ids.iter().filter_map(|id| chain.iter().find(|block| block.id() == *id).cloned()).collect())
}

#[test]
fn each_peer_is_asked_for_sixteen_bodies_none_twice_and_none_beyond_the_window() {
    let kit = Kit::new(70);
    let chain = branch(&kit, &kit.params.genesis(), 1_100, 1);
    let peers = [EVE, BOB, CAROL];
    let mut node = ready(&kit, &chain, &peers);
    let mut seen = BTreeSet::new();
    let asked: Vec<_> = peers.iter().map(|peer| node.bodies_asked(*peer)).collect();
    for (_, ids) in asked.iter().flatten() {
        assert!(ids.iter().all(|id| seen.insert(*id)), "no body is asked of two peers");
    }
    let per_peer: Vec<usize> = asked.iter().map(|asks| asks.iter().map(|(_, ids)| ids.len()).sum()).collect();
    assert_eq!(per_peer, [16, 16, 16]);
    let lowest: BTreeSet<BlockId> = chain[..48].iter().map(Block::id).collect();
    assert_eq!(seen, lowest, "the lowest ones first");

    // All but the lowest block come: the window ends 1,024 blocks from it.
    let mut queue: Vec<_> =
        peers.iter().zip(asked).flat_map(|(peer, asks)| asks.into_iter().map(|a| (*peer, a))).collect();
    let mut kept = None;
    while let Some((peer, (id, ids))) = queue.pop() {
        if ids.contains(&chain[0].id()) {
            kept = Some((peer, id, ids));
            continue;
        }
        node.respond(peer, id, bodies(&chain, &ids));
        for peer in peers {
            queue.extend(node.bodies_asked(peer).into_iter().map(|asked| (peer, asked)));
        }
        assert!(node.core.snapshot().tables.held_blocks <= limits::SYNC_WINDOW_BLOCKS);
    }
    assert_eq!(node.core.snapshot().tables.held_blocks, limits::SYNC_WINDOW_BLOCKS - 8);
    assert_eq!(node.core.snapshot().height, 0);
    let (peer, id, ids) = kept.unwrap();
    node.respond(peer, id, bodies(&chain, &ids));
    assert_eq!(node.core.snapshot().height, 1_024);
    for peer in peers {
        node.serve(peer, &chain);
    }
    assert_eq!(node.tip(), chain[1_099].id());
}

#[test]
fn bodies_wait_until_whoever_claims_most_work_has_shown_its_headers() {
    let kit = Kit::new(71);
    let genesis = kit.params.genesis();
    let (light, heavy) = (branch(&kit, &genesis, 60, 1), branch(&kit, &genesis, 80, 2));
    let mut node = Alone::new(&kit);
    node.meet(BOB, &light[59].header, 100);
    let (id, locator) = node.headers_asked(BOB).unwrap();
    node.meet(EVE, &heavy[79].header, 200);
    let response = answer(&node.config, &light, &Request::Headers { locator });
    node.respond(BOB, id, response);
    assert!(node.asked_bodies(BOB).is_empty(), "Eve may have more");
    node.serve(EVE, &heavy);
    assert_eq!(node.tip(), heavy[79].id());
    assert!(node.asked_bodies(BOB).is_empty(), "nothing of the lighter branch was fetched");

    // One that does not show them holds nobody up for long.
    let mut node = Alone::new(&kit);
    node.meet(BOB, &light[59].header, 100);
    let (id, locator) = node.headers_asked(BOB).unwrap();
    node.meet(EVE, &heavy[79].header, 200);
    let response = answer(&node.config, &light, &Request::Headers { locator });
    node.respond(BOB, id, response);
    node.pass(limits::HEADERS_FIRST_MS);
    node.serve(BOB, &light);
    assert_eq!(node.tip(), light[59].id());
}

#[test]
fn a_peer_that_holds_the_others_up_loses_its_slot_after_a_limit_that_adapts() {
    let kit = Kit::new(72);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = ready(&kit, &chain, &[EVE, BOB]);
    // Whoever has the lowest block does not answer.
    let (slow, fast) = match node.bodies_asked(EVE) {
        asked if asked.iter().any(|(_, ids)| ids.contains(&chain[0].id())) => {
            node.serve(BOB, &chain);
            (EVE, BOB)
        }
        asked => {
            node.bodies_asked(BOB);
            for (id, ids) in asked {
                node.respond(EVE, id, bodies(&chain, &ids));
            }
            node.serve(EVE, &chain);
            (BOB, EVE)
        }
    };
    assert_eq!(node.core.snapshot().height, 0);
    node.pass(limits::STALL_MS - 1);
    assert!(node.bodies_asked(fast).is_empty());
    node.pass(1);
    node.serve(fast, &chain);
    assert_eq!(node.tip(), chain[39].id(), "the other one was asked for what is missing");
    assert!(!node.is_dropped(slow));

    // The next one that keeps others waiting gets twice the time.
    let more = branch(&kit, &chain[39].header, 1, 1);
    let whole: Vec<Block> = chain.iter().chain(&more).cloned().collect();
    node.pass(limits::BACKOFF_MAX_MS);
    node.taken();
    for peer in [slow, fast] {
        node.input(Input::Status { peer, status: status(&node.config, &more[0].header, u64::MAX) });
    }
    node.pass(limits::GOSSIP_GRACE_MS);
    let asked = [slow, fast].into_iter().find_map(|peer| Some((peer, node.headers_asked(peer)?)));
    let (peer, (id, locator)) = asked.expect("one of them is asked for the header");
    let response = answer(&node.config, &whole, &Request::Headers { locator });
    node.respond(peer, id, response);
    let (first, second) = match node.bodies_asked(slow).is_empty() {
        true => (fast, slow),
        false => (slow, fast),
    };
    node.bodies_asked(first);
    node.pass(limits::STALL_MS);
    assert!(node.bodies_asked(second).is_empty(), "the limit has grown");
    node.pass(limits::STALL_MS);
    node.serve(second, &whole);
    assert_eq!(node.tip(), more[0].id());
}

#[test]
fn one_not_found_makes_no_block_unreachable() {
    let kit = Kit::new(73);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = ready(&kit, &chain, &[EVE]);
    for (id, _) in node.bodies_asked(EVE) {
        node.respond(EVE, id, Response::Blocks(vec![]));
    }
    assert!(node.bodies_asked(EVE).is_empty(), "not at once");
    node.pass(4 * limits::BACKOFF_MS);
    node.serve(EVE, &chain);
    assert_eq!(node.tip(), chain[39].id(), "but soon, also of the same peer");
}

#[test]
fn what_an_answer_leaves_out_is_asked_for_again() {
    let kit = Kit::new(74);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = ready(&kit, &chain, &[EVE]);
    // Answers cut after three blocks, as long ones are.
    for _ in 0..40 {
        for (id, ids) in node.bodies_asked(EVE) {
            node.respond(EVE, id, bodies(&chain, &ids[..ids.len().min(3)]));
        }
    }
    assert_eq!(node.tip(), chain[39].id());
}

/// ```text
/// genesis ─ enrol ─ 7 empty ─ 12 of a megabyte ─ 300 empty
///           └─ withheld ─┘
/// ```
#[test]
fn bodies_held_and_on_their_way_are_bounded_in_bytes() {
    let kit = Kit::new(75);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let mut chain: Vec<Block> = [first.clone()].into_iter().chain(branch(&kit, &first.header, 7, 1)).collect();
    for height in 9..=20u64 {
        let parent = chain.last().unwrap().header;
        let records = (0..15).map(|n| kit.record_of(Kind::Ehr, height * 100 + n, height, 64 * 1024)).collect();
        chain.push(kit.forge(&parent, records, |header| header.time_ms = parent.time_ms + 1));
    }
    chain.extend(branch(&kit, &chain[19].header, 300, 1));
    let peers: Vec<Peer> = (0..12).map(|n| Peer(910 + n)).collect();
    let mut node = ready(&kit, &chain, &peers);
    let (mut queue, mut held) = (Vec::new(), 0);
    loop {
        for peer in &peers {
            queue.extend(node.bodies_asked(*peer).into_iter().map(|asked| (*peer, asked)));
        }
        let bytes = held + queue.len() * wire_limits::RESPONSE_BYTES_MAX;
        assert!(bytes <= limits::SYNC_BYTES_MAX, "{held} bytes and {} answers", queue.len());
        let at = queue.iter().position(|(_, (_, ids))| !ids.contains(&chain[0].id()));
        let Some((peer, (id, ids))) = at.map(|at| queue.remove(at)) else { break };
        let Response::Blocks(mut blocks) = bodies(&chain, &ids) else { unreachable!() };
        // An answer has room for four blocks of a megabyte.
        let big = blocks.iter().any(|block| !block.records.is_empty());
        blocks.truncate(if big { 3 } else { 8 });
        held += blocks.iter().map(Block::records_len).sum::<usize>();
        node.respond(peer, id, Response::Blocks(blocks));
    }
    assert!(held > 8 << 20, "{held} bytes are held");
    for (peer, (id, ids)) in queue {
        node.respond(peer, id, bodies(&chain, &ids));
    }
    for peer in &peers {
        node.serve(*peer, &chain);
    }
    assert_eq!(node.tip(), chain[319].id());
}

#[test]
fn another_body_under_the_header_cancels_no_download() {
    let kit = Kit::new(76);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let mut chain = vec![first];
    chain.push(kit.block(&chain[0].header, vec![kit.record(Kind::Ehr, 1, 2)], 1));
    chain.push(kit.block(&chain[1].header, vec![], 1));
    let mut node = Alone::new(&kit);
    node.now_ms += 60_000;
    node.meet(BOB, &chain[2].header, u64::MAX);
    let (id, locator) = node.headers_asked(BOB).unwrap();
    let response = answer(&node.config, &chain, &Request::Headers { locator });
    node.respond(BOB, id, response);
    let asked = node.bodies_asked(BOB);
    node.meet(EVE, &chain[0].header, 0);
    let mut mutated = chain[1].clone();
    mutated.records[0] = kit.record(Kind::Ehr, 2, 2);
    assert_eq!(node.gossip_block(EVE, &mutated), Verdict::Reject, "though its parent is missing");
    assert!(node.is_dropped(EVE));
    for (id, ids) in asked {
        node.respond(BOB, id, bodies(&chain, &ids));
    }
    assert_eq!(node.tip(), chain[2].id());
}

#[test]
fn progress_is_told() {
    let kit = Kit::new(77);
    let chain = branch(&kit, &kit.params.genesis(), 100, 1);
    let mut node = Alone::new(&kit);
    assert_eq!(node.core.snapshot().sync.phase, SyncPhase::Idle);
    node.meet(EVE, &chain[99].header, u64::MAX);
    assert_eq!(node.core.snapshot().sync.phase, SyncPhase::Headers);
    let (id, locator) = node.headers_asked(EVE).unwrap();
    let response = answer(&node.config, &chain, &Request::Headers { locator });
    node.respond(EVE, id, response);
    for _ in 0..5 {
        for (id, ids) in node.bodies_asked(EVE) {
            node.respond(EVE, id, bodies(&chain, &ids));
        }
        node.pass(1_000);
    }
    let sync = node.core.snapshot().sync;
    assert_eq!((sync.phase, sync.bodies, sync.bodies_total, sync.to, sync.peers), (SyncPhase::Bodies, 80, 100, 100, 1));
    assert_eq!((sync.blocks_per_second, sync.left_ms), (16, Some(1_250)));
}
