//! Headers: whose are asked for, which are stored, and what a branch must show before it costs memory.

use super::*;
use medring_protocol::pow::Work;

/// So much work as `blocks` blocks of the kit have.
fn work_of(kit: &Kit, blocks: u64) -> Work {
    kit.params.genesis_target.decode().unwrap().work().times(blocks)
}

/// A core that stores no branch with less work than `blocks` blocks have.
fn demanding(kit: &Kit, blocks: u64) -> Alone {
    let config = CoreConfig { min_work: work_of(kit, blocks), ..CoreConfig::new(kit.params.clone()) };
    Alone::with(config, MemoryEngine::new(), u64::MAX, GENESIS_TIME_MS + 5_000)
}

fn headers_of(chain: &[Block]) -> Vec<Header> {
    chain.iter().map(|block| block.header).collect()
}

#[test]
fn headers_come_two_thousand_at_a_time_and_not_more() {
    let kit = Kit::new(60);
    let chain = branch(&kit, &kit.params.genesis(), 2_001, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[2_000].header, u64::MAX);
    node.serve(EVE, &chain);
    node.taken();
    let request = Request::Headers { locator: vec![kit.params.genesis().id()] };
    node.input(Input::Request { peer: EVE, id: RequestId(9), request });
    let given = node.taken().into_iter().find_map(|output| match output {
        Output::Respond { response: Response::Headers(headers), .. } => Some(headers.len()),
        _ => None,
    });
    assert_eq!(given, Some(2_000));

    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[2_000].header, u64::MAX);
    let (id, _) = node.headers_asked(EVE).unwrap();
    node.respond(EVE, id, Response::Headers(headers_of(&chain)));
    assert!(node.is_dropped(EVE), "2,001 headers at once");
    assert_eq!(node.core.snapshot().tables.headers, 1);
}

#[test]
fn a_branch_with_too_little_work_is_weighed_and_never_stored() {
    let kit = Kit::new(61);
    let chain = branch(&kit, &kit.params.genesis(), 4_100, 1);
    let mut node = demanding(&kit, 4_101);
    node.meet(EVE, &chain[4_099].header, u64::MAX);
    let mut messages = 0;
    while let Some((id, locator)) = node.headers_asked(EVE) {
        let response = answer(&node.config, &chain, &Request::Headers { locator });
        node.respond(EVE, id, response);
        messages += 1;
        assert_eq!(node.core.snapshot().tables.headers, 1, "after message {messages}");
    }
    assert_eq!(messages, 3, "all of it was looked at, once");
    assert!(!node.is_dropped(EVE) && node.asked_bodies(EVE).is_empty());
    assert_eq!(node.core.store().stored_header(&chain[0].id()).unwrap(), None, "nor on disk");
}

#[test]
fn a_branch_that_shows_enough_work_is_asked_for_again_and_stored() {
    let kit = Kit::new(62);
    let chain = branch(&kit, &kit.params.genesis(), 4_100, 1);
    let mut node = demanding(&kit, 4_050);
    node.meet(EVE, &chain[4_099].header, u64::MAX);
    let mut stored = Vec::new();
    while let Some((id, locator)) = node.headers_asked(EVE) {
        let response = answer(&node.config, &chain, &Request::Headers { locator });
        node.respond(EVE, id, response);
        stored.push(node.core.snapshot().tables.headers - 1);
    }
    assert_eq!(stored, [0, 0, 0, 2_000, 4_000, 4_100]);
    let mut node = node.restarted();
    node.meet(BOB, &chain[4_099].header, u64::MAX);
    node.serve(BOB, &chain);
    assert_eq!(node.tip(), chain[4_099].id());
}

/// ```text
/// genesis ─ 4,000 headers: shown
///         └ 2,000 others: given when they are asked for again
/// ```
#[test]
fn a_branch_that_is_another_the_second_time_is_not_stored() {
    let kit = Kit::new(63);
    let genesis = kit.params.genesis();
    let (shown, other) = (branch(&kit, &genesis, 4_000, 1), branch(&kit, &genesis, 2_000, 2));
    let mut node = demanding(&kit, 4_000);
    node.meet(EVE, &shown[3_999].header, u64::MAX);
    for chain in [&shown, &shown, &other] {
        let (id, locator) = node.headers_asked(EVE).unwrap();
        let response = answer(&node.config, chain, &Request::Headers { locator });
        node.respond(EVE, id, response);
    }
    assert_eq!(node.core.snapshot().tables.headers, 1);
    assert!(node.headers_asked(EVE).is_none() && !node.is_dropped(EVE), "it may have moved to another branch");
}

#[test]
fn what_is_weighed_keeps_to_the_rules() {
    let kit = Kit::new(64);
    let mut chain = branch(&kit, &kit.params.genesis(), 2_000, 1);
    let bad = kit.forge(&chain[1_998].header, vec![], |header| header.time_ms = chain[1_998].header.time_ms);
    chain[1_999] = bad;
    let mut node = demanding(&kit, 5_000);
    node.meet(EVE, &chain[1_999].header, u64::MAX);
    let (id, _) = node.headers_asked(EVE).unwrap();
    node.respond(EVE, id, Response::Headers(headers_of(&chain)));
    assert!(node.is_dropped(EVE), "a stamp that is not above its parent's");
}

/// Their work does not add up: nothing of them is stored.
#[test]
fn headers_that_do_not_follow_each_other_cost_the_link() {
    let kit = Kit::new(69);
    let genesis = kit.params.genesis();
    let (some, others) = (branch(&kit, &genesis, 5, 1), branch(&kit, &genesis, 5, 2));
    let mut node = demanding(&kit, 10);
    node.meet(EVE, &others[4].header, u64::MAX);
    let (id, _) = node.headers_asked(EVE).unwrap();
    node.respond(EVE, id, Response::Headers([headers_of(&some), headers_of(&others)].concat()));
    assert!(node.is_dropped(EVE));
    assert_eq!(node.core.snapshot().tables.headers, 1);
}

