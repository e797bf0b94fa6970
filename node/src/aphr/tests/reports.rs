//! Each verdict of a report, each against an attack that would make it wrong.

use super::*;
use crate::aphr::{ReportError, newest};
use medring_protocol::aggregate::{Source, aggregate};
use medring_protocol::identity::{Revocation, Signature};
use medring_protocol::record::Receiver;
use medring_protocol::seal::OpenError;

/// The aggregate of some records as the patient would make it.
fn aggregate_of(world: &World<'_>, parts: &[(&Made, &Value)]) -> Zeroizing<Vec<u8>> {
    let bundles: Vec<Bundle> = parts.iter().map(|(_, value)| bundle(value)).collect();
    let sources: Vec<Source<'_>> = parts
        .iter()
        .zip(&bundles)
        .map(|((made, _), bundle)| Source {
            record: world.id(made),
            kind: made.record.content.kind,
            uploader: made.record.content.uploader,
            bundle,
        })
        .collect();
    aggregate(&world.kit.patient.id, &sources).unwrap()
}

fn content_of(world: &World<'_>, parts: &[(&Made, &Value)]) -> AphrContent {
    let sources = parts.iter().map(|(made, _)| world.source(made)).collect();
    AphrContent { sources, aggregate: aggregate_of(world, parts) }
}

#[test]
fn an_honest_aphr_verifies_in_all_its_parts() {
    let kit = Kit::new(1);
    let mut world = World::new(&kit);
    let three = world.three();
    let content = world.honest();
    let named: Vec<RecordId> = content.sources.iter().map(|s| s.record).collect();
    assert_eq!(named, three.each_ref().map(|made| world.id(made)), "by height, then position");
    let report = world.reported(&content);
    assert!(report.passed && report.aggregate_matches && !report.stale, "{report:?}");
    assert!(report.checks.passed(), "{:?}", report.checks);
    assert_eq!(verdicts(&report), [Verdict::Verified; 3]);
    let roles: Vec<_> = report.sources.iter().map(|s| s.role.unwrap()).collect();
    assert_eq!(roles, [Role::HealthcareCenter, Role::Doctor, Role::Patient]);
    assert_eq!((report.epoch, report.by, report.height), (3, kit.patient.id, 5));
    let summary = report.summary.unwrap();
    assert_eq!(summary.conflicts[0].code, "allergy-not-everywhere");
    assert_eq!((summary.vital_signs[0].name.as_str(), summary.resources), ("Heart rate", 4));
}

#[test]
fn the_aggregate_comes_along_if_asked_for_and_only_if_it_matches() {
    let kit = Kit::new(2);
    let mut world = World::new(&kit);
    world.three();
    let content = world.honest();
    let made = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.mine(&[&made]);
    let report = report(&world.store, &world.access, &world.id(&made), true).unwrap();
    assert_eq!(report.aggregate.unwrap().get().as_bytes(), content.aggregate.as_slice());
    assert!(world.report(&made).aggregate.is_none());
}

#[test]
fn an_altered_aggregate_does_not_match() {
    let kit = Kit::new(3);
    let mut world = World::new(&kit);
    let three = world.three();
    let mut content = world.honest();
    let text = String::from_utf8(content.aggregate.to_vec()).unwrap();
    content.aggregate = Zeroizing::new(text.replace("peanut", "nothing").into_bytes());
    let report = world.reported(&content);
    assert!(!report.passed && !report.aggregate_matches);
    assert_eq!(verdicts(&report), [Verdict::Verified; 3], "the sources are what they were");
    assert!(report.summary.is_none(), "nothing is told from an aggregate that is its maker's word alone");
    // A source named and left out of the aggregate.
    let mut content = world.honest();
    let (emr, phr) = (of_emr(), of_phr());
    content.aggregate = aggregate_of(&world, &[(&three[1], &emr), (&three[2], &phr)]);
    let report = world.reported(&content);
    assert!(!report.aggregate_matches && report.why_not.unwrap().contains("something else"));
}

#[test]
fn a_wrong_r_shows_as_altered() {
    let kit = Kit::new(4);
    let mut world = World::new(&kit);
    let three = world.three();
    let mut content = world.honest();
    content.sources[1].r = three[0].r.clone();
    let report = world.reported(&content);
    assert_eq!(verdicts(&report), [Verdict::Verified, Verdict::Altered, Verdict::Verified]);
    assert!(report.sources[1].why.contains("does not open"), "{}", report.sources[1].why);
    assert!(!report.passed && !report.aggregate_matches);
}

