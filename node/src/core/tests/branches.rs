//! Forks, ties, reorgs, bad blocks.

use super::*;

/// ```text
/// genesis ─ e ─ a1            node 0
///             └ b1 ─ b2       node 1
/// ```
#[test]
fn the_heavier_branch_wins_and_the_losers_records_are_confirmed_again() {
    let kit = Kit::new(1);
    let mut world = World::of(&kit, 2);
    world.link(0, 1);
    world.submit(0, &kit.enrol_all(1));
    world.mine(0);
    world.unlink(0, 1);
    let (ours, theirs) = (kit.record(Kind::Ehr, 1, 2), kit.record(Kind::Emr, 2, 2));
    let ours = world.submit(0, &ours);
    world.mine(0);
    assert!(world.nodes[0].confirmed(&ours));
    let theirs = world.submit(1, &theirs);
    world.mine(1);
    world.mine(1);
    world.events.iter_mut().for_each(Vec::clear);

    world.link(0, 1);
    world.pass(1);
    assert_eq!(world.one_tip(), world.nodes[1].tip());
    assert!(world.nodes[0].confirmed(&theirs) && !world.nodes[0].confirmed(&ours));
    assert_eq!(world.nodes[0].pool(), [ours], "it waits again");
    assert_eq!(world.nodes[1].pool(), [ours], "and was offered to the other node at once");
    let left = |e: &Event| matches!(e, Event::Tip { disconnected, .. } if disconnected.len() == 1);
    assert_eq!(world.events[0].iter().filter(|e| left(e)).count(), 1, "one reorg");

    world.mine(1);
    world.one_tip();
    assert!(world.nodes[0].confirmed(&ours) && world.nodes[0].pool().is_empty());
}

#[test]
fn equal_work_is_no_reason_to_move_in_either_order_and_after_a_restart() {
    let kit = Kit::new(2);
    let genesis = kit.params.genesis();
    let (a, b) = (kit.block(&genesis, vec![], 1), kit.block(&genesis, vec![], 2));
    for (first, second) in [(&a, &b), (&b, &a)] {
        let mut node = Alone::new(&kit);
        node.meet(EVE, &genesis, 0);
        assert_eq!(node.gossip_block(EVE, first), Verdict::Accept);
        assert_eq!(node.gossip_block(EVE, second), Verdict::Ignore);
        assert_eq!(node.tip(), first.id());
        let node = node.restarted();
        assert_eq!(node.tip(), first.id());
        assert_eq!(node.core.tree().best(), first.id());
    }
}

#[test]
fn an_orphan_makes_us_fetch_its_ancestors() {
    let kit = Kit::new(3);
    let chain = branch(&kit, &kit.params.genesis(), 5, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &kit.params.genesis(), 0);
    assert_eq!(node.gossip_block(EVE, &chain[4]), Verdict::Ignore);
    node.serve(EVE, &chain);
    assert_eq!(node.tip(), chain[4].id());
    assert!(!node.is_dropped(EVE));
    assert_eq!(node.core.snapshot().tables.held_blocks, 0);
}

#[test]
fn another_body_under_a_good_header_does_not_poison_the_block() {
    let kit = Kit::new(4);
    let (mut node, first) = enrolled(&kit);
    let good = kit.block(&first.header, vec![kit.record(Kind::Ehr, 1, 2)], 1);
    let mut mutated = good.clone();
    mutated.records[0] = kit.record(Kind::Ehr, 2, 2);
    let mut oversize = good.clone();
    oversize.records = (0..18).map(|n| kit.record_of(Kind::Ehr, n, 2, 64 * 1024)).collect();
    for bad in [&mutated, &oversize] {
        node.meet(EVE, &first.header, 0);
        assert_eq!(bad.id(), good.id());
        assert_eq!(node.gossip_block(EVE, bad), Verdict::Reject);
        assert!(node.is_dropped(EVE));
        node.input(Input::Disconnected { peer: EVE });
        node.taken();
    }
    node.meet(BOB, &first.header, 0);
    assert_eq!(node.gossip_block(BOB, &good), Verdict::Accept);
    assert_eq!(node.tip(), good.id());
}