/// ```text
/// genesis ─ 150 blocks: our chain
///         └ 151 of more work
/// ```
#[test]
fn gossip_with_too_little_work_is_ignored_and_a_fork_with_more_is_taken() {
    let kit = Kit::new(65);
    let genesis = kit.params.genesis();
    let (ours, fork) = (branch(&kit, &genesis, 150, 1), branch(&kit, &genesis, 151, 2));
    let mut node = Alone::new(&kit);
    node.meet(EVE, &ours[149].header, u64::MAX);
    node.serve(EVE, &ours);
    let headers = node.core.snapshot().tables.headers;
    assert_eq!(node.gossip_block(EVE, &fork[0]), Verdict::Ignore);
    assert_eq!(node.core.snapshot().tables.headers, headers, "no trace of it");
    node.meet(BOB, &fork[150].header, u64::MAX);
    node.serve(BOB, &fork);
    assert_eq!(node.tip(), fork[150].id());

    let mut young = demanding(&kit, 10);
    young.meet(EVE, &genesis, 0);
    assert_eq!(young.gossip_block(EVE, &ours[0]), Verdict::Ignore, "below the operator's minimum");
    assert_eq!(young.core.snapshot().tables.headers, 1);
}

#[test]
fn one_peer_is_asked_for_headers_at_first_and_another_when_it_comes_to_no_end() {
    let kit = Kit::new(66);
    let chain = branch(&kit, &kit.params.genesis(), 5, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[4].header, u64::MAX);
    node.meet(BOB, &chain[4].header, 1_000);
    let (slow, _) = node.headers_asked(EVE).unwrap();
    assert!(node.headers_asked(BOB).is_none(), "one at a time");
    node.pass(limits::HEADERS_PATIENCE_MS - 1);
    assert!(node.headers_asked(BOB).is_none());
    node.pass(1);
    let (id, _) = node.headers_asked(BOB).expect("its turn");
    node.respond(BOB, id, Response::Headers(headers_of(&chain)));
    assert_eq!(node.core.snapshot().headers_height, 5);
    node.respond(EVE, slow, Response::Headers(headers_of(&chain)));
    assert!(!node.is_dropped(EVE), "slow is no fault");
}

/// A peer that goes on giving cheap headers for ever loses its turn.
#[test]
fn a_run_of_headers_has_a_time_limit() {
    let kit = Kit::new(67);
    let chain = branch(&kit, &kit.params.genesis(), 16_000, 1);
    let mut node = demanding(&kit, 1_000_000);
    node.meet(EVE, &chain[15_999].header, u64::MAX);
    let (began_ms, mut messages, mut given_up) = (node.now_ms, 0, false);
    while let Some((id, locator)) = node.headers_asked(EVE) {
        // Asked from the beginning again: the first run is over.
        given_up = messages > 0 && locator.len() == 1;
        if given_up {
            break;
        }
        messages += 1;
        node.pass(limits::REQUEST_TIMEOUT_MS - 1);
        let response = answer(&node.config, &chain, &Request::Headers { locator });
        node.respond(EVE, id, response);
    }
    assert!(given_up, "all {messages} messages were taken");
    assert!(node.now_ms - began_ms < limits::HEADERS_TIME_MS + 2 * limits::REQUEST_TIMEOUT_MS);
    assert_eq!(node.core.snapshot().tables.headers, 1);
}

/// ```text
/// genesis ─ a1 ─ a2 ─ a3 ─ a4 ─ a5
///         └ b1 ─ b2 ─ b3             the checkpoint: b2
/// ```
#[test]
fn a_branch_against_a_checkpoint_is_refused_and_not_marked_invalid() {
    let kit = Kit::new(68);
    let genesis = kit.params.genesis();
    let (a, b) = (branch(&kit, &genesis, 5, 1), branch(&kit, &genesis, 3, 2));
    let mut node = Alone::new(&kit);
    node.meet(EVE, &a[4].header, u64::MAX);
    node.serve(EVE, &a);
    assert_eq!(node.tip(), a[4].id());

    // The operator now says which block stands at height 2.
    node.config.checkpoints = [(2, b[1].id())].into();
    let mut node = node.restarted();
    assert_eq!(node.tip(), a[0].id(), "what contradicts it is left");
    node.meet(BOB, &b[2].header, 6);
    node.serve(BOB, &b);
    assert_eq!(node.tip(), b[2].id());
    node.meet(EVE, &a[4].header, u64::MAX);
    node.serve(EVE, &a);
    assert_eq!(node.gossip_block(EVE, &kit.block(&a[4].header, vec![], 3)), Verdict::Ignore);
    assert_eq!(node.tip(), b[2].id());
    assert!(!node.is_dropped(EVE), "whose checkpoint is right is for people to find out");

    let mut fresh = Alone::new(&kit);
    fresh.config.checkpoints = node.config.checkpoints.clone();
    let mut fresh = fresh.restarted();
    fresh.meet(EVE, &a[4].header, u64::MAX);
    fresh.serve(EVE, &a);
    assert_eq!(fresh.tip(), genesis.id());
    assert!(fresh.core.tree().get(&a[1].id()).is_none());

    // Without the checkpoint nothing is remembered of it.
    node.config.checkpoints.clear();
    assert_eq!(node.restarted().tip(), a[4].id());
}
