//! Fork choice: most work, first seen among equals, whatever the order of arrival; never an invalid branch.

use super::KIT;
use medring_protocol::BlockId;
use medring_protocol::block::Header;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chain::{HeaderError, HeaderTree, Inserted, Reconsidered};
use medring_protocol::limits::LOCATOR_ENTRIES_MAX;
use medring_protocol::pow::{CompactTarget, Work};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Targets are part of the plan here: branches of unequal work without retargeting.
fn rules() -> RuleSet {
    RuleSet::standard().without("R-TARGET")
}

/// A header on `parent`, told apart from its siblings by `tag`; `weight` 0 … 2 quadruples its work each.
fn child(parent: &Header, tag: u8, weight: u32) -> Header {
    let edit = |header: &mut Header| {
        header.miner_tag = [tag; 16];
        header.target = CompactTarget(0x2000_0000 | 0x007f_ffff >> (2 * weight));
    };
    KIT.forge(parent, vec![], edit).header
}

/// A branch of `length` equal headers.
fn branch(parent: &Header, tag: u8, length: usize) -> Vec<Header> {
    let mut out: Vec<Header> = vec![];
    for _ in 0..length {
        out.push(child(out.last().unwrap_or(parent), tag, 0));
    }
    out
}

fn add(tree: &mut HeaderTree, headers: &[Header]) {
    for header in headers {
        tree.insert(&rules(), &KIT.params, *header).unwrap();
        tree.body_stored(&header.id());
    }
}

fn ids(headers: &[Header]) -> Vec<BlockId> {
    headers.iter().map(Header::id).collect()
}

/// The tree as it is after a restart: every header from disk, lowest first.
fn restarted(tree: &HeaderTree) -> HeaderTree {
    let mut stored: Vec<_> = tree.iter().map(|(_, node)| node.clone()).collect();
    stored.sort_by_key(|node| node.header.height);
    let mut again = HeaderTree::new(&KIT.params);
    for node in stored {
        // A veto is no mark on headers: it is kept apart.
        let broken = node.invalid && !node.vetoed;
        again.restore(&KIT.params, node.header, node.body, node.arrival, broken).unwrap();
    }
    again
}

///   genesis ─ a1 ─ a2
///          └─ b1 ─ b2      equal work: whichever was complete first stays
#[test]
fn first_seen_wins_a_tie_in_either_order_and_after_a_restart() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 2));
    for (first, second) in [(&a, &b), (&b, &a)] {
        let mut tree = HeaderTree::new(&KIT.params);
        add(&mut tree, first);
        add(&mut tree, second);
        assert_eq!(tree.best(), first[1].id());
        let mut again = restarted(&tree);
        assert_eq!(again.best(), first[1].id());
        add(&mut again, &[child(&second[1], 3, 0)]);
        assert_eq!(again.best(), child(&second[1], 3, 0).id(), "more work decides after all");
    }
}

/// It counts when a branch was complete, not when its headers came.
#[test]
fn a_branch_is_seen_when_its_last_body_is_there() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 2));
    let mut tree = HeaderTree::new(&KIT.params);
    for header in a.iter().chain(&b) {
        tree.insert(&rules(), &KIT.params, *header).unwrap();
    }
    assert_eq!(tree.best(), genesis.id());
    assert!(tree.body_stored(&a[1].id()).is_empty(), "the body below is missing");
    assert_eq!(tree.body_stored(&b[0].id()), [(b[0].id(), 1)]);
    assert_eq!(tree.body_stored(&b[1].id()), [(b[1].id(), 2)]);
    assert_eq!(tree.body_stored(&a[0].id()), [(a[0].id(), 3), (a[1].id(), 4)]);
    assert_eq!(tree.body_stored(&a[0].id()), [], "once");
    assert_eq!(tree.best(), b[1].id());
}

///   genesis ─ t ─ a       the body of t comes last: a's header was first
///              └─ b
#[test]
fn siblings_that_waited_for_one_body_are_seen_in_the_order_of_their_headers() {
    let genesis = KIT.params.genesis();
    let trunk = child(&genesis, 1, 0);
    for tags in [[2, 3], [3, 2]] {
        let siblings = tags.map(|tag| child(&trunk, tag, 0));
        let mut tree = HeaderTree::new(&KIT.params);
        for header in [trunk, siblings[0], siblings[1]] {
            tree.insert(&rules(), &KIT.params, header).unwrap();
        }
        siblings.iter().for_each(|header| assert!(tree.body_stored(&header.id()).is_empty()));
        assert_eq!(tree.body_stored(&trunk.id()).len(), 3);
        assert_eq!(tree.best(), siblings[0].id());
    }
}

