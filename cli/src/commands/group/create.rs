//! `medring group create` and `list`.

use super::CreateArgs;
use super::target::Target;
use super::wait::{self, Goal};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, printable};
use medring_node::api::types::{GroupInfo, GroupRequest, GroupsResponse, MyStanding};
use serde::Serialize;

#[derive(Serialize)]
struct CreateReport {
    #[serde(flatten)]
    info: GroupInfo,
    #[serde(skip)]
    next: String,
}

impl Report for CreateReport {
    fn text(&self, style: Style) -> String {
        let (name, group) = (style.strong(&printable(&self.info.name)), self.info.status.group);
        format!("Group {name}\n{group}\n\nNext: {}\n", self.next)
    }
}

/// `medring group create`.
pub(super) fn run(args: &CreateArgs, context: &Context) -> Outcome {
    if args.wait.wait && !args.alone {
        let what =
            "--wait waits for an epoch, and there is none before someone is added; give --alone too, or leave it out";
        return Err(Failure::new(Exit::Usage, what));
    }
    let client = context.client()?;
    let request = GroupRequest { name: args.name.clone(), alone: args.alone };
    let info: GroupInfo = client.post("/v1/wallet/groups", &request)?;
    let goal = Goal { standing: Some(MyStanding::Member), inside: vec![info.status.owner], ..Goal::default() };
    let target = Target { client, info };
    let info = target.info.clone();
    if let Some(report) = wait::run(&args.wait, &goal, target, context)? {
        context.output.report(&report);
        return Ok(Exit::Ok);
    }
    let next = match args.alone {
        true => format!("{} tells when its first epoch is in force", context.command("group status")),
        false => format!("{} makes a ticket for whom you call NAME", context.command("group invite NAME")),
    };
    context.output.report(&CreateReport { info, next });
    Ok(Exit::Ok)
}

/// As the API gives it.
#[derive(Serialize)]
#[serde(transparent)]
struct ListReport(GroupsResponse);

impl Report for ListReport {
    fn text(&self, style: Style) -> String {
        let problem =
            self.0.problem.as_ref().map(|p| format!("{} {}\n", style.bad("Groups do not work:"), printable(p)));
        let problem = problem.unwrap_or_default();
        if self.0.groups.is_empty() {
            let next = "Make one with `medring group create NAME`, or take up an invitation with `medring group accept TICKET`.";
            return format!("{problem}No groups. {next}\n");
        }
        let row = |g: &GroupInfo| {
            let active = g.status.active.as_ref();
            vec![
                printable(&g.name),
                g.status.group.short(),
                if g.status.mine { "owner".into() } else { standing(g.status.standing).into() },
                active.map_or_else(|| "-".into(), |e| e.epoch.to_string()),
                active.map_or_else(|| "-".into(), |e| format!("{} of {}", g.online.len(), e.ring.len())),
            ]
        };
        let rows: Vec<_> = self.0.groups.iter().map(row).collect();
        problem + &style.table(&["group", "uid", "you are", "epoch", "online"], &rows)
    }
}

fn standing(standing: MyStanding) -> &'static str {
    match standing {
        MyStanding::Invited => "invited",
        MyStanding::Member => "member",
        MyStanding::Suspended => "suspended",
        MyStanding::Left => "gone",
        MyStanding::Removed => "removed",
    }
}

/// `medring group list`.
pub(super) fn list(context: &Context) -> Outcome {
    context.output.report(&ListReport(context.client()?.get("/v1/wallet/groups")?));
    Ok(Exit::Ok)
}
