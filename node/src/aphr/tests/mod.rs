//! A patient, its group and a member on a chain in memory: APHRs honest and forged, and what the member's report says.

mod dictionary;
mod gathering;
mod policy;
mod reports;

use super::{AphrReport, Verdict, make, report};
use crate::aphr::gather::Gathered;
use crate::wallet::{KdfCost, Keystore, Passphrase, Wallet};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chebyshev::PublicKey;
use medring_protocol::fhir::Bundle;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::identity::{IdentitySecret, Role};
use medring_protocol::record::{Content, Kind, Record};
use medring_protocol::seal::{self, AphrContent, AphrSource, PlainKind, RecordSecret, SealContext, SensitivePlain, To};
use medring_protocol::testkit::{Actor, Kit, TestChain, bytes32};
use medring_protocol::{Gid, RecordId};
use medring_storage::{ChainStore, Durability, MemoryEngine, PoolEntry, Reorg};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use zeroize::Zeroizing;

type Store = ChainStore<MemoryEngine>;

/// D of these tests.
const DEPTH: u64 = 2;

/// A sealed record and its r.
#[derive(Clone)]
struct Made {
    record: Record,
    r: RecordSecret,
}

/// The chain, the patient's wallet and the epoch that a member holds the key of.
struct World<'k> {
    kit: &'k Kit,
    chain: TestChain<'k>,
    store: Store,
    wallet: Wallet,
    access: EpochAccess,
    /// Another enrolled patient.
    mallory: Actor,
    rng: ChaCha20Rng,
    _dir: tempfile::TempDir,
}

impl<'k> World<'k> {
    fn new(kit: &'k Kit) -> Self {
        Self::with_rules(kit, RuleSet::standard())
    }

