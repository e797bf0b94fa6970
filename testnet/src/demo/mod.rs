//! The whole paper on real processes: a healthcare center, a doctor and a patient seal records for the patient, all mine in
//! competition, the patient's node finds, opens and verifies them, aggregates them for a group that agreed on a key in a
//! ring, the members verify the aggregate on their own nodes, one more joins, one is removed, and an outsider with the
//! whole chain reads nothing at all.

mod group;
mod inputs;
mod records;
mod show;
mod summary;
mod tamper;

pub use inputs::{InputError, Inputs, PatientInput};
pub use records::Sealed;
pub use summary::{ChainFacts, EpochLine, GroupLine, Miner, Outsider, Phase, Reader, RecordLine, Summary, TamperLine};

use crate::client::{Client, ClientError};
use crate::procs::{Guarded, Progress, Testnet, TestnetError, UpOptions, WaitError, until};
use medring_protocol::block::Header;
use medring_protocol::identity::Role;
use medring_protocol::limits::RECORD_BYTES_MAX;
use medring_protocol::merkle::Proof;
use medring_protocol::record::Kind;
use medring_protocol::vitals::Layout;
use medring_protocol::{BlockId, RecordId, WireId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What to show, and where.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The testnet's folder.
    pub folder: PathBuf,
    /// The medring binary.
    pub binary: PathBuf,
    /// Seed of keys and mining.
    pub seed: u64,
    /// Intended time between blocks, ms.
    pub block_time_ms: u64,
    /// A FHIR bundle, or a folder of them; `None`: the committed sample.
    pub bundle: Option<PathBuf>,
    /// A CSV of vital signs; `None`: the committed sample.
    pub vitals: Option<PathBuf>,
    /// What the columns of that CSV are.
    pub columns: Layout,
    /// Have the first patient's node cheat at the end, to show what its group sees.
    pub tamper: bool,
    /// Leave the nodes running at the end.
    pub keep_running: bool,
    /// Each node copies what it sends, before it is encrypted, to a file in its folder: for leak tests.
    pub capture: bool,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The testnet.
    #[error(transparent)]
    Testnet(#[from] TestnetError),
    /// A node's API.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something did not happen in time.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A record could not be made.
    #[error("{0}")]
    Seal(String),
    /// What the scheme promises did not hold.
    #[error("NOT AS PROMISED: {0}")]
    Broken(String),
}

/// The seven who are there from the start.
const CAST: [(&str, Option<Role>); 7] = [
    ("healthcenter", Some(Role::HealthcareCenter)),
    ("doctor", Some(Role::Doctor)),
    ("patient", Some(Role::Patient)),
    ("daughter", Some(Role::Caregiver)),
    ("carer", Some(Role::Caregiver)),
    ("nurse", Some(Role::Caregiver)),
    ("outsider", None),
];
const DOCTOR: usize = 1;
const PATIENT: usize = 2;
const DAUGHTER: usize = 3;
const CARER: usize = 4;
const NURSE: usize = 5;
const OUTSIDER: usize = 6;

/// Later patients whose nodes run, and whose groups form, at one time.
const SIDE_BY_SIDE: usize = 6;

/// How long any one step on the chain may take.
const STEP_WITHIN: Duration = Duration::from_secs(240);

/// Some patients, for people.
fn who(patients: &[usize]) -> String {
    match patients {
        [0] => "the patient".into(),
        [one] => format!("patient {}", one + 1),
        _ => format!("patients {} to {}", patients[0] + 1, patients[patients.len() - 1] + 1),
    }
}

/// The name of a patient's node, by the patient's index.
fn patient_name(patient: usize) -> String {
    if patient == 0 { "patient".into() } else { format!("patient{}", patient + 1) }
}

/// Runs the demo and returns what there is to tell. Whatever happens, no node is left running unless it was asked for.
pub fn run(options: &DemoOptions, progress: &mut dyn FnMut(Progress)) -> Result<Summary, DemoError> {
    let start = Instant::now();
    let recording = options.vitals.as_deref().map(|path| (path, &options.columns));
    let inputs = Inputs::load(options.bundle.as_deref(), recording, crate::procs::now_ms())?;
    let up = UpOptions {
        folder: options.folder.clone(),
        seed: options.seed,
        block_time_ms: options.block_time_ms,
        nodes: CAST.iter().map(|(name, role)| ((*name).to_string(), *role)).collect(),
        later: (1..inputs.patients.len()).map(|k| (patient_name(k), Some(Role::Patient))).collect(),
        mine: true,
        link: true,
        links: None,
        special: std::collections::BTreeMap::new(),
        capture: options.capture,
        quota_bytes: UpOptions::QUOTA_BYTES,
        binary: options.binary.clone(),
    };
    let mut testnet = Guarded::new(Testnet::up(&up, progress)?);
    let mut demo = Demo { testnet: &mut testnet, inputs, phases: Vec::new(), progress, tamper: options.tamper };
    demo.phases.push(Phase::new("seven processes up and linked", start));
    let result = demo.play();
    let Demo { phases, inputs, .. } = demo;
    if result.is_err() || !options.keep_running {
        testnet.down(progress)?;
    }
    let Played { records, groups, tampered, chain } = result?;
    let summary = Summary {
        bundles: inputs.bundles_from,
        vitals: inputs.vitals_from,
        patients: inputs.patients.len(),
        outsider: Outsider { tried: records.len(), opened: 0 },
        records,
        groups,
        tampered,
        chain,
        phases,
        seconds: start.elapsed().as_secs_f64(),
        seed: options.seed,
        folder: testnet.folder().to_path_buf(),
        running: options.keep_running,
    };
    if options.keep_running {
        testnet.keep();
    }
    Ok(summary)
}

/// What came of it.
struct Played {
    records: Vec<RecordLine>,
    groups: Vec<GroupLine>,
    tampered: Vec<TamperLine>,
    chain: ChainFacts,
}

struct Demo<'a> {
    tamper: bool,
    testnet: &'a mut Testnet,
    inputs: Inputs,
    phases: Vec<Phase>,
    progress: &'a mut dyn FnMut(Progress),
}

