//! The vault on a disk that fails, on one whose process dies, and on one whose power goes, at every step there is.

use super::model::{Fault, ModelDisk};
use super::tests::{CHAIN, FAMILY, ME, gid, key, plain, snapshot};
use super::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Epochs after each store: none, drawn, kept, several at once, wiped, replaced.
const HISTORY: [&[u8]; 9] = [&[], &[1], &[1], &[1, 2], &[2], &[2], &[2, 3, 4], &[4, 5], &[5]];
/// How differently the power goes at each step.
const CUTS: u64 = 4;

fn owner() -> Owner {
    Owner { key: key(), chain: CHAIN, participant: ME }
}

fn open(disk: &ModelDisk) -> Result<Vault, VaultError> {
    Vault::on(Box::new(disk.clone()), Path::new("/data/groups"), owner())
}

/// The group's content after `stores` of them.
fn expected(stores: usize) -> Stored {
    (FAMILY, snapshot(u32::try_from(stores).unwrap(), HISTORY[stores - 1]), stores.to_string().into_bytes())
}

/// Opens and stores what is left of the history; says how many stores were acknowledged in all.
fn play(disk: &ModelDisk, mut done: usize, rng: &mut StdRng) -> Result<usize, usize> {
    let mut vault = open(disk).map_err(|_| done)?;
    vault.load_all(rng).map_err(|_| done)?;
    while done < HISTORY.len() {
        let (group, snapshot, extra) = expected(done + 1);
        vault.store(&group, &snapshot, &extra, rng).map_err(|_| done)?;
        done += 1;
    }
    Ok(done)
}

/// How many stores the loaded state is worth. Fails if it is a mixture of two, or none at all.
fn loaded(disk: &ModelDisk, rng: &mut StdRng, context: &str) -> usize {
    let mut vault = open(disk).unwrap_or_else(|e| panic!("{context}: {e}"));
    let groups = vault.load_all(rng).unwrap_or_else(|e| panic!("{context}: {e}"));
    match groups.as_slice() {
        [] => 0,
        [group] => {
            let stores: usize = String::from_utf8(group.2.clone()).unwrap().parse().unwrap();
            assert_eq!(plain(group), plain(&expected(stores)), "{context}: a mixture");
            stores
        }
        more => panic!("{context}: {} groups", more.len()),
    }
}

/// Epochs of which anything can be opened by who has the vault's key and all that lies on the platters. A key whose name a
/// power cut took before anything was sealed under it opens nothing, and does not count.
fn openable(disk: &ModelDisk) -> Vec<u8> {
    let (owner, remains) = (owner(), disk.remains());
    let states: Vec<_> = remains.iter().filter_map(|bytes| owner.open_state(&FAMILY, bytes).ok()).collect();
    let open = |n: &u8| {
        let keys: Vec<_> = remains.iter().filter_map(|bytes| owner.unwrap(&FAMILY, &gid(*n), bytes)).collect();
        let sealed = states.iter().flat_map(|state| &state.epochs).filter(|stored| stored.gid == gid(*n));
        sealed.into_iter().any(|stored| keys.iter().any(|key| owner.open_epoch(&FAMILY, key, stored).is_some()))
    };
    (1..=5).filter(open).collect()
}

/// After a restart: old or new, whole; nothing wiped can be opened; and the rest of the history goes well.
fn judge(disk: &ModelDisk, acknowledged: usize, rng: &mut StdRng, context: &str) {
    let stores = loaded(disk, rng, context);
    assert!(
        (acknowledged..=acknowledged + 1).contains(&stores),
        "{context}: {acknowledged} acknowledged, {stores} there"
    );
    let held: &[u8] = if stores == 0 { &[] } else { HISTORY[stores - 1] };
    assert_eq!(openable(disk), held, "{context}: what opens, and what the state of {stores} holds");
    assert_eq!(play(disk, stores, rng), Ok(HISTORY.len()), "{context}: the rest");
    assert_eq!(openable(disk), [5], "{context}: after the rest");
}

#[test]
fn a_process_that_dies_at_any_step_finds_the_old_state_or_the_new_and_nothing_wiped() {
    for step in 1.. {
        let (disk, mut rng) = (ModelDisk::new(Fault::From(step)), StdRng::seed_from_u64(step));
        let Err(acknowledged) = play(&disk, 0, &mut rng) else { break };
        disk.restart(Fault::Never);
        judge(&disk, acknowledged, &mut rng, &format!("killed at step {step}"));
    }
}

