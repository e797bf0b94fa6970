//! What the demo found out, as data; [`super::show`] tells it to people.

use super::{CAST, DemoError, Sealed};
use crate::procs::Testnet;
use medring_protocol::record::Kind;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Instant;

/// One phase and how long it took.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// What.
    pub what: String,
    /// Seconds.
    pub seconds: f64,
}

impl Phase {
    pub(super) fn new(what: &str, since: Instant) -> Self {
        Self { what: what.into(), seconds: since.elapsed().as_secs_f64() }
    }
}

/// One record that the patient opened and verified.
#[derive(Clone, Debug, Serialize)]
pub struct RecordLine {
    /// Which patient, from 1.
    pub patient: usize,
    /// What.
    pub kind: Kind,
    /// Who sealed, signed and uploaded it: `healthcenter`, `doctor` or `patient`.
    pub by: String,
    /// Its id.
    pub record_id: String,
    /// Bytes of the FHIR bundle inside.
    pub plain_bytes: usize,
    /// Bytes of the whole record on the chain.
    pub record_bytes: usize,
    /// The public part.
    pub public: String,
    /// Height of its block.
    pub height: u64,
    /// Blocks on top, its own included.
    pub confirmations: u64,
    /// The checks of the patient's node that held.
    pub checks: Vec<String>,
}

impl RecordLine {
    pub(super) fn new(record: &Sealed, height: u64, confirmations: u64, checks: Vec<String>) -> Self {
        Self {
            patient: record.patient + 1,
            kind: record.kind,
            by: record.by.clone(),
            record_id: record.id.to_string(),
            plain_bytes: record.plain.len(),
            record_bytes: record.record.encoded_len(),
            public: record.public.clone(),
            height,
            confirmations,
            checks,
        }
    }
}

/// What one node mined.
#[derive(Clone, Debug, Serialize)]
pub struct Miner {
    /// The node.
    pub node: String,
    /// Blocks on the best chain.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
}

/// The chain at the end.
#[derive(Clone, Debug, Serialize)]
pub struct ChainFacts {
    /// Its height.
    pub height: u64,
    /// Its tip.
    pub tip: String,
    /// Who mined it.
    pub mined: Vec<Miner>,
    /// Records on it.
    pub records: u64,
    /// Bytes of all records on it.
    pub bytes: u64,
}

impl ChainFacts {
    pub(super) fn gather(testnet: &Testnet) -> Result<Self, DemoError> {
        let mut tags = Vec::new();
        for i in 0..CAST.len() {
            let status: Value = testnet.client(i)?.get("/v1/status")?;
            tags.push(status["miner_tag"].as_str().unwrap_or_default().to_string());
        }
        let client = testnet.client(0)?;
        let status: Value = client.get("/v1/status")?;
        let height = status["tip"]["height"].as_u64().unwrap_or_default();
        let mined = CAST.iter().map(|(name, _)| Miner { node: (*name).to_string(), blocks: 0, records: 0 }).collect();
        let tip = status["tip"]["id"].as_str().unwrap_or_default().into();
        let mut facts = Self { height, tip, mined, records: 0, bytes: 0 };
        for h in 1..=height {
            let block: Value = client.get(&format!("/v1/blocks/{h}"))?;
            let records = block["records"].as_u64().unwrap_or_default();
            facts.records += records;
            facts.bytes += block["bytes"].as_u64().unwrap_or_default();
            let tag = block["miner_tag"].as_str().unwrap_or_default();
            if let Some(miner) = tags.iter().position(|t| t == tag).and_then(|i| facts.mined.get_mut(i)) {
                miner.blocks += 1;
                miner.records += records;
            }
        }
        Ok(facts)
    }
}

/// One patient's group, epoch by epoch.
#[derive(Clone, Debug, Serialize)]
pub struct GroupLine {
    /// Which patient, from 1.
    pub patient: usize,
    /// Its epochs.
    pub epochs: Vec<EpochLine>,
    /// The live PHR that a member opened.
    pub live: String,
    /// Who holds every byte of the chain and opened nothing of the last epoch.
    pub shut_out: Vec<String>,
}

impl GroupLine {
    pub(super) fn new(patient: usize) -> Self {
        Self { patient: patient + 1, epochs: Vec::new(), live: String::new(), shut_out: Vec::new() }
    }
}

/// One epoch of a group.
#[derive(Clone, Debug, Serialize)]
pub struct EpochLine {
    /// e.
    pub epoch: u64,
    /// What changed.
    pub what: String,
    /// Its id.
    pub gid: String,
    /// Names in ring order.
    pub ring: Vec<String>,
    /// What people compare, equal at every member.
    pub fingerprint: String,
    /// Height of its commit.
    pub height: u64,
    /// The aggregate its members verified.
    pub aggregate: String,
    /// Its sources.
    pub sources: usize,
    /// Who read it, on whose own node.
    pub readers: Vec<Reader>,
}

/// A member that verified an aggregate.
#[derive(Clone, Debug, Serialize)]
pub struct Reader {
    /// Who.
    pub name: String,
    /// Sources that verified.
    pub verified: usize,
}

/// One way of cheating that a member's report shows.
#[derive(Clone, Debug, Serialize)]
pub struct TamperLine {
    /// What the patient's node did.
    pub what: String,
    /// What the daughter's node says of it.
    pub verdict: String,
}

/// Everything the demo tells.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Where bundles came from.
    pub bundles: String,
    /// Where vital signs came from.
    pub vitals: String,
    /// Patients.
    pub patients: usize,
    /// What the patients opened and verified.
    pub records: Vec<RecordLine>,
    /// Records the outsider tried its key on, and how many it opened.
    pub outsider: Outsider,
    /// Each patient's group.
    pub groups: Vec<GroupLine>,
    /// With `--tamper`: how the patient's node cheated, and what a member's report said.
    pub tampered: Vec<TamperLine>,
    /// The chain.
    pub chain: ChainFacts,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// All of it, seconds.
    pub seconds: f64,
    /// The seed: with it the same keys come again.
    pub seed: u64,
    /// The testnet's folder.
    pub folder: PathBuf,
    /// Whether the nodes still run.
    pub running: bool,
}

/// What the outsider could do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outsider {
    /// Records it holds and tried its key on.
    pub tried: usize,
    /// Records it opened: the demo fails if it is not 0.
    pub opened: usize,
}