#[test]
fn a_wrong_signature_shows_as_altered() {
    let kit = Kit::new(5);
    let mut world = World::new(&kit);
    let three = world.three();
    for (other, seed) in [(three[0].record.signature, 0), (Signature([7; 64]), 1)] {
        let mut content = world.honest();
        content.sources[2].signature = other;
        let report = world.reported(&content);
        assert_eq!(verdicts(&report), [Verdict::Verified, Verdict::Verified, Verdict::Altered], "{seed}");
        assert!(!report.passed);
    }
}

#[test]
fn a_source_stripped_and_signed_again_shows_as_altered() {
    let kit = Kit::new(6);
    let mut world = World::new(&kit);
    let three = world.three();
    // A second doctor takes the first one's s, c and m, and signs them: the record is new, valid on the chain, and its s
    // is sealed for another uploader's name.
    let copyist = newcomer(&kit, "copyist", Role::Doctor);
    let enrol = kit.enrol(&[&copyist], world.chain.next_height());
    world.mine_raw(vec![enrol]);
    let mut content = three[1].record.content.clone();
    content.uploader = copyist.id;
    let resigned = Made { record: world.sign(&copyist, content), r: three[1].r.clone() };
    world.mine(&[&resigned]);
    let parts = [(&resigned, &of_emr())];
    let report = world.reported(&content_of(&world, &parts));
    assert_eq!(verdicts(&report), [Verdict::Altered]);
    assert!(!report.passed);
}

#[test]
fn a_source_that_is_on_no_block_shows_as_missing() {
    let kit = Kit::new(7);
    let mut world = World::new(&kit);
    let three = world.three();
    let unmined = world.ehr(&of_ehr());
    let waiting = world.emr(&of_emr());
    world.wait_in_pool(&waiting);
    let (ehr, emr, phr) = (of_ehr(), of_emr(), of_phr());
    let content = content_of(&world, &[(&three[2], &phr), (&unmined, &ehr), (&waiting, &emr)]);
    let report = world.reported(&content);
    assert_eq!(verdicts(&report), [Verdict::Verified, Verdict::Missing, Verdict::Missing]);
    assert_eq!(report.sources[1].height, None);
    assert!(!report.passed && !report.aggregate_matches);
}

#[test]
fn a_source_of_another_chain_is_missing() {
    let (kit, elsewhere) = (Kit::new(8), Kit::with_params(8, |params| params.name = "elsewhere".into()));
    let (mut world, mut other) = (World::new(&kit), World::new(&elsewhere));
    let three = other.three();
    world.three();
    let source = AphrSource {
        record: three[0].record.id(&elsewhere.chain),
        r: three[0].r.clone(),
        signature: three[0].record.signature,
    };
    let mut content = world.honest();
    content.sources[0] = source;
    assert_eq!(verdicts(&world.reported(&content))[0], Verdict::Missing);
    // Replayed here, its id is another, and neither signature counts: consensus refuses the record.
    assert!(world.chain.check(&world.chain.next_block(vec![three[0].record.clone()])).is_err());
}

#[test]
fn another_patients_record_shows_as_not_this_patients() {
    let kit = Kit::new(9);
    let mut world = World::new(&kit);
    world.three();
    // Mallory gives the patient her own EHR with its r: genuine, signed by the same center, and somebody else's.
    let mallory = Actor::new(kit.seed, "patient 66", Some(Role::Patient));
    assert_eq!(mallory.id, world.mallory.id);
    let foreign = world.for_person(Kind::Ehr, &kit.healthcare_center, &mallory, &of_ehr());
    world.mine(&[&foreign]);
    let report = world.reported(&content_of(&world, &[(&foreign, &of_ehr())]));
    assert_eq!(verdicts(&report), [Verdict::NotThisPatient]);
    assert!(!report.passed && !report.aggregate_matches);
}

#[test]
fn a_phr_that_somebody_else_addressed_to_the_patient_is_not_the_patients() {
    let kit = Kit::new(10);
    let mut world = World::new(&kit);
    let mallory = Actor::new(kit.seed, "patient 66", Some(Role::Patient));
    let planted = world.for_person(Kind::Phr, &mallory, &kit.patient, &pulse(200));
    world.mine(&[&planted]);
    world.settle();
    let report = world.reported(&content_of(&world, &[(&planted, &pulse(200))]));
    assert_eq!(verdicts(&report), [Verdict::NotThisPatient]);
    let (gathered, skipped) = crate::aphr::gather(&world.wallet, &world.store, &[kit.patient.id], DEPTH).unwrap();
    assert!(gathered.is_empty(), "the patient's own node does not take it either");
    assert_eq!(skipped[0].verdict, Verdict::NotThisPatient);
}

