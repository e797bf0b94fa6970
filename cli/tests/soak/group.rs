//! A real process dies right after each stored step of a change, in each role: the group reaches the epoch all the same.

use super::harness::{Net, SOON};
use super::short_or_long;
use medring_testnet::procs::until;

const OWNER: usize = 2;
const MEMBER: usize = 3;
const JOINER: usize = 4;

/// What the node with `crash_after` set is in the change.
#[derive(Clone, Copy, Debug)]
enum InRole {
    Owner,
    Member,
    Joiner,
}

#[test]
fn a_process_that_dies_at_any_stored_step_delays_the_epoch_and_no_more() {
    // Every stored step of a change, until one comes that the change does not reach.
    let steps = short_or_long(2, 40);
    let mut crashes = 0;
    for role in [InRole::Owner, InRole::Member, InRole::Joiner] {
        let mut net = Net::up(5, |options| {
            options.mine = true;
            options.block_time_ms = 500;
        });
        let group = net.group_create(OWNER, "family").unwrap();
        net.group_invite(OWNER, &group, &[1, MEMBER], SOON).unwrap();
        net.group_change(OWNER, &group, &[("join", 1), ("join", MEMBER)]).unwrap();
        let (with, without) = ([OWNER, 1, MEMBER, JOINER], [OWNER, 1, MEMBER]);
        let mut epoch = 0;
        net.group_epoch(&group, epoch, &without, SOON).unwrap();
        let victim = match role {
            InRole::Owner => OWNER,
            InRole::Member => MEMBER,
            InRole::Joiner => JOINER,
        };
        let mut last = 0;
        for step in 1..=steps {
            net.group_invite(OWNER, &group, &[JOINER], SOON).unwrap();
            net.crash_after(victim, Some(step)).unwrap();
            net.restart(victim).unwrap();
            // A node that dies at its first step may not live to answer.
            let _answer = net.group_change(OWNER, &group, &[("join", JOINER)]);
            epoch += 1;
            let died = died_or_done(&net, victim, &group, epoch);
            net.crash_after(victim, None).unwrap();
            if died {
                crashes += 1;
                net.start(victim).unwrap();
                asked_for(&net, &group, epoch);
            }
            net.group_epoch(&group, epoch, &with, SOON).unwrap();
            if !died {
                break;
            }
            last = step;
            epoch += 1;
            net.group_change(OWNER, &group, &[("remove", JOINER)]).unwrap();
            net.group_epoch(&group, epoch, &without, SOON).unwrap();
        }
        println!(
            "{role:?}: a join with a death after each of its stored steps 1 to {last}; epoch {epoch} on all members"
        );
    }
    println!("{crashes} deaths in all");
    assert!(crashes >= 3, "the fault was never injected");
}

/// Whether the command was stored before the owner died is the client's to find out, and to give again.
fn asked_for(net: &Net, group: &str, epoch: u64) {
    let status = net.group_status(OWNER, group).unwrap();
    let stands = status["active"]["epoch"].as_u64() == Some(epoch);
    let under_way = !status["attempt"].is_null() || status["pending"].as_array().is_some_and(|all| !all.is_empty());
    if !stands && !under_way {
        net.group_change(OWNER, group, &[("join", JOINER)]).unwrap();
    }
}

/// Waits until the victim died, or the epoch came without it reaching that step.
fn died_or_done(net: &Net, victim: usize, group: &str, epoch: u64) -> bool {
    until(&format!("node {victim} to die, or epoch {epoch}"), SOON, || {
        if !net.is_alive(victim).unwrap() {
            return Ok(true);
        }
        let status = net.group_status(OWNER, group).map_err(|e| e.to_string())?;
        let there = status["active"]["epoch"].as_u64() >= Some(epoch) && status["active"]["is_final"] == true;
        if there { Ok(false) } else { Err(format!("attempt {}", status["attempt"])) }
    })
    .unwrap()
}
