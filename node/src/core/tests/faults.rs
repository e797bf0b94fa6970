//! Peers that break rules, networks that are not ours, disks that fail.

use super::*;

#[test]
fn a_wrong_network_is_named_on_both_sides() {
    let (kit, other) = (Kit::new(31), Kit::new(32));
    let mut world = World::new(vec![Alone::new(&kit), Alone::new(&other)]);
    world.link(0, 1);
    for (events, theirs) in world.events.iter().zip([&other, &kit]) {
        let named = |e: &Event| matches!(e, Event::WrongNetwork { theirs: status, .. } if status.chain == theirs.chain);
        assert!(events.iter().any(named));
    }
    assert!(world.nodes.iter().all(|node| node.core.snapshot().peers.is_empty()));
}

#[test]
fn nothing_is_served_or_asked_before_a_peer_says_where_it_stands() {
    let kit = Kit::new(33);
    let mut node = Alone::new(&kit);
    node.mine();
    node.input(Input::Connected { peer: EVE });
    node.taken();
    let locator = vec![kit.params.genesis().id()];
    let ask = |node: &mut Alone| {
        node.input(Input::Request {
            peer: EVE,
            id: RequestId(1),
            request: Request::Headers { locator: locator.clone() },
        });
        let answers = node.taken().into_iter().filter_map(|o| match o {
            Output::Respond { response: Response::Headers(headers), .. } => Some(headers.len()),
            _ => None,
        });
        answers.collect::<Vec<_>>()
    };
    assert_eq!(ask(&mut node), [0]);
    assert!(node.asked(EVE).is_empty());
    node.input(Input::Status { peer: EVE, status: status(&node.config, &kit.params.genesis(), 0) });
    assert_eq!(ask(&mut node), [1]);
    node.meet(BOB, &kit.params.genesis(), 0);
    node.input(Input::Disconnected { peer: BOB });
    node.input(Input::Connected { peer: BOB });
    node.taken();
    node.pass(limits::STATUS_TIMEOUT_MS);
    assert!(node.is_dropped(BOB), "a mute peer is dropped");
}

#[test]
fn answers_that_were_not_asked_for_cost_the_link() {
    let kit = Kit::new(34);
    let genesis = kit.params.genesis();
    let chain = branch(&kit, &genesis, 5, 1);
    let other = branch(&kit, &genesis, 5, 2);
    let gap = vec![chain[0].header, chain[2].header];
    let mut easy = chain[0].header;
    easy.height = 7;
    testkit::mine(&mut easy);
    let junk: [Response; 6] = [
        Response::Pool(vec![]),
        Response::Headers(vec![chain[0].header, other[0].header]),
        Response::Headers(gap),
        Response::Headers(vec![chain[3].header]),
        Response::Headers(vec![easy]),
        Response::Blocks(other.clone()),
    ];
    for response in junk {
        let mut node = Alone::new(&kit);
        node.meet(EVE, &chain[4].header, u64::MAX);
        let (id, _) = node.asked(EVE).into_iter().find(|(_, r)| matches!(r, Request::Headers { .. })).unwrap();
        node.input(Input::Response { peer: EVE, id, response: Ok(response.clone()) });
        assert!(node.is_dropped(EVE), "{response:?}");
        node.meet(BOB, &chain[4].header, u64::MAX);
        node.serve(BOB, &chain);
        assert_eq!(node.tip(), chain[4].id(), "the next peer is asked");
    }
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[4].header, u64::MAX);
    let asked = node.asked(EVE);
    let (id, request) = asked.iter().find(|(_, r)| matches!(r, Request::Headers { .. })).unwrap();
    let response = Ok(answer(&node.config, &chain, request));
    node.input(Input::Response { peer: EVE, id: *id, response });
    let (id, _) = node.asked(EVE).into_iter().find(|(_, r)| matches!(r, Request::Blocks { .. })).unwrap();
    node.input(Input::Response { peer: EVE, id, response: Ok(Response::Blocks(other)) });
    assert!(node.is_dropped(EVE));
}

#[test]
fn a_locator_of_101_entries_is_answered_and_one_of_102_costs_the_link() {
    let kit = Kit::new(35);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &kit.params.genesis(), 0);
    for (entries, dropped) in [(101, false), (102, true)] {
        let request = Request::Headers { locator: vec![kit.params.genesis().id(); entries] };
        node.input(Input::Request { peer: EVE, id: RequestId(7), request });
        assert_eq!(node.is_dropped(EVE), dropped);
    }
}

#[test]
fn a_header_that_breaks_a_rule_costs_the_link_and_leaves_no_trace() {
    let kit = Kit::new(36);
    let genesis = kit.params.genesis();
    let edits: [fn(&mut Header); 4] = [
        |h| h.height = 9,
        |h| h.version += 1,
        |h| h.time_ms = GENESIS_TIME_MS,
        |h| h.target = medring_protocol::pow::CompactTarget(0x207f_fffe),
    ];
    for edit in edits {
        let mut node = Alone::new(&kit);
        node.meet(EVE, &genesis, 0);
        let bad = kit.forge(&genesis, vec![], edit);
        assert_eq!(node.gossip_block(EVE, &bad), Verdict::Reject);
        assert!(node.is_dropped(EVE));
        assert_eq!(node.core.snapshot().tables.headers, 1);
    }
    let mut node = Alone::new(&kit);
    node.meet(EVE, &genesis, 0);
    let mut bad = kit.block(&genesis, vec![], 1);
    while bad.header.target.decode().unwrap().is_met_by(&bad.id()) {
        bad.header.nonce += 1;
    }
    assert_eq!(node.gossip_block(EVE, &bad), Verdict::Reject);
}