#[test]
fn a_revoked_signer_shows_from_the_height_the_revocation_names() {
    let kit = Kit::new(11);
    let mut world = World::new(&kit);
    let early = world.emr(&of_emr());
    world.mine(&[&early]); // height 2
    let late = world.emr(&of_ehr());
    world.mine(&[&late]); // height 3
    world.settle();
    let (emr, ehr) = (of_emr(), of_ehr());
    let content = content_of(&world, &[(&early, &emr), (&late, &ehr)]);
    let made = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.mine(&[&made]);
    assert_eq!(verdicts(&world.report(&made)), [Verdict::Verified; 2]);
    let revoke = Content {
        kind: Kind::Revoke,
        uploader: kit.authority.id,
        receiver: Receiver::None,
        commitment: medring_protocol::Commitment::ZERO,
        public: Revocation { subject: kit.doctor.id, invalid_from: 3 }.encode(),
        sealed: Vec::new(),
    };
    world.mine_raw(vec![world.sign(&kit.authority, revoke)]);
    let report = world.report(&made);
    assert_eq!(verdicts(&report), [Verdict::Verified, Verdict::SignerRevoked]);
    assert!(report.aggregate_matches, "it is still what the doctor signed");
    assert!(!report.passed);
    let (gathered, skipped) = crate::aphr::gather(&world.wallet, &world.store, &[kit.patient.id], DEPTH).unwrap();
    assert_eq!((gathered.len(), skipped[0].verdict), (1, Verdict::SignerRevoked), "and is no source any more");
}

#[test]
fn a_record_of_a_wrong_kind_is_no_source() {
    let kit = Kit::new(12);
    let mut world = World::new(&kit);
    let three = world.three();
    let first = world.honest();
    let aphr = world.aphr_by(&kit.patient, &kit.patient, &first);
    world.mine(&[&aphr]);
    let mut content = world.honest();
    content.sources.push(world.source(&aphr));
    content.sources.push(AphrSource {
        record: world.chain.blocks[0].0.records[0].id(&kit.chain),
        r: three[0].r.clone(),
        signature: world.chain.blocks[0].0.records[0].signature,
    });
    // An APHR with a bundle inside opens like a source.
    let plain = SensitivePlain::new(kit.patient.id, PlainKind::FhirBundle, of_ehr().to_string().into_bytes());
    let (gid, k_rec) = (world.access.gid, world.access.k_rec.clone());
    let disguised = world.seal(Kind::Aphr, &kit.patient, To::Group { k_rec: &k_rec, gid }, &plain);
    world.mine(&[&disguised]);
    content.sources.push(world.source(&disguised));
    let report = world.reported(&content);
    assert_eq!(verdicts(&report)[3..], [Verdict::Altered; 3], "no APHR, no enrolment, no bundle called an APHR");
}

#[test]
fn a_record_by_a_signer_of_a_wrong_role_is_no_source() {
    let kit = Kit::new(19);
    // A network without the rule, as if consensus had failed: the member looks for itself.
    let mut world = World::with_rules(&kit, RuleSet::standard().without("R-ROLE"));
    let wrong = world.for_person(Kind::Ehr, &kit.doctor, &kit.patient, &of_ehr());
    world.mine(&[&wrong]);
    let report = world.reported(&content_of(&world, &[(&wrong, &of_ehr())]));
    assert_eq!(verdicts(&report), [Verdict::Altered]);
    assert!(report.sources[0].why.contains("role"), "{}", report.sources[0].why);
}

#[test]
fn sources_out_of_order_or_named_twice_do_not_match() {
    let kit = Kit::new(13);
    let mut world = World::new(&kit);
    let three = world.three();
    let (ehr, emr) = (of_ehr(), of_emr());
    let turned = content_of(&world, &[(&three[1], &emr), (&three[0], &ehr)]);
    let report = world.reported(&turned);
    assert_eq!(verdicts(&report), [Verdict::Verified; 2]);
    assert!(!report.passed && report.why_not.unwrap().contains("order"));
    let mut twice = world.honest();
    let first = twice.sources[0].clone();
    twice.sources.insert(0, first);
    let report = world.reported(&twice);
    assert!(report.why_not.unwrap().contains("twice"));
}

