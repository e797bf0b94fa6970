//! Goals of records: what a signature is worth, and what is sealed. What a member's node reports of an APHR's sources is
//! tried in `node::aphr`.

use crate::chain::{KIT, refused_by};
use crate::printed::hash;
use crate::printed::record::{Upload, open, open_in_group, seal, seal_to_group};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chebyshev::PublicKey;
use medring_protocol::hash::Gid;
use medring_protocol::record::{Content, Kind, SigCheck};
use medring_protocol::seal::{self as ours, OpenError, PlainKind, SealContext, Sealed, SensitivePlain, To};
use medring_protocol::testkit::{Actor, TestChain, bytes32};
use rand::SeedableRng;
use rand::rngs::StdRng;

const SI: &[u8] = b"HIV: negative";

fn key(of: &Actor) -> PublicKey {
    PublicKey::validate(&of.keys.chebyshev).unwrap()
}

/// Sealed by `by` for `to`, as ours.
fn sealed(kind: Kind, by: &Actor, to: &Actor, si: &[u8], seed: u64) -> Sealed {
    let context = SealContext { chain: &KIT.chain, kind, uploader: &by.id, public: &[] };
    let plain = SensitivePlain::new(to.id, PlainKind::FhirBundle, si.to_vec());
    let mut rng = StdRng::seed_from_u64(seed);
    ours::seal(&context, To::Participant(&key(to)), &plain, 1024, &mut rng).unwrap()
}

/// Sealed by `by` to the group of GID_e with k_rec, as ours.
fn sealed_to_group(by: &Actor, patient: &Actor, k_rec: &[u8; 32], gid: Gid) -> Content {
    let context = SealContext { chain: &KIT.chain, kind: Kind::Aphr, uploader: &by.id, public: &[] };
    let plain = SensitivePlain::new(patient.id, PlainKind::Aphr, b"an aggregate".to_vec());
    ours::seal(&context, To::Group { k_rec, gid }, &plain, 1024, &mut StdRng::seed_from_u64(1)).unwrap().content
}

/// An enrolled patient who is a member of another's group knows its key, and publishes an aggregate of his own making.
#[test]
fn forged_aphr_by_another_enrolled_patient() {
    let (patient, carer) = (&KIT.patient, KIT.extra_patient(1));
    let (gsk, id_g) = (bytes32(1, "gsk", 0), bytes32(1, "gid", 0));
    let forged = Upload::new(&carer.secret, &id_g, [b"", &seal_to_group(&gsk, b"forged", &[])], 0, [0; 32]);
    // III-E: the member asks for ID_G, opens by GSK and verifies the Sigs inside. Who may publish under ID_G is not said.
    assert!(forged.bt_takes(0));
    assert_eq!(open_in_group(&gsk, &forged.s, 0).as_deref(), Some(&b"forged"[..]));

    // Ours: retrieval is by (uploader, GID_e). Under the carer's own name it opens, and is not what anyone asks for; under
    // the patient's it needs the patient's signature.
    let (k_rec, gid) = (gsk, Gid(id_g));
    let own = sealed_to_group(&carer, patient, &k_rec, gid);
    assert!(ours::open_in_group(&KIT.chain, &own, &k_rec).unwrap().is_some(), "the key alone says nothing");
    assert_ne!(own.uploader, patient.id);
    let stolen = sealed_to_group(patient, patient, &k_rec, gid);
    let chain = TestChain::enrolled(&KIT, RuleSet::standard());
    let mut record = KIT.sign(stolen.clone(), 2);
    record.signature = carer.secret.sign(&stolen.id(&KIT.chain).0);
    let record = medring_protocol::record::Record::wrap(
        &KIT.chain,
        stolen,
        record.signature,
        record.envelope.stamp_ms,
        record.envelope.expiry_height,
        &patient.secret,
    );
    refused_by("R-SIG", &chain, record);
}

/// P puts another patient's record among the sources, and so another's blood group into its own aggregate.
#[test]
fn another_patients_record_as_a_source() {
    let (healthcare_center, patient, other) = (&KIT.healthcare_center, &KIT.patient, KIT.extra_patient(2));
    let y: [u8; 256] = other.keys.chebyshev.0;
    let ehr = Upload::new(&healthcare_center.secret, &y, [b"", &seal(&y, SI, &[1; 32])], 0, [1; 32]);
    assert!(ehr.sig_holds(healthcare_center.keys.signing), "V_PK(Sig_H) = (m_H, s_H) is all that a member verifies");

    let foreign = sealed(Kind::Ehr, healthcare_center, &other, SI, 2);
    let sig = healthcare_center.secret.sign(&foreign.content.id(&KIT.chain).0);
    let check =
        SigCheck { key: healthcare_center.keys.signing, hash: foreign.content.id(&KIT.chain).0, signature: sig };
    assert!(check.verify(), "ours holds too");
    let opened = ours::open_with_r(&KIT.chain, &foreign.content, &foreign.r).unwrap();
    assert_eq!(opened.plain.recipient, other.id, "and the seal itself says whose it is");
    assert_ne!(opened.plain.recipient, patient.id);
}

