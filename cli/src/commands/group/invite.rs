//! `medring group invite`: a ticket as text and as a QR code.

use super::InviteArgs;
use super::qr::Modules;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::input;
use crate::output::{Report, Style, printable, quoted, span, utc};
use medring_node::api::types::{InvitationRequest, InvitationResponse};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct InviteReport {
    #[serde(flatten)]
    invitation: InvitationResponse,
    name: String,
    qr_file: Option<PathBuf>,
    #[serde(skip)]
    qr: Option<Modules>,
    #[serde(skip)]
    minutes: u64,
    #[serde(skip)]
    next: String,
}

impl Report for InviteReport {
    fn text(&self, style: Style) -> String {
        let InvitationResponse { ticket, expires_ms } = &self.invitation;
        let mut out = format!("{}\n", style.strong(&format!("Ticket for {}", printable(&self.name))));
        if let Some(qr) = &self.qr {
            out += &format!("\n{}", qr.text(style.is_coloured()));
        }
        out += &format!("\n{ticket}\n\n");
        let lives = span(self.minutes.saturating_mul(60_000));
        out += &format!(
            "Good once, for {lives} (until {}). It holds nothing secret but its one-time token:\n",
            utc(*expires_ms)
        );
        out += "whoever takes it up first becomes a candidate, and nobody is added before you compared codes.\n";
        if let Some(file) = &self.qr_file {
            out += &format!("QR code in {}\n", file.display());
        }
        out += "\nThe other side types:  medring group accept TICKET    (or `-`, and pastes the ticket)\n";
        out + &format!("Next: {}\n", self.next)
    }
}

/// `medring group invite`.
pub(super) fn run(args: &InviteArgs, context: &Context) -> Outcome {
    args.qr_file.as_deref().map(picture).transpose()?;
    let target = args.group.find(context)?;
    target.require_owner("invite")?;
    let request = InvitationRequest { name: args.name.clone(), minutes: args.minutes };
    let invitation: InvitationResponse = target.post("/invitations", &request)?;
    let qr = Modules::of(&invitation.ticket)?;
    if let Some(file) = &args.qr_file {
        input::write_new(file, qr.svg().as_bytes())?;
    }
    let add = context.command(&format!("group add {}", quoted(&args.name)));
    let next = format!("once that is done, {add} shows the code to compare");
    context.output.report(&InviteReport {
        invitation,
        name: args.name.clone(),
        qr_file: args.qr_file.clone(),
        qr: (!args.no_qr).then_some(qr),
        minutes: args.minutes,
        next,
    });
    Ok(Exit::Ok)
}

/// Refuses what cannot be written, before a ticket is made.
fn picture(file: &Path) -> Outcome<()> {
    if file.extension().is_none_or(|extension| extension != "svg") {
        let what = format!("--qr-file {}: the QR code is written as SVG; name it FILE.svg", file.display());
        return Err(Failure::new(Exit::Usage, what));
    }
    match file.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) => {
            let what = format!("{} exists already and is not overwritten; choose another path", file.display());
            Err(Failure::new(Exit::CannotCreate, what))
        }
    }
}
