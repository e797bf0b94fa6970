//! What a testnet can do to its nodes while they run: mine on demand, cut, slow and lose what is said, stop, kill, restart, set clocks
//! off, fill disks.
//!
//! What is wrong with a node stands in `faults.json` of its folder, which the node reads when it starts, and is told to a node that runs.
//! So a fault outlives the node's death and ends when somebody ends it.

use super::process::ProcessId;
use super::testnet::{END_WITHIN, Testnet, TestnetError, io};
use super::wait::until_in_any_case;
use crate::hearing::set_rule;
use medring_node::faults::{Behaviour, Faults};
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

    /// Tells node `i` the address of node `j`; it dials, once.
    pub fn connect(&self, i: usize, j: usize) -> Result<(), TestnetError> {
        let address = self.node(j)?.address.clone();
        let address = address.ok_or(TestnetError::NodeState(j, "has no address yet: start it first"))?;
        let _answer: Value = self.client(i)?.post("/v1/peers", &json!({ "address": address }))?;
        Ok(())
    }

    /// What is wrong with a node on purpose.
    pub fn faults(&self, i: usize) -> Result<Faults, TestnetError> {
        Faults::read(&self.node(i)?.faults()).map_err(|e| TestnetError::Other(e.to_string()))
    }

    /// From now on exactly this is wrong with a node; when this returns, it is so, unless the node is paused or does not run:
    /// then as soon as it does.
    pub fn set_faults(&self, i: usize, faults: &Faults) -> Result<(), TestnetError> {
        let node = self.node(i)?;
        let path = node.faults();
        let bytes = serde_json::to_vec_pretty(faults).map_err(|e| TestnetError::Other(e.to_string()))?;
        let next = path.with_extension("next");
        std::fs::write(&next, bytes).and_then(|()| std::fs::rename(&next, &path)).map_err(io(&path))?;
        if node.is_alive() && !node.is_paused() {
            let _answer: Value = self.client(i)?.put("/v1/testnet/faults", faults)?;
        }
        Ok(())
    }

    fn change_faults(&self, i: usize, change: impl FnOnce(&mut Faults)) -> Result<(), TestnetError> {
        let mut faults = self.faults(i)?;
        change(&mut faults);
        self.set_faults(i, &faults)
    }

    fn peer_ids(&self, nodes: impl IntoIterator<Item = usize>) -> Result<Vec<String>, TestnetError> {
        nodes.into_iter().map(|i| Ok(self.node(i)?.peer_id.clone())).collect()
    }

    /// Cuts every link between nodes of different groups and lets none come to stand. Nodes not named are one more group. Replaces
    /// the partition before it.
    pub fn partition(&self, groups: &[Vec<usize>]) -> Result<(), TestnetError> {
        groups.iter().flatten().try_for_each(|i| self.node(*i).map(drop))?;
        let group_of = |i: usize| groups.iter().position(|group| group.contains(&i));
        let count = self.state().nodes.len();
        for i in 0..count {
            let cut = self.peer_ids((0..count).filter(|j| group_of(*j) != group_of(i)))?;
            self.change_faults(i, |faults| faults.cut = cut)?;
        }
        Ok(())
    }

    /// Ends partition, delays and losses.
    pub fn heal(&self) -> Result<(), TestnetError> {
        (0..self.state().nodes.len()).try_for_each(|i| {
            self.change_faults(i, |faults| {
                faults.cut.clear();
                faults.hearing.clear();
            })
        })
    }

    /// What `from` (everybody, if empty) say to `nodes` reaches them so much later and is lost with that chance; `None` leaves the
    /// one or the other as it is.
    pub fn hear(
        &self,
        nodes: &[usize],
        from: &[usize],
        delay_ms: Option<u64>,
        loss_percent: Option<u8>,
    ) -> Result<(), TestnetError> {
        let whose: Vec<Option<String>> = match from {
            [] => vec![None],
            some => self.peer_ids(some.iter().copied())?.into_iter().map(Some).collect(),
        };
        nodes.iter().try_for_each(|i| {
            self.change_faults(*i, |faults| {
                faults.seed = self.state().seed.wrapping_add(*i as u64);
                whose.iter().for_each(|from| set_rule(&mut faults.hearing, from.as_deref(), delay_ms, loss_percent));
            })
        })
    }

    /// Sets a node's clock off by so much, ms; 0 ends it.
    pub fn clock_skew(&self, i: usize, ms: i64) -> Result<(), TestnetError> {
        self.change_faults(i, |faults| faults.clock_skew_ms = ms)
    }

    /// Takes a node's disk for a full one, or (`full` = false) no longer.
    pub fn disk_full(&self, i: usize, full: bool) -> Result<(), TestnetError> {
        self.change_faults(i, |faults| faults.disk_full = full)
    }

    /// A node treats others so from now on.
    pub fn behave(&self, i: usize, behaviour: Behaviour) -> Result<(), TestnetError> {
        self.change_faults(i, |faults| faults.behaviour = behaviour)
    }

    /// Stops a node where it stands (SIGSTOP); its links stay, and nothing is answered.
    pub fn pause(&self, i: usize) -> Result<(), TestnetError> {
        let process = self.running(i)?;
        process.pause();
        let what = format!("node {i} to be paused");
        until_in_any_case(&what, END_WITHIN, || if process.is_paused() { Ok(()) } else { Err("it runs".into()) })?;
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self, i: usize) -> Result<(), TestnetError> {
        let process = self.running(i)?;
        if !process.is_paused() {
            return Err(TestnetError::NodeState(i, "is not paused"));
        }
        process.resume();
        // What was done to it meanwhile.
        self.set_faults(i, &self.faults(i)?)
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

    fn running(&self, i: usize) -> Result<ProcessId, TestnetError> {
        let process = self.node(i)?.process.filter(|process| process.is_alive());
        process.ok_or(TestnetError::NodeState(i, "does not run; `medring testnet restart` starts it"))
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
        let process = self.running(i)?;
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