#[test]
fn the_same_when_the_power_goes_at_any_step() {
    for (step, cut) in (1..).flat_map(|step| (0..CUTS).map(move |cut| (step, cut))) {
        let (disk, mut rng) = (ModelDisk::new(Fault::From(step)), StdRng::seed_from_u64(step));
        let Err(acknowledged) = play(&disk, 0, &mut rng) else { break };
        disk.power_cut(step * CUTS + cut);
        disk.restart(Fault::Never);
        judge(&disk, acknowledged, &mut rng, &format!("power cut {cut} at step {step}"));
    }
}

#[test]
fn the_same_when_it_dies_again_at_any_step_of_clearing_up_and_then_the_power_goes() {
    for step in 1.. {
        let (first, mut rng) = (ModelDisk::new(Fault::From(step)), StdRng::seed_from_u64(step));
        if play(&first, 0, &mut rng).is_ok() {
            break;
        }
        for (again, cut) in (1..).flat_map(|again| (0..CUTS).map(move |cut| (again, cut))) {
            let (disk, mut rng) = (ModelDisk::new(Fault::From(step)), StdRng::seed_from_u64(step));
            let acknowledged = play(&disk, 0, &mut rng).unwrap_err();
            disk.restart(Fault::From(again));
            let done = open(&disk).and_then(|mut vault| vault.load_all(&mut rng)).is_ok();
            disk.power_cut(step * 1000 + again * CUTS + cut);
            disk.restart(Fault::Never);
            judge(&disk, acknowledged, &mut rng, &format!("killed at {step}, again at {again}, cut {cut}"));
            if done {
                break;
            }
        }
    }
}

#[test]
fn what_was_loaded_after_a_crash_outlives_a_power_cut() {
    for (step, cut) in (1..).flat_map(|step| (0..CUTS).map(move |cut| (step, cut))) {
        let (disk, mut rng) = (ModelDisk::new(Fault::From(step)), StdRng::seed_from_u64(step));
        if play(&disk, 0, &mut rng).is_ok() {
            break;
        }
        disk.restart(Fault::Never);
        let seen = loaded(&disk, &mut rng, "killed");
        disk.power_cut(step * CUTS + cut);
        let context = format!("killed at step {step}, loaded, power cut {cut}");
        assert_eq!(loaded(&disk, &mut rng, &context), seen, "{context}: the group acted on what it had loaded");
    }
}

#[test]
fn a_step_that_fails_is_made_good_by_the_next_store() {
    for step in 1.. {
        let (disk, mut rng) = (ModelDisk::new(Fault::Once(step)), StdRng::seed_from_u64(step));
        let mut vault = match open(&disk) {
            Ok(vault) => vault,
            Err(_) => open(&disk).unwrap(),
        };
        for stores in 1..=HISTORY.len() {
            let (group, snapshot, extra) = expected(stores);
            if vault.store(&group, &snapshot, &extra, &mut rng).is_err() {
                assert!(disk.struck(), "step {step}: an error from nowhere");
                vault.store(&group, &snapshot, &extra, &mut rng).unwrap();
            }
            let held = openable(&disk);
            assert_eq!(held, HISTORY[stores - 1], "step {step}: what opens after {stores} stores");
        }
        let struck = disk.struck();
        disk.restart(Fault::Never);
        assert_eq!(loaded(&disk, &mut rng, "after a failed step"), HISTORY.len());
        if !struck {
            break;
        }
    }
}

#[test]
fn an_ordinary_store_costs_two_syncs() {
    let (disk, mut rng) = (ModelDisk::new(Fault::Never), StdRng::seed_from_u64(1));
    let mut vault = open(&disk).unwrap();
    let mut cost = |step, epochs: &[u8]| {
        let before = disk.syncs();
        vault.store(&FAMILY, &snapshot(step, epochs), b"", &mut rng).unwrap();
        disk.syncs() - before
    };
    cost(1, &[]);
    assert_eq!(cost(2, &[1]), 4, "a new epoch: its key file and its name");
    assert_eq!(cost(3, &[1]), 2, "the state and its name");
    assert_eq!(cost(4, &[]), 4, "a wiped one: its key file and its name");
}
