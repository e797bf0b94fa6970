//! Branches that lost: forgotten by rule, in memory and on disk, and never what is still needed.

use super::*;

fn with_side(kit: &Kit, side: SideLimits) -> Alone {
    let config = CoreConfig { side, ..CoreConfig::new(kit.params.clone()) };
    let mut node = Alone::with(config, MemoryEngine::new(), u64::MAX, GENESIS_TIME_MS + 600_000);
    node.meet(EVE, &kit.params.genesis(), 0);
    node
}

fn give(node: &mut Alone, blocks: &[Block]) {
    for block in blocks {
        node.gossip_block(EVE, block);
    }
}

fn is_kept(node: &Alone, block: &Block) -> bool {
    let id = block.id();
    let on_disk =
        (node.core.store().header(&id).unwrap().is_some(), node.core.store().body_raw(&id).unwrap().is_some());
    let in_tree = node.core.tree().get(&id).is_some();
    assert_eq!(on_disk, (in_tree, in_tree), "memory and disk agree");
    in_tree
}

const WIDE: SideLimits = SideLimits { keep_blocks: 1_000, blocks_max: 1_000, bytes_max: 1 << 30 };

#[test]
fn a_branch_far_below_the_tip_is_forgotten_in_memory_and_on_disk() {
    let kit = Kit::new(91);
    let genesis = kit.params.genesis();
    let (a, b) = (branch(&kit, &genesis, 20, 1), branch(&kit, &genesis, 3, 2));
    let mut node = with_side(&kit, SideLimits { keep_blocks: 10, ..WIDE });
    give(&mut node, &a[..4]);
    give(&mut node, &b);
    give(&mut node, &a[4..12]);
    assert!(b.iter().all(|block| is_kept(&node, block)), "its end is 9 blocks below the tip");
    assert_eq!(node.core.snapshot().tables.side_bodies, 3);
    give(&mut node, &a[12..13]);
    assert!(!b.iter().any(|block| is_kept(&node, block)), "10 blocks below");
    assert!(a[..13].iter().all(|block| is_kept(&node, block)));
    let tables = node.core.snapshot().tables;
    assert_eq!((tables.headers, tables.side_headers, tables.side_bodies, tables.side_bytes), (14, 0, 0, 0));
    // It may come back if it grows heavier: asked for anew.
    let mut b = b;
    b.extend(branch(&kit, &b[2].header, 12, 2));
    node.meet(BOB, &b[14].header, u64::MAX);
    node.serve(BOB, &b);
    assert_eq!(node.tip(), b[14].id());
    let node = node.restarted();
    assert_eq!(node.tip(), b[14].id());
}

#[test]
fn beyond_the_bounds_the_branch_with_least_work_goes_first() {
    let kit = Kit::new(92);
    let genesis = kit.params.genesis();
    let main = branch(&kit, &genesis, 8, 1);
    let mut node = with_side(&kit, SideLimits { blocks_max: 5, ..WIDE });
    give(&mut node, &main);
    let (long, short) = (branch(&kit, &genesis, 4, 2), branch(&kit, &genesis, 2, 3));
    give(&mut node, &short);
    give(&mut node, &long[..3]);
    assert_eq!(node.core.snapshot().tables.side_headers, 5);
    give(&mut node, &long[3..]);
    assert!(!is_kept(&node, &short[1]) && is_kept(&node, &short[0]), "one too many: the end of the lightest");
    assert!(long.iter().all(|block| is_kept(&node, block)));
    assert_eq!(node.core.snapshot().tables.side_headers, 5);

    let bytes = short[0].encode().len();
    let mut node = with_side(&kit, SideLimits { bytes_max: 2 * bytes, ..WIDE });
    give(&mut node, &main);
    give(&mut node, &long);
    assert_eq!(node.core.snapshot().tables.side_bytes, 2 * bytes, "the bytes of bodies are bounded, too");
    assert_eq!(node.restarted().core.snapshot().tables.side_bytes, 2 * bytes, "a restart counts alike");
}

#[test]
fn what_the_operator_may_reconsider_and_what_may_still_win_is_kept() {
    let kit = Kit::new(93);
    let genesis = kit.params.genesis();
    let (a, b) = (branch(&kit, &genesis, 3, 1), branch(&kit, &genesis, 12, 2));
    let mut node = with_side(&kit, SideLimits { keep_blocks: 2, blocks_max: 4, ..WIDE });
    give(&mut node, &a);
    node.input(Input::Operator { ticket: Ticket(7), command: OperatorCommand::Invalidate(a[1].id()) });
    give(&mut node, &b);
    assert_eq!(node.tip(), b[11].id());
    assert!(a[1..].iter().all(|block| is_kept(&node, block)), "the operator may want it back");
    // Headers with more work than the tip's are on their way to be the best chain.
    let more = branch(&kit, &b[0].header, 14, 3);
    for block in &more {
        node.core.insert_header(&block.header).unwrap().unwrap();
    }
    node.input(Input::Tick);
    give(&mut node, &branch(&kit, &b[11].header, 1, 2));
    assert!(more.iter().all(|block| node.core.tree().get(&block.id()).is_some()));
}

/// Records of a left branch find no room in the pool: its bodies stay until they have returned.
#[test]
fn a_branch_whose_records_have_not_returned_is_kept_until_they_have() {
    let kit = Kit::new(94);
    let first = kit.forge(&kit.params.genesis(), vec![kit.enrol_all(1)], |header| header.time_ms += 1);
    let mut ours = vec![first.clone()];
    for number in 0..4 {
        let parent = ours.last().unwrap().header;
        ours.push(
            kit.forge(&parent, vec![kit.record(Kind::Ehr, number, 2)], |header| header.time_ms = parent.time_ms + 1),
        );
    }
    let theirs = branch(&kit, &first.header, 12, 2);
    let mut config = CoreConfig { mine: true, ..CoreConfig::new(kit.params.clone()) };
    config.side = SideLimits { keep_blocks: 5, ..WIDE };
    config.pool.records_max = 2;
    let mut node = Alone::with(config, MemoryEngine::new(), u64::MAX, GENESIS_TIME_MS + 60_000);
    node.meet(EVE, &first.header, 0);
    give(&mut node, &ours);
    give(&mut node, &theirs);
    assert_eq!((node.tip(), node.pool().len()), (theirs[11].id(), 2));
    assert!(node.core.store().records_are_returning().unwrap());
    assert!(ours[3..].iter().all(|block| is_kept(&node, block)), "their records have not returned");
    for _ in 0..2 {
        node.pass(5_000);
        node.mine();
    }
    assert!((0..4).all(|number| node.confirmed(&kit.record(Kind::Ehr, number, 2).id(&kit.chain))));
    assert!(!ours[1..].iter().any(|block| is_kept(&node, block)), "now it is forgotten");
}