    fn with_rules(kit: &'k Kit, rules: RuleSet) -> Self {
        let mallory = kit.extra_patient(66);
        let mut chain = TestChain::new(kit, rules);
        let everyone = [&kit.healthcare_center, &kit.doctor, &kit.patient, &mallory];
        chain.extend(vec![kit.enrol(&everyone, 1)]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(kit.seed);
        let bytes = kit.patient.secret.expose();
        let (seed, scalar) = bytes.split_at(32);
        let identity = IdentitySecret::from_bytes(seed.try_into().unwrap(), scalar.try_into().unwrap()).unwrap();
        let passphrase = Passphrase::new(b"correct horse").unwrap();
        let keystore =
            Keystore::create(&dir.path().join("keystore"), &passphrase, identity, KdfCost::TESTNET, &mut rng).unwrap();
        let access = EpochAccess {
            gid: Gid(bytes32(kit.seed, "an epoch", 0)),
            epoch: 3,
            k_rec: Zeroizing::new(bytes32(kit.seed, "k_rec", 0)),
            uploader: kit.patient.id,
            patient_ids: vec![kit.patient.id],
        };
        let wallet = Wallet::open(dir.path(), &keystore, &kit.chain, 0).unwrap();
        let store = ChainStore::open(MemoryEngine::default(), &kit.params).unwrap();
        let mut world = Self { kit, chain, store, wallet, access, mallory, rng, _dir: dir };
        world.follow();
        world
    }

    /// Brings the store to the chain's tip and the wallet to the store's.
    fn follow(&mut self) {
        let height = usize::try_from(self.store.tip().unwrap().1).unwrap();
        let mut walk = TestChain::new(self.kit, self.chain.rules.clone());
        let mut connect = Vec::new();
        for (place, (block, diff)) in self.chain.blocks.iter().enumerate() {
            let (verified, _) = walk.check(block).unwrap();
            walk.connect(block.clone()).unwrap();
            if place >= height {
                self.store.put_headers(&[block.header], Durability::Buffered).unwrap();
                self.store.put_body(&verified, &[], Durability::Buffered).unwrap();
                connect.push((block.id(), diff.clone()));
            }
        }
        let reorg = Reorg { connect, ..Reorg::default() };
        self.store.commit(&reorg, Durability::Synced).unwrap();
        self.wallet.scan(&self.store, &mut |_| (), &AtomicBool::new(false)).unwrap();
    }

    /// Mines `records` in one block, and the wallet follows.
    fn mine(&mut self, records: &[&Made]) {
        self.mine_raw(records.iter().map(|made| made.record.clone()).collect());
    }

    fn mine_raw(&mut self, records: Vec<Record>) {
        self.chain.extend(records).unwrap();
        self.follow();
    }

    /// Empty blocks until the newest records are settled.
    fn settle(&mut self) {
        (0..DEPTH).for_each(|_| self.mine(&[]));
    }

    fn seal(&mut self, kind: Kind, signer: &Actor, to: To<'_>, plain: &SensitivePlain) -> Made {
        let ctx = SealContext { chain: &self.kit.chain, kind, uploader: &signer.id, public: &[] };
        let sealed = seal::seal(&ctx, to, plain, 1024, &mut self.rng).unwrap();
        Made { record: self.sign(signer, sealed.content), r: sealed.r }
    }

    fn sign(&self, signer: &Actor, content: Content) -> Record {
        self.kit.sign_as(signer, content, self.chain.next_height())
    }

    /// A record of `kind` by `signer`, sealed to `recipient` and naming it inside.
    fn for_person(&mut self, kind: Kind, signer: &Actor, recipient: &Actor, bundle: &Value) -> Made {
        let plain = SensitivePlain::new(recipient.id, PlainKind::FhirBundle, bundle.to_string().into_bytes());
        let key = PublicKey::validate(&recipient.keys.chebyshev).unwrap();
        self.seal(kind, signer, To::Participant(&key), &plain)
    }

    /// A live PHR under the epoch, to the patient alone (type 3): the member cannot open it, and sees that it is there.
    fn live_phr(&mut self, bundle: &Value) -> Made {
        let kit = self.kit;
        let plain = SensitivePlain::new(kit.patient.id, PlainKind::FhirBundle, bundle.to_string().into_bytes());
        let key = PublicKey::validate(&kit.patient.keys.chebyshev).unwrap();
        let gid = self.access.gid;
        self.seal(Kind::Phr, &kit.patient, To::Owner { key: &key, gid }, &plain)
    }

    fn ehr(&mut self, bundle: &Value) -> Made {
        let kit = self.kit;
        self.for_person(Kind::Ehr, &kit.healthcare_center, &kit.patient, bundle)
    }

    fn emr(&mut self, bundle: &Value) -> Made {
        let kit = self.kit;
        self.for_person(Kind::Emr, &kit.doctor, &kit.patient, bundle)
    }

    fn phr(&mut self, bundle: &Value) -> Made {
        let kit = self.kit;
        self.for_person(Kind::Phr, &kit.patient, &kit.patient, bundle)
    }

    /// An EHR, an EMR and a PHR of the patient, settled.
    fn three(&mut self) -> [Made; 3] {
        let three = [self.ehr(&of_ehr()), self.emr(&of_emr()), self.phr(&of_phr())];
        self.mine(&three.iter().collect::<Vec<_>>());
        self.settle();
        three
    }

    fn id(&self, made: &Made) -> RecordId {
        made.record.id(&self.kit.chain)
    }

    fn source(&self, made: &Made) -> AphrSource {
        AphrSource { record: self.id(made), r: made.r.clone(), signature: made.record.signature }
    }

    fn gathered(&self) -> Vec<Gathered> {
        let (gathered, skipped) = super::gather(&self.wallet, &self.store, &self.access.patient_ids, DEPTH).unwrap();
        assert!(skipped.is_empty(), "{skipped:?}");
        gathered
    }

    /// The APHR that the patient's node makes now, as content.
    fn honest(&self) -> AphrContent {
        let draft = make(&self.kit.params, &self.kit.patient.id, &self.gathered()).unwrap();
        AphrContent::decode(&draft.record.sensitive.bytes).unwrap()
    }

    /// Seals any content as an APHR of the epoch by `signer`, naming `recipient` inside.
    fn aphr_by(&mut self, signer: &Actor, recipient: &Actor, content: &AphrContent) -> Made {
        let bytes = content.encode().unwrap().to_vec();
        let plain = SensitivePlain::new(recipient.id, PlainKind::Aphr, bytes);
        let (gid, k_rec) = (self.access.gid, self.access.k_rec.clone());
        self.seal(Kind::Aphr, signer, To::Group { k_rec: &k_rec, gid }, &plain)
    }

    /// Seals `content` as the patient, mines it and gives the member's report.
    fn reported(&mut self, content: &AphrContent) -> AphrReport {
        let kit = self.kit;
        let made = self.aphr_by(&kit.patient, &kit.patient, content);
        self.mine(&[&made]);
        self.report(&made)
    }

    fn report(&self, made: &Made) -> AphrReport {
        report(&self.store, &self.access, &self.id(made), false).unwrap()
    }

    fn wait_in_pool(&self, made: &Made) {
        let entry = PoolEntry { record: made.record.clone(), received_ms: 0, sequence: 1 };
        self.store.put_pool(&entry).unwrap();
    }
}

fn verdicts(report: &AphrReport) -> Vec<Verdict> {
    report.sources.iter().map(|s| s.verdict).collect()
}

fn collection(resources: &[Value]) -> Value {
    let entries: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p", "birthDate": "1950-04-01"})
}

fn of_ehr() -> Value {
    let peanut = json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, "code": {"text": "peanut"}});
    collection(&[patient(), peanut])
}

fn of_emr() -> Value {
    let diabetes =
        json!({"resourceType": "Condition", "subject": {"reference": "Patient/p"}, "code": {"text": "diabetes"}});
    collection(&[patient(), diabetes])
}

fn of_phr() -> Value {
    pulse(60)
}

/// A PHR of one pulse.
fn pulse(value: u32) -> Value {
    collection(&[json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": "2020-01-01T00:00:00Z",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "subject": {"reference": "Patient/p"},
        "valueQuantity": {"value": value, "unit": "/min", "code": "/min"}})])
}

fn bundle(value: &Value) -> Bundle {
    Bundle::parse(value.to_string().as_bytes()).unwrap()
}

/// One more person of a role, enrolled by a record to be mined.
fn newcomer(kit: &Kit, name: &str, role: Role) -> Actor {
    Actor::new(kit.seed, name, Some(role))
}