/// The aggregate says what no source says. In the paper Sig covers (m, s) and s is closed to members: they can verify that the
/// sources exist, and not what was made of them.
#[test]
fn altered_aggregate() {
    let (healthcare_center, y) = (&KIT.healthcare_center, KIT.patient.keys.chebyshev.0);
    let ehr = Upload::new(&healthcare_center.secret, &y, [b"", &seal(&y, SI, &[1; 32])], 0, [1; 32]);
    let gsk = bytes32(1, "gsk", 0);
    let s_g = seal_to_group(&gsk, b"HIV: positive", &[ehr.sig]);
    assert_eq!(open_in_group(&gsk, &s_g, 1).as_deref(), Some(&b"HIV: positive"[..]));
    assert!(ehr.sig_holds(healthcare_center.keys.signing));
    assert_eq!(open(&bytes32(1, "of a member", 0), &ehr.s), None, "a member cannot look");

    // Ours discloses r of each source, so that a member opens what the producer signed, and recomputes the aggregate.
    let source = sealed(Kind::Ehr, healthcare_center, &KIT.patient, SI, 3);
    let opened = ours::open_with_r(&KIT.chain, &source.content, &source.r).unwrap();
    assert_eq!(opened.plain.bytes.as_slice(), SI);
    // r of another source shows nothing else in its place.
    let another = sealed(Kind::Ehr, healthcare_center, &KIT.patient, b"HIV: positive", 4);
    let swapped = ours::open_with_r(&KIT.chain, &source.content, &another.r);
    assert_eq!(swapped.unwrap_err(), OpenError::Commitment);
}

/// A doctor takes what a healthcare center sealed, strips its signature, and signs it as its own finding.
#[test]
fn strip_and_resign_of_s() {
    let (healthcare_center, doctor, patient) = (&KIT.healthcare_center, &KIT.doctor, &KIT.patient);
    let s = seal(&patient.keys.chebyshev.0, SI, &[1; 32]);
    let taken = Upload::new(&doctor.secret, &patient.keys.chebyshev.0, [b"", &s], 0, [1; 32]);
    assert!(taken.bt_takes(0) && taken.sig_holds(doctor.keys.signing));
    let opened = open(patient.secret.chebyshev().expose(), &taken.s).unwrap();
    assert_eq!(&opened[..SI.len()], SI, "P opens it as the doctor's");

    let good = sealed(Kind::Ehr, healthcare_center, patient, SI, 5);
    let me = patient.secret.chebyshev();
    let open_as = |content: &Content| ours::open_as(&KIT.chain, content, &patient.id, me).unwrap();
    assert!(open_as(&good.content).is_some(), "control: under its own uploader it opens");
    let taken = Content { kind: Kind::Emr, uploader: doctor.id, ..good.content.clone() };
    assert!(open_as(&taken).is_none(), "the one-time address is another under another uploader");
    // Even with r: the body is bound to its uploader.
    assert_eq!(ours::open_with_r(&KIT.chain, &taken, &good.r).unwrap_err(), OpenError::Body);
}

/// Everything public, and two possible contents: which was sealed?
#[test]
fn dictionary_on_low_entropy_si() {
    let patient = &KIT.patient;
    let y = patient.keys.chebyshev.0;
    let words: [&[u8]; 2] = [b"HIV: positive", b"HIV: negative"];
    let h_r = hash(&[&bytes32(1, "r", 0)]);
    let upload = Upload::new(&KIT.doctor.secret, &y, [b"", &seal(&y, words[1], &h_r)], 0, h_r);
    let found: Vec<_> = words.iter().filter(|word| seal(&y, word, &upload.h_r) == upload.s).collect();
    assert_eq!(found, [&words[1]], "s = E_PK(SI, H(r)), and C publishes H(r)");

    // Ours: r and e are secret; nothing public can be recomputed from a word. The attacker tries with what he draws.
    let target = sealed(Kind::Emr, &KIT.doctor, patient, words[1], 6).content;
    let guess = |word, seed| sealed(Kind::Emr, &KIT.doctor, patient, word, seed).content;
    for word in words {
        let guess = guess(word, 7);
        assert_ne!(guess.commitment, target.commitment);
        assert_ne!(guess.receiver, target.receiver);
        assert_eq!(guess.sealed.len(), target.sealed.len());
        let same = guess.sealed.chunks(16).zip(target.sealed.chunks(16)).filter(|(a, b)| a == b).count();
        assert_eq!(same, 0, "no block of s agrees");
    }
    assert_eq!(guess(words[1], 6), target, "control: who knows the randomness recomputes it");
}
