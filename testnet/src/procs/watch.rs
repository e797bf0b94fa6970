//! How a testnet stands, and waiting for it.

use super::testnet::{Testnet, TestnetError};
use super::wait::until;
use medring_protocol::BlockId;
use medring_protocol::identity::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// How one node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// What its participant is enrolled as; `None`: not enrolled.
    pub role: Option<Role>,
    /// Whether its process runs.
    pub running: bool,
    /// Whether it is stopped where it stands.
    #[serde(default)]
    pub paused: bool,
    /// What its `/v1/status` says, null if it does not answer.
    pub status: Value,
}

impl NodeStatus {
    /// Tip and height of its best chain.
    pub fn tip(&self) -> Option<(BlockId, u64)> {
        let tip = &self.status["tip"];
        Some((tip["id"].as_str()?.parse().ok()?, tip["height"].as_u64()?))
    }
}

impl Testnet {
    /// How every node stands.
    pub fn status(&self) -> Vec<NodeStatus> {
        let ask = |i| self.client(i).ok()?.get::<Value>("/v1/status").ok();
        let status = |(i, node): (usize, &super::NodeEntry)| {
            let (running, paused) = (node.is_alive(), node.is_paused());
            // One that is paused would let us wait for its answer.
            let status = if running && !paused { ask(i).unwrap_or_default() } else { Value::Null };
            NodeStatus { name: node.name.clone(), role: node.role, running, paused, status }
        };
        self.state().nodes.iter().enumerate().map(status).collect()
    }

    fn tips(&self) -> Vec<(String, Option<(BlockId, u64)>)> {
        self.status().iter().filter(|s| s.running && !s.paused).map(|s| (s.name.clone(), s.tip())).collect()
    }

    /// Waits until every running node is at `height` or above.
    pub fn wait_height(&self, height: u64, limit: Duration) -> Result<(), TestnetError> {
        until(&format!("height {height} on every running node"), limit, || {
            let seen = self.tips();
            let there = seen.iter().all(|(_, tip)| tip.is_some_and(|tip| tip.1 >= height));
            if there && !seen.is_empty() { Ok(()) } else { Err(list(&seen)) }
        })?;
        Ok(())
    }

    /// Waits until all running nodes are on one tip, and returns it with its height.
    pub fn wait_agree(&self, limit: Duration) -> Result<(BlockId, u64), TestnetError> {
        let agreed = until("one tip on every running node", limit, || {
            let seen = self.tips();
            match seen.first() {
                Some((_, Some(first))) if seen.iter().all(|(_, tip)| tip.as_ref() == Some(first)) => Ok(*first),
                _ => Err(list(&seen)),
            }
        })?;
        Ok(agreed)
    }
}

fn list(seen: &[(String, Option<(BlockId, u64)>)]) -> String {
    let one = |(name, tip): &(String, Option<(BlockId, u64)>)| match tip {
        Some((id, height)) => format!("{name} at {height} ({})", id.short()),
        None => format!("{name} does not answer"),
    };
    if seen.is_empty() { "no node runs".into() } else { seen.iter().map(one).collect::<Vec<_>>().join(", ") }
}
