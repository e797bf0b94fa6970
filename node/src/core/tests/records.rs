//! Admission, the pool, and what becomes of records.

use super::*;
use medring_storage::Fate;

#[test]
fn a_submitted_record_is_gossiped_mined_and_confirmed_on_another_node() {
    let kit = Kit::new(11);
    let mut world = World::of(&kit, 3);
    world.link(0, 1);
    world.link(1, 2);
    let enrol = world.submit(0, &kit.enrol_all(1));
    assert_eq!(world.nodes[2].pool(), [enrol], "it reached the node two links away");
    world.mine(2);
    let ehr = world.submit(0, &kit.record(Kind::Ehr, 1, 2));
    world.mine(1);
    world.one_tip();
    for node in &world.nodes {
        assert!(node.confirmed(&enrol) && node.confirmed(&ehr) && node.pool().is_empty());
    }
    assert!(world.events[1].iter().any(|e| matches!(e, Event::MinedBlock { height: 2, .. })));
}

#[test]
fn each_reason_to_refuse_a_record_is_told() {
    let kit = Kit::new(12);
    let (mut node, _) = enrolled(&kit);
    let good = kit.record(Kind::Ehr, 1, 2);
    let rule = |result: Result<_, SubmitError>| match result {
        Err(SubmitError::Invalid(violation)) => violation.rule,
        other => panic!("{other:?}"),
    };
    let mut signature = good.clone();
    signature.signature.0[0] ^= 1;
    assert_eq!(rule(node.submit(&signature)), "R-SIG");
    let mut envelope = good.clone();
    envelope.envelope.auth.proof[0] ^= 1;
    assert_eq!(rule(node.submit(&envelope)), "R-ENVELOPE-SIG");
    let stranger = kit.extra_patient(5);
    let mut content = kit.content(Kind::Phr, 1, 1024);
    content.uploader = stranger.id;
    assert_eq!(rule(node.submit(&kit.sign_as(&stranger, content, 2))), "R-UPLOADER");
    let mut content = kit.content(Kind::Ehr, 1, 1024);
    content.uploader = kit.doctor.id;
    assert_eq!(rule(node.submit(&kit.sign_as(&kit.doctor, content, 2))), "R-ROLE");
    let mut shape = kit.content(Kind::Ehr, 1, 1024);
    shape.sealed.pop();
    assert_eq!(rule(node.submit(&kit.sign(shape, 2))), "R-SEALED");
    let far = kit.sign(kit.content(Kind::Ehr, 1, 1024), 3);
    assert_eq!(rule(node.submit(&far)), "R-EXPIRY");
    node.submit(&good).unwrap();
    assert!(matches!(node.submit(&good), Err(SubmitError::Pending(_))));
    node.pass(1_000);
    node.mine();
    assert_eq!(rule(node.submit(&good)), "R-DUP");
    node.now_ms += 70_000;
    assert!(matches!(node.submit(&kit.record(Kind::Ehr, 2, 3)), Err(SubmitError::Stamp { .. })));
}

#[test]
fn a_record_whose_signature_is_bad_costs_its_forwarder_the_link() {
    let kit = Kit::new(13);
    let (mut node, first) = enrolled(&kit);
    node.meet(EVE, &first.header, 0);
    let mut bad = kit.record(Kind::Ehr, 1, 2);
    bad.signature.0[9] ^= 1;
    assert_eq!(node.gossip(EVE, Topic::Records, bad.encode()), Verdict::Reject);
    assert!(node.is_dropped(EVE));
    assert!(node.pool().is_empty());

    node.meet(BOB, &first.header, 0);
    let junk = vec![7; 100];
    assert_eq!(node.gossip(BOB, Topic::Records, junk), Verdict::Reject);
    assert!(node.is_dropped(BOB));
}

