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
        let mut epoch = 0;
        let mut members = vec![OWNER, 1, MEMBER];
        net.group_epoch(&group, epoch, &members, SOON).unwrap();
        let mut last = steps;
        for step in 1..=steps {
            let victim = match role {
                InRole::Owner => OWNER,
                InRole::Member => MEMBER,
                InRole::Joiner => JOINER,
            };
            let joins = !members.contains(&JOINER);
            if joins {
                net.group_invite(OWNER, &group, &[JOINER], SOON).unwrap();
            }
            net.crash_after(victim, Some(step)).unwrap();
            net.restart(victim).unwrap();
            // A node that dies at its first step may not live to answer.
            let _answer = net.group_change(OWNER, &group, &[(if joins { "join" } else { "remove" }, JOINER)]);
            let died = died_or_done(&net, victim, &group, epoch + 1);
            if died {
                crashes += 1;
            }
            net.crash_after(victim, None).unwrap();
            if died {
                net.start(victim).unwrap();
            }
            // Whether the command was stored before the process died is the client's to find out.
            let asked = net.group_status(OWNER, &group).unwrap();
            let stands = asked["active"]["epoch"].as_u64() == Some(epoch + 1);
            let under_way = !asked["attempt"].is_null() || !asked["pending"].as_array().is_none_or(Vec::is_empty);
            if !stands && !under_way {
                net.group_change(OWNER, &group, &[(if joins { "join" } else { "remove" }, JOINER)]).unwrap();
            }
            epoch += 1;
            if joins {
                members.push(JOINER);
            } else {
                members.retain(|i| *i != JOINER);
            }
            net.group_epoch(&group, epoch, &members, SOON).unwrap();
        }
        println!(
            "{role:?}: {steps} changes, each with a death after one more stored step; epoch {epoch} on all members"
        );
    }
    println!("{crashes} deaths in all");
    assert!(crashes >= 3, "the fault was never injected");
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
