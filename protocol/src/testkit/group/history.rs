//! Random histories: what people do and what befalls their nodes, in any order; then everything works again, and the group
//! must come to stand.

use super::chain::Removed;
use super::dice::Dice;
use super::network::Faults;
use super::node::Death;
use super::world::World;
use crate::group::Change;
use crate::group::machine::{Command, Machine, MyStanding, Snapshot};
use crate::group::message::Wish;
use crate::hash::ParticipantId;
use std::collections::BTreeMap;

/// Virtual time in which a group must come to stand once all faults have ended, ms.
const RECOVERY_MS: u64 = 3_600_000;
/// Most people in a history.
const PEOPLE: usize = 6;

/// What a history was made of.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Actions, by name.
    pub actions: BTreeMap<&'static str, u64>,
    /// The epoch in which the group stood at the end.
    pub epoch: u64,
    /// Its members.
    pub members: usize,
    /// Attempts at the epoch after all faults had ended.
    pub attempts: u32,
    /// Attempts in all.
    pub proposals: usize,
}

/// The names of what may happen, and how often.
const ACTIONS: &[(&str, u64)] = &[
    ("invite", 16),
    ("remove", 8),
    ("suspend", 6),
    ("return", 8),
    ("leave", 6),
    ("update", 8),
    ("cancel", 3),
    ("retry", 2),
    ("crash", 16),
    ("power cut", 2),
    ("offline", 8),
    ("online", 8),
    ("reorganisation", 8),
    ("deep reorganisation", 4),
    ("bad network", 6),
    ("good network", 6),
    ("lost secrets", 4),
    ("old copy", 4),
    ("revoke", 1),
];

/// One random history of so many actions. Panics, with the seed, on anything that must not be.
pub fn play(seed: u64, actions: usize) -> (World, Summary) {
    let mut world = World::new(seed, PEOPLE);
    let mut dice = Dice::new(seed, "history");
    world.mining_delay = dice.below(8);
    world.create();
    let first = 1 + dice.index(3);
    (1..=first).for_each(|who| world.invite(who));
    let mut summary = Summary::default();
    for _ in 0..actions {
        let total = ACTIONS.iter().map(|(_, weight)| weight).sum();
        let mut at = dice.below(total);
        let mut chosen = ACTIONS[0].0;
        for (name, weight) in ACTIONS {
            if at < *weight {
                chosen = name;
                break;
            }
            at -= weight;
        }
        if act(&mut world, &mut dice, chosen) {
            *summary.actions.entry(chosen).or_default() += 1;
        }
        admit_candidates(&mut world);
        let pause = [50, 500, 3_000, 20_000, 60_000][dice.index(5)];
        world.run_ms(1 + dice.below(pause));
    }
    recover(&mut world, &mut summary);
    (world, summary)
}

/// Does it; false if there was nothing to do it to.
fn act(world: &mut World, dice: &mut Dice, name: &str) -> bool {
    let others = 1 + dice.index(world.nodes.len() - 1);
    let id = world.nodes[others].id;
    match name {
        "invite" => invite(world, dice),
        "remove" => change(world, Change::Remove(id)),
        "suspend" => change(world, Change::Suspend(id)),
        "return" if dice.percent(50) => change(world, Change::Return(id)),
        "return" => ask(world, others, Wish::Return),
        "leave" => ask(world, others, Wish::Leave),
        "update" if dice.percent(50) => change(world, Change::Update(id)),
        "update" => ask(world, others, Wish::Update),
        "cancel" => matches!(world.command(0, Command::Cancel), Some(Ok(_))),
        "retry" => matches!(world.command(0, Command::Retry), Some(Ok(_))),
        "crash" => crash(world, dice),
        "power cut" => {
            (0..world.nodes.len())
                .filter(|node| world.nodes[*node].machine.is_some())
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|node| world.kill(node));
            true
        }
        "offline" => std::mem::replace(&mut world.nodes[dice.index(PEOPLE)].online, false),
        "online" => {
            world.nodes.iter_mut().for_each(|node| node.online = true);
            true
        }
        "reorganisation" => reorganise(world, 1, dice.below(3), dice),
        "deep reorganisation" => reorganise(world, world.config.confirmations, dice.below(20), dice),
        "bad network" => {
            world.faults = Faults::BAD;
            true
        }
        "good network" => {
            world.faults = Faults::NONE;
            true
        }
        "lost secrets" => lose_secrets(world, others),
        "revoke" => {
            world.mine(vec![id]);
            true
        }
        _ => old_copy(world, dice, others),
    }
}

