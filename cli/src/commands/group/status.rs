//! `medring group status`: where a group stands, for people.

use super::StatusArgs;
use super::draw::{self, Place};
use super::history::{self, Former};
use super::target::Target;
use super::who::People;
use crate::context::{Context, now_ms};
use crate::failure::{Exit, Outcome};
use crate::output::{Report, Style, printable, quoted, span, utc};
use medring_node::api::types::{
    AttemptStatus, EpochStatus, Fingerprint, GroupInfo, MyStanding, ParticipantResponse, Phase, WalletResponse,
};
use medring_protocol::ParticipantId;
use medring_protocol::identity::Role;
use serde::Serialize;
use std::collections::BTreeMap;

/// As the API gives the group, with the roles of its people and who is outside now.
#[derive(Serialize)]
pub(super) struct StatusReport {
    #[serde(flatten)]
    pub(super) info: GroupInfo,
    roles: BTreeMap<ParticipantId, Role>,
    former: Vec<Former>,
    #[serde(skip)]
    people: People,
    #[serde(skip)]
    me: Option<ParticipantId>,
    #[serde(skip)]
    ids: bool,
    #[serde(skip)]
    now_ms: u64,
}

/// `medring group status`.
pub(super) fn run(args: &StatusArgs, context: &Context) -> Outcome {
    let target = args.group.find(context)?;
    context.output.report(&report(&target, args.ids)?);
    Ok(Exit::Ok)
}

/// The group as it stands in `target`.
pub(super) fn report(target: &Target, ids: bool) -> Outcome<StatusReport> {
    let wallet: WalletResponse = target.client.get("/v1/wallet")?;
    let role_of = |id: &ParticipantId| {
        let found: Option<ParticipantResponse> = target.client.find(&format!("/v1/participants/{id}"))?;
        Ok(found.and_then(|participant| participant.role))
    };
    let people = People::of(&target.info).with_roles(role_of)?;
    Ok(StatusReport::new(target.info.clone(), people, Some(wallet.participant), ids, now_ms()?))
}

impl StatusReport {
    pub(super) fn new(info: GroupInfo, people: People, me: Option<ParticipantId>, ids: bool, now_ms: u64) -> Self {
        let former = history::former(&info);
        Self { roles: people.roles().clone(), former, info, people, me, ids, now_ms }
    }

    fn places(&self, ring: &[ParticipantId]) -> Vec<Place> {
        let place = |id: &ParticipantId| Place {
            label: self.people.label(id),
            online: self.info.online.contains(id),
            owner: *id == self.info.status.owner,
            me: self.me == Some(*id),
        };
        ring.iter().map(place).collect()
    }

    /// Name and standing.
    fn head(&self, style: Style) -> String {
        let status = &self.info.status;
        let whose = if status.mine { "yours".into() } else { format!("of {}", self.people.label(&status.owner)) };
        let name = style.strong(&printable(&self.info.name));
        let mut out = format!("{name}   group {}, {whose}\n", status.group.short());
        let told = match status.standing {
            MyStanding::Member => "",
            MyStanding::Invited if status.attempt.is_some() => "You are being taken in.\n",
            MyStanding::Invited => "You took up the invitation; its owner has to compare codes with you and add you.\n",
            MyStanding::Suspended => {
                "You are suspended: nothing sealed since then opens here. `medring group return` asks to come back.\n"
            }
            MyStanding::Left => "You left. What was sealed while you were in it stays known to you, nothing newer.\n",
            MyStanding::Removed => "You were removed. Nothing sealed since then opens here.\n",
        };
        out += told;
        if let Some(why) = &status.stopped {
            let next = if status.mine { "; `medring group retry`" } else { "" };
            out += &format!("{} {}{next}\n", style.bad("Stopped:"), printable(why));
        }
        out
    }

    fn epoch(&self, epoch: &EpochStatus, style: Style) -> String {
        let outside = self.is_outside();
        let place = match (epoch.height, epoch.is_final) {
            (None, _) => style.bad("its commit left the chain in a reorganisation and is on its way again"),
            (Some(height), true) => format!("final, committed at height {height}"),
            (Some(height), false) => format!("in force, committed at height {height}, not final yet"),
        };
        let records = match (self.info.status.mine, epoch.sealing) {
            _ if outside => "of later epochs do not open here",
            (false, _) => "are sealed by the owner alone",
            (true, true) => "may be sealed under this epoch",
            (true, false) => "wait for the next epoch: nothing is sealed under this one any more",
        };
        style.fields(&[
            ("epoch", format!("{}, {place}", epoch.epoch)),
            ("fingerprint", style.strong(&fingerprint(&epoch.fingerprint))),
            ("", "the same on every member's screen, or do not trust this ring".into()),
            ("records", records.into()),
        ])
    }

