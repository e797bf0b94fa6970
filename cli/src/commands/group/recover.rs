//! `medring group recover`: an owner with restored keys asks a member for the last epoch.

use super::RecoverArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style};
use medring_node::api::types::{RecallRequest, RecallResponse};
use serde::Serialize;

/// As the API gives it.
#[derive(Serialize)]
struct RecoverReport {
    #[serde(flatten)]
    recalled: RecallResponse,
    #[serde(skip)]
    next: String,
}

impl Report for RecoverReport {
    fn text(&self, style: Style) -> String {
        let groups: String =
            self.recalled.groups.iter().map(|g| format!("{}\n", style.strong(&g.to_string()))).collect();
        format!(
            "Recovered:\n{groups}\nEvery member is paired anew in the next epoch. Keys of earlier epochs do not come back: \
             what only they open\nstays closed here.\n\nNext: {}\n",
            self.next
        )
    }
}

/// `medring group recover`.
pub(super) fn run(args: &RecoverArgs, context: &Context) -> Outcome {
    if !args.from.contains("/p2p/") {
        let what = format!("{:?} lacks the peer id: give /ip4/ADDRESS/tcp/PORT/p2p/PEERID", args.from);
        return Err(Failure::new(
            Exit::Usage,
            format!("{what}, as `medring node status` prints it on the member's node"),
        ));
    }
    let request = RecallRequest { address: args.from.clone() };
    let recalled: RecallResponse = context.client()?.post("/v1/wallet/groups/recall", &request)?;
    if recalled.groups.is_empty() {
        let what = format!("the node at {} knows of no group of yours, or has not answered yet", args.from);
        let next = "try again, or ask another member for its address";
        return Err(Failure::new(Exit::NotSo, format!("{what}; {next}")));
    }
    let next = context.command("group status --group UID");
    context.output.report(&RecoverReport { recalled, next });
    Ok(Exit::Ok)
}