fn invite(world: &mut World, dice: &mut Dice) -> bool {
    let outside: Vec<_> = (1..world.nodes.len())
        .filter(|who| match world.nodes[*who].machine.as_ref().map(Machine::status) {
            None => world.nodes[*who].up,
            Some(status) => matches!(status.standing, MyStanding::Left | MyStanding::Removed),
        })
        .collect();
    let Some(who) = dice.pick(&outside) else { return false };
    if !world.nodes[0].up || world.nodes[0].machine.is_none() {
        return false;
    }
    world.invite(who);
    true
}

fn admit_candidates(world: &mut World) {
    let candidates: Vec<_> = world.status(0).map(|status| status.candidates).unwrap_or_default();
    for candidate in candidates {
        change(world, Change::Join(candidate.member));
    }
}

fn change(world: &mut World, change: Change) -> bool {
    matches!(world.command(0, Command::Change(vec![change])), Some(Ok(_)))
}

fn ask(world: &mut World, who: usize, wish: Wish) -> bool {
    matches!(world.command(who, Command::Ask(wish)), Some(Ok(_)))
}

fn crash(world: &mut World, dice: &mut Dice) -> bool {
    let node = dice.index(world.nodes.len());
    let death = if dice.percent(30) { Death::Before } else { Death::After(dice.index(4)) };
    let at = &mut world.nodes[node];
    at.death = Some((at.steps + 1 + dice.below(6), death));
    at.machine.is_some()
}

fn reorganise(world: &mut World, least: u64, more: u64, dice: &mut Dice) -> bool {
    let fate = if dice.percent(50) { Removed::Again } else { Removed::Gone };
    world.reorganise(usize::try_from(least + more).unwrap_or(1), fate);
    true
}

/// The keys of all epochs are gone, the rest of the folder is not.
fn lose_secrets(world: &mut World, node: usize) -> bool {
    let Some(disk) = world.nodes[node].disk.clone().filter(|_| world.nodes[node].up) else { return false };
    world.replace_disk(node, Snapshot { secrets: BTreeMap::new(), ..disk });
    true
}

/// A copy of the folder from some time ago takes its place.
fn old_copy(world: &mut World, dice: &mut Dice, node: usize) -> bool {
    let Some(copy) = dice.pick(&world.nodes[node].backups).filter(|_| world.nodes[node].up) else { return false };
    world.replace_disk(node, copy);
    true
}

/// All faults end. The group must come to stand, and reach one more epoch within the stated number of attempts.
fn recover(world: &mut World, summary: &mut Summary) {
    world.faults = Faults::NONE;
    world.nodes.iter_mut().for_each(|node| (node.online, node.death) = (true, None));
    // Whoever was offline sees the chain again.
    world.mine(Vec::new());
    world.until(10_000, "every node runs", |world| world.nodes.iter().all(|node| node.up));
    world.run_ms(120_000);
    admit_candidates(world);
    let _ = world.command(0, Command::Retry);
    let quiet = |world: &World| world.status(0).is_some_and(|s| s.attempt.is_none() && s.pending.is_empty());
    world.until(RECOVERY_MS, "no change waits and no attempt is under way", quiet);
    // One more epoch, in which whoever lost its state gets it back.
    let owner: ParticipantId = world.nodes[0].id;
    let before = world.status(0).and_then(|s| s.active).map(|a| a.gid);
    match before {
        None => world.insist(0, Command::StartAlone),
        Some(_) => world.insist(0, Command::Change(vec![Change::Update(owner)])),
    };
    // Its number may be the last one's, if a reorganisation made that one impossible.
    world.until(RECOVERY_MS, "the next epoch is in force", |world| {
        world.status(0).and_then(|s| s.active).is_some_and(|a| Some(a.gid) != before)
    });
    world.until(RECOVERY_MS, "everybody stands in one final epoch", World::settled);
    let Some(active) = world.status(0).and_then(|s| s.active) else { world.fail("no epoch") };
    summary.epoch = active.epoch;
    summary.members = active.ring.len();
    summary.proposals = world.ledger.descriptors.len();
    summary.attempts = world.ledger.descriptors.get(&active.gid).map_or(0, |ed| ed.attempt + 1);
    if world.fingerprints().len() != 1 {
        world.fail("members hold different fingerprints");
    }
}