#[test]
fn an_aphr_is_stale_once_its_patient_publishes_more_in_the_epoch() {
    let kit = Kit::new(14);
    let mut world = World::new(&kit);
    world.three();
    let live = world.live_phr(&pulse(61));
    world.mine(&[&live]);
    world.settle();
    let content = world.honest();
    assert_eq!(content.sources.len(), 4, "a PHR sealed to the owner under the GID is a source");
    let first = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.mine(&[&first]);
    assert!(!world.report(&first).stale, "it names all there is");
    let newer = world.live_phr(&pulse(99));
    world.mine(&[&newer]);
    let report = world.report(&first);
    assert_eq!((report.stale, report.newer), (true, Some(world.id(&newer))));
    assert!(report.passed, "what it says is still true");
    world.settle();
    let content = world.honest();
    let second = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.mine(&[&second]);
    assert_eq!(world.report(&first).newer, Some(world.id(&second)));
    assert!(!world.report(&second).stale);
    assert_eq!(newest(&world.store, &world.access).unwrap(), Some(world.id(&second)));
}

#[test]
fn a_newer_phr_that_the_patient_leaves_out_shows() {
    let kit = Kit::new(15);
    let mut world = World::new(&kit);
    world.three();
    let (old, hidden) = (world.live_phr(&pulse(61)), world.live_phr(&pulse(190)));
    world.mine(&[&old]);
    world.mine(&[&hidden]);
    world.settle();
    let content = content_of(&world, &[(&old, &pulse(61))]);
    let report = world.reported(&content);
    assert_eq!((report.stale, report.newer), (true, Some(world.id(&hidden))));
}

#[test]
fn an_aphr_by_another_patient_under_the_gid_is_refused() {
    let kit = Kit::new(16);
    let mut world = World::new(&kit);
    world.three();
    let content = world.honest();
    let honest = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.mine(&[&honest]);
    // Mallory was in the group once and kept k_rec, or a member gave it to her; the chain takes her APHR.
    let mallory = Actor::new(kit.seed, "patient 66", Some(Role::Patient));
    let forged = world.aphr_by(&mallory, &kit.patient, &content);
    world.mine(&[&forged]);
    let refused = report(&world.store, &world.access, &world.id(&forged), false).unwrap_err();
    assert!(matches!(&refused, ReportError::NotOfEpoch { why, .. } if why.contains("made by")), "{refused}");
    assert_eq!(newest(&world.store, &world.access).unwrap(), Some(world.id(&honest)), "nor is it found as the newest");
    assert!(!world.report(&honest).stale, "nor does it make the honest one stale");
}

#[test]
fn an_aphr_made_for_somebody_else_does_not_pass() {
    let kit = Kit::new(17);
    let mut world = World::new(&kit);
    world.three();
    let mallory = Actor::new(kit.seed, "patient 66", Some(Role::Patient));
    let content = world.honest();
    let made = world.aphr_by(&kit.patient, &mallory, &content);
    world.mine(&[&made]);
    let report = world.report(&made);
    assert!(!report.checks.recipient && !report.passed && !report.aggregate_matches);
}

#[test]
fn what_is_no_aphr_of_the_epoch_has_no_report() {
    let kit = Kit::new(18);
    let mut world = World::new(&kit);
    let three = world.three();
    let refused = |world: &World<'_>, made: &Made| {
        report(&world.store, &world.access, &made.record.id(&kit.chain), false).unwrap_err()
    };
    assert!(matches!(refused(&world, &three[0]), ReportError::NotOfEpoch { .. }), "an EHR");
    let content = world.honest();
    let waiting = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.wait_in_pool(&waiting);
    assert!(matches!(refused(&world, &waiting), ReportError::NotOnChain(_)), "no block holds it yet");
    // Of another epoch, with its own key, and under this GID with another key.
    let (gid, k_rec) = (world.access.gid, world.access.k_rec.clone());
    world.access.gid = Gid([9; 32]);
    let elsewhere = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.access.gid = gid;
    world.access.k_rec = Zeroizing::new([9; 32]);
    let locked = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.access.k_rec = k_rec;
    let no_aphr = SensitivePlain::new(kit.patient.id, PlainKind::Aphr, b"no framing".to_vec());
    let (gid, k_rec) = (world.access.gid, world.access.k_rec.clone());
    let empty = world.seal(Kind::Aphr, &kit.patient, To::Group { k_rec: &k_rec, gid }, &no_aphr);
    world.mine(&[&elsewhere, &locked, &empty]);
    assert!(matches!(refused(&world, &elsewhere), ReportError::NotOfEpoch { .. }));
    assert!(matches!(refused(&world, &locked), ReportError::Open { problem: OpenError::Wrap, .. }));
    assert!(matches!(refused(&world, &empty), ReportError::Content { .. }));
}
