//! What a testnet's people do in groups, each through its own node: found, invite, accept, change, and wait for the epoch.

use super::testnet::{Testnet, TestnetError};
use super::wait::until;
use serde_json::{Value, json};
use std::time::Duration;

/// Minutes that an invitation lives.
const INVITATION_MINUTES: u64 = 15;

/// The API's path of a group, with what follows.
pub fn group_path(group: &str, rest: &str) -> String {
    format!("/v1/wallet/groups/{group}{rest}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// An epoch that all of its members are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochSeen {
    /// e.
    pub epoch: u64,
    /// Its id, hex.
    pub gid: String,
    /// What people compare, hex.
    pub fingerprint: String,
    /// Height of its commit.
    pub height: u64,
    /// Members in ring order, hex.
    pub ring: Vec<String>,
}

impl Testnet {
    /// Node `owner` makes a group; returns its uid in hex.
    pub fn group_create(&self, owner: usize, name: &str) -> Result<String, TestnetError> {
        let made: Value = self.client(owner)?.post("/v1/wallet/groups", &json!({ "name": name }))?;
        Ok(text(&made["group"]))
    }

    /// How a node sees a group.
    pub fn group_status(&self, i: usize, group: &str) -> Result<Value, TestnetError> {
        Ok(self.client(i)?.get(&group_path(group, ""))?)
    }

    /// Invites the participants of `nodes`, has each accept on its own node, and compares the codes as people would. They
    /// are candidates when this returns.
    pub fn group_invite(
        &self,
        owner: usize,
        group: &str,
        nodes: &[usize],
        within: Duration,
    ) -> Result<(), TestnetError> {
        let (client, owner_name) = (self.client(owner)?, &self.node(owner)?.name);
        for node in nodes {
            let invited = self.node(*node)?;
            let wish = json!({ "name": invited.name, "minutes": INVITATION_MINUTES });
            let invitation: Value = client.post(&group_path(group, "/invitations"), &wish)?;
            let wish = json!({ "ticket": invitation["ticket"], "name": owner_name });
            let accepted: Value = self.client(*node)?.post("/v1/wallet/groups/accept", &wish)?;
            let id = invited.participant.to_string();
            let code = until(&format!("{} to have taken up {owner_name}'s invitation", invited.name), within, || {
                let status: Value = client.get(&group_path(group, "")).map_err(|e| e.to_string())?;
                let candidates = status["candidates"].as_array().cloned().unwrap_or_default();
                let found = candidates.iter().find(|c| c["member"].as_str() == Some(&id));
                found.map(|c| text(&c["code"])).ok_or_else(|| format!("candidates {}", status["candidates"]))
            })?;
            if code.is_empty() || Some(code.as_str()) != accepted["code"].as_str() {
                return Err(TestnetError::Other(format!("{} and {owner_name} see two codes", invited.name)));
            }
        }
        Ok(())
    }

    /// Asks node `owner` for changes, all in one epoch: `("join", node)`, `("remove", node)`, …
    pub fn group_change(&self, owner: usize, group: &str, changes: &[(&str, usize)]) -> Result<(), TestnetError> {
        let change = |(what, node): &(&str, usize)| Ok(json!({ *what: self.node(*node)?.participant }));
        let changes = changes.iter().map(change).collect::<Result<Vec<Value>, TestnetError>>()?;
        let _status: Value =
            self.client(owner)?.post(&group_path(group, "/changes"), &json!({ "changes": changes }))?;
        Ok(())
    }

    /// A member's wish: `leave`, `update` or `return`.
    pub fn group_ask(&self, member: usize, group: &str, wish: &str) -> Result<(), TestnetError> {
        let _status: Value = self.client(member)?.post(&group_path(group, "/ask"), &json!({ "wish": wish }))?;
        Ok(())
    }

    /// Waits until every one of `members` is in epoch `epoch` and it is final there; all must show one GID, one ring and one
    /// fingerprint.
    pub fn group_epoch(
        &self,
        group: &str,
        epoch: u64,
        members: &[usize],
        within: Duration,
    ) -> Result<EpochSeen, TestnetError> {
        let mut seen: Option<EpochSeen> = None;
        for i in members {
            let (client, name) = (self.client(*i)?, &self.node(*i)?.name);
            let active = until(&format!("epoch {epoch} to be final at {name}"), within, || {
                let status: Value = client.get(&group_path(group, "")).map_err(|e| e.to_string())?;
                let active = &status["active"];
                let there = active["epoch"].as_u64() == Some(epoch) && active["is_final"] == true;
                let told = || format!("the status {status}");
                if there { Ok(active.clone()) } else { Err(told()) }
            })?;
            let this = EpochSeen {
                epoch,
                gid: text(&active["gid"]),
                fingerprint: text(&active["fingerprint"]),
                height: active["height"].as_u64().unwrap_or_default(),
                ring: active["ring"].as_array().into_iter().flatten().map(text).collect(),
            };
            match &seen {
                None => seen = Some(this),
                Some(first) if *first == this => {}
                Some(first) => {
                    return Err(TestnetError::Other(format!("{name} is in {this:?}, and others are in {first:?}")));
                }
            }
        }
        seen.ok_or_else(|| TestnetError::Other("a group has members".into()))
    }
}
