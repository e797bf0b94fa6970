//! The owner's changes: `medring group add · remove · suspend · change · update · cancel · retry`.

use super::confirm::{self, Code};
use super::history;
use super::target::Target;
use super::wait::{self, Goal};
use super::who::People;
use super::{AddArgs, ChangeArgs, MembersArgs, OwnerArgs, UpdateArgs, WaitArgs, ask};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable};
use medring_node::api::types::{Change, ChangesRequest, GroupInfo};
use medring_protocol::ParticipantId;
use medring_protocol::group::message::Wish;
use serde::Serialize;

/// `medring group add`.
pub(super) fn add(args: &AddArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    run(&Words { add: &args.who, ..Words::default() }, args.yes, target, &args.wait, context)
}

/// `medring group remove`.
pub(super) fn remove(args: &MembersArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    run(&Words { remove: &args.who, ..Words::default() }, true, target, &args.wait, context)
}

/// `medring group suspend`.
pub(super) fn suspend(args: &MembersArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    run(&Words { suspend: &args.who, ..Words::default() }, true, target, &args.wait, context)
}

/// `medring group change`.
pub(super) fn several(args: &ChangeArgs, context: &Context) -> Outcome {
    let words = Words { add: &args.add, remove: &args.remove, suspend: &args.suspend, update: &args.update };
    if words.all().next().is_none() {
        let what = "name a change: --add WHO, --remove WHO, --suspend WHO or --update WHO; all become one epoch";
        return Err(Failure::new(Exit::Usage, what));
    }
    let target = args.group.find(context)?;
    run(&words, args.yes, target, &args.wait, context)
}

/// `medring group update`: a member asks for itself, the owner names members or means itself.
pub(super) fn update(args: &UpdateArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    if !target.info.status.mine {
        if args.who.is_empty() {
            return ask::run(Wish::Update, target, &args.wait, context);
        }
        target.require_owner("pair others anew")?;
    }
    let own = [target.info.status.owner.to_string()];
    let who = if args.who.is_empty() { &own[..] } else { &args.who };
    run(&Words { update: who, ..Words::default() }, true, target, &args.wait, context)
}

/// Whom the command line names.
#[derive(Clone, Copy, Default)]
struct Words<'a> {
    add: &'a [String],
    remove: &'a [String],
    suspend: &'a [String],
    update: &'a [String],
}

impl Words<'_> {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.add.iter().chain(self.remove).chain(self.suspend).chain(self.update)
    }

    /// As changes, in this order: who goes makes room first.
    fn changes(&self, info: &GroupInfo, people: &People) -> Outcome<Vec<Change>> {
        let find = |words: &[String]| words.iter().map(|word| people.find(word)).collect::<Outcome<Vec<_>>>();
        let mut changes: Vec<_> = find(self.remove)?.into_iter().map(Change::Remove).collect();
        changes.extend(find(self.suspend)?.into_iter().map(Change::Suspend));
        changes.extend(find(self.add)?.into_iter().map(|who| joining(who, info)));
        changes.extend(find(self.update)?.into_iter().map(Change::Update));
        for (i, change) in changes.iter().enumerate() {
            let who = change.parts().1;
            if changes[..i].iter().any(|other| other.parts().1 == who) {
                let what = format!("{} is named twice; one change for each is what an epoch takes", people.label(who));
                return Err(Failure::new(Exit::Usage, what));
            }
        }
        Ok(changes)
    }
}

/// A suspended member comes back, anyone else joins.
fn joining(who: ParticipantId, info: &GroupInfo) -> Change {
    match info.status.suspended.contains(&who) {
        true => Change::Return(who),
        false => Change::Join(who),
    }
}

#[derive(Serialize)]
struct ChangeReport {
    #[serde(flatten)]
    info: GroupInfo,
    changes: Vec<Change>,
    #[serde(skip)]
    said: Vec<String>,
    #[serde(skip)]
    next: String,
}

impl Report for ChangeReport {
    fn text(&self, style: Style) -> String {
        let said = style.strong(&self.said.join(", "));
        format!("Asked for, in the next epoch: {said}\n\nNext: {}\n", self.next)
    }
}

fn run(words: &Words<'_>, yes: bool, target: Target, wait: &WaitArgs, context: &Context) -> Outcome {
    target.require_owner("change who is in it")?;
    let people = People::of(&target.info);
    let changes = words.changes(&target.info, &people)?;
    let code = |change: &Change| {
        let Change::Join(who) = change else { return None };
        let candidate = target.info.status.candidates.iter().find(|c| c.member == *who)?;
        Some(Code { name: printable(&candidate.name), code: printable(&candidate.code) })
    };
    confirm::codes(&changes.iter().filter_map(code).collect::<Vec<_>>(), yes)?;
    let info: GroupInfo = target.post("/changes", &ChangesRequest { changes: changes.clone() })?;
    let goal = goal(&target.info, &changes);
    match wait::run(wait, &goal, Target { info: info.clone(), ..target }, context)? {
        Some(report) => context.output.report(&report),
        None => {
            let said = changes.iter().map(|change| history::coming(change, &people)).collect();
            let next = format!("{} shows how far it is", context.command("group status"));
            context.output.report(&ChangeReport { info, changes, said, next });
        }
    }
    Ok(Exit::Ok)
}

/// All of the changes, in an epoch after the one in force; who is not in it is put out at once.
fn goal(info: &GroupInfo, changes: &[Change]) -> Goal {
    let mut goal = Goal { taken: true, ..Goal::after(info) };
    let inside = |who: &ParticipantId| info.status.active.as_ref().is_some_and(|active| active.ring.contains(who));
    let mut at_once = true;
    for change in changes {
        match change {
            Change::Join(who) | Change::Return(who) | Change::Update(who) => {
                goal.inside.push(*who);
                at_once = false;
            }
            Change::Leave(who) | Change::Remove(who) | Change::Suspend(who) => {
                goal.outside.push(*who);
                at_once &= !inside(who);
            }
        }
    }
    if at_once {
        goal.above = None;
    }
    goal
}

#[derive(Serialize)]
struct OwnerReport {
    #[serde(flatten)]
    info: GroupInfo,
    #[serde(skip)]
    done: &'static str,
    #[serde(skip)]
    next: String,
}

impl Report for OwnerReport {
    fn text(&self, _: Style) -> String {
        format!("{}\n\nNext: {}\n", self.done, self.next)
    }
}

/// `medring group cancel`.
pub(super) fn cancel(args: &OwnerArgs, context: &Context) -> Outcome {
    let done = "What waited for the next epoch is dropped; the epoch in force stays.";
    order("/cancel", "cancel a change", done, args, context)
}

/// `medring group retry`.
pub(super) fn retry(args: &OwnerArgs, context: &Context) -> Outcome {
    order("/retry", "try again", "The next attempt begins.", args, context)
}

fn order(route: &str, what: &str, done: &'static str, args: &OwnerArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    target.require_owner(what)?;
    let info: GroupInfo = target.post(route, &serde_json::json!({}))?;
    let next = format!("{} shows where the group stands", context.command("group status"));
    context.output.report(&OwnerReport { info, done, next });
    Ok(Exit::Ok)
}
