//! The group's past: what each epoch changed, and what those who are outside now could still read.

use super::who::People;
use crate::output::Style;
use medring_node::api::types::{Change, GroupInfo, MyStanding, PastEpoch};
use medring_protocol::ParticipantId;
use serde::Serialize;
use std::collections::BTreeMap;

/// Columns that the changes of one epoch may take; what does not fit is counted.
const CHANGES_COLUMNS: usize = 60;

/// Somebody who was in the group and is not in the epoch in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Former {
    member: ParticipantId,
    /// The epochs it was in: it can read what was sealed in them, if it kept their keys.
    epochs: Vec<u64>,
}

/// Who is outside now; nobody where the epoch in force is not known here.
pub(super) fn former(info: &GroupInfo) -> Vec<Former> {
    let status = &info.status;
    let Some(active) = status.active.as_ref().filter(|_| status.standing == MyStanding::Member) else {
        return Vec::new();
    };
    let mut epochs: BTreeMap<ParticipantId, Vec<u64>> = BTreeMap::new();
    for past in &status.history {
        for member in past.ring.iter().filter(|id| !active.ring.contains(id)) {
            epochs.entry(*member).or_default().push(past.epoch);
        }
    }
    epochs.into_iter().map(|(member, epochs)| Former { member, epochs }).collect()
}

/// `epochs 0 to 2, 5`.
fn ranges(epochs: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for epoch in epochs {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *epoch => *last = *epoch,
            _ => runs.push((*epoch, *epoch)),
        }
    }
    let run = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first} to {last}") };
    let runs = runs.iter().map(run).collect::<Vec<_>>().join(", ");
    format!("epoch{} {runs}", if epochs.len() == 1 { "" } else { "s" })
}

/// What those outside can still read.
pub(super) fn former_text(former: &[Former], people: &People, style: Style) -> String {
    if former.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", style.strong("Outside now, and what they can still read"));
    let rows: Vec<_> = former
        .iter()
        .map(|f| {
            (
                people.label(&f.member),
                format!("what was sealed in {}, if the keys were kept; nothing newer", ranges(&f.epochs)),
            )
        })
        .collect();
    let rows: Vec<_> = rows.iter().map(|(name, what)| (name.as_str(), what.clone())).collect();
    out += &style.fields(&rows);
    out
}

/// A change that happened.
fn past(change: &Change, people: &People) -> String {
    let (who, what) = match change {
        Change::Join(who) => (who, "joined"),
        Change::Leave(who) => (who, "left"),
        Change::Remove(who) => (who, "was removed"),
        Change::Suspend(who) => (who, "was suspended"),
        Change::Return(who) => (who, "came back"),
        Change::Update(who) => (who, "paired anew"),
    };
    format!("{} {what}", people.label(who))
}

/// A change that is to come.
pub(super) fn coming(change: &Change, people: &People) -> String {
    let (who, what) = match change {
        Change::Join(who) => (who, "joins"),
        Change::Leave(who) => (who, "leaves"),
        Change::Remove(who) => (who, "is removed"),
        Change::Suspend(who) => (who, "is suspended"),
        Change::Return(who) => (who, "comes back"),
        Change::Update(who) => (who, "pairs anew"),
    };
    format!("{} {what}", people.label(who))
}

fn changes(epoch: &PastEpoch, people: &People) -> String {
    let mut told = String::new();
    for (i, change) in epoch.changes.iter().enumerate() {
        let words = past(change, people);
        let comma = if i == 0 { "" } else { ", " };
        if i > 0 && told.chars().count() + 2 + words.chars().count() > CHANGES_COLUMNS {
            return format!("{told} and {} more", epoch.changes.len() - i);
        }
        told += &format!("{comma}{words}");
    }
    if told.is_empty() { "nobody changed; begun anew".into() } else { told }
}

/// The epochs, newest first.
pub(super) fn table(info: &GroupInfo, people: &People, style: Style) -> String {
    let status = &info.status;
    if status.history.is_empty() {
        return String::new();
    }
    let inside = status.standing == MyStanding::Member;
    let in_force = status.active.as_ref().filter(|_| inside).map(|active| active.gid);
    let row = |epoch: &PastEpoch| {
        let state = match (epoch.height, in_force == Some(epoch.gid)) {
            (None, _) => "not on the chain",
            (Some(_), true) => "in force",
            (Some(_), false) => "past",
        };
        vec![
            epoch.epoch.to_string(),
            epoch.height.map_or_else(|| "-".into(), |height| height.to_string()),
            epoch.ring.len().to_string(),
            state.into(),
            (if epoch.readable { "held" } else { "wiped" }).into(),
            changes(epoch, people),
        ]
    };
    let rows: Vec<_> = status.history.iter().rev().map(row).collect();
    format!("\n{}", style.table(&["epoch", "height", "members", "state", "keys here", "what changed"], &rows))
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn epochs_are_told_in_runs() {
        assert_eq!(ranges(&[0]), "epoch 0");
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "epochs 0 to 2, 5, 7 to 8");
    }
}