/// ```text
/// genesis ─ e ─ a1
///             └ b1 ─ b2 (the same record as b1) ─ b3
/// ```
#[test]
fn a_longer_branch_with_a_bad_block_is_refused_and_its_good_part_kept() {
    let kit = Kit::new(5);
    let (mut node, first) = enrolled(&kit);
    let record = kit.record(Kind::Ehr, 1, 2);
    let a1 = kit.block(&first.header, vec![], 1);
    let b1 = kit.block(&first.header, vec![record.clone()], 2);
    let b2 = kit.block(&b1.header, vec![record], 2);
    let b3 = kit.block(&b2.header, vec![], 2);
    node.now_ms += 10_000;
    node.meet(BOB, &first.header, 0);
    node.gossip_block(BOB, &a1);
    assert_eq!(node.tip(), a1.id());
    let before = node.core.store().state_hash().unwrap();

    node.meet(EVE, &b3.header, 100);
    node.events();
    node.serve(EVE, &[first.clone(), b1.clone(), b2.clone(), b3.clone()]);
    assert!(node.is_dropped(EVE), "it served an invalid block");
    let why = |e: &Event| matches!(e, Event::PeerFault { reason, .. } if reason.contains("R-DUP"));
    assert!(node.events().iter().any(why));
    let stored = node.core.store().stored_header(&b2.id()).unwrap().unwrap();
    assert!(stored.invalid.is_some_and(|reason| reason.contains("R-DUP")), "also on disk");
    assert_eq!(node.tip(), a1.id(), "equal work of the good part is no reason to move");
    assert_eq!(node.core.store().state_hash().unwrap(), before);
    let mut node = node.restarted();
    assert!(node.core.tree().get(&b2.id()).unwrap().invalid && !node.core.tree().get(&b1.id()).unwrap().invalid);
    assert!(node.core.tree().get(&b3.id()).is_none_or(|b3| b3.invalid), "no descendant is ever chosen");

    // The good part wins once it is heavier.
    let c2 = kit.block(&b1.header, vec![], 3);
    node.meet(BOB, &first.header, 0);
    assert_eq!(node.gossip_block(BOB, &c2), Verdict::Accept);
    assert_eq!(node.tip(), c2.id());
}

#[test]
fn a_block_from_the_future_is_refused_for_now_and_taken_when_its_time_comes() {
    let kit = Kit::new(6);
    let mut node = Alone::new(&kit);
    let genesis = kit.params.genesis();
    let ahead = node.now_ms + kit.params.future_limit_ms + 1;
    let block = kit.forge(&genesis, vec![], |header| header.time_ms = ahead);
    node.meet(EVE, &genesis, 0);
    assert_eq!(node.gossip_block(EVE, &block), Verdict::Ignore);
    assert_eq!(node.core.next_deadline(), Some(node.now_ms + 1));
    assert!(node.core.tree().get(&block.id()).is_none(), "nothing is said about it");
    node.pass(1);
    assert_eq!(node.tip(), block.id());
    assert!(!node.is_dropped(EVE));
}

#[test]
fn a_reorg_of_a_thousand_blocks_there_and_back() {
    let kit = Kit::new(7);
    let genesis = kit.params.genesis();
    let (mut a, b) = (branch(&kit, &genesis, 1_000, 1), branch(&kit, &genesis, 1_001, 2));
    let mut node = Alone::new(&kit);
    for (tip, chain) in [(&a[999].header, &a), (&b[1_000].header, &b)] {
        node.meet(EVE, tip, u64::MAX);
        node.serve(EVE, chain);
        assert_eq!(node.tip(), tip.id());
        node.input(Input::Disconnected { peer: EVE });
    }
    a.extend(branch(&kit, &a[999].header, 2, 1));
    node.meet(EVE, &a[1_001].header, u64::MAX);
    node.serve(EVE, &a);
    assert_eq!(node.tip(), a[1_001].id());
    assert_eq!(node.restarted().tip(), a[1_001].id());
}

