//! When the owner's node aggregates by itself.

use super::*;
use crate::aphr::{Why, due};
use crate::group::AphrPolicy;

const RECORDS_2: AphrPolicy = AphrPolicy { every_records: Some(2), every_minutes: None };
const MINUTES_5: AphrPolicy = AphrPolicy { every_records: None, every_minutes: Some(5) };
const NEVER: AphrPolicy = AphrPolicy { every_records: None, every_minutes: None };

impl World<'_> {
    fn due(&self, policy: &AphrPolicy, minutes_after_genesis: u64) -> Option<Why> {
        let candidates = crate::aphr::policy::candidates(&self.wallet, &self.store, DEPTH).unwrap();
        let now_ms = self.kit.params.genesis_time_ms + minutes_after_genesis * 60_000;
        due(&self.store, &self.access, policy, &candidates, now_ms).unwrap()
    }

    fn aggregate(&mut self) -> Made {
        let kit = self.kit;
        let content = self.honest();
        let made = self.aphr_by(&kit.patient, &kit.patient, &content);
        self.mine(&[&made]);
        made
    }
}

#[test]
fn every_epoch_gets_an_aggregate_once_there_is_something_to_aggregate() {
    let kit = Kit::new(41);
    let mut world = World::new(&kit);
    assert_eq!(world.due(&NEVER, 0), None, "nothing to aggregate");
    world.three();
    assert_eq!(world.due(&NEVER, 0), Some(Why::Epoch));
    let content = world.honest();
    let waiting = world.aphr_by(&kit.patient, &kit.patient, &content);
    world.wait_in_pool(&waiting);
    assert_eq!(world.due(&NEVER, 0), None, "one waits in the pool");
    world.store.remove_pool(&[world.id(&waiting)]).unwrap();
    world.mine(&[&waiting]);
    assert_eq!(world.due(&NEVER, 99), None);
    // A new epoch.
    world.access.gid = Gid([8; 32]);
    assert_eq!(world.due(&NEVER, 0), Some(Why::Epoch));
}

#[test]
fn a_forged_aphr_does_not_count_as_the_epochs() {
    let kit = Kit::new(42);
    let mut world = World::new(&kit);
    world.three();
    let mallory = Actor::new(kit.seed, "patient 66", Some(Role::Patient));
    let content = world.honest();
    let forged = world.aphr_by(&mallory, &kit.patient, &content);
    world.wait_in_pool(&forged);
    assert_eq!(world.due(&NEVER, 0), Some(Why::Epoch));
    world.store.remove_pool(&[world.id(&forged)]).unwrap();
    world.mine(&[&forged]);
    assert_eq!(world.due(&NEVER, 0), Some(Why::Epoch));
}

#[test]
fn after_so_many_new_settled_records() {
    let kit = Kit::new(43);
    let mut world = World::new(&kit);
    world.three();
    world.aggregate();
    assert_eq!(world.due(&RECORDS_2, 0), None);
    for expected in [None, Some(Why::Records(2))] {
        let phr = world.phr(&of_phr());
        world.mine(&[&phr]);
        world.settle();
        assert_eq!(world.due(&RECORDS_2, 0), expected);
    }
    world.aggregate();
    assert_eq!(world.due(&RECORDS_2, 0), None, "the new one covers them");
}

#[test]
fn after_so_many_minutes_if_there_is_something_new() {
    let kit = Kit::new(44);
    let mut world = World::new(&kit);
    world.three();
    world.aggregate(); // stamped with the genesis time
    assert_eq!(world.due(&MINUTES_5, 60), None, "nothing new: the same again would only fill the chain");
    let phr = world.phr(&of_phr());
    world.mine(&[&phr]);
    world.settle();
    assert_eq!(world.due(&MINUTES_5, 4), None);
    assert_eq!(world.due(&MINUTES_5, 5), Some(Why::Minutes(5)));
    assert_eq!(world.due(&NEVER, 60), None);
}

#[test]
fn records_beyond_what_an_aggregate_takes_do_not_make_one_due_for_ever() {
    let kit = Kit::new(45);
    let mut world = World::new(&kit);
    let many: Vec<Made> = (0..40).map(|i| world.phr(&pulse(i))).collect();
    world.mine(&many.iter().collect::<Vec<_>>());
    world.settle();
    world.aggregate();
    let every = AphrPolicy { every_records: Some(1), every_minutes: Some(0) };
    assert_eq!(world.due(&every, 60), None, "eight older ones are not named, and not new");
}
