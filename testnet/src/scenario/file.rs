//! The file as it is written (TOML), and the scenario read from it.

use super::check;
use super::error::{ScenarioError, line_of};
use super::step::Step;
use medring_node::faults::Behaviour;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Largest file, bytes.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// What happens to a network, and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name: that of its file.
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// Nodes, numbered from 0.
    pub nodes: usize,
    /// All that is drawn comes from it.
    pub seed: u64,
    /// Intended time between blocks, ms.
    pub block_time_ms: u64,
    /// Whether the nodes mine all the time, in competition, or only when a step says so.
    pub mine: bool,
    /// Who is linked to whom, where [`NodeSettings::links`] says nothing else.
    pub links: Links,
    /// What is particular to single nodes; ordinary nodes have no entry.
    pub node: BTreeMap<usize, NodeSettings>,
    /// What happens, in order.
    pub steps: Vec<Placed>,
}

/// A step and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The step.
    pub step: Step,
}

/// Who is linked to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// Each to all others.
    #[default]
    All,
    /// Each to the next, the last to the first.
    Ring,
    /// Nobody to anybody, until a step connects them.
    None,
}

/// What is particular to one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeSettings {
    /// How it treats others.
    pub behaviour: Behaviour,
    /// Most links at one time.
    pub max_peers: Option<u32>,
    /// Whom it dials and stays linked to, instead of what the scenario's `links` says.
    pub links: Option<Vec<usize>>,
    /// How many ordinary miners it is worth where the nodes mine all the time; 0: it does not mine. 1 if not said.
    pub hash_share: Option<u32>,
    /// The newest version of the wire it speaks, 1 or 2: what it was like before compact blocks. The newest there is if not said.
    pub wire_version: Option<u16>,
    /// Whether it is started by a step and not at the beginning; the last nodes only.
    pub later: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    nodes: Spanned<usize>,
    #[serde(default = "seed")]
    seed: Spanned<u64>,
    #[serde(default = "block_time_ms")]
    block_time_ms: Spanned<u64>,
    #[serde(default)]
    mine: bool,
    #[serde(default)]
    links: Links,
    #[serde(default)]
    node: BTreeMap<String, Spanned<NodeSettings>>,
    steps: Vec<Spanned<Step>>,
}

fn seed() -> Spanned<u64> {
    Spanned::new(0..0, 7)
}

fn block_time_ms() -> Spanned<u64> {
    Spanned::new(0..0, 1000)
}

impl Scenario {
    /// Reads the text of a scenario and checks it: names that are not there, numbers out of bounds, nodes and labels that
    /// do not exist. `name` is for errors and reports.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        if text.len() > FILE_BYTES_MAX {
            let problem = format!("{} bytes are more than {FILE_BYTES_MAX}; split it in two", text.len());
            return Err(ScenarioError::at(name, text, None, problem));
        }
        let file: File = toml::from_str(text).map_err(|e| {
            ScenarioError::at(name, text, e.span(), format!("{}; docs/testnet.md has the format", e.message()))
        })?;
        let at = |span, problem: String| ScenarioError::at(name, text, Some(span), problem);
        check::in_bounds("nodes", *file.nodes.get_ref() as u64, check::NODES).map_err(|p| at(file.nodes.span(), p))?;
        check::in_bounds("seed", *file.seed.get_ref(), check::SEED).map_err(|p| at(file.seed.span(), p))?;
        check::in_bounds("block_time_ms", *file.block_time_ms.get_ref(), check::BLOCK_TIME_MS)
            .map_err(|p| at(file.block_time_ms.span(), p))?;
        let nodes = file.nodes.into_inner();
        let mut node = BTreeMap::new();
        for (key, settings) in file.node {
            let number = check::settings(&key, settings.get_ref(), nodes).map_err(|p| at(settings.span(), p))?;
            node.insert(number, settings.into_inner());
        }
        let later = |i: &usize| node.get(i).is_some_and(|settings| settings.later);
        if let Some(early) = (0..nodes).find(|i| !later(i) && (0..*i).any(|before| later(&before))) {
            let problem = format!(
                "node {early} is there from the start and one before it later; give those of later = true the highest numbers"
            );
            return Err(ScenarioError::at(name, text, None, problem));
        }
        let mut names = check::Names::new(nodes);
        let mut steps = Vec::new();
        for step in file.steps {
            names.step(step.get_ref()).map_err(|p| at(step.span(), p))?;
            steps.push(Placed { line: line_of(text, step.span().start), step: step.into_inner() });
        }
        if !(1..=check::STEPS_MAX).contains(&steps.len()) {
            let problem = format!("{} steps; 1 to {} are possible", steps.len(), check::STEPS_MAX);
            return Err(ScenarioError::at(name, text, None, problem));
        }
        Ok(Self {
            name: name.into(),
            about: file.about,
            nodes,
            seed: file.seed.into_inner(),
            block_time_ms: file.block_time_ms.into_inner(),
            mine: file.mine,
            links: file.links,
            node,
            steps,
        })
    }

    /// What is particular to a node.
    pub fn settings(&self, node: usize) -> NodeSettings {
        self.node.get(&node).cloned().unwrap_or_default()
    }

    /// Whom a node dials and stays linked to.
    pub fn links_of(&self, node: usize) -> Vec<usize> {
        match (self.settings(node).links, self.links) {
            (Some(links), _) => links,
            (None, Links::All) => (0..self.nodes).filter(|other| *other != node).collect(),
            (None, Links::Ring) if self.nodes > 1 => vec![(node + 1) % self.nodes],
            (None, Links::Ring | Links::None) => Vec::new(),
        }
    }
}