impl Demo<'_> {
    fn say(&mut self, what: &str) {
        (self.progress)(Progress::Step(what.into()));
    }

    fn step(&mut self, what: &str) -> Instant {
        self.say(what);
        Instant::now()
    }

    fn play(&mut self) -> Result<Played, DemoError> {
        let at = Instant::now();
        self.testnet.enrol(self.progress)?;
        self.phases.push(Phase::new("participants enrolled, a block mined for it", at));

        let at = self.step("EHR, EMR and PHR are sealed for the patient and submitted");
        let sealed = records::seal_all(self.testnet, &self.inputs)?;
        for record in &sealed {
            let through = match record.kind {
                Kind::Ehr => 0,
                Kind::Emr => DOCTOR,
                _ => PATIENT,
            };
            self.testnet.client(through)?.submit(&record.record)?;
        }
        self.phases.push(Phase::new("records sealed, submitted, on disk", at));

        let at = self.step("the records are mined and buried");
        let ids: Vec<_> = sealed.iter().map(|s| s.id).collect();
        let depth = self.testnet.genesis()?.params.confirmations;
        self.confirmed(&ids, depth)?;
        self.phases.push(Phase::new(&format!("all records {depth} deep"), at));

        let (mut records, mut groups, mut tampered) = (Vec::new(), Vec::new(), Vec::new());
        let later: Vec<usize> = (1..self.inputs.patients.len()).collect();
        for batch in std::iter::once(&[0][..]).chain(later.chunks(SIDE_BY_SIDE)) {
            let lines = self.patients(batch, &sealed, &mut tampered)?;
            records.extend(lines.0);
            groups.extend(lines.1);
        }

        let at = self.step("the outsider tries");
        self.outsider_reads_nothing(&sealed)?;
        self.phases.push(Phase::new("outsider opened nothing", at));
        let chain = ChainFacts::gather(self.testnet)?;
        Ok(Played { records, groups, tampered, chain })
    }

    /// These patients read their records and form their groups; all but the first join the network for it.
    fn patients(
        &mut self,
        patients: &[usize],
        sealed: &[Sealed],
        tampered: &mut Vec<TamperLine>,
    ) -> Result<(Vec<RecordLine>, Vec<GroupLine>), DemoError> {
        let node_of = |patient: usize| if patient == 0 { PATIENT } else { CAST.len() + patient - 1 };
        let nodes: Vec<_> = patients.iter().map(|patient| (*patient, node_of(*patient))).collect();
        let at = self.step("each patient's own node finds, opens and verifies");
        let mut lines = Vec::new();
        for (patient, node) in &nodes {
            if *patient > 0 {
                self.say(&format!("patient {} joins with a new node", patient + 1));
                self.testnet.start(*node)?;
            }
            let own: Vec<_> = sealed.iter().filter(|s| s.patient == *patient).collect();
            lines.extend(self.patient_reads(*node, &own)?);
        }
        self.phases.push(Phase::new(&format!("opened and verified by {} on its own node", who(patients)), at));

        let at = Instant::now();
        let (households, groups) = self.groups(&nodes)?;
        self.phases.push(Phase::new(&format!("three epochs of the group of {}", who(patients)), at));
        if self.tamper && patients == [0] {
            let at = Instant::now();
            *tampered = households.first().map_or(Ok(Vec::new()), |household| self.tamper(household, sealed))?;
            self.phases.push(Phase::new("false aggregates, each found out", at));
        }
        nodes.iter().filter(|(patient, _)| *patient > 0).try_for_each(|(_, node)| self.testnet.stop(*node))?;
        Ok((lines, groups))
    }

    /// Waits until all of `ids` are at least `depth` deep on the chains of the whole cast.
    fn confirmed(&self, ids: &[RecordId], depth: u32) -> Result<(), DemoError> {
        for i in 0..CAST.len() {
            ids.iter().try_for_each(|id| self.testnet.wait_record(i, id, u64::from(depth), STEP_WITHIN))?;
        }
        Ok(())
    }

    /// The patient's own node finds, opens and verifies.
    fn patient_reads(&mut self, node: usize, sealed: &[&Sealed]) -> Result<Vec<RecordLine>, DemoError> {
        let client = self.testnet.client(node)?;
        self.scanned(&client, sealed)?;
        let mut lines = Vec::new();
        for record in sealed {
            let opened: Value = client.get(&format!("/v1/wallet/records/{}", record.id))?;
            let expected: Value = serde_json::from_slice(&record.plain).map_err(|e| DemoError::Seal(e.to_string()))?;
            if opened["content"] != expected {
                return Err(DemoError::Broken(format!("{} {} opened to other content", record.kind, record.id)));
            }
            let checks = opened["checks"].as_object().cloned().unwrap_or_default();
            if checks.is_empty() || checks.values().any(|ok| ok != true) {
                return Err(DemoError::Broken(format!("{} {}: checks {checks:?}", record.kind, record.id)));
            }
            let (height, confirmations) = self.prove(&client, record)?;
            lines.push(RecordLine::new(record, height, confirmations, checks.keys().cloned().collect()));
        }
        let found = client.get::<Value>("/v1/wallet/records")?["records"].as_array().map_or(0, Vec::len);
        if found != sealed.len() {
            return Err(DemoError::Broken(format!("the patient found {found} records of {}", sealed.len())));
        }
        Ok(lines)
    }

    /// Waits until the wallet behind `client` has looked through every block that holds one of `sealed`.
    fn scanned(&self, client: &Client, sealed: &[&Sealed]) -> Result<(), DemoError> {
        until("the wallet to have found the patient's records", STEP_WITHIN, || {
            let answer: Value = client.get("/v1/wallet/records").map_err(|e| e.to_string())?;
            let found = answer["records"].as_array().map_or(0, Vec::len);
            if found >= sealed.len() { Ok(()) } else { Err(format!("{found} of {}", sealed.len())) }
        })?;
        Ok(())
    }

    /// Recomputes the Merkle root from the record and its proof, and checks that the header with this root is the one on
    /// the patient's own chain.
    fn prove(&self, client: &Client, record: &Sealed) -> Result<(u64, u64), DemoError> {
        let broken = |what: &str| DemoError::Broken(format!("{} {}: {what}", record.kind, record.id));
        let answer: Value = client.get(&format!("/v1/records/{}/proof", record.id))?;
        let proof: Proof = serde_json::from_value(answer["proof"].clone()).map_err(|e| broken(&e.to_string()))?;
        let wire: WireId = record.record.wire_id(&self.testnet.state().chain_id);
        let header = hex::decode(answer["header"].as_str().unwrap_or_default()).unwrap_or_default();
        let root: [u8; 32] = header.get(32..64).and_then(|r| r.try_into().ok()).ok_or_else(|| broken("no header"))?;
        if !proof.verify(&wire, &root) {
            return Err(broken("the Merkle proof does not hold"));
        }
        let id = BlockId(Sha256::digest(&header).into());
        let height = answer["height"].as_u64().unwrap_or_default();
        let own: Value = client.get(&format!("/v1/blocks/{height}"))?;
        if own["id"].as_str() != Some(id.to_string().as_str()) || header.len() != Header::LEN {
            return Err(broken("the proof is for a block that is not on the patient's own chain"));
        }
        Ok((height, answer["confirmations"].as_u64().unwrap_or_default()))
    }

    /// The outsider has every block, has tried its key on every record, and has nothing.
    fn outsider_reads_nothing(&self, sealed: &[Sealed]) -> Result<(), DemoError> {
        let client = self.testnet.client(OUTSIDER)?;
        let highest = self.testnet.client(0)?.get::<Value>("/v1/status")?["tip"]["height"].as_u64().unwrap_or_default();
        until("the outsider to have tried its key on the whole chain", STEP_WITHIN, || {
            let wallet: Value = client.get("/v1/wallet").map_err(|e| e.to_string())?;
            let scanned = wallet["scanned_height"].as_u64().unwrap_or_default();
            if scanned >= highest { Ok(()) } else { Err(format!("height {scanned} of {highest}")) }
        })?;
        let found = client.get::<Value>("/v1/wallet/records")?["records"].as_array().map_or(usize::MAX, Vec::len);
        if found != 0 {
            return Err(DemoError::Broken(format!("the outsider found {found} records")));
        }
        for record in sealed {
            client.get_bytes(&format!("/v1/records/{}/raw", record.id), RECORD_BYTES_MAX as u64)?;
            if client.find::<Value>(&format!("/v1/wallet/records/{}", record.id))?.is_some() {
                return Err(DemoError::Broken(format!("the outsider opened {}", record.id)));
            }
        }
        Ok(())
    }
}
