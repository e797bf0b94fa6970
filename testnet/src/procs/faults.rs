//! What a testnet can do to its nodes: mine on demand, cut links, kill, restart.

use super::process::ProcessId;
use super::testnet::{END_WITHIN, Testnet, TestnetError, io};
use super::wait::until_in_any_case;
use serde_json::{Value, json};

/// Begins what [`Testnet::crash_after`] adds to a configuration.
const CRASH: &str = "\n[group]\n";

impl Testnet {
    /// Makes a node mine `blocks` blocks now and returns their ids, in hex.
    pub fn mine(&self, i: usize, blocks: u32) -> Result<Vec<String>, TestnetError> {
        let answer: Value = self.client(i)?.post("/v1/chain/mine", &json!({ "blocks": blocks }))?;
        let ids = answer["ids"].as_array().into_iter().flatten();
        Ok(ids.filter_map(|id| id.as_str().map(str::to_string)).collect())
    }

    /// Cuts every link of a node and refuses new ones, or (`on` = false) lets it be linked again.
    pub fn isolate(&self, i: usize, on: bool) -> Result<(), TestnetError> {
        let _answer: Value = self.client(i)?.post("/v1/testnet/isolate", &json!({ "on": on }))?;
        Ok(())
    }

    /// Tells node `i` the address of node `j`; it dials, and stays linked.
    pub fn connect(&self, i: usize, j: usize) -> Result<(), TestnetError> {
        let address = self.node(j)?.address.clone();
        let address = address.ok_or(TestnetError::NodeState(j, "has no address yet: start it first"))?;
        let _answer: Value = self.client(i)?.post("/v1/peers", &json!({ "address": address }))?;
        Ok(())
    }

    /// Has a node abort right after so many stored steps of its groups, at its next start; `None`: not any more. Takes effect
    /// when the node is started again.
    pub fn crash_after(&self, i: usize, steps: Option<u64>) -> Result<(), TestnetError> {
        let path = self.node(i)?.config();
        let text = std::fs::read_to_string(&path).map_err(io(&path))?;
        let kept = text.split(CRASH).next().unwrap_or_default();
        let added = steps.map_or_else(String::new, |steps| format!("{CRASH}crash_after = {steps}\n"));
        std::fs::write(&path, format!("{kept}{added}")).map_err(io(&path))
    }

    /// Whether the process of a node runs.
    pub fn is_alive(&self, i: usize) -> Result<bool, TestnetError> {
        Ok(self.node(i)?.is_alive())
    }

    /// kill -9; returns when the process is gone.
    pub fn kill(&mut self, i: usize) -> Result<(), TestnetError> {
        self.end(i, ProcessId::kill)
    }

    /// Asks a node to end and waits until it has.
    pub fn stop(&mut self, i: usize) -> Result<(), TestnetError> {
        self.end(i, ProcessId::terminate)
    }

    fn end(&mut self, i: usize, how: fn(ProcessId)) -> Result<(), TestnetError> {
        let Some(process) = self.node(i)?.process.filter(|p| p.is_alive()) else {
            return Err(TestnetError::NodeState(i, "does not run; `medring testnet restart` starts it"));
        };
        how(process);
        until_in_any_case(&format!("node {i} to end"), END_WITHIN, || {
            if process.is_alive() { Err("it runs".into()) } else { Ok(()) }
        })?;
        self.state.nodes[i].process = None;
        self.state.nodes[i].api = None;
        self.save()
    }

    /// Kills a node if it runs and starts it again.
    pub fn restart(&mut self, i: usize) -> Result<(), TestnetError> {
        if self.node(i)?.is_alive() {
            self.kill(i)?;
        }
        self.start(i)
    }
}
