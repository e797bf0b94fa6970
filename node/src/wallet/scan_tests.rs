//! Scans over real sealed records on a chain in memory: found, opened, verified, resumed, cancelled, reorganised.

use super::*;
use medring_protocol::RecordId;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chebyshev::PublicKey;
use medring_protocol::identity::{IdentitySecret, Revocation};
use medring_protocol::record::{Kind, Record};
use medring_protocol::seal::{self, PlainKind, SealContext, SensitivePlain, To};
use medring_protocol::testkit::{Actor, Kit, TestChain};
use medring_storage::{ChainStore, Durability, MemoryEngine, PoolEntry, Reorg};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

type Store = ChainStore<MemoryEngine>;

/// A copy of an actor's secrets, which are not `Clone` on purpose.
fn identity_of(actor: &Actor) -> IdentitySecret {
    let bytes = actor.secret.expose();
    let (seed, scalar) = bytes.split_at(32);
    IdentitySecret::from_bytes(seed.try_into().unwrap(), scalar.try_into().unwrap()).unwrap()
}

fn keystore(dir: &Path, actor: &Actor) -> Keystore {
    let (path, passphrase) = (dir.join("keystore"), Passphrase::new(b"correct horse").unwrap());
    if path.exists() {
        return Keystore::open(&path, &passphrase).unwrap();
    }
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    Keystore::create(&path, &passphrase, identity_of(actor), KdfCost::TESTNET, &mut rng).unwrap()
}

fn wallet(dir: &Path, actor: &Actor, kit: &Kit, birthday: u64) -> Wallet {
    Wallet::open(dir, &keystore(dir, actor), &kit.chain, birthday).unwrap()
}

fn open_store(kit: &Kit) -> Store {
    ChainStore::open(MemoryEngine::default(), &kit.params).unwrap()
}

/// Moves the store from `fork` blocks of the old branch on to the blocks of `chain` above.
fn switch(store: &Store, chain: &TestChain<'_>, fork: usize, old: &TestChain<'_>, back: &[Record]) {
    let kit = chain.kit;
    let mut walk = TestChain::new(kit, RuleSet::standard());
    let mut connect = Vec::new();
    for (place, (block, diff)) in chain.blocks.iter().enumerate() {
        let (verified, _) = walk.check(block).unwrap();
        walk.connect(block.clone()).unwrap();
        if place >= fork {
            store.put_headers(&[block.header], Durability::Buffered).unwrap();
            store.put_body(&verified, &[], Durability::Buffered).unwrap();
            connect.push((block.id(), diff.clone()));
        }
    }
    let disconnect = old.blocks[fork..].iter().rev().map(|(block, _)| block.id()).collect();
    let entry = |record: &Record| PoolEntry { record: record.clone(), received_ms: 0, sequence: 0 };
    let pool_add = back.iter().map(entry).collect();
    store.commit(&Reorg { disconnect, connect, pool_add, ..Reorg::default() }, Durability::Synced).unwrap();
}

fn follow(store: &Store, chain: &TestChain<'_>) {
    let height = usize::try_from(store.tip().unwrap().1).unwrap();
    switch(store, chain, height, &chain_prefix(chain, height), &[]);
}

fn chain_prefix<'k>(chain: &TestChain<'k>, blocks: usize) -> TestChain<'k> {
    let mut prefix = chain.clone();
    while prefix.blocks.len() > blocks {
        prefix.undo();
    }
    prefix
}

fn scan(wallet: &Wallet, store: &Store) -> ScanReport {
    wallet.scan(store, &mut |_| (), &AtomicBool::new(false)).unwrap()
}

/// EHR, EMR and PHR for the kit's patient, and an EHR for someone else, each in a block of its own above the enrolment.
fn three_and_another(kit: &Kit) -> (TestChain<'_>, Vec<Record>) {
    let mut chain = TestChain::enrolled(kit, RuleSet::standard());
    let other = kit.extra_patient(7);
    let mine: Vec<Record> = [Kind::Ehr, Kind::Emr, Kind::Phr]
        .into_iter()
        .zip(1..)
        .map(|(kind, number)| kit.sealed_record(kind, &format!("content {number}"), &kit.patient, number, 2))
        .collect();
    for record in &mine {
        chain.extend(vec![record.clone()]).unwrap();
    }
    chain.extend(vec![kit.sealed_record(Kind::Ehr, "not yours", &other, 9, 2)]).unwrap();
    (chain, mine)
}

fn ids(kit: &Kit, records: &[Record]) -> Vec<RecordId> {
    records.iter().map(|record| record.id(&kit.chain)).collect()
}