#[test]
fn a_template_mined_late_makes_a_side_branch_and_no_harm() {
    let kit = Kit::new(8);
    let mut node = Alone::new(&kit);
    let mut late = node.template.unwrap();
    node.meet(EVE, &kit.params.genesis(), 0);
    let block = kit.block(&kit.params.genesis(), vec![], 9);
    node.gossip_block(EVE, &block);
    testkit::mine(&mut late);
    node.input(Input::Mined { header: late });
    assert_eq!(node.tip(), block.id());
    assert!(node.core.tree().get(&late.id()).is_some());
}

#[test]
fn an_unasked_block_far_below_our_tip_is_not_stored() {
    let kit = Kit::new(9);
    let genesis = kit.params.genesis();
    let chain = branch(&kit, &genesis, 150, 1);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &chain[149].header, u64::MAX);
    node.serve(EVE, &chain);
    let headers = node.core.snapshot().tables.headers;
    assert_eq!(node.gossip_block(EVE, &kit.block(&genesis, vec![], 9)), Verdict::Ignore);
    assert_eq!(node.core.snapshot().tables.headers, headers);
    assert!(!node.is_dropped(EVE));
    let near = branch(&kit, &chain[140].header, 1, 9).remove(0);
    assert_eq!(node.gossip_block(EVE, &near), Verdict::Ignore);
    assert_eq!(node.core.snapshot().tables.headers, headers + 1, "one that may still win is");
}

/// A copy with another body comes before the true one, while the parent is missing or the time has not come: it does not take
/// the true one's place.
#[test]
fn an_altered_copy_put_aside_does_not_stand_in_the_true_ones_place() {
    let kit = Kit::new(50);
    let (mut node, first) = enrolled(&kit);
    let parent = kit.block(&first.header, vec![], 1);
    let child = kit.block(&parent.header, vec![kit.record(Kind::Ehr, 1, 2)], 1);
    let ahead = node.now_ms + kit.params.future_limit_ms + 1;
    let early = kit.forge(&child.header, vec![kit.record(Kind::Ehr, 2, 2)], |header| header.time_ms = ahead);
    for good in [&child, &early] {
        let mut altered = good.clone();
        altered.records[0] = kit.record(Kind::Ehr, 9, 2);
        node.meet(EVE, &first.header, 0);
        assert_eq!(node.gossip_block(EVE, &altered), Verdict::Reject);
        assert!(node.is_dropped(EVE));
        node.input(Input::Disconnected { peer: EVE });
        node.taken();
        node.meet(BOB, &first.header, 0);
        assert_eq!(node.gossip_block(BOB, good), Verdict::Ignore, "put aside");
    }
    assert_eq!(node.gossip_block(BOB, &parent), Verdict::Accept);
    assert_eq!(node.tip(), child.id());
    node.pass(1);
    assert_eq!(node.tip(), early.id());
}

/// A body is asked for; before it comes, somebody gossips another one under its header.
#[test]
fn an_altered_copy_does_not_cancel_a_download_in_flight() {
    let kit = Kit::new(51);
    let (mut node, first) = enrolled(&kit);
    let chain = [kit.block(&first.header, vec![kit.record(Kind::Ehr, 1, 2)], 1)];
    node.meet(BOB, &chain[0].header, u64::MAX);
    let (id, request) = node.asked(BOB).into_iter().find(|(_, r)| matches!(r, Request::Headers { .. })).unwrap();
    let response = Ok(answer(&node.config, &[first.clone(), chain[0].clone()], &request));
    node.input(Input::Response { peer: BOB, id, response });
    let (id, request) = node.asked(BOB).into_iter().find(|(_, r)| matches!(r, Request::Blocks { .. })).unwrap();
    let mut altered = chain[0].clone();
    altered.records[0] = kit.record(Kind::Ehr, 9, 2);
    node.meet(EVE, &first.header, 0);
    assert_eq!(node.gossip_block(EVE, &altered), Verdict::Reject);
    let response = Ok(answer(&node.config, &chain, &request));
    node.input(Input::Response { peer: BOB, id, response });
    assert_eq!(node.tip(), chain[0].id());
    assert!(node.is_dropped(EVE) && !node.is_dropped(BOB));
}