#[test]
fn a_record_that_is_only_early_costs_nobody_anything() {
    let kit = Kit::new(14);
    let mut node = Alone::new(&kit);
    node.meet(EVE, &kit.params.genesis(), 0);
    // Its uploader's enrolment has not reached us yet.
    assert_eq!(node.gossip(EVE, Topic::Records, kit.record(Kind::Ehr, 1, 2).encode()), Verdict::Ignore);
    // Its stamp lies ahead.
    let mut content = kit.content(Kind::Enrol, 1, 0);
    content.public = kit.enrolment(&[&kit.patient]).encode();
    let stamp_ms = (node.now_ms + 120_000) / 1_000 * 1_000;
    let early = Record::sign(&kit.chain, content, stamp_ms, 100, &kit.authority.secret);
    assert_eq!(node.gossip(EVE, Topic::Records, early.encode()), Verdict::Ignore);
    assert!(!node.is_dropped(EVE));
}

#[test]
fn an_envelope_is_replaced_only_by_one_that_expires_later() {
    let kit = Kit::new(15);
    let (mut node, _) = enrolled(&kit);
    let wrap = |expiry| {
        let first = kit.record(Kind::Ehr, 1, 2);
        let stamp = first.envelope.stamp_ms;
        Record::wrap(&kit.chain, first.content, first.signature, stamp, expiry, &kit.healthcare_center.secret)
    };
    let id = node.submit(&wrap(50)).unwrap();
    assert_eq!(node.submit(&wrap(50)), Err(SubmitError::Pending(id)));
    assert_eq!(node.submit(&wrap(49)), Err(SubmitError::Pending(id)));
    assert_eq!(node.submit(&wrap(51)), Ok(id));
    assert_eq!(node.pool(), [id]);
    let stored = node.core.store().pool().unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].record.envelope.expiry_height, 51);
}

#[test]
fn a_record_that_expires_is_reported_and_its_pool_survives_restarts() {
    let kit = Kit::new(16);
    let (mut node, _) = enrolled(&kit);
    let content = |number| kit.content(Kind::Ehr, number, 1024);
    let sign = |content, expiry| {
        Record::sign(&kit.chain, content, kit.params.genesis_time_ms, expiry, &kit.healthcare_center.secret)
    };
    let short = node.submit(&sign(content(1), 2)).unwrap();
    let long = node.submit(&sign(content(2), 100)).unwrap();
    let mut node = node.restarted();
    assert_eq!(node.pool(), [short, long]);
    let tip = node.core.tree().get(&node.tip()).unwrap().header;
    node.meet(EVE, &tip, 0);
    node.events();
    assert_eq!(node.gossip_block(EVE, &kit.block(&tip, vec![], 1)), Verdict::Accept);
    assert_eq!(node.pool(), [long]);
    let events = node.events();
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Dropped { record, reason } if *record == short && reason.contains("expired")))
    );
    assert_eq!(node.core.store().pool().unwrap().len(), 1, "gone from the disk in the same batch");
}

#[test]
fn records_in_conflict_with_the_chain_are_dropped_and_reported() {
    let kit = Kit::new(17);
    let (mut node, first) = enrolled(&kit);
    let patient = kit.extra_patient(1);
    let mine = node.submit(&kit.enrol(&[&patient], 2)).unwrap();
    let theirs = kit.enrol(&[&patient, &kit.extra_patient(2)], 2);
    node.meet(EVE, &first.header, 0);
    node.events();
    assert_eq!(node.gossip_block(EVE, &kit.block(&first.header, vec![theirs], 1)), Verdict::Accept);
    assert!(node.pool().is_empty());
    let events = node.events();
    assert!(
        events.iter().any(
            |e| matches!(e, Event::Dropped { record, reason } if *record == mine && reason.contains("R-KEY-REUSE"))
        )
    );
}

#[test]
fn a_record_nobody_relayed_is_offered_again() {
    let kit = Kit::new(18);
    let mut world = World::of(&kit, 2);
    let id = world.submit(0, &kit.enrol_all(1));
    world.link(0, 1);
    assert_eq!(world.nodes[1].pool(), [id], "by the exchange of pools");

    let (mut node, _) = enrolled(&kit);
    node.submit(&kit.record(Kind::Ehr, 1, 2)).unwrap();
    node.taken();
    node.pass(limits::REOFFER_MS + limits::REOFFER_INTERVAL_MS);
    assert_eq!(node.taken().iter().filter(|o| matches!(o, Output::Publish { topic: Topic::Records, .. })).count(), 1);
}

