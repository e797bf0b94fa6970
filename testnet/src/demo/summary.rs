//! What the demo tells at its end, for people and for machines.

use super::{CAST, DemoError, Sealed};
use crate::procs::Testnet;
use medring_protocol::record::Kind;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
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
    /// The checks that held.
    pub checks: Vec<String>,
}

impl RecordLine {
    pub(super) fn new(record: &Sealed, height: u64, confirmations: u64, checks: Vec<String>) -> Self {
        Self {
            patient: record.patient + 1,
            kind: record.kind,
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

/// The chain at the end.
#[derive(Clone, Debug, Serialize)]
pub struct ChainFacts {
    /// Its height.
    pub height: u64,
    /// Its tip.
    pub tip: String,
    /// Blocks mined by each node.
    pub mined: BTreeMap<String, u64>,
    /// Records on it.
    pub records: u64,
    /// Bytes of all records on it.
    pub bytes: u64,
}

impl ChainFacts {
    pub(super) fn gather(testnet: &Testnet) -> Result<Self, DemoError> {
        let mut names = BTreeMap::new();
        for (i, (name, _)) in CAST.iter().enumerate() {
            let status: Value = testnet.client(i)?.get("/v1/status")?;
            names.insert(status["miner_tag"].as_str().unwrap_or_default().to_string(), *name);
        }
        let client = testnet.client(0)?;
        let status: Value = client.get("/v1/status")?;
        let height = status["tip"]["height"].as_u64().unwrap_or_default();
        let mut facts = Self {
            height,
            tip: status["tip"]["id"].as_str().unwrap_or_default().into(),
            mined: CAST.iter().map(|(name, _)| ((*name).to_string(), 0)).collect(),
            records: 0,
            bytes: 0,
        };
        for h in 1..=height {
            let block: Value = client.get(&format!("/v1/blocks/{h}"))?;
            let miner = block["miner_tag"].as_str().and_then(|tag| names.get(tag)).copied().unwrap_or("unknown");
            *facts.mined.entry(miner.into()).or_default() += 1;
            facts.records +=
                block["records"].as_array().map_or_else(|| block["records"].as_u64().unwrap_or(0), |r| r.len() as u64);
            facts.bytes += block["bytes"].as_u64().unwrap_or_default();
        }
        Ok(facts)
    }
}

/// Everything the demo tells.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Where bundle and vital signs came from.
    pub source: String,
    /// The testnet's folder.
    pub folder: PathBuf,
    /// Whether the nodes still run.
    pub running: bool,
    /// What the patients opened and verified.
    pub records: Vec<RecordLine>,
    /// The chain.
    pub chain: ChainFacts,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// All of it, seconds.
    pub seconds: f64,
}

fn kib(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{:.1} KiB", bytes as f64 / 1024.0) }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = "─".repeat(78);
        writeln!(
            f,
            "{line}\nmedring demo: {} records found, opened and verified by {} patient(s)",
            self.records.len(),
            self.patients()
        )?;
        writeln!(f, "input: {}\n{line}", self.source)?;
        writeln!(f, "\nRecords, as each patient's own node found them")?;
        writeln!(
            f,
            "  {:<7} {:<4} {:<12} {:>10} {:>10} {:>6} {:>5}  checks",
            "patient", "kind", "record", "FHIR", "on chain", "block", "depth"
        )?;
        for r in &self.records {
            let (plain, sealed) = (kib(r.plain_bytes as u64), kib(r.record_bytes as u64));
            let id = r.record_id.get(..10).unwrap_or_default();
            let checks = format!("✓ {} and Merkle path", r.checks.len());
            writeln!(
                f,
                "  {:<7} {:<4} {id:<12} {plain:>10} {sealed:>10} {:>6} {:>5}  {checks}",
                r.patient,
                r.kind.name(),
                r.height,
                r.confirmations
            )?;
        }
        if let Some(first) = self.records.first() {
            writeln!(f, "  each passed: {}; then its Merkle path, recomputed", first.checks.join(", "))?;
            writeln!(f, "  all that everyone may read of an {}: {}", first.kind, first.public)?;
        }
        writeln!(f, "\nThe outsider holds all {} blocks and opened nothing.", self.chain.height)?;
        writeln!(
            f,
            "\nWho mined what ({} blocks, {} records, {})",
            self.chain.height,
            self.chain.records,
            kib(self.chain.bytes)
        )?;
        let most = self.chain.mined.values().copied().max().unwrap_or(1).max(1);
        for (name, blocks) in &self.chain.mined {
            let bar = "█".repeat(usize::try_from(blocks * 30 / most).unwrap_or(30));
            writeln!(f, "  {name:<13} {blocks:>4}  {bar}")?;
        }
        writeln!(f, "\nTime")?;
        for phase in &self.phases {
            writeln!(f, "  {:>6.1} s  {}", phase.seconds, phase.what)?;
        }
        writeln!(f, "  {:>6.1} s  in all", self.seconds)?;
        let dir = self.folder.display();
        writeln!(f, "\nEverything lies in {dir}\n  one folder per node: config.toml, node.log, data/ (the chain)")?;
        writeln!(f, "Try next")?;
        if self.running {
            writeln!(f, "  medring testnet status --dir {dir}\n  medring testnet down --dir {dir}")?;
        } else {
            writeln!(
                f,
                "  medring testnet up --nodes 5 --block-time 2s        a testnet that stays\n  medring testnet demo --bundle YOUR.json --vitals YOUR.csv\n  medring testnet demo --keep                          leaves the nodes running"
            )?;
        }
        Ok(())
    }
}

impl Summary {
    fn patients(&self) -> usize {
        self.records.iter().map(|r| r.patient).max().unwrap_or_default()
    }
}
