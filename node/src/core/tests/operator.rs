//! The operator's tools: branches listed, blocks invalidated, reconsidered, preferred; marks that outlive restarts.

use super::*;

/// Asks, and takes the one answer.
fn operate(node: &mut Alone, command: OperatorCommand) -> Result<OperatorAnswer, OperatorError> {
    let ticket = Ticket(node.tickets);
    node.tickets += 1;
    node.input(Input::Operator { ticket, command });
    let at = node.out.iter().position(|o| matches!(o, Output::Operated { ticket: t, .. } if *t == ticket));
    match node.out.remove(at.expect("every question is answered")) {
        Output::Operated { result, .. } => result,
        _ => unreachable!(),
    }
}

fn tips(node: &mut Alone) -> Vec<TreeBlock> {
    match operate(node, OperatorCommand::Tips) {
        Ok(OperatorAnswer::Tips(tips)) => tips,
        other => panic!("{other:?}"),
    }
}

fn moved(tip: &Block) -> Result<OperatorAnswer, OperatorError> {
    Ok(OperatorAnswer::Tip { id: tip.id(), height: tip.header.height })
}

/// ```text
/// genesis ─ a1 ─ a2 ─ a3
///         └ b1 ─ b2
/// ```
fn fork(kit: &Kit) -> (Alone, Vec<Block>, Vec<Block>) {
    let genesis = kit.params.genesis();
    let (a, b) = (branch(kit, &genesis, 3, 1), branch(kit, &genesis, 2, 2));
    let mut node = Alone::new(kit);
    node.meet(EVE, &genesis, 0);
    for block in a.iter().chain(&b) {
        node.gossip_block(EVE, block);
    }
    (node, a, b)
}

#[test]
fn an_invalidated_block_is_left_also_after_a_restart_until_it_is_reconsidered() {
    let kit = Kit::new(81);
    let (mut node, a, b) = fork(&kit);
    assert_eq!(operate(&mut node, OperatorCommand::Invalidate(a[1].id())), moved(&b[1]));
    let mut node = node.restarted();
    assert_eq!(node.tip(), b[1].id(), "the operator's word outlives a restart");
    // A child of what was invalidated does not bring it back, and its peer is not to blame.
    let a4 = branch(&kit, &a[2].header, 1, 1).remove(0);
    node.meet(EVE, &a4.header, u64::MAX);
    assert_eq!(node.gossip_block(EVE, &a4), Verdict::Ignore);
    assert_eq!(node.gossip_block(EVE, &a[2]), Verdict::Ignore);
    node.serve(EVE, &[a.clone(), vec![a4.clone()]].concat());
    node.pass(60_000);
    assert!(!node.is_dropped(EVE) && node.tip() == b[1].id());
    let vetoed = tips(&mut node).into_iter().find(|tip| tip.id == a[2].id()).unwrap();
    assert_eq!((vetoed.state, vetoed.by_operator), (BlockState::Invalid, true));
    assert_eq!(vetoed.reason.as_deref(), Some("invalidated by the operator"));
    let stored = node.core.store().stored_header(&a[1].id()).unwrap().unwrap();
    assert_eq!(stored.invalid, None, "it broke no rule");

    assert_eq!(operate(&mut node, OperatorCommand::Reconsider(a[2].id())), moved(&a[2]));
    let node = node.restarted();
    assert_eq!(node.tip(), a[2].id(), "and so does taking it back");
    assert!(node.core.store().marks().unwrap().is_empty());
}

#[test]
fn genesis_and_unknown_blocks_cannot_be_invalidated() {
    let kit = Kit::new(82);
    let (mut node, a, _) = fork(&kit);
    let genesis = kit.params.genesis().id();
    assert_eq!(operate(&mut node, OperatorCommand::Invalidate(genesis)), Err(OperatorError::Genesis));
    let unknown = BlockId([9; 32]);
    for command in [OperatorCommand::Invalidate, OperatorCommand::Reconsider, OperatorCommand::Prefer] {
        assert_eq!(operate(&mut node, command(unknown)), Err(OperatorError::Unknown(unknown)));
    }
    assert_eq!(node.tip(), a[2].id());
}