#[test]
fn an_uploader_fills_its_share_of_the_pool_and_no_more() {
    let kit = Kit::new(19);
    let (mut node, _) = enrolled(&kit);
    let one = kit.record(Kind::Ehr, 1, 2).encoded_len();
    node.config.pool = PoolLimits { bytes_max: 10 * one, records_max: 3, uploader_bytes_max: 2 * one };
    let mut node = node.restarted();
    for number in 1..=2 {
        node.submit(&kit.record(Kind::Ehr, number, 2)).unwrap();
    }
    let full = |result| matches!(result, Err(SubmitError::Full(_)));
    assert!(full(node.submit(&kit.record(Kind::Ehr, 3, 2))), "its share is full");
    node.submit(&kit.record(Kind::Emr, 4, 2)).unwrap();
    assert!(full(node.submit(&kit.record(Kind::Phr, 5, 2))), "the pool is full");
    node.pass(1_000);
    node.mine();
    node.submit(&kit.record(Kind::Phr, 5, 2)).unwrap();

    node.config.pool = PoolLimits { bytes_max: 2 * one, records_max: 10, uploader_bytes_max: 10 * one };
    let mut node = node.restarted();
    node.submit(&kit.record(Kind::Phr, 6, 2)).unwrap();
    assert!(full(node.submit(&kit.record(Kind::Phr, 7, 2))), "its bytes are");
}

/// The node is down while the others build another branch without its record: at its start it learns of that, and says so.
#[test]
fn a_reorg_that_happened_while_the_uploader_was_down_is_noticed_on_start() {
    let kit = Kit::new(20);
    let (mut node, first) = enrolled(&kit);
    let record = kit.record(Kind::Ehr, 1, 2);
    let id = node.submit(&record).unwrap();
    node.pass(1_000);
    let held = node.mine();
    assert!(node.confirmed(&id));
    let others = branch(&kit, &first.header, 2, 9);
    let mut node = node.restarted();
    node.meet(BOB, &others[1].header, u64::MAX);
    node.serve(BOB, &others);
    assert_eq!((node.tip(), node.pool()), (others[1].id(), vec![id]));
    let fates = |node: &Alone| -> Vec<Fate> {
        node.core.store().watched(&id).unwrap().unwrap().notes.into_iter().map(|note| note.what).collect()
    };
    let expected = [
        Fate::Submitted,
        Fate::Confirmed { block: held.id(), height: 2 },
        Fate::WentBack { block: held.id(), height: 2 },
    ];
    assert_eq!(fates(&node), expected);
    let (_, report) = node.core.store().reorgs().unwrap().pop().unwrap();
    assert_eq!((report.depth(), report.returned, report.own), (1, 1, vec![id]));
    node.pass(5_000);
    let again = node.mine();
    let node = node.restarted();
    assert_eq!(fates(&node)[3..], [Fate::Confirmed { block: again.id(), height: 4 }]);
}

#[test]
fn a_submitted_record_that_expires_or_conflicts_has_that_noted() {
    let kit = Kit::new(21);
    let (mut node, first) = enrolled(&kit);
    let content = kit.content(Kind::Ehr, 1, 1024);
    let short = Record::sign(&kit.chain, content, kit.params.genesis_time_ms, 2, &kit.healthcare_center.secret);
    let short = node.submit(&short).unwrap();
    let patient = kit.extra_patient(1);
    let mine = node.submit(&kit.enrol(&[&patient], 2)).unwrap();
    let theirs = kit.enrol(&[&patient, &kit.extra_patient(2)], 2);
    node.meet(EVE, &first.header, 0);
    assert_eq!(node.gossip_block(EVE, &kit.block(&first.header, vec![theirs], 1)), Verdict::Accept);
    for (id, why) in [(short, "expired"), (mine, "R-KEY-REUSE")] {
        let notes = node.core.store().watched(&id).unwrap().unwrap().notes;
        assert!(matches!(&notes[1].what, Fate::Dropped(reason) if reason.contains(why)), "{notes:?}");
    }
}
