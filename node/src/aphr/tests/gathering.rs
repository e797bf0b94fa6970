//! What becomes a source.

use super::*;
use crate::aphr::{SOURCES_OF_A_KIND_MAX, gather, make};
use medring_protocol::aggregate::{BUDGETS_BYTES, budget_of};

fn ids(world: &World<'_>) -> Vec<RecordId> {
    world.gathered().iter().map(|g| g.source.record).collect()
}

#[test]
fn only_what_is_settled_becomes_a_source() {
    let kit = Kit::new(31);
    let mut world = World::new(&kit);
    let (first, second) = (world.ehr(&of_ehr()), world.phr(&of_phr()));
    world.mine(&[&first]);
    assert_eq!(ids(&world), [], "one block deep");
    world.mine(&[&second]);
    assert_eq!(ids(&world), [world.id(&first)]);
    world.mine(&[]);
    assert_eq!(ids(&world), [world.id(&first), world.id(&second)], "by height");
}

#[test]
fn the_newest_of_each_kind_are_taken_and_not_too_many() {
    let kit = Kit::new(32);
    let mut world = World::new(&kit);
    let ehr = world.ehr(&of_ehr());
    world.mine(&[&ehr]);
    let many: Vec<Made> =
        (0..SOURCES_OF_A_KIND_MAX + 3).map(|i| world.phr(&pulse(u32::try_from(i).unwrap()))).collect();
    world.mine(&many.iter().collect::<Vec<_>>());
    world.settle();
    let wanted: Vec<RecordId> = std::iter::once(&ehr).chain(&many[3..]).map(|made| world.id(made)).collect();
    assert_eq!(ids(&world), wanted);
}

#[test]
fn nothing_to_aggregate_is_said() {
    let kit = Kit::new(33);
    let world = World::new(&kit);
    let (gathered, _) = gather(&world.wallet, &world.store, &[kit.patient.id], DEPTH).unwrap();
    let refused = make(&kit.params, &kit.patient.id, &gathered).unwrap_err();
    assert!(refused.to_string().contains("no settled EHR, EMR or PHR"), "{refused}");
}

#[test]
fn a_record_that_holds_no_bundle_is_left_out_and_told() {
    let kit = Kit::new(34);
    let mut world = World::new(&kit);
    let text = SensitivePlain::new(kit.patient.id, PlainKind::FhirBundle, b"not FHIR".to_vec());
    let key = PublicKey::validate(&kit.patient.keys.chebyshev).unwrap();
    let odd = world.seal(Kind::Ehr, &kit.healthcare_center, To::Participant(&key), &text);
    let good = world.ehr(&of_ehr());
    world.mine(&[&odd, &good]);
    world.settle();
    let (gathered, skipped) = gather(&world.wallet, &world.store, &[kit.patient.id], DEPTH).unwrap();
    assert_eq!((gathered.len(), skipped.len()), (1, 1));
    assert!(skipped[0].why.contains("no FHIR bundle"), "{}", skipped[0].why);
}

/// Text of these many bytes that compresses to about three quarters.
fn noise(world: &mut World<'_>, bytes: usize) -> String {
    use rand::Rng;
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..bytes).map(|_| char::from(alphabet[usize::try_from(world.rng.next_u32() & 63).unwrap()])).collect()
}

#[test]
fn an_aphr_of_large_records_fits_with_a_smaller_budget_and_verifies() {
    let kit = Kit::new(35);
    let mut world = World::new(&kit);
    for i in 0..4 {
        let note = |text: String| {
            json!({"resourceType": "Observation", "status": "final", "code": {"text": format!("lab {i}")},
                "note": [{"text": text}]})
        };
        let notes: Vec<Value> = (0..20).map(|_| note(noise(&mut world, 2000))).collect();
        let record = world.emr(&collection(&notes));
        world.mine(&[&record]);
    }
    world.settle();
    let draft = make(&kit.params, &kit.patient.id, &world.gathered()).unwrap();
    assert!(draft.budget_bytes < BUDGETS_BYTES[0], "{}", draft.budget_bytes);
    let content = AphrContent::decode(&draft.record.sensitive.bytes).unwrap();
    assert_eq!(budget_of(&content.aggregate), Some(draft.budget_bytes));
    let report = world.reported(&content);
    assert!(report.passed, "{:?}", report.why_not);
    assert!(report.summary.unwrap().left_out > 0, "and it says that it leaves something out");
}