/// What broke a rule is tried again, breaks it again, and nothing is lost by that.
#[test]
fn a_block_that_broke_a_rule_may_be_reconsidered_and_breaks_it_again() {
    let kit = Kit::new(83);
    let (mut node, first) = enrolled(&kit);
    let record = kit.record(Kind::Ehr, 1, 2);
    let good = kit.block(&first.header, vec![record.clone()], 1);
    let bad = kit.block(&good.header, vec![record], 1);
    node.now_ms += 10_000;
    node.meet(EVE, &first.header, 0);
    node.gossip_block(EVE, &good);
    assert_eq!(node.gossip_block(EVE, &bad), Verdict::Reject);
    assert_eq!(operate(&mut node, OperatorCommand::Reconsider(bad.id())), moved(&good));
    let tip = tips(&mut node).into_iter().find(|tip| tip.id == bad.id()).unwrap();
    assert!(tip.state == BlockState::Invalid && !tip.by_operator);
    assert!(tip.reason.unwrap().contains("R-DUP"));
}

#[test]
fn a_preferred_block_wins_a_tie_also_after_a_restart_and_nothing_else() {
    let kit = Kit::new(84);
    let (mut node, a, b) = fork(&kit);
    assert_eq!(operate(&mut node, OperatorCommand::Prefer(b[1].id())), Err(OperatorError::Lighter(b[1].id())));
    let b3 = branch(&kit, &b[1].header, 1, 2).remove(0);
    assert_eq!(node.gossip_block(EVE, &b3), Verdict::Ignore, "equal work, seen later");
    assert_eq!(operate(&mut node, OperatorCommand::Prefer(b3.id())), moved(&b3));
    let mut node = node.restarted();
    assert_eq!(node.tip(), b3.id());
    assert_eq!(operate(&mut node, OperatorCommand::Prefer(a[2].id())), moved(&a[2]), "the last word counts");
    assert_eq!(node.core.store().marks().unwrap().len(), 1, "and only that is kept");
    let mut node = node.restarted();
    let b4 = branch(&kit, &b3.header, 1, 2).remove(0);
    node.meet(EVE, &b3.header, 0);
    assert_eq!(node.gossip_block(EVE, &b4), Verdict::Accept, "more work wins all the same");
    assert_eq!(node.tip(), b4.id());
}

/// ```text
/// genesis ─ a1 ─ a2 ─ a3 ─ h4 (header)
///         ├ b1 ─ b2
///         └ c1 (header) ─ c2 (body)
/// ```
#[test]
fn tips_tell_how_far_each_branch_is_known() {
    let kit = Kit::new(85);
    let (mut node, a, b) = fork(&kit);
    let ahead = branch(&kit, &a[2].header, 1, 1).remove(0);
    let c = branch(&kit, &kit.params.genesis(), 2, 3);
    for header in [&ahead.header, &c[0].header, &c[1].header] {
        node.core.insert_header(header).unwrap().unwrap();
    }
    node.core.tree.body_stored(&c[1].id());
    let tips = tips(&mut node);
    let found: Vec<_> = tips.iter().map(|tip| (tip.id, tip.state, tip.own_blocks)).collect();
    let mut expected = vec![
        (ahead.id(), BlockState::HeadersOnly, 1),
        (a[2].id(), BlockState::Active, 0),
        (b[1].id(), BlockState::ValidFork, 2),
        (c[1].id(), BlockState::ValidHeaders, 2),
    ];
    expected[2..].sort_by_key(|(id, ..)| *id);
    assert_eq!(found, expected);
    let Ok(OperatorAnswer::Tree(tree)) = operate(&mut node, OperatorCommand::Tree { heights: 2 }) else { panic!() };
    let heights: Vec<_> = tree.iter().map(|block| block.header.height).collect();
    assert_eq!(heights, [2, 2, 2, 3, 4], "the last two heights, and what is above");
}

/// The chain goes down to where the operator wants it, in steps, and up again.
#[test]
fn a_block_far_below_the_tip_may_be_invalidated_and_reconsidered() {
    let kit = Kit::new(86);
    let genesis = kit.params.genesis();
    let chain = branch(&kit, &genesis, 30, 1);
    let config = CoreConfig { reorg_step_blocks: 4, ..CoreConfig::new(kit.params.clone()) };
    let mut node = Alone::with(config, MemoryEngine::new(), u64::MAX, GENESIS_TIME_MS + 60_000);
    node.meet(EVE, &genesis, 0);
    for block in &chain {
        node.gossip_block(EVE, block);
    }
    assert_eq!(operate(&mut node, OperatorCommand::Invalidate(chain[2].id())), moved(&chain[1]));
    assert_eq!(node.core.store().tip().unwrap().1, 2);
    let mut node = node.restarted();
    assert_eq!(operate(&mut node, OperatorCommand::Reconsider(chain[2].id())), moved(&chain[29]));
}
