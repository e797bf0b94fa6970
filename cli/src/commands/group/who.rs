//! People of a group: what they are called here, and whom a word on the command line means.

use super::target::is_prefix;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::printable;
use medring_node::api::types::GroupInfo;
use medring_protocol::ParticipantId;
use medring_protocol::identity::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Longest name that is shown whole.
const NAME_CHARS_MAX: usize = 24;

/// What is known here of a group's people.
#[derive(Debug, Default)]
pub(super) struct People {
    names: BTreeMap<ParticipantId, String>,
    roles: BTreeMap<ParticipantId, Role>,
    /// In the order in which they are offered: the ring, candidates, suspended, then the past.
    known: Vec<ParticipantId>,
    invited: Vec<String>,
}

impl People {
    /// From the group alone: names are known to its owner.
    pub(super) fn of(info: &GroupInfo) -> Self {
        let status = &info.status;
        let mut names: BTreeMap<_, _> = status.names.iter().map(|(id, name)| (*id, printable(name))).collect();
        let mut known = Vec::new();
        known.extend(status.active.iter().flat_map(|e| &e.ring));
        known.extend(status.attempt.iter().flat_map(|a| &a.ring));
        for candidate in &status.candidates {
            names.insert(candidate.member, printable(&candidate.name));
            known.push(candidate.member);
        }
        known.extend(&status.suspended);
        known.extend(status.history.iter().rev().flat_map(|e| &e.ring));
        known.push(status.owner);
        let mut seen = BTreeSet::new();
        known.retain(|id| seen.insert(*id));
        let invited = status.invitations.iter().map(|i| printable(&i.name)).collect();
        Self { names, roles: BTreeMap::new(), known, invited }
    }

    /// With the roles in which they are enrolled. Whoever has none keeps the id's digits alone.
    pub(super) fn with_roles(mut self, role_of: impl Fn(&ParticipantId) -> Outcome<Option<Role>>) -> Outcome<Self> {
        for id in &self.known {
            self.roles.extend(role_of(id)?.map(|role| (*id, role)));
        }
        Ok(self)
    }

    /// The role, if it was asked for.
    pub(super) fn role(&self, id: &ParticipantId) -> Option<Role> {
        self.roles.get(id).copied()
    }

    /// What people call it here: the name, or the role and the first digits of the id.
    pub(super) fn label(&self, id: &ParticipantId) -> String {
        let digits = || match self.roles.get(id) {
            Some(role) => format!("{} {}", role.name(), id.short()),
            None => id.short(),
        };
        self.names.get(id).map_or_else(digits, |name| shortened(name))
    }

    /// A word that means it on a command line.
    pub(super) fn word(&self, id: &ParticipantId) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.short())
    }

    /// All roles that are known.
    pub(super) fn roles(&self) -> &BTreeMap<ParticipantId, Role> {
        &self.roles
    }

    /// The labels, as a list in a sentence.
    pub(super) fn labels<'a>(&self, ids: impl IntoIterator<Item = &'a ParticipantId>) -> String {
        ids.into_iter().map(|id| self.label(id)).collect::<Vec<_>>().join(", ")
    }

    /// Whom a word means: a name, an id, or the first digits of one.
    pub(super) fn find(&self, word: &str) -> Outcome<ParticipantId> {
        let named = |same: &dyn Fn(&str) -> bool| {
            let by_name = self.known.iter().filter(|id| self.names.get(id).is_some_and(|name| same(name)));
            by_name.copied().collect::<Vec<_>>()
        };
        let lower = word.to_lowercase();
        let by_id = || self.known.iter().filter(|id| is_prefix(&id.to_string(), word)).copied().collect();
        let tries: [Vec<ParticipantId>; 3] =
            [named(&|name| name == word), named(&|name| name.to_lowercase() == lower), by_id()];
        let found = tries.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        match (found.as_slice(), word.parse()) {
            ([one], _) => Ok(*one),
            // The node knows whether that is anyone.
            ([], Ok(id)) => Ok(id),
            ([], Err(_)) => Err(self.unknown(word)),
            (several, _) => {
                let ids = several.iter().map(|id| id.short()).collect::<Vec<_>>().join(", ");
                Err(Failure::new(
                    Exit::Usage,
                    format!("{word:?} means several people: {ids}; name one by these digits"),
                ))
            }
        }
    }

    fn unknown(&self, word: &str) -> Failure {
        if self.invited.iter().any(|name| name.to_lowercase() == word.to_lowercase()) {
            let what = format!("{word} was invited and has not taken the invitation up yet");
            return Failure::new(Exit::NotSo, format!("{what}; that person types `medring group accept TICKET`"));
        }
        let all = self.labels(&self.known);
        Failure::new(Exit::NotSo, format!("nobody of this group is called {word:?}; there are {all}"))
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARS_MAX - 1).chain(['…']).collect()
}
