//! revert(apply(s)) = s, on random chains; and a candidate block accepts exactly what a block may hold.

use super::KIT;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chain::{Candidate, Diff, MemoryState, Overlay, StateRead};
use medring_protocol::codec;
use medring_protocol::record::{Kind, Record};
use medring_protocol::testkit::TestChain;
use proptest::prelude::*;

/// Records to try at one height; few kinds and numbers, so that duplicates, second enrolments and revocations happen.
fn attempts() -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop::collection::vec((0..7usize, 0..4u64), 0..6)
}

/// All lookups that the chain's records can have changed.
fn answers<S: StateRead>(state: &S, records: &[Record]) -> String
where
    S::Error: std::fmt::Debug,
{
    let mut out = String::new();
    let people = [&KIT.healthcare_center, &KIT.doctor, &KIT.patient, &KIT.caregiver, &KIT.authority];
    let mut ids: Vec<_> = people.iter().map(|actor| (actor.id, actor.keys.key_hashes())).collect();
    ids.extend((0..4).map(|i| KIT.extra_patient(i)).map(|actor| (actor.id, actor.keys.key_hashes())));
    for (id, keys) in ids {
        out += &format!("{:?} {:?}", state.participant(&id).unwrap(), state.usage(&id).unwrap());
        out += &format!("{:?}", keys.map(|key| state.key_owner(&key).unwrap()));
    }
    for record in records {
        out += &format!("{:?}", state.location(&record.id(&KIT.chain)).unwrap());
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_a_block_did_is_undone_exactly(plan in prop::collection::vec(attempts(), 1..8), depth in 1..8usize) {
        let mut chain = TestChain::enrolled(&KIT, RuleSet::standard());
        let mut snapshots: Vec<MemoryState> = vec![];
        let mut all = vec![];
        for tries in plan {
            snapshots.push(chain.state.clone());
            let height = chain.next_height();
            let time_ms = chain.next_block(vec![]).header.time_ms;
            let mut candidate = Candidate::new(&chain.rules, &KIT.params, &chain.state, height, time_ms);
            let mut block = vec![];
            for (kind, number) in tries {
                let record = KIT.record(Kind::ALL[kind], number, height);
                if candidate.push(&record).is_ok() {
                    block.push(record.clone());
                } else {
                    // What the candidate refuses no block may hold.
                    let mut with = block.clone();
                    with.push(record.clone());
                    prop_assert!(chain.check(&chain.next_block(with)).is_err());
                }
                all.push(record);
            }
            chain.extend(block).unwrap();
        }
        let tip = chain.clone();
        let mut overlay = Overlay::new(&tip.state);
        let mut undone = vec![];
        for _ in 0..depth.min(snapshots.len()) {
            let (_, diff) = chain.blocks.last().cloned().unwrap();
            prop_assert_eq!(&codec::decode::<Diff>(&codec::encode(&diff), 1 << 20).unwrap(), &diff, "undo data is stored");
            overlay.apply(&diff.inverse());
            undone.push(chain.undo().unwrap());
            let before = snapshots.pop().unwrap();
            prop_assert_eq!(&chain.state, &before);
            prop_assert_eq!(answers(&overlay, &all), answers(&before, &all), "an overlay says the same");
        }
        // And there again.
        while let Some(block) = undone.pop() {
            chain.connect(block).unwrap();
        }
        prop_assert_eq!(&chain.state, &tip.state);
        prop_assert_eq!(chain.state.hash(), tip.state.hash());
    }
}

#[test]
fn a_reorg_a_thousand_blocks_deep_ends_in_the_state_of_the_other_branch() {
    let mut left = TestChain::enrolled(&KIT, RuleSet::standard());
    let mut right = left.clone();
    for i in 0..1001 {
        if i < 1000 {
            left.extend((i % 100 == 0).then(|| KIT.record(Kind::Ehr, i, left.next_height())).into_iter().collect())
                .unwrap();
        }
        right
            .extend((i % 90 == 0).then(|| KIT.record(Kind::Emr, i, right.next_height())).into_iter().collect())
            .unwrap();
    }
    let fork = left.state.clone();
    while left.next_height() > 2 {
        left.undo().unwrap();
    }
    for (block, _) in &right.blocks[1..] {
        left.connect(block.clone()).unwrap();
    }
    assert_eq!(left.state, right.state);
    assert_eq!(left.tree.best(), right.tip().id());
    assert_ne!(left.state, fork);
}
