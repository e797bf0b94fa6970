//! `medring group accept`: taking up an invitation.

use super::AcceptArgs;
use super::status::StatusReport;
use super::target::Target;
use super::wait::{self, Goal};
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::{Report, Style, utc};
use medring_node::api::types::{AcceptRequest, AcceptResponse, MyStanding};
use medring_protocol::group::ticket::{Ticket, TicketError};
use serde::Serialize;
use std::io::{self, Read};

/// Longest ticket read, bytes: line breaks and spaces included.
const TICKET_BYTES_MAX: u64 = 8 * 1024;

#[derive(Serialize)]
struct AcceptReport {
    #[serde(flatten)]
    accepted: AcceptResponse,
    #[serde(skip)]
    next: String,
}

impl Report for AcceptReport {
    fn text(&self, style: Style) -> String {
        let code = style.strong(&self.accepted.code);
        format!(
            "Invitation taken up. The owner of group {} has to see this code:\n\n    {code}\n\n\
             Tell it by phone or face to face, and not by the way the ticket came.\n{}",
            self.accepted.group.short(),
            self.next
        )
    }
}

/// With `--wait` as one object: the code, and where the group stands then.
#[derive(Serialize)]
struct WaitedReport {
    code: String,
    #[serde(flatten)]
    status: StatusReport,
}

impl Report for WaitedReport {
    fn text(&self, style: Style) -> String {
        format!("\n{}", self.status.text(style))
    }
}

/// `medring group accept`.
pub(super) fn run(args: &AcceptArgs, context: &Context) -> Outcome {
    let ticket = ticket(&args.ticket)?;
    let request = AcceptRequest { ticket, name: args.name.clone() };
    let accepted: AcceptResponse = context.client()?.post("/v1/wallet/groups/accept", &request)?;
    let (group, code) = (accepted.group, accepted.code.clone());
    let next = match args.wait.wait {
        true => "\nWaiting until you are added …\n".into(),
        false => format!("\nNext: {} tells when you are in\n", context.command("group status")),
    };
    if !args.wait.wait || !context.output.is_json() {
        context.output.report(&AcceptReport { accepted, next });
    } else {
        // The result comes last; the code is needed before.
        context.output.note(&format!("code {code}"));
    }
    let goal = Goal { standing: Some(MyStanding::Member), ..Goal::default() };
    if args.wait.wait
        && let Some(status) = wait::run(&args.wait, &goal, Target::of(&group, context)?, context)?
    {
        context.output.report(&WaitedReport { code, status });
    }
    Ok(Exit::Ok)
}

/// The ticket itself, from the command line or from standard input.
fn ticket(given: &str) -> Outcome<String> {
    let mut ticket = given.to_owned();
    if given == "-" {
        ticket.clear();
        let read = io::stdin().lock().take(TICKET_BYTES_MAX + 1).read_to_string(&mut ticket);
        read.map_err(|e| Failure::new(Exit::Data, format!("cannot read a ticket from standard input: {e}")))?;
    }
    let length = u64::try_from(ticket.len()).unwrap_or(u64::MAX);
    if ticket.trim().is_empty() || length > TICKET_BYTES_MAX {
        let what = format!("this is no ticket: it has {length} bytes; paste what `medring group invite` printed");
        return Err(Failure::new(Exit::Data, what));
    }
    // What was mistyped is told even where no node runs.
    let read: Ticket = ticket.parse().map_err(|e: TicketError| Failure::new(Exit::Data, e.to_string()))?;
    if read.expires_ms <= now_ms()? {
        let what = format!("the ticket was good until {}; ask for a new one", utc(read.expires_ms));
        return Err(Failure::new(Exit::NotSo, what));
    }
    Ok(ticket)
}
