//! Waiting until a change is an epoch, with progress; ends with the ring drawn.

use super::WaitArgs;
use super::status::{self, StatusReport};
use super::target::Target;
use super::who::People;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{printable, span};
use crate::progress;
use medring_node::api::types::{GroupInfo, MyStanding, StatusResponse};
use medring_protocol::ParticipantId;
use std::time::{Duration, Instant};

/// Between two looks at the node.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Goal {
    /// An epoch above this one.
    pub(super) above: Option<u64>,
    /// In the ring.
    pub(super) inside: Vec<ParticipantId>,
    /// Not in the ring.
    pub(super) outside: Vec<ParticipantId>,
    /// What one is then.
    pub(super) standing: Option<MyStanding>,
    /// Whether it is the owner's own change, which the node has taken already.
    pub(super) taken: bool,
}

impl Goal {
    /// An epoch after the one in force.
    pub(super) fn after(info: &GroupInfo) -> Self {
        let above = info.status.active.as_ref().map(|active| active.epoch);
        Self { above, standing: Some(MyStanding::Member), ..Self::default() }
    }

    /// Whether the change will not come: nothing waits, nothing is under way, and it is not so.
    fn given_up(&self, info: &GroupInfo) -> bool {
        let status = &info.status;
        let settled = status.attempt.is_none() && status.pending.is_empty();
        self.taken && settled && status.active.as_ref().is_none_or(|active| active.is_final)
    }

    /// Whether that is so, for good.
    fn reached(&self, info: &GroupInfo) -> bool {
        let status = &info.status;
        if self.standing.is_some_and(|standing| standing != status.standing) {
            return false;
        }
        // Who is outside hears of no epoch any more.
        if status.standing != MyStanding::Member {
            return true;
        }
        let settled = status.attempt.is_none() && status.pending.is_empty();
        let above = |epoch: u64| self.above.is_none_or(|above| epoch > above);
        settled
            && status.active.as_ref().is_some_and(|active| {
                active.is_final
                    && above(active.epoch)
                    && self.inside.iter().all(|id| active.ring.contains(id))
                    && !self.outside.iter().any(|id| active.ring.contains(id))
            })
    }
}

/// Waits as `--wait` says; `None` if it does not.
pub(super) fn run(args: &WaitArgs, goal: &Goal, target: Target, context: &Context) -> Outcome<Option<StatusReport>> {
    if !args.wait {
        return Ok(None);
    }
    let depth = u64::from(context.params(None)?.confirmations).max(1);
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let spinner = progress::spinner("waiting");
    let mut target = target;
    loop {
        let info = &target.info;
        if goal.reached(info) {
            spinner.finish_and_clear();
            return status::report(&target, false).map(Some);
        }
        let people = People::of(info);
        if let Some(why) = &info.status.stopped {
            let next = if info.status.mine { "group retry" } else { "group status" };
            let what = format!("the group is stopped: {}; see {}", printable(why), context.command(next));
            return Err(Failure::new(Exit::NotSo, what));
        }
        if goal.given_up(info) {
            let status = context.command("group status");
            return Err(Failure::new(Exit::NotSo, format!("the change was dropped meanwhile; see {status}")));
        }
        let tip: StatusResponse = target.client.get("/v1/status")?;
        let now = words(info, &people, tip.tip.height, depth);
        spinner.set_message(now.clone());
        if Instant::now() >= deadline {
            return Err(out_of_time(args, info, &people, &now, context));
        }
        std::thread::sleep(LOOK_EVERY);
        target.info = target.look()?;
    }
}

/// Where it stands.
fn words(info: &GroupInfo, people: &People, tip: u64, depth: u64) -> String {
    let status = &info.status;
    if let Some(attempt) = &status.attempt {
        return status::under_way(attempt, people);
    }
    if !status.waiting_for.is_empty() {
        return format!("waiting for {}, whose node does not answer", people.labels(&status.waiting_for));
    }
    match &status.active {
        Some(active) if !active.is_final => match active.height {
            Some(height) => {
                format!("epoch {}: committing {}/{depth}", active.epoch, (tip + 1).saturating_sub(height).min(depth))
            }
            None => format!("epoch {}: its commit left the chain and is on its way again", active.epoch),
        },
        _ if status.standing == MyStanding::Invited => "waiting to be added by the owner".into(),
        _ if !status.pending.is_empty() => "the next attempt is prepared".into(),
        _ => "waiting for the owner's node".into(),
    }
}

fn out_of_time(args: &WaitArgs, info: &GroupInfo, people: &People, now: &str, context: &Context) -> Failure {
    let waited = span(args.timeout.saturating_mul(1000));
    let next = match info.status.waiting_for.is_empty() || !info.status.mine {
        true => format!("see {}", context.command("group status")),
        false => status::without(info, people),
    };
    Failure::new(Exit::NotSo, format!("after {waited}: {now}. What was asked for stays asked for; {next}"))
}