///   genesis ─ a1 ─ a2 ─ a3 ─ a4       heavier and shorter wins
///          └─ B1 ─ B2                 (each B weighs four times an a)
#[test]
fn heavier_shorter_fork_becomes_best() {
    let genesis = KIT.params.genesis();
    let a = branch(&genesis, 1, 4);
    let b1 = child(&genesis, 2, 1);
    let b2 = child(&b1, 2, 1);
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    assert_eq!(tree.best(), a[3].id());
    add(&mut tree, &[b1]);
    assert!(tree.get(&b1.id()).unwrap().work <= tree.get(&a[3].id()).unwrap().work);
    assert_eq!(tree.best(), a[3].id());
    add(&mut tree, &[b2]);
    assert_eq!(tree.best(), b2.id());
    let path = tree.path(&a[3].id(), &b2.id()).unwrap();
    assert_eq!(path.fork, genesis.id());
    assert_eq!(path.disconnect, ids(&a).into_iter().rev().collect::<Vec<_>>());
    assert_eq!(path.connect, [b1.id(), b2.id()]);
    assert_eq!(tree.path(&BlockId([1; 32]), &b2.id()), None);
}

///   genesis ─ a1 ─ a2
///          └─ b1 ─ b2 ─ X ─ y      X breaks a rule when it is connected
#[test]
fn the_good_part_of_a_branch_with_a_bad_block_is_kept_and_nothing_above_it() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 1), branch(&genesis, 2, 4));
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    add(&mut tree, &b);
    assert_eq!(tree.best(), b[3].id());
    assert_eq!(tree.mark_invalid(&b[2].id()), [b[2].id(), b[3].id()]);
    assert_eq!(tree.best(), b[1].id());
    assert_eq!(tree.best_header(), b[1].id());
    let above = child(&b[3], 2, 0);
    assert_eq!(tree.insert(&rules(), &KIT.params, above).unwrap_err(), HeaderError::InvalidParent(b[3].id()));
    let beside = child(&b[2], 9, 2);
    assert_eq!(tree.insert(&rules(), &KIT.params, beside).unwrap_err(), HeaderError::InvalidParent(b[2].id()));
    let again = restarted(&tree);
    assert_eq!((again.best(), again.best_header()), (b[1].id(), b[1].id()));
    assert!(again.get(&b[3].id()).unwrap().invalid);
    // What is good goes on growing.
    add(&mut tree, &[child(&b[1], 7, 0)]);
    assert_eq!(tree.best(), child(&b[1], 7, 0).id());
}

#[test]
fn an_operator_may_invalidate_and_reconsider() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 4));
    let side = child(&b[1], 9, 0);
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    add(&mut tree, &b);
    add(&mut tree, &[side]);
    tree.mark_invalid(&b[1].id());
    assert_eq!(tree.best(), a[1].id());
    // Reconsidered from above: what lies below is cleared, what stands beside is not.
    assert_eq!(tree.reconsider(&b[2].id()).complete, [], "their arrival was known");
    assert_eq!(tree.best(), b[3].id());
    assert!(tree.get(&side.id()).unwrap().invalid);
    assert!(!tree.get(&b[1].id()).unwrap().invalid);
    tree.mark_invalid(&b[2].id());
    assert_eq!(tree.best(), a[1].id());
    tree.reconsider(&b[2].id());
    assert_eq!((tree.best(), tree.best_header()), (b[3].id(), b[3].id()));
    assert!(tree.mark_invalid(&genesis.id()).is_empty(), "genesis stands");
    assert_eq!(tree.reconsider(&BlockId([1; 32])), Reconsidered::default());
    assert_eq!(tree.reconsider(&a[0].id()), Reconsidered::default(), "nothing to take back");
}

