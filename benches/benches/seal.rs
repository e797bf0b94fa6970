//! Sealing, opening, signing and verifying a real bundle, against the bare cost of the primitives beneath.

use ed25519_dalek::{Signer, SigningKey};
use medring_benches::contest::Contest;
use medring_protocol::chebyshev::SecretKey;
use medring_protocol::hash::{ChainId, Gid, ParticipantId};
use medring_protocol::identity::IdentitySecret;
use medring_protocol::record::{Kind, Record, SigCheck, verify_all};
use medring_protocol::seal::{self, PlainKind, SealContext, SensitivePlain, To};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CHAIN: ChainId = ChainId([1; 32]);
const HOSPITAL: ParticipantId = ParticipantId([2; 32]);
const PATIENT: ParticipantId = ParticipantId([3; 32]);
const GID: Gid = Gid([4; 32]);
const K_REC: [u8; 32] = [5; 32];
const PAD_MIN: usize = 1024;
const CTX: SealContext<'static> =
    SealContext { chain: &CHAIN, kind: Kind::Ehr, uploader: &HOSPITAL, public: b"kind 1" };

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// The first FHIR sample of the repository.
fn sample() -> SensitivePlain {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testnet/samples/fhir");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the samples").flatten().map(|file| file.path()).collect();
    files.sort();
    let bytes = std::fs::read(&files[0]).expect("a sample");
    SensitivePlain::new(PATIENT, PlainKind::FhirBundle, bytes)
}

fn main() {
    let plain = sample();
    let kib = plain.bytes.len() / 1024;
    let patient = SecretKey::generate(&mut rng(1));
    let mut draws = rng(2);
    Contest::new(format!("seal: a FHIR bundle of {kib} KiB"))
        .enter("two bare ladders", || {
            SecretKey::generate(&mut rng(3)).agree(patient.public());
        })
        .enter("zstd at the same level, alone", || zstd::bulk::compress(&plain.bytes, 19))
        .enter("seal to a participant", || {
            seal::seal(&CTX, To::Participant(patient.public()), &plain, PAD_MIN, &mut draws)
        })
        .enter("seal to a group", || {
            seal::seal(&CTX, To::Group { k_rec: &K_REC, gid: GID }, &plain, PAD_MIN, &mut rng(4))
        })
        .run();
    open(&plain, &patient);
    sign_and_verify(&plain, &patient);
}

fn open(plain: &SensitivePlain, patient: &SecretKey) {
    let stranger = SecretKey::generate(&mut rng(5));
    let make = |to| seal::seal(&CTX, to, plain, PAD_MIN, &mut rng(6)).expect("it fits");
    let to_patient = make(To::Participant(patient.public()));
    let content = &to_patient.content;
    let to_group = make(To::Group { k_rec: &K_REC, gid: GID }).content;
    Contest::new("open: the same bundle, padded")
        .enter("one bare ladder", || patient.agree(stranger.public()))
        .enter("scan, not mine", || assert!(!seal::detect(&CHAIN, content, &stranger)))
        .enter("scan, mine", || assert!(seal::detect(&CHAIN, content, patient)))
        .enter("open as the recipient", || seal::open_as(&CHAIN, content, &PATIENT, patient))
        .enter("open as a member of the group", || seal::open_in_group(&CHAIN, &to_group, &K_REC))
        .enter("open by a disclosed r", || seal::open_with_r(&CHAIN, content, &to_patient.r))
        .run();
}

fn sign_and_verify(plain: &SensitivePlain, patient: &SecretKey) {
    let hospital = IdentitySecret::generate(&mut rng(7));
    let bare = SigningKey::from_bytes(&[7; 32]);
    let sealed = seal::seal(&CTX, To::Participant(patient.public()), plain, PAD_MIN, &mut rng(8)).expect("it fits");
    Contest::new("sign: a sealed record")
        .enter("two bare Ed25519 signatures", || (bare.sign(&[1; 32]), bare.sign(&[2; 32])))
        .enter("ids, Sig and envelope of the record", || {
            Record::sign(&CHAIN, sealed.content.clone(), 1_700_000_000_000, 100, &hospital)
        })
        .run();
    let checks: Vec<SigCheck> = (0..64u8)
        .map(|i| {
            let (key, hash) = (hospital.public().signing, [i; 32]);
            SigCheck { key, hash, signature: hospital.sign(&hash) }
        })
        .collect();
    let verifying = bare.verifying_key();
    let signatures: Vec<_> = (0..64u8).map(|i| bare.sign(&[i; 32])).collect();
    let mut blinding = rng(9);
    Contest::new("verify: 64 signatures")
        .enter("ed25519-dalek, one by one, strict", || {
            (0..64u8).zip(&signatures).all(|(i, signature)| verifying.verify_strict(&[i; 32], signature).is_ok())
        })
        .enter("by ZIP-215, one by one", || checks.iter().all(SigCheck::verify))
        .enter("by ZIP-215, in one batch", || verify_all(&checks, &mut blinding))
        .run();
}
