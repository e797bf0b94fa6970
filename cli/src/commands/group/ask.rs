//! `medring group leave` and `return`, and a member's `update`: what a member asks its owner for.

use super::AskArgs;
use super::WaitArgs;
use super::target::Target;
use super::wait::{self, Goal};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use medring_node::api::types::{AskRequest, GroupInfo, MyStanding};
use medring_protocol::group::message::Wish;
use serde::Serialize;

#[derive(Serialize)]
struct AskReport {
    #[serde(flatten)]
    info: GroupInfo,
    wish: Wish,
    #[serde(skip)]
    next: String,
}

impl Report for AskReport {
    fn text(&self, _: Style) -> String {
        let what = match self.wish {
            Wish::Leave => "The owner's node is asked to leave you out of the next epoch.",
            Wish::Update => "The owner's node is asked to pair you anew in the next epoch.",
            Wish::Return => "The owner's node is asked to take you back in the next epoch.",
        };
        format!("{what}\n\nNext: {}\n", self.next)
    }
}

/// `medring group leave`.
pub(super) fn leave(args: &AskArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    if target.info.status.mine {
        let remove = context.command("group remove WHO");
        let what = format!("the owner cannot leave its own group; {remove} takes others out of it");
        return Err(Failure::new(Exit::Data, what));
    }
    run(Wish::Leave, target, &args.wait, context)
}

/// `medring group return`.
pub(super) fn come_back(args: &AskArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    if target.info.status.standing != MyStanding::Suspended {
        let status = context.command("group status");
        let what = format!("you are not suspended, so there is nothing to come back from; see {status}");
        return Err(Failure::new(Exit::Data, what));
    }
    run(Wish::Return, target, &args.wait, context)
}

/// Asks, and waits if that is wished.
pub(super) fn run(wish: Wish, target: Target, args: &WaitArgs, context: &Context) -> Outcome {
    let info: GroupInfo = target.post("/ask", &AskRequest { wish })?;
    let goal = match wish {
        Wish::Leave => Goal { standing: Some(MyStanding::Left), ..Goal::default() },
        Wish::Update | Wish::Return => Goal::after(&target.info),
    };
    match wait::run(args, &goal, Target { info: info.clone(), ..target }, context)? {
        Some(report) => context.output.report(&report),
        None => {
            let next = format!("{} tells when it is so", context.command("group status"));
            context.output.report(&AskReport { info, wish, next });
        }
    }
    Ok(Exit::Ok)
}