///   genesis ─ a1 ─ a2
///          └─ b1 ─ b2 ─ b3
///                └─ c2
#[test]
fn a_veto_binds_all_above_blames_no_rule_and_is_taken_back_from_any_place() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 3));
    let beside = child(&b[0], 9, 0);
    let mut tree = HeaderTree::new(&KIT.params);
    for part in [&a[..], &b, &[beside]] {
        add(&mut tree, part);
    }
    assert!(tree.veto(&b[0].id()));
    assert_eq!(tree.best(), a[1].id());
    for header in [b[0], b[2], beside] {
        let node = tree.get(&header.id()).unwrap();
        assert!(node.invalid && node.vetoed);
    }
    let above = child(&b[2], 2, 0);
    assert_eq!(tree.insert(&rules(), &KIT.params, above).unwrap_err(), HeaderError::VetoedParent(b[2].id()));
    assert_eq!(restarted(&tree).best(), b[2].id());
    let taken_back = tree.reconsider(&b[2].id());
    assert_eq!((taken_back.vetoes, taken_back.cleared), (vec![b[0].id()], vec![]));
    assert_eq!(tree.best(), b[2].id());
    assert!(!tree.get(&beside.id()).unwrap().invalid, "what only the veto held is free, beside it too");
    // A rule that was broken outlasts a veto that is taken back beside it.
    tree.mark_invalid(&beside.id());
    tree.veto(&b[0].id());
    tree.reconsider(&b[1].id());
    assert!(tree.get(&beside.id()).unwrap().invalid && !tree.get(&b[0].id()).unwrap().invalid);
    assert!(!tree.veto(&genesis.id()) && !tree.veto(&BlockId([1; 32])));
}

#[test]
fn a_preferred_block_goes_first_among_equals_only() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 2));
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    add(&mut tree, &b);
    assert!(tree.prefer(&b[1].id(), 1));
    assert_eq!(tree.best(), b[1].id());
    assert!(tree.prefer(&a[1].id(), 2));
    assert_eq!(tree.best(), a[1].id(), "the higher rank");
    assert!(tree.prefer(&a[1].id(), 0));
    assert_eq!(tree.best(), b[1].id(), "rank 0 takes it back");
    let more = child(&a[1], 1, 0);
    add(&mut tree, &[more]);
    assert_eq!(tree.best(), more.id());
    assert!(!tree.prefer(&BlockId([1; 32]), 1));
}

#[test]
fn only_a_leaf_is_forgotten_and_it_leaves_no_trace() {
    let genesis = KIT.params.genesis();
    let (a, b) = (branch(&genesis, 1, 2), branch(&genesis, 2, 3));
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    let before = tree.clone();
    add(&mut tree, &b);
    assert!(!tree.forget(&b[0].id()) && !tree.forget(&genesis.id()));
    for header in b.iter().rev() {
        assert!(tree.forget(&header.id()));
    }
    assert_eq!((tree.best(), tree.best_header(), tree.len()), (a[1].id(), a[1].id(), before.len()));
    assert_eq!(tree.leaves().map(|(id, _)| *id).collect::<Vec<_>>(), [a[1].id()]);
    add(&mut tree, &b);
    assert_eq!(tree.best(), b[2].id(), "it may come again");
}

///   genesis ─ p1 ─ p2      held back by a selfish miner
///          └─ a1 ─ a2      public
#[test]
fn a_private_branch_released_late_wins_with_more_work_only() {
    let genesis = KIT.params.genesis();
    let (public, mut private) = (branch(&genesis, 1, 2), branch(&genesis, 2, 2));
    let mut tree = HeaderTree::new(&KIT.params);
    // It shows its headers early, to be seen first, and keeps the bodies.
    for header in &private {
        tree.insert(&rules(), &KIT.params, *header).unwrap();
    }
    add(&mut tree, &public);
    add(&mut tree, &private);
    assert_eq!(tree.best(), public[1].id(), "a tie is won by what could be checked first");
    private.push(child(&private[1], 2, 0));
    add(&mut tree, &private[2..]);
    assert_eq!(tree.best(), private[2].id());
}

#[test]
fn a_header_without_its_parent_is_an_orphan_and_twice_is_once() {
    let genesis = KIT.params.genesis();
    let a = branch(&genesis, 1, 2);
    let mut tree = HeaderTree::new(&KIT.params);
    assert_eq!(tree.insert(&rules(), &KIT.params, a[1]).unwrap_err(), HeaderError::Orphan(a[0].id()));
    assert_eq!(tree.insert(&rules(), &KIT.params, a[0]).unwrap(), Inserted::New);
    assert_eq!(tree.insert(&rules(), &KIT.params, a[0]).unwrap(), Inserted::Known);
    assert_eq!(tree.insert(&rules(), &KIT.params, genesis).unwrap(), Inserted::Known);
    assert_eq!(tree.len(), 2);
}

#[test]
fn missing_bodies_are_named_lowest_first() {
    let a = branch(&KIT.params.genesis(), 1, 5);
    let mut tree = HeaderTree::new(&KIT.params);
    for header in &a {
        tree.insert(&rules(), &KIT.params, *header).unwrap();
    }
    tree.body_stored(&a[0].id());
    tree.body_stored(&a[2].id());
    assert_eq!(tree.missing_bodies(&a[4].id(), 10), [a[1].id(), a[3].id(), a[4].id()]);
    assert_eq!(tree.missing_bodies(&a[4].id(), 2), [a[1].id(), a[3].id()]);
    assert_eq!(tree.best_header(), a[4].id());
    assert_eq!(tree.best(), a[0].id());
}

