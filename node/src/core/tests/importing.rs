//! Blocks of a chain file: checked like a peer's, taken up again where an import was broken off.

use super::*;
use crate::core::{ImportRefusal, Imported};

/// Five blocks: an enrolment, three with a record each, one empty.
fn chain(kit: &Kit) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let bodies = [
        vec![kit.enrol_all(1)],
        vec![kit.record(Kind::Ehr, 1, 2)],
        vec![kit.record(Kind::Emr, 2, 3)],
        vec![kit.record(Kind::Phr, 3, 4)],
        vec![],
    ];
    for body in bodies {
        let parent = blocks.last().map_or(kit.params.genesis(), |block| block.header);
        blocks.push(kit.forge(&parent, body, |header| header.time_ms = parent.time_ms + 1));
    }
    blocks
}

fn import(node: &mut Alone, blocks: &[Block]) -> Result<Vec<Imported>, ImportRefusal> {
    let mut rng = rand::rngs::StdRng::seed_from_u64(1);
    let headers: Vec<Header> = blocks.iter().map(|block| block.header).collect();
    node.core.import_headers(node.now_ms, &headers)?;
    blocks.iter().map(|block| node.core.import_block(node.now_ms, block.clone(), &mut rng)).collect()
}

fn refusal(node: &mut Alone, blocks: &[Block]) -> (u64, String) {
    match import(node, blocks).unwrap_err() {
        ImportRefusal::Refused { height, reason } => (height, reason),
        other => panic!("{other}"),
    }
}

#[test]
fn a_file_broken_off_anywhere_and_read_again_gives_the_same_chain() {
    let kit = Kit::new(61);
    let blocks = chain(&kit);
    let whole = {
        let mut node = Alone::new(&kit);
        assert_eq!(import(&mut node, &blocks).unwrap(), [Imported::New; 5]);
        assert_eq!(node.core.finish_import().unwrap(), (blocks[4].id(), 5));
        node.core.store().state_hash().unwrap()
    };
    for cut in 0..=blocks.len() {
        let mut node = Alone::new(&kit);
        import(&mut node, &blocks[..cut]).unwrap();
        let mut node = node.restarted();
        let known = import(&mut node, &blocks).unwrap().iter().filter(|one| **one == Imported::Known).count();
        assert_eq!(known, cut, "no block is checked twice");
        assert_eq!((node.tip(), node.core.store().state_hash().unwrap()), (blocks[4].id(), whole));
    }
}

#[test]
fn a_signature_in_a_file_is_checked_though_no_peer_stands_for_it() {
    let kit = Kit::new(62);
    let mut blocks = chain(&kit);
    let mut forged = kit.record(Kind::Emr, 2, 3);
    forged.signature.0[0] ^= 1;
    blocks[2] = kit.forge(&blocks[1].header, vec![forged], |header| header.time_ms = blocks[2].header.time_ms);
    let mut node = Alone::new(&kit);
    let (height, reason) = refusal(&mut node, &blocks[..3]);
    assert!(height == 3 && reason.contains("-SIG"), "{height}: {reason}");
    assert_eq!(node.tip(), blocks[1].id(), "the blocks before it are good and stay");
    let (height, again) = refusal(&mut node, &blocks[..3]);
    assert!(height == 3 && !again.is_empty(), "{again}");
}

#[test]
fn a_block_that_breaks_a_rule_of_header_body_or_state_is_refused_by_name() {
    let kit = Kit::new(63);
    let good = chain(&kit);
    let at = good[2].header.time_ms;
    let cases: [(&str, Block); 4] = [
        ("R-POW", {
            let mut block = good[2].clone();
            block.header.nonce ^= 1;
            while node_rules().check_pow(&block.header, &block.id()).is_ok() {
                block.header.nonce += 1;
            }
            block
        }),
        ("R-TIME", kit.forge(&good[1].header, vec![], |header| header.time_ms = good[1].header.time_ms)),
        ("R-ROOT", {
            let mut block = good[2].clone();
            block.records = vec![kit.record(Kind::Emr, 9, 3)];
            block
        }),
        ("R-DUP", kit.forge(&good[1].header, good[1].records.clone(), |header| header.time_ms = at)),
    ];
    for (rule, bad) in cases {
        let mut node = Alone::new(&kit);
        let mut blocks = good[..2].to_vec();
        blocks.push(bad);
        let (_, reason) = refusal(&mut node, &blocks);
        assert!(reason.contains(rule), "{rule}: {reason}");
        assert_eq!(node.tip(), good[1].id(), "{rule}");
    }
}

fn node_rules() -> medring_protocol::chain::rules::RuleSet {
    medring_protocol::chain::rules::RuleSet::standard()
}

#[test]
fn a_block_ahead_of_the_clock_is_left_for_later() {
    let kit = Kit::new(64);
    let blocks = chain(&kit);
    let mut node = Alone::new(&kit);
    let then = node.now_ms;
    node.now_ms = blocks[2].header.time_ms - kit.params.future_limit_ms - 1;
    let early = import(&mut node, &blocks).unwrap_err();
    assert!(matches!(early, ImportRefusal::Early { height: 3, .. }), "{early}");
    assert_eq!(node.core.tree().get(&blocks[2].id()).map(|node| node.header.height), None, "nor is its header");
    assert_eq!(node.tip(), blocks[1].id());
    node.now_ms = then;
    import(&mut node, &blocks).unwrap();
    assert_eq!(node.tip(), blocks[4].id());
}

/// ```text
/// genesis ─ e ─ 2 ─ 3 ─ 4 ─ 5    the file
///         └ b1 … b3              here, then up to b7
/// ```
#[test]
fn a_file_moves_the_tip_only_if_its_chain_has_more_work() {
    let kit = Kit::new(65);
    let blocks = chain(&kit);
    let other = branch(&kit, &kit.params.genesis(), 7, 9);
    let mut node = Alone::new(&kit);
    import(&mut node, &other[..3]).unwrap();
    import(&mut node, &blocks).unwrap();
    assert_eq!(node.tip(), blocks[4].id());
    import(&mut node, &other).unwrap();
    assert_eq!(node.tip(), other[6].id());
    let tip = node.core.finish_import().unwrap();
    assert_eq!(import(&mut node, &blocks).unwrap(), [Imported::Known; 5]);
    assert_eq!(node.core.finish_import().unwrap(), tip, "less work moves nothing");
}