    /// Whether the epoch known here is the last one of somebody who is not in the group now.
    fn is_outside(&self) -> bool {
        matches!(self.info.status.standing, MyStanding::Left | MyStanding::Removed | MyStanding::Suspended)
    }

    /// What is not settled.
    fn ahead(&self, style: Style) -> String {
        let (status, people) = (&self.info.status, &self.people);
        let mut rows: Vec<(&str, String)> = Vec::new();
        if let Some(attempt) = &status.attempt {
            rows.push(("under way", under_way(attempt, people)));
        }
        if !status.pending.is_empty() {
            let changes: Vec<_> = status.pending.iter().map(|change| history::coming(change, people)).collect();
            rows.push(("to come", changes.join(", ")));
        }
        if !status.waiting_for.is_empty() {
            let whom = people.labels(&status.waiting_for);
            let next = without(&self.info, people);
            rows.push(("waits for", format!("{whom}, whose node does not answer; {next}")));
        }
        for invitation in &status.invitations {
            let left = match invitation.expires_ms.checked_sub(self.now_ms) {
                None | Some(0) => "out of date; invite again".into(),
                Some(left_ms) => format!("until {} ({})", utc(invitation.expires_ms), span(left_ms)),
            };
            rows.push(("invited", format!("{}, {left}", printable(&invitation.name))));
        }
        for candidate in &status.candidates {
            let add = format!("`medring group add {}`", quoted(&people.word(&candidate.member)));
            let code = style.strong(&printable(&candidate.code));
            rows.push((
                "candidate",
                format!("{}, code {code}: compare it, then {add}", people.label(&candidate.member)),
            ));
        }
        if !status.suspended.is_empty() {
            rows.push(("suspended", people.labels(&status.suspended)));
        }
        if rows.is_empty() { String::new() } else { format!("\n{}", style.fields(&rows)) }
    }

    fn ids(&self, ring: &[ParticipantId], style: Style) -> String {
        let row = |(i, id): (usize, &ParticipantId)| {
            let role = self.people.role(id).map_or("-", |role| role.name());
            vec![(i + 1).to_string(), self.people.label(id), role.into(), id.to_string()]
        };
        let rows: Vec<_> = ring.iter().enumerate().map(row).collect();
        format!("\n{}", style.table(&["place", "member", "role", "id"], &rows))
    }
}

impl Report for StatusReport {
    fn text(&self, style: Style) -> String {
        let status = &self.info.status;
        let mut out = self.head(style);
        match &status.active {
            Some(active) => {
                if self.is_outside() {
                    out += "\nThe last epoch you were in:\n";
                }
                out += &format!("\n{}\n{}", draw::ring(&self.places(&active.ring), style), self.epoch(active, style));
                if self.ids {
                    out += &self.ids(&active.ring, style);
                }
            }
            None if status.mine && status.attempt.is_none() && status.candidates.is_empty() => {
                out += "\nNo epoch yet. Next: `medring group invite NAME`, or `medring group create NAME --alone`\n";
            }
            None => out += "\nNo epoch is in force here.\n",
        }
        out += &self.ahead(style);
        out += &history::table(&self.info, &self.people, style);
        out + &history::former_text(&self.former, &self.people, style)
    }
}

/// Eight groups of four hex digits: the first half, which is enough to compare.
pub(super) fn fingerprint(fingerprint: &Fingerprint) -> String {
    if *fingerprint == Fingerprint::ZERO {
        return "not known here: the keys of this epoch are lost".into();
    }
    let groups = fingerprint.as_bytes()[..16].chunks(2).map(hex::encode);
    groups.collect::<Vec<_>>().join(" ")
}

/// A phase, and how many there are before the commit.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Proposed => "proposed (1 of 5)",
        Phase::Pairing => "pairing (2 of 5)",
        Phase::Sharing => "sharing (3 of 5)",
        Phase::Confirming => "confirming (4 of 5)",
        Phase::Committing => "committing (5 of 5)",
    }
}

/// What goes on without whom the change waits for.
pub(super) fn without(info: &GroupInfo, people: &People) -> String {
    let ring = info.status.active.iter().flat_map(|active| &active.ring).collect::<Vec<_>>();
    let members: Vec<_> = info.status.waiting_for.iter().filter(|id| ring.contains(id)).collect();
    if members.is_empty() {
        return "`medring group cancel` gives the change up".into();
    }
    let words: Vec<_> = members.iter().map(|id| quoted(&people.word(id))).collect();
    format!("`medring group suspend {}` goes on without", words.join(" "))
}

/// An attempt in words.
pub(super) fn under_way(attempt: &AttemptStatus, people: &People) -> String {
    let again = if attempt.attempt == 0 { String::new() } else { format!(", retry {}", attempt.attempt) };
    let missing = match attempt.missing.as_slice() {
        [] => String::new(),
        missing => format!("; still missing: {}", people.labels(missing)),
    };
    format!("epoch {}{again}: {}{missing}", attempt.epoch, phase(attempt.phase))
}
