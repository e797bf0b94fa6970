//! Which group a command is about, and the node's routes for it.

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::printable;
use clap::Args;
use medring_node::api::types::{GroupInfo, GroupsResponse};
use medring_protocol::group::GroupUid;
use medring_testnet::client::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Digits of an id that are enough to name it, if they name one only.
pub(super) const PREFIX_DIGITS_MIN: usize = 4;

/// Which group.
#[derive(Args, Debug, Default)]
pub(crate) struct GroupArgs {
    /// The group, by name, uid, or the first digits of its uid [default: the only one]
    #[arg(long, value_name = "NAME|UID")]
    pub(crate) group: Option<String>,
}

impl GroupArgs {
    /// The group as it stands now.
    pub(crate) fn find(&self, context: &Context) -> Outcome<Target> {
        let client = context.client()?;
        let groups: GroupsResponse = client.get("/v1/wallet/groups")?;
        if let Some(problem) = groups.problem {
            return Err(Failure::new(Exit::Config, problem));
        }
        let info = choose(groups.groups, self.group.as_deref(), context)?;
        Ok(Target { client, info })
    }
}

/// The group that is meant.
fn choose(groups: Vec<GroupInfo>, wanted: Option<&str>, context: &Context) -> Outcome<GroupInfo> {
    let names = |groups: &[GroupInfo]| {
        let each = groups.iter().map(|g| format!("{} ({})", printable(&g.name), g.status.group.short()));
        each.collect::<Vec<_>>().join(", ")
    };
    if groups.is_empty() {
        let (create, accept) = (context.command("group create NAME"), context.command("group accept TICKET"));
        let what = "this node's participant is in no group";
        return Err(Failure::new(
            Exit::NotSo,
            format!("{what}; make one with {create}, or take up an invitation with {accept}"),
        ));
    }
    let all = names(&groups);
    let mut found: Vec<GroupInfo> = match wanted {
        None => groups,
        Some(wanted) => groups.into_iter().filter(|g| is_called(g, wanted)).collect(),
    };
    match (found.len(), wanted) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(wanted)) => Err(Failure::new(Exit::NotSo, format!("no group is called {wanted:?}; there are {all}"))),
        (_, None) => Err(Failure::new(Exit::Usage, format!("there are several groups; name one with --group: {all}"))),
        (_, Some(wanted)) => {
            let what = format!("{wanted:?} means several groups: {}", names(&found));
            Err(Failure::new(Exit::Usage, format!("{what}; name one by the first digits of its uid")))
        }
    }
}

fn is_called(group: &GroupInfo, wanted: &str) -> bool {
    group.name == wanted || is_prefix(&group.status.group.to_string(), wanted)
}

/// Whether these are the first digits of an id.
pub(super) fn is_prefix(id: &str, digits: &str) -> bool {
    digits.len() >= PREFIX_DIGITS_MIN && digits.is_ascii() && id.starts_with(&digits.to_ascii_lowercase())
}

/// The path of a group's route.
pub(super) fn path(group: &GroupUid, rest: &str) -> String {
    format!("/v1/wallet/groups/{group}{rest}")
}

/// A group, and the node that knows it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) info: GroupInfo,
}

impl Target {
    /// The group of this uid.
    pub(super) fn of(group: &GroupUid, context: &Context) -> Outcome<Self> {
        let client = context.client()?;
        let info = client.get(&path(group, ""))?;
        Ok(Self { client, info })
    }

    /// The path of one of its routes, for example `/records`.
    pub(crate) fn path(&self, rest: &str) -> String {
        path(&self.info.status.group, rest)
    }

    /// POSTs to one of its routes.
    pub(super) fn post<T: DeserializeOwned>(&self, rest: &str, body: &impl Serialize) -> Outcome<T> {
        Ok(self.client.post(&self.path(rest), body)?)
    }

    /// The same group as it stands by now.
    pub(super) fn look(&self) -> Outcome<GroupInfo> {
        Ok(self.client.get(&self.path(""))?)
    }

    /// Only the owner may; says who that is.
    pub(crate) fn require_owner(&self, what: &str) -> Outcome<()> {
        if self.info.status.mine {
            return Ok(());
        }
        let owner = self.info.status.owner;
        Err(Failure::new(Exit::Data, format!("only the group's owner, {owner}, can {what}; ask that person to")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_of_an_id_name_it() {
        let id = "3f9a00";
        assert!(is_prefix(id, "3f9a") && is_prefix(id, "3F9A0") && is_prefix(id, id));
        assert!(!is_prefix(id, "3f9") && !is_prefix(id, "3f9b") && !is_prefix(id, "3f9a000"));
    }
}