#[test]
fn the_patient_finds_opens_and_verifies_its_records_and_an_outsider_none() {
    let kit = Kit::new(1);
    let (chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let patient = wallet(dir.path(), &kit.patient, &kit, 0);
    let report = scan(&patient, &store);
    assert_eq!(report.found, ids(&kit, &mine));
    assert_eq!(report.tried, 4);
    for (number, id) in (1..).zip(&report.found) {
        let opened = patient.open_record(&store, id).unwrap().unwrap();
        assert_eq!(opened.content.as_slice(), format!("content {number}").as_bytes());
        assert!(opened.record.checks.passed(), "{:?}", opened.record.checks);
        assert_eq!(opened.record.uploader_role, opened.record.kind.uploader_role());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let outsider = wallet(elsewhere.path(), &kit.extra_patient(8), &kit, 0);
    assert_eq!(scan(&outsider, &store).found, []);
    assert!(outsider.open_record(&store, &report.found[0]).unwrap().is_none());
}

#[test]
fn a_birthday_leaves_earlier_blocks_out_and_an_earlier_one_brings_them_back() {
    let kit = Kit::new(2);
    let (chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let late = wallet(dir.path(), &kit.patient, &kit, 4);
    assert_eq!(scan(&late, &store).found, ids(&kit, &mine[2..]));
    drop(late);
    let early = wallet(dir.path(), &kit.patient, &kit, 1);
    assert_eq!(scan(&early, &store).found, ids(&kit, &mine));
    assert_eq!(early.records().len(), 3);
}

#[test]
fn what_was_scanned_before_a_restart_is_not_scanned_again() {
    let kit = Kit::new(3);
    let (mut chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    assert_eq!(scan(&wallet(dir.path(), &kit.patient, &kit, 0), &store).tried, 4);
    chain.extend(vec![kit.sealed_record(Kind::Ehr, "later", &kit.patient, 20, 6)]).unwrap();
    follow(&store, &chain);
    let again = wallet(dir.path(), &kit.patient, &kit, 0);
    assert_eq!(ids_of(&again), ids(&kit, &mine), "the state was read back");
    assert_eq!(again.open_record(&store, &ids(&kit, &mine)[1]).unwrap().unwrap().content.as_slice(), b"content 2");
    assert_eq!(scan(&again, &store).tried, 1);
    assert_eq!(again.records().len(), 4);
    assert_eq!(again.status().scanned_height, Some(6));
}

fn ids_of(wallet: &Wallet) -> Vec<RecordId> {
    wallet.records().iter().map(|record| record.record_id).collect()
}

#[test]
fn a_cancelled_scan_goes_on_where_it_was() {
    let kit = Kit::new(4);
    let (chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let wallet = wallet(dir.path(), &kit.patient, &kit, 0);
    let cancel = AtomicBool::new(true);
    let report = wallet.scan(&store, &mut |_| (), &cancel).unwrap();
    assert!(report.cancelled && report.found.is_empty() && wallet.records().is_empty());
    cancel.store(false, Ordering::Relaxed);
    let mut heights = Vec::new();
    let report = wallet.scan(&store, &mut |progress| heights.push(progress.height), &cancel).unwrap();
    assert_eq!((report.found, heights), (ids(&kit, &mine), vec![5]));
}

/// ```text
/// genesis ─ enrol ─ ehr ─ emr ─ phr ─ other      (left)
///                    └─── empty ─ empty ─ emr ─ empty ─ empty   (joined)
/// ```
#[test]
fn a_reorg_moves_records_makes_them_wait_or_loses_them() {
    let kit = Kit::new(5);
    let (old, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &old);
    let wallet_before = wallet(dir.path(), &kit.patient, &kit, 0);
    scan(&wallet_before, &store);
    drop(wallet_before);

    let mut new = chain_prefix(&old, 2);
    let empty = |chain: &mut TestChain<'_>, miner: u8| {
        let block = kit.forge(&chain.tip(), Vec::new(), |header| header.miner_tag = [miner; 16]);
        chain.connect(block).unwrap();
    };
    empty(&mut new, 1);
    empty(&mut new, 1);
    new.extend(vec![mine[1].clone()]).unwrap();
    empty(&mut new, 1);
    // The EMR is mined again; nobody puts the PHR back into the pool.
    switch(&store, &new, 2, &old, &[]);
    let patient = wallet(dir.path(), &kit.patient, &kit, 0);
    let report = scan(&patient, &store);
    let ids = ids(&kit, &mine);
    assert_eq!((report.found.clone(), report.vanished.clone()), (vec![ids[1]], vec![ids[2]]));
    let places: Vec<_> = patient.records().iter().map(|r| (r.record_id, r.place.map(|p| p.height))).collect();
    assert_eq!(places, [(ids[0], Some(2)), (ids[1], Some(5))]);
    assert!(patient.records().iter().all(|r| r.checks.passed()));

    // Back to the old branch (made longer), the EMR's place on the new one is gone; it waits in the pool and is mined again.
    let mut longer = chain_prefix(&old, 2);
    (0..5).for_each(|_| empty(&mut longer, 2));
    switch(&store, &longer, 2, &new, &mine[1..2]);
    let report = scan(&patient, &store);
    assert_eq!(report.pending, [ids[1]]);
    let waiting = patient.open_record(&store, &ids[1]).unwrap().unwrap();
    assert_eq!(waiting.record.place, None);
    assert!(!waiting.record.checks.merkle_proof && waiting.record.checks.commitment);
    longer.extend(vec![mine[1].clone()]).unwrap();
    follow(&store, &longer);
    assert_eq!(scan(&patient, &store).found, [ids[1]]);
    assert!(patient.records().iter().all(|r| r.checks.passed()));
}

#[test]
fn records_of_a_revoked_uploader_are_found_and_told() {
    let kit = Kit::new(6);
    let (mut chain, mine) = three_and_another(&kit);
    // The hospital's key leaked at height 2, which comes out four blocks later.
    let payload = Revocation { subject: kit.healthcare_center.id, invalid_from: 2 }.encode();
    let mut content = kit.content(Kind::Revoke, 1, 0);
    content.public = payload;
    chain.extend(vec![kit.sign(content, 6)]).unwrap();
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let patient = wallet(dir.path(), &kit.patient, &kit, 0);
    scan(&patient, &store);
    let checks: Vec<_> = patient.records().iter().map(|r| (r.record_id, r.checks.not_revoked, r.checks.role)).collect();
    let ids = ids(&kit, &mine);
    assert_eq!(checks, [(ids[0], false, true), (ids[1], true, true), (ids[2], true, true)]);
}

#[test]
fn a_damaged_state_is_told_and_another_participants_state_does_not_open() {
    let kit = Kit::new(7);
    let (chain, _) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let keystore = keystore(dir.path(), &kit.patient);
    scan(&Wallet::open(dir.path(), &keystore, &kit.chain, 0).unwrap(), &store);
    let path = dir.path().join("wallet.state");
    let whole = std::fs::read(&path).unwrap();
    let damaged = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        matches!(
            Wallet::open(dir.path(), &keystore, &kit.chain, 0),
            Err(WalletError::State(StateError::Damaged { .. }))
        )
    };
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(damaged(&bytes), "byte {at}");
        assert!(damaged(&whole[..at]), "{at} bytes");
    }
    std::fs::write(&path, &whole).unwrap();
    let other = medring_protocol::ChainId([9; 32]);
    assert!(Wallet::open(dir.path(), &keystore, &other, 0).is_err(), "of another chain");
    assert!(Wallet::open(dir.path(), &keystore, &kit.chain, 0).is_ok());
}

#[test]
fn the_state_on_disk_shows_nothing() {
    let kit = Kit::new(8);
    let (chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    scan(&wallet(dir.path(), &kit.patient, &kit, 0), &store);
    let bytes = std::fs::read(dir.path().join("wallet.state")).unwrap();
    let secrets = mine.iter().flat_map(|r| [r.id(&kit.chain).0, r.content.uploader.0, r.content.commitment.0]);
    for needle in secrets {
        assert!(!bytes.windows(32).any(|window| window == needle));
    }
}

#[test]
fn a_failed_write_loses_nothing() {
    let kit = Kit::new(9);
    let (chain, mine) = three_and_another(&kit);
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let patient = wallet(dir.path(), &kit.patient, &kit, 0);
    // A folder in the temporary file's place: the disk refuses.
    std::fs::create_dir(dir.path().join(".wallet.state.tmp")).unwrap();
    let refused = patient.scan(&store, &mut |_| (), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(refused, WalletError::File(_)), "{refused}");
    std::fs::remove_dir(dir.path().join(".wallet.state.tmp")).unwrap();
    assert_eq!(scan(&patient, &store).found, ids(&kit, &mine), "the next scan does it");
    drop(patient);
    assert_eq!(ids_of(&wallet(dir.path(), &kit.patient, &kit, 0)), ids(&kit, &mine));
}

/// An EHR by the kit's hospital, sealed to the patient's key with `recipient` named inside.
fn sealed_naming(kit: &Kit, recipient: &Actor) -> Record {
    let uploader = &kit.healthcare_center;
    let context = SealContext { chain: &kit.chain, kind: Kind::Ehr, uploader: &uploader.id, public: &[] };
    let plain = SensitivePlain::new(recipient.id, PlainKind::FhirBundle, b"whose?".to_vec());
    let key = PublicKey::validate(&kit.patient.keys.chebyshev).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(77);
    let sealed = seal::seal(&context, To::Participant(&key), &plain, 1024, &mut rng).unwrap();
    kit.sign(sealed.content, 2)
}

#[test]
fn a_record_made_for_another_patient_and_sealed_to_my_key_is_not_taken_for_mine() {
    let kit = Kit::new(10);
    let mut chain = TestChain::enrolled(&kit, RuleSet::standard());
    let forged = sealed_naming(&kit, &kit.extra_patient(1));
    let mut damaged = kit.sealed_record(Kind::Emr, "content", &kit.patient, 3, 2).content;
    *damaged.sealed.last_mut().unwrap() ^= 1;
    chain.extend(vec![forged.clone(), kit.sign(damaged, 2)]).unwrap();
    let (store, dir) = (open_store(&kit), tempfile::tempdir().unwrap());
    follow(&store, &chain);
    let patient = wallet(dir.path(), &kit.patient, &kit, 0);
    scan(&patient, &store);
    let [other, broken] = patient.records().try_into().unwrap();
    assert!(other.problem.unwrap().contains("names another recipient"));
    assert!(!other.checks.recipient && other.checks.signature && other.checks.role);
    assert!(broken.problem.unwrap().contains("altered"));
    assert!(!broken.checks.commitment && !broken.checks.passed());
    let refused = patient.open_record(&store, &forged.id(&kit.chain)).unwrap_err();
    assert!(matches!(refused, WalletError::Open { problem: seal::OpenError::OtherRecipient, .. }), "{refused}");
}

/// A chain on which consensus looks away: the wallet's checks stand on their own feet.
#[test]
fn what_consensus_would_never_let_pass_fails_the_wallets_own_checks() {
    let kit = Kit::new(11);
    let lax = RuleSet::standard().without("R-SIG").without("R-ENVELOPE-SIG").without("R-ROLE").without("R-UPLOADER");
    let mut chain = TestChain::new(&kit, lax);
    let stranger = kit.extra_patient(4);
    let mut unsigned = kit.sealed_record(Kind::Ehr, "one", &kit.patient, 1, 1);
    unsigned.signature.0[0] ^= 1;
    let mut content = kit.sealed_record(Kind::Ehr, "two", &kit.patient, 2, 1).content;
    content.uploader = kit.doctor.id;
    let wrong_role = kit.sign_as(&kit.doctor, content.clone(), 1);
    content.uploader = stranger.id;
    let unknown = kit.sign_as(&stranger, content, 1);
    let too_early = kit.sealed_record(Kind::Emr, "three", &kit.patient, 3, 1);
    // Enrolled in the same block as its first record: one too early.
    chain.extend(vec![kit.enrol_all(1), too_early.clone()]).unwrap();
    chain.extend(vec![unsigned.clone(), wrong_role, unknown]).unwrap();
    let store = open_store(&kit);
    let leaved = |height: usize| {
        let block = chain.blocks[height - 1].0.clone();
        checks::Leaved::new(&kit.chain, block.id(), block)
    };
    follow_lax(&store, &chain);
    let verdict = |height: usize, index: u32| {
        let leaved = leaved(height);
        let record = leaved.block.records[usize::try_from(index).unwrap()].clone();
        checks::of_chain(&store, &record, Some((&leaved, index))).unwrap().0
    };
    assert!(!verdict(1, 1).role && verdict(1, 1).signature, "enrolled in this very block");
    assert!(!verdict(2, 0).signature && verdict(2, 0).role, "a flipped bit in Sig");
    assert!(!verdict(2, 1).role && verdict(2, 1).signature, "a doctor's EHR");
    assert!(!verdict(2, 2).role && !verdict(2, 2).signature, "nobody knows its keys");
    // A proof that fits a block of another branch, or another place, proves nothing here.
    let (mut stray, here) = (leaved(2), leaved(2));
    stray.block.header.nonce += 1;
    stray.id = stray.block.id();
    assert!(!checks::of_chain(&store, &unsigned, Some((&stray, 0))).unwrap().0.merkle_proof);
    assert!(!checks::of_chain(&store, &unsigned, Some((&here, 1))).unwrap().0.merkle_proof);
    assert!(!checks::of_chain(&store, &too_early, Some((&here, 0))).unwrap().0.merkle_proof);
    assert!(checks::of_chain(&store, &unsigned, Some((&here, 0))).unwrap().0.merkle_proof);
}

/// As [`follow`], under the chain's own rules.
fn follow_lax(store: &Store, chain: &TestChain<'_>) {
    let mut walk = TestChain::new(chain.kit, chain.rules.clone());
    for (block, diff) in &chain.blocks {
        let (verified, _) = walk.check(block).unwrap();
        walk.connect(block.clone()).unwrap();
        store.put_headers(&[block.header], Durability::Buffered).unwrap();
        store.put_body(&verified, &[], Durability::Buffered).unwrap();
        let connect = vec![(block.id(), diff.clone())];
        store.commit(&Reorg { connect, ..Reorg::default() }, Durability::Buffered).unwrap();
    }
}