#[test]
fn a_locator_steps_back_singly_then_doubling_and_ends_at_genesis() {
    let a = branch(&KIT.params.genesis(), 1, 2100);
    let mut tree = HeaderTree::new(&KIT.params);
    add(&mut tree, &a);
    let heights = |tip: &BlockId| -> Vec<u64> {
        tree.locator(tip).iter().map(|id| tree.get(id).unwrap().header.height).collect()
    };
    let steps = heights(&a[2099].id());
    assert_eq!(steps[..11], (2090..=2100).rev().collect::<Vec<_>>());
    assert_eq!(steps[11..], [2088, 2084, 2076, 2060, 2028, 1964, 1836, 1580, 1068, 44, 0]);
    assert!(steps.len() <= LOCATOR_ENTRIES_MAX);
    assert_eq!(heights(&tree.genesis()), [0]);
    assert_eq!(heights(&a[2].id()), [3, 2, 1, 0]);
}

/// The rule in plain words: of the branches that are complete and valid, the most work; of those, the first complete.
fn best_by_definition(all: &[Header], bodies: &BTreeMap<BlockId, usize>, invalid: &[BlockId]) -> (Work, BlockId) {
    let genesis = KIT.params.genesis();
    let by_id: BTreeMap<_, _> = all.iter().map(|h| (h.id(), *h)).collect();
    let mut best = (Work::zero(), std::cmp::Reverse(0), genesis.id());
    for header in all {
        let (mut work, mut complete, mut at, mut good) = (Work::zero(), 0, *header, true);
        while at != genesis {
            work = work.plus(&at.target.decode().unwrap().work());
            good &= !invalid.contains(&at.id());
            match bodies.get(&at.id()) {
                Some(when) => complete = complete.max(*when),
                None => good = false,
            }
            at = by_id.get(&at.prev).copied().unwrap_or(genesis);
        }
        if good {
            best = best.max((work, std::cmp::Reverse(complete), header.id()));
        }
    }
    (best.0, best.2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_order_of_arrival_gives_the_best_tip_of_the_definition(
        plan in prop::collection::vec((any::<prop::sample::Index>(), 0..3u32), 1..24),
        order in any::<u64>(),
        bad in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let mut all: Vec<Header> = vec![];
        for (i, (parent, weight)) in plan.iter().enumerate() {
            let at = parent.index(all.len() + 1);
            let parent = if at == 0 { KIT.params.genesis() } else { all[at - 1] };
            all.push(child(&parent, u8::try_from(i).unwrap(), *weight));
        }
        // A shuffle of headers; orphans come again.
        let mut waiting = all.clone();
        waiting.sort_by_key(|h| h.nonce.wrapping_add(u64::from(h.miner_tag[0]) + 1).wrapping_mul(order | 1));
        let mut tree = HeaderTree::new(&KIT.params);
        while !waiting.is_empty() {
            waiting.retain(|header| tree.insert(&rules(), &KIT.params, *header).is_err());
        }
        let mut bodies_order = ids(&all);
        bodies_order.sort_by_key(|id| u64::from(id.0[7]).wrapping_mul(order.rotate_left(9) | 1));
        let mut bodies = BTreeMap::new();
        let mut when_complete = BTreeMap::new();
        for id in &bodies_order {
            bodies.insert(*id, bodies.len());
            for (done, arrival) in tree.body_stored(id) {
                when_complete.insert(done, arrival);
            }
            // Ties between branches completed by one body fall to header order: compare by the tree's own numbers.
            let known: BTreeMap<_, _> = (when_complete.iter()).map(|(id, a)| (*id, usize::try_from(*a).unwrap())).collect();
            let (work, best) = best_by_definition(&all, &known, &[]);
            prop_assert_eq!(tree.best(), best);
            prop_assert!(tree.get(&best).unwrap().work == work);
        }
        let mut invalid = vec![];
        for index in bad {
            let id = *index.get(&ids(&all));
            tree.mark_invalid(&id);
            invalid.push(id);
            let known: BTreeMap<_, _> = (when_complete.iter()).map(|(id, a)| (*id, usize::try_from(*a).unwrap())).collect();
            prop_assert_eq!(tree.best(), best_by_definition(&all, &known, &invalid).1);
        }
        let again = restarted(&tree);
        prop_assert_eq!(again.best(), tree.best());
        prop_assert_eq!(again.best_header(), tree.best_header());
    }
}