/// The disk fails at each of the first writes in turn: nothing is acknowledged that a restart does not find.
#[test]
fn after_a_failed_write_nothing_is_acknowledged_and_a_restart_goes_on() {
    let kit = Kit::new(37);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let second = kit.block(&first.header, vec![], 1);
    let record = kit.record(Kind::Ehr, 1, 2);
    let mut fatal = 0;
    for fail_at_write in 1..12 {
        let config = CoreConfig { mine: true, ..CoreConfig::new(kit.params.clone()) };
        let mut node = Alone::with(config, MemoryEngine::new(), fail_at_write, GENESIS_TIME_MS + 5_000);
        node.meet(EVE, &kit.params.genesis(), 0);
        let tips = |node: &mut Alone| {
            let mut tips = node.events().into_iter().filter_map(|e| match e {
                Event::Tip { connected, .. } => connected.last().copied(),
                _ => None,
            });
            tips.next_back()
        };
        for block in [&first, &second] {
            let bytes = block.encode();
            node.input(Input::Gossip {
                peer: EVE,
                message: MessageId(block.header.height),
                topic: Topic::Blocks,
                bytes,
            });
        }
        let submitted = node.submit(&record);
        let failed = node.core.failed.is_some();
        fatal += usize::from(node.out.iter().any(|o| matches!(o, Output::Event(Event::Fatal(_)))));
        if let Some(told) = tips(&mut node) {
            let disk = ChainStore::open(node.memory.clone(), &kit.params).unwrap();
            assert_eq!(disk.tip().unwrap().0, told, "the tip that was told is on disk");
        }
        let mut node = node.restarted();
        if let Ok(id) = submitted {
            assert!(!failed && (node.pool().contains(&id) || node.confirmed(&id)));
        }
        node.meet(BOB, &second.header, u64::MAX);
        node.serve(BOB, &[first.clone(), second.clone()]);
        assert_eq!(node.tip(), second.id());
    }
    assert!(fatal >= 6, "the disk failed in {fatal} runs");
}

/// The node dies between storing the heavier branch and moving to it: the restart moves, and leaves nothing due at once.
#[test]
fn a_reorg_left_to_the_restart_returns_records_and_does_not_spin() {
    let kit = Kit::new(40);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let record = kit.record(Kind::Ehr, 1, 2);
    let id = record.id(&kit.chain);
    let second = kit.block(&first.header, vec![record], 1);
    let rival = branch(&kit, &first.header, 2, 9);
    let mut moved_at_restart = 0;
    for fail_at_write in 1..16 {
        let config = CoreConfig::new(kit.params.clone());
        let mut node = Alone::with(config, MemoryEngine::new(), fail_at_write, GENESIS_TIME_MS + 60_000);
        node.meet(EVE, &kit.params.genesis(), 0);
        for (number, block) in (1..).zip([&first, &second, &rival[0], &rival[1]]) {
            let (message, bytes) = (MessageId(number), block.encode());
            node.input(Input::Gossip { peer: EVE, message, topic: Topic::Blocks, bytes });
        }
        let before = ChainStore::open(node.memory.clone(), &kit.params).unwrap().tip().unwrap().0;
        let node = node.restarted();
        assert!(node.core.next_deadline().unwrap() > node.now_ms, "due at once after write {fail_at_write} failed");
        if before == second.id() && node.tip() == rival[1].id() {
            moved_at_restart += 1;
            assert!(node.pool().contains(&id), "the record of the branch that was left is back");
        }
    }
    assert!(moved_at_restart >= 1);
}

#[test]
fn a_clock_far_off_is_warned_of_once() {
    let kit = Kit::new(38);
    let mut node = Alone::new(&kit);
    node.input(Input::Connected { peer: EVE });
    for _ in 0..2 {
        let mut status = status(&node.config, &kit.params.genesis(), 0);
        status.clock_ms += 60_000;
        node.input(Input::Status { peer: EVE, status });
    }
    let warnings = node.events().into_iter().filter(|e| matches!(e, Event::Warning(text) if text.contains("clock")));
    assert_eq!(warnings.count(), 1);
}

#[test]
fn a_clock_set_back_takes_the_deadlines_with_it() {
    let kit = Kit::new(39);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &kit.params.genesis(), 0);
    node.pass(5_000);
    let wait_ms = node.core.next_deadline().unwrap() - node.now_ms;
    node.now_ms -= 4_000_000;
    node.input(Input::Tick);
    assert!(node.events().iter().any(|e| matches!(e, Event::Warning(text) if text.contains("set back"))));
    assert!(node.core.next_deadline().unwrap() <= node.now_ms + wait_ms);
    node.taken();
    node.pass(limits::STATUS_INTERVAL_MS);
    assert!(node.taken().iter().any(|o| matches!(o, Output::SendStatus { .. })));
}
