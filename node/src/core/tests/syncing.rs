//! Catching up with others: batches, stallers, peers without the bodies they promised.

use super::*;

#[test]
fn a_node_that_starts_empty_fetches_hundreds_of_blocks() {
    let kit = Kit::new(21);
    let chain = branch(&kit, &kit.params.genesis(), 2_300, 1);
    let mut full = Alone::new(&kit);
    full.meet(EVE, &chain[2_299].header, u64::MAX);
    full.serve(EVE, &chain);
    full.input(Input::Disconnected { peer: EVE });
    full.taken();
    assert_eq!(full.tip(), chain[2_299].id());

    let mut world = World::new(vec![full, Alone::new(&kit)]);
    world.link(0, 1);
    // Its questions are answered within a bound per second.
    world.pass(20);
    assert_eq!(world.one_tip(), chain[2_299].id());
    let blocks = |e: &Event| matches!(e, Event::PeerFault { .. });
    assert!(!world.events.iter().flatten().any(blocks));
}

#[test]
fn sync_goes_on_where_a_restart_interrupted_it() {
    let kit = Kit::new(22);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[39].header, u64::MAX);
    // The pool, headers, 8 blocks, and no more.
    for _ in 0..2 {
        for (id, request) in node.asked(EVE) {
            if node.core.snapshot().height == 0 {
                let response = Ok(answer(&node.config, &chain, &request));
                node.input(Input::Response { peer: EVE, id, response });
            }
        }
    }
    assert_eq!(node.core.snapshot().height, 8);
    let mut node = node.restarted();
    assert_eq!((node.core.snapshot().height, node.core.snapshot().headers_height), (8, 40));
    node.meet(EVE, &chain[39].header, u64::MAX);
    let asked = node.asked_bodies(EVE);
    assert_eq!(asked.iter().flatten().next(), Some(&chain[8].id()), "nothing is asked for twice");
    assert!(node.headers_asked(EVE).is_none(), "the headers are here");
    node.pass(limits::REQUEST_TIMEOUT_MS);
    node.input(Input::Disconnected { peer: EVE });
    node.meet(BOB, &chain[39].header, u64::MAX);
    node.serve(BOB, &chain);
    assert_eq!(node.tip(), chain[39].id());
}

#[test]
fn a_peer_that_stalls_is_replaced() {
    let kit = Kit::new(23);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[39].header, u64::MAX);
    node.asked(EVE);
    node.meet(BOB, &chain[39].header, 40);
    let headers = |asked: Vec<(RequestId, Request)>| asked.iter().any(|(_, r)| matches!(r, Request::Headers { .. }));
    assert!(!headers(node.asked(BOB)), "one peer at a time");
    node.pass(limits::REQUEST_TIMEOUT_MS);
    node.serve(BOB, &chain);
    assert_eq!(node.tip(), chain[39].id());
    assert!(!node.is_dropped(EVE), "slow is no fault");
}

#[test]
fn a_request_in_flight_when_the_link_dies_is_free_again() {
    let kit = Kit::new(24);
    let chain = branch(&kit, &kit.params.genesis(), 40, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[39].header, u64::MAX);
    let (headers_id, request) =
        node.asked(EVE).into_iter().find(|(_, r)| matches!(r, Request::Headers { .. })).unwrap();
    let response = Ok(answer(&node.config, &chain, &request));
    node.input(Input::Response { peer: EVE, id: headers_id, response });
    assert!(node.asked(EVE).iter().any(|(_, r)| matches!(r, Request::Blocks { .. })));
    node.input(Input::Disconnected { peer: EVE });
    node.meet(BOB, &chain[39].header, u64::MAX);
    node.serve(BOB, &chain);
    assert_eq!(node.tip(), chain[39].id());
}

#[test]
fn bodies_out_of_reach_do_not_wedge_sync() {
    let kit = Kit::new(25);
    let genesis = kit.params.genesis();
    let (promised, real) = (branch(&kit, &genesis, 60, 1), branch(&kit, &genesis, 30, 2));
    let mut node = Alone::new(&kit);
    node.meet(EVE, &promised[59].header, u64::MAX);
    // Eve gives headers and no bodies.
    for _ in 0..4 {
        node.serve_headers_only(EVE, &promised);
    }
    assert_eq!(node.core.snapshot().headers_height, 60);
    node.meet(BOB, &real[29].header, 1_000);
    node.serve(BOB, &real);
    assert_eq!(node.tip(), real[29].id(), "a lighter branch that is there beats a heavier one that is not");
    // One "not found" is not for ever.
    for _ in 0..10 {
        node.pass(10_000);
        node.serve(EVE, &promised);
    }
    assert_eq!(node.tip(), promised[59].id());
}

#[test]
fn headers_beyond_the_future_limit_are_not_taken_and_not_blamed() {
    let kit = Kit::new(26);
    let mut chain = branch(&kit, &kit.params.genesis(), 10, 1);
    let mut node = Alone::new(&kit);
    let ahead = node.now_ms + 60_000;
    chain.push(kit.forge(&chain[9].header, vec![], |header| header.time_ms = ahead));
    node.meet(EVE, &chain[10].header, u64::MAX);
    node.serve(EVE, &chain);
    assert_eq!(node.tip(), chain[9].id());
    assert_eq!(node.core.snapshot().headers_height, 10);
    assert!(!node.is_dropped(EVE));
    for _ in 0..70 {
        node.pass(1_000);
        node.serve(EVE, &chain);
    }
    assert_eq!(node.tip(), chain[10].id());
}

#[test]
fn bodies_that_came_before_their_time_are_not_asked_for_again_and_again() {
    let kit = Kit::new(27);
    let chain = branch(&kit, &kit.params.genesis(), 10, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[9].header, u64::MAX);
    let (id, request) = node.asked(EVE).into_iter().find(|(_, r)| matches!(r, Request::Headers { .. })).unwrap();
    let response = Ok(answer(&node.config, &chain, &request));
    node.input(Input::Response { peer: EVE, id, response });
    // Between headers and bodies this machine's clock is set back.
    node.now_ms -= 60_000;
    for _ in 0..5 {
        node.pass(1_000);
        for (id, request) in node.asked(EVE) {
            let response = Ok(answer(&node.config, &chain, &request));
            node.input(Input::Response { peer: EVE, id, response });
        }
    }
    assert!(node.asked(EVE).is_empty());
    assert_eq!(node.core.snapshot().tables.future_blocks, 10);
    node.pass(60_000);
    assert_eq!(node.tip(), chain[9].id());
}
