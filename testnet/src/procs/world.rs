//! A scenario's world of real processes.

use super::config::{UpOptions, identity, rng};
use super::guard::Guarded;
use super::testnet::{Progress, Testnet, TestnetError, now_ms};
use super::wait::interrupted;
use crate::scenario::{Action, Scenario, Told, Word, World};
use medring_node::wallet::{Draft, Moment, seal_record};
use medring_protocol::deid::Policy;
use medring_protocol::fhir::Bundle;
use medring_protocol::params::Params;
use medring_protocol::record::{Kind, Record};
use medring_protocol::{BlockId, RecordId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time between two looks at what lies in other processes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Real nodes in a folder, ended when this is dropped.
#[derive(Debug)]
pub struct ProcsWorld {
    net: Guarded,
    params: Params,
    began: Instant,
    records: BTreeMap<String, Vec<RecordId>>,
    made: u64,
}

fn told<T, E: Display>(result: Result<T, E>) -> Told<T> {
    result.map_err(|e| e.to_string())
}

impl ProcsWorld {
    /// Starts the nodes of a scenario in `folder`, links them and enrols their participants; the scenario's time begins when this
    /// returns. Nodes that are no honest ones become so only then.
    pub fn start(
        scenario: &Scenario,
        folder: &Path,
        binary: PathBuf,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, TestnetError> {
        let first_later = (0..scenario.nodes).find(|i| scenario.settings(*i).later).unwrap_or(scenario.nodes);
        let mut options = UpOptions::numbered(folder.to_owned(), binary, scenario.nodes, scenario.seed);
        options.later = options.nodes.split_off(first_later);
        options.block_time_ms = scenario.block_time_ms;
        options.mine = scenario.mine;
        options.link = (0..scenario.nodes).any(|i| !scenario.links_of(i).is_empty());
        options.special = scenario.node.clone();
        options.links = Some((0..scenario.nodes).map(|i| scenario.links_of(i)).collect());
        let net = Guarded::new(Testnet::up(&options, progress)?);
        net.enrol(progress)?;
        for (i, settings) in &scenario.node {
            net.behave(*i, settings.behaviour)?;
        }
        let params = net.genesis()?.params;
        Ok(Self { net, params, began: Instant::now(), records: BTreeMap::new(), made: 0 })
    }

    /// The testnet, to be ended, looked at or kept.
    pub fn into_testnet(self) -> Guarded {
        self.net
    }

    fn get(&self, node: usize, path: &str) -> Told<Value> {
        told(told(self.net.client(node))?.get(path))
    }

    fn find(&self, node: usize, path: &str) -> Told<Option<Value>> {
        told(told(self.net.client(node))?.find(path))
    }

    /// All at once: each mines in a thread of its own.
    fn mine(&self, nodes: &[usize], blocks: u32) -> Told<()> {
        let net = &self.net;
        let mined: Vec<Told<()>> = std::thread::scope(|scope| {
            let one = |node: &usize| {
                let node = *node;
                scope.spawn(move || net.mine(node, blocks).map(drop).map_err(|e| format!("node {node}: {e}")))
            };
            let threads: Vec<_> = nodes.iter().map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a miner panicked".into()))).collect()
        });
        mined.into_iter().collect()
    }

    fn submit(&mut self, node: usize, name: &str, count: u32) -> Told<()> {
        let client = told(self.net.client(node))?;
        let tip_height = self.tip(node)?.1;
        // The node takes a record stamped by its own clock.
        let clock_ms = self.get(node, "/v1/status")?["clock_ms"].as_u64().unwrap_or_else(now_ms);
        for _ in 0..count {
            self.made += 1;
            let record = record(&self.net, &self.params, self.made, Moment { now_ms: clock_ms, tip_height })?;
            let id = told(client.submit(&record))?;
            self.records.entry(name.to_owned()).or_default().push(id);
        }
        Ok(())
    }
}

/// An EHR of node 0's healthcare center for the last node's participant, unlike any other.
fn record(net: &Testnet, params: &Params, number: u64, at: Moment) -> Told<Record> {
    let (seed, nodes) = (net.state().seed, &net.state().nodes);
    let (Some(by), Some(to)) = (nodes.first(), nodes.last()) else { return Err("the testnet has no nodes".into()) };
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            { "fullUrl": "urn:uuid:p", "resource": { "resourceType": "Patient", "id": format!("patient-{number}") } },
            { "fullUrl": "urn:uuid:o", "resource": {
                "resourceType": "Observation", "status": "final", "id": format!("finding-{number}"),
                "category": [{ "coding": [{ "code": "laboratory",
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category" }] }],
                "code": { "coding": [{ "system": "http://loinc.org", "code": "4548-4" }] },
                "subject": { "reference": "urn:uuid:p" },
                "valueString": format!("finding {number}"),
            } },
        ],
    });
    let bundle = told(Bundle::parse(bundle.to_string().as_bytes()))?;
    let drafts = told(Draft::from_bundle(Kind::Ehr, &bundle, &Policy::Minimal, params, &to.keys))?;
    let draft = drafts.first().ok_or("the bundle holds no EHR")?;
    let mut rng = rng(seed, &format!("scenario record {number}"));
    Ok(told(seal_record(params, &identity(seed, &by.name), &to.keys, draft, at, &mut rng))?.record)
}

impl World for ProcsWorld {
    fn kind(&self) -> &'static str {
        "processes"
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn pass(&mut self) -> Told<()> {
        if interrupted() {
            return Err("interrupted".into());
        }
        std::thread::park_timeout(LOOK_EVERY);
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Told<()> {
        if interrupted() {
            return Err("interrupted".into());
        }
        match action {
            Action::Start { node } => told(self.net.start(*node)),
            Action::Stop { node } => told(self.net.stop(*node)),
            Action::Kill { node } => told(self.net.kill(*node)),
            Action::Restart { node } => told(self.net.restart(*node)),
            Action::Pause { node } => told(self.net.pause(*node)),
            Action::Resume { node } => told(self.net.resume(*node)),
            Action::Partition(groups) => told(self.net.partition(groups)),
            Action::Heal {} => told(self.net.heal()),
            Action::Delay { nodes, from, ms } => {
                told(self.net.hear(nodes, from.as_deref().unwrap_or_default(), Some(*ms), None))
            }
            Action::Loss { nodes, from, percent } => {
                told(self.net.hear(nodes, from.as_deref().unwrap_or_default(), None, Some(*percent)))
            }
            Action::ClockSkew { node, ms } => told(self.net.clock_skew(*node, *ms)),
            Action::DiskFull { node } => told(self.net.disk_full(*node, true)),
            Action::DiskRoom { node } => told(self.net.disk_full(*node, false)),
            Action::Mine { nodes, blocks } => self.mine(nodes, *blocks),
            Action::Submit { node, records, count } => self.submit(*node, records, *count),
            Action::Behave { node, r#as } => told(self.net.behave(*node, *r#as)),
            Action::Connect { node, to } => told(self.net.connect(*node, *to)),
        }
    }

    fn order(&mut self, node: usize, word: Word, block: &BlockId) -> Told<()> {
        let path = match word {
            Word::Invalidate => "/v1/chain/invalidate",
            Word::Reconsider => "/v1/chain/reconsider",
        };
        let _tip: Value = told(told(self.net.client(node))?.post(path, &json!({ "id": block })))?;
        Ok(())
    }

    fn is_alive(&mut self, node: usize) -> Told<bool> {
        told(self.net.is_alive(node))
    }

    fn tip(&mut self, node: usize) -> Told<(BlockId, u64)> {
        let status = self.get(node, "/v1/status")?;
        let tip = &status["tip"];
        let (id, height) = (tip["id"].as_str().and_then(|id| id.parse().ok()), tip["height"].as_u64());
        id.zip(height).ok_or_else(|| format!("its status names no tip: {tip}"))
    }

    fn holds(&mut self, node: usize, block: &BlockId) -> Told<bool> {
        Ok(self.find(node, &format!("/v1/blocks/{block}"))?.is_some_and(|block| block["active"] == true))
    }

    fn depths(&mut self, node: usize, records: &str) -> Told<Vec<u64>> {
        let ids = self.records.get(records).ok_or_else(|| format!("no records are called {records:?}"))?;
        let depth = |id| Ok(self.find(node, &format!("/v1/records/{id}"))?.map_or(0, |r| number(&r["confirmations"])));
        ids.iter().map(depth).collect()
    }

    fn peers(&mut self, node: usize) -> Told<u64> {
        Ok(number(&self.get(node, "/v1/status")?["peers"]))
    }

    fn branches(&mut self, node: usize) -> Told<u64> {
        let tips = self.get(node, "/v1/chain/tips")?;
        Ok(tips["tips"].as_array().map_or(0, Vec::len) as u64)
    }

    fn deepest_reorg(&mut self, node: usize) -> Told<u64> {
        told(self.figure(node, "medring_reorg_depth_max")?.parse())
    }

    fn bans(&mut self, node: usize, whom: usize) -> Told<bool> {
        let peer_id = &told(self.net.node(whom))?.peer_id;
        Ok(self.get(node, "/v1/peers/bans")?.to_string().contains(peer_id.as_str()))
    }

    fn metric(&mut self, node: usize, name: &str) -> Told<f64> {
        let value = self.figure(node, name)?;
        value.parse().map_err(|_| format!("{name} is {value:?}, no number"))
    }
}

impl ProcsWorld {
    /// A figure of a node's `/metrics`, as it stands there.
    fn figure(&self, node: usize, name: &str) -> Told<String> {
        let text = told(told(self.net.client(node))?.get_bytes("/metrics", 1 << 20))?;
        let text = String::from_utf8_lossy(&text);
        let value = text.lines().filter_map(|line| line.rsplit_once(' ')).find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| format!("no metric is called {name:?}; `GET /metrics` lists them"))?;
        Ok(value.to_owned())
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
