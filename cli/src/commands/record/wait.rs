//! Waiting until submitted records lie deep enough on the node's own chain, and checking them there: the paper's last step.

use super::WaitArgs;
use super::verify::{self, VerifyReport};
use crate::commands::submit::Delivered;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::span;
use crate::progress;
use medring_node::api::types::{RecordSummary, StatusResponse};
use medring_protocol::params::Params;
use std::time::{Duration, Instant};

/// Between two looks at the node.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long to wait at least, ms, if nothing is said.
const TIMEOUT_MS_MIN: u64 = 60_000;

/// How deep, and for how long at most.
struct Goal {
    depth: u64,
    timeout_ms: u64,
}

impl Goal {
    fn new(args: &WaitArgs, depth: Option<u64>, params: &Params) -> Self {
        let depth = depth.unwrap_or_else(|| u64::from(params.confirmations).max(1));
        // One block more: the record waits for the next one first.
        let usual_ms = depth.saturating_add(1).saturating_mul(params.target_spacing_ms).saturating_mul(3);
        let given_ms = args.timeout.map(|seconds| seconds.saturating_mul(1000));
        Self { depth, timeout_ms: given_ms.unwrap_or(usual_ms.max(TIMEOUT_MS_MIN)) }
    }
}

/// A record as it was last seen.
struct Seen {
    summary: Option<RecordSummary>,
    tip_height: u64,
}

impl Seen {
    fn confirmations(&self) -> u64 {
        self.summary.as_ref().map_or(0, |summary| summary.confirmations)
    }

    fn words(&self) -> String {
        let tip = self.tip_height;
        match self.summary.as_ref().map(|summary| (summary.height, summary.confirmations)) {
            Some((Some(height), depth)) => {
                format!("it is in the block at height {height}, {depth} deep (the tip is at {tip})")
            }
            Some((None, _)) => format!("it waits in the pool to be mined (the tip is at {tip})"),
            None => format!("the node has it neither on its best chain (to height {tip}) nor in its pool"),
        }
    }
}

/// Waits as `--wait` says; `None` if it does not.
pub(super) fn run(
    args: &WaitArgs,
    records: &[Delivered],
    context: &Context,
    params: &Params,
) -> Outcome<Option<Vec<VerifyReport>>> {
    let Some(depth) = args.wait else { return Ok(None) };
    let goal = Goal::new(args, depth, params);
    let deadline = Instant::now() + Duration::from_millis(goal.timeout_ms);
    let told = |failure: Failure| {
        let ids: Vec<_> = records.iter().map(|record| record.record_id.to_string()).collect();
        failure.about(format!("submitted {}, but", ids.join(", ")))
    };
    until(&goal, deadline, records, context, params).map(Some).map_err(told)
}

fn until(
    goal: &Goal,
    deadline: Instant,
    records: &[Delivered],
    context: &Context,
    params: &Params,
) -> Outcome<Vec<VerifyReport>> {
    let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
    let bar = progress::bar(Some(goal.depth.saturating_mul(count)), "waiting");
    loop {
        let seen = records.iter().map(|record| look(record, context)).collect::<Outcome<Vec<_>>>()?;
        bar.set_position(seen.iter().map(|seen| seen.confirmations().min(goal.depth)).sum());
        let shallow = records.iter().zip(&seen).find(|(_, seen)| seen.confirmations() < goal.depth);
        match shallow {
            None => {
                if let Some(reports) = verified(goal, records, context, params)? {
                    bar.finish_and_clear();
                    return Ok(reports);
                }
            }
            Some((record, seen)) => {
                bar.set_message(format!("{} {}:", record.kind, record.record_id));
                give_up(goal, deadline, record, seen, context)?;
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn look(record: &Delivered, context: &Context) -> Outcome<Seen> {
    let client = context.client()?;
    let summary = client.find(&format!("/v1/records/{}", record.record_id))?;
    let status: StatusResponse = client.get("/v1/status")?;
    Ok(Seen { summary, tip_height: status.tip.height })
}

/// The step-by-step verification of each record; `None` where a fork took one back meanwhile.
fn verified(
    goal: &Goal,
    records: &[Delivered],
    context: &Context,
    params: &Params,
) -> Outcome<Option<Vec<VerifyReport>>> {
    let mut reports = Vec::new();
    for record in records {
        match verify::verify(&record.record_id, goal.depth, context, params) {
            Ok(report) if report.confirmations < goal.depth => return Ok(None),
            Ok(report) => reports.push(report),
            Err(failure) if failure.exit == Exit::NotSo => return Ok(None),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Some(reports))
}

/// Fails when time is up, or when the record can never be mined again.
fn give_up(goal: &Goal, deadline: Instant, record: &Delivered, seen: &Seen, context: &Context) -> Outcome<()> {
    let (id, depth) = (record.record_id, goal.depth);
    if seen.summary.is_none() && seen.tip_height > record.expiry_height {
        let what = format!("it expired at height {} without being mined; submit it anew", record.expiry_height);
        return Err(Failure::new(Exit::NotSo, what));
    }
    if Instant::now() < deadline {
        return Ok(());
    }
    let next = context.command(&format!("record verify {id} --depth {depth}"));
    let what = format!("after {} {id} is not {depth} deep: {}", span(goal.timeout_ms), seen.words());
    Err(Failure::new(Exit::NotSo, format!("{what}. It stays submitted; look again with {next}")))
}
