//! Peers that lie about work, show headers without bodies, or give bad bodies; and peers that stay behind.

use super::*;

#[test]
fn among_liars_the_best_valid_chain_is_found() {
    let kit = Kit::new(80);
    let genesis = kit.params.genesis();
    let first = kit.forge(&genesis, vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let honest: Vec<Block> = [first.clone()].into_iter().chain(branch(&kit, &first.header, 60, 1)).collect();
    let hidden = branch(&kit, &genesis, 90, 2);
    // A record twice: the body is bad where it stands, and so is the rest of that branch.
    let record = kit.record(Kind::Ehr, 1, 2);
    let mut bad = vec![first.clone()];
    for _ in 0..2 {
        let parent = bad.last().unwrap().header;
        bad.push(kit.forge(&parent, vec![record.clone()], |header| header.time_ms = parent.time_ms + 1));
    }
    bad.extend(branch(&kit, &bad[2].header, 70, 3));

    let [boaster, hider, spoiler, good] = [910, 911, 912, 913].map(Peer);
    let mut node = Alone::new(&kit);
    node.now_ms += 60_000;
    let nowhere = kit.block(&honest[3].header, vec![], 77).header;
    node.meet(boaster, &nowhere, u64::MAX);
    node.meet(hider, &hidden[89].header, 1 << 40);
    node.meet(spoiler, &bad[72].header, 1 << 30);
    node.meet(good, &honest[60].header, 122);
    for _ in 0..300 {
        node.serve_headers_only(boaster, &honest[..4]);
        node.serve_headers_only(hider, &hidden);
        node.serve(spoiler, &bad);
        node.serve(good, &honest);
        node.pass(1_000);
    }
    assert_eq!(node.tip(), honest[60].id());
    assert!(node.is_dropped(spoiler), "it gave a block that breaks a rule");
    assert!(!node.is_dropped(good));
    assert!(node.core.tree().get(&bad[2].id()).unwrap().invalid);
    assert!(!node.core.is_behind(), "nobody keeps us from mining");
}

/// ```text
/// genesis ─ 3 blocks: Eve's and ours
///         └ 5 blocks: Bob's
/// ```
#[test]
fn a_node_on_the_losing_branch_recovers_by_itself() {
    let kit = Kit::new(81);
    let genesis = kit.params.genesis();
    let (ours, theirs) = (branch(&kit, &genesis, 3, 1), branch(&kit, &genesis, 5, 2));
    let mut node = Alone::new(&kit);
    node.meet(EVE, &ours[2].header, 6);
    node.serve(EVE, &ours);
    assert_eq!(node.tip(), ours[2].id());
    node.meet(BOB, &theirs[4].header, 10);
    node.serve(BOB, &theirs);
    assert_eq!(node.tip(), theirs[4].id());
}

#[test]
fn a_peer_that_stays_behind_makes_room_for_another() {
    let kit = Kit::new(82);
    let chain = branch(&kit, &kit.params.genesis(), 5, 1);
    let mut node = Alone::new(&kit);
    node.meet(BOB, &chain[4].header, 10);
    node.serve(BOB, &chain);
    node.meet(EVE, &chain[1].header, 4);
    node.pass(limits::LAG_MS - limits::STATUS_INTERVAL_MS);
    assert!(!node.is_dropped(EVE));
    node.pass(2 * limits::STATUS_INTERVAL_MS);
    assert!(node.is_dropped(EVE) && !node.is_dropped(BOB));
    assert!(node.events().iter().all(|e| !matches!(e, Event::PeerFault { .. })), "it is no fault");

    // One that is all we have stays, and so does one that moves.
    let mut node = Alone::new(&kit);
    node.meet(BOB, &chain[4].header, 10);
    node.serve(BOB, &chain);
    node.input(Input::Disconnected { peer: BOB });
    node.meet(EVE, &chain[1].header, 4);
    node.pass(2 * limits::LAG_MS);
    assert!(!node.is_dropped(EVE));
    node.meet(BOB, &chain[4].header, 10);
    node.input(Input::Status { peer: EVE, status: status(&node.config, &chain[2].header, 6) });
    node.pass(limits::LAG_MS / 2);
    assert!(!node.is_dropped(EVE));
}
