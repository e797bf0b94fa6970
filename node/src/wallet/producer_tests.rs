//! Drafts, records, enrolments and challenges: made, and refused.

use super::challenge::{Card, Challenge, ChallengeError, Request};
use super::*;
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::deid::Policy;
use medring_protocol::fhir::Bundle;
use medring_protocol::identity::{Enrolment, IdentitySecret, Role};
use medring_protocol::params::Purpose;
use medring_protocol::record::{Kind, Receiver};
use medring_protocol::seal;
use medring_protocol::testkit::{Kit, TestChain};
use medring_protocol::vitals::{Layout, Recording};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

const AT: Moment = Moment { now_ms: 1_700_000_012_345, tip_height: 7 };

/// A patient, a condition, and `notes` large notes that compress badly.
fn bundle(notes: usize) -> Bundle {
    let mut rng = rng();
    let mut noise = || {
        let mut bytes = vec![0; 12_000];
        rand::Rng::fill_bytes(&mut rng, &mut bytes);
        hex::encode(bytes)
    };
    let mut entries = vec![
        r#"{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","birthDate":"1970-05-05"}}"#
            .to_owned(),
        r#"{"resource":{"resourceType":"Condition","code":{"text":"asthma"},"subject":{"reference":"urn:uuid:p"}}}"#
            .to_owned(),
    ];
    entries.extend((0..notes).map(|i| {
        format!(
            r#"{{"resource":{{"resourceType":"Condition","id":"c{i}","code":{{"text":"{}"}},"subject":{{"reference":"urn:uuid:p"}}}}}}"#,
            noise()
        )
    }));
    let text = format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","));
    Bundle::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_record_made_here_passes_every_rule_and_opens_for_its_recipient_alone() {
    let kit = Kit::new(1);
    let mut chain = TestChain::enrolled(&kit, RuleSet::standard());
    let at = Moment { now_ms: kit.params.genesis_time_ms + 1_234, tip_height: 1 };
    let mut drafts =
        Draft::from_bundle(Kind::Ehr, &bundle(0), &Policy::Minimal, &kit.params, &kit.patient.keys).unwrap();
    let draft = drafts.pop().filter(|_| drafts.is_empty()).unwrap();
    let made =
        seal_record(&kit.params, &kit.healthcare_center.secret, &kit.patient.keys, &draft, at, &mut rng()).unwrap();
    let record = made.record;
    assert_eq!(record.envelope.stamp_ms % kit.params.stamp_granularity_ms, 0);
    assert_eq!(record.envelope.expiry_height, 1 + kit.params.expiry_window_heights / 2);
    assert!(matches!(record.content.receiver, Receiver::Tag(_)));
    chain.extend(vec![record.clone()]).unwrap();

    let opens = |actor: &medring_protocol::testkit::Actor| {
        seal::open_as(&kit.chain, &record.content, &actor.id, actor.secret.chebyshev()).unwrap()
    };
    let opened = opens(&kit.patient).unwrap();
    assert_eq!(Bundle::parse(&opened.plain.bytes).unwrap().entries(), bundle(0).entries());
    assert!(made.r.belongs_to(&record.content.commitment));
    assert!(opens(&kit.healthcare_center).is_none(), "not even its maker");
    let renewed = renew(&kit.params, record.clone(), &kit.healthcare_center.secret, AT);
    assert_eq!((renewed.id(&kit.chain), renewed.signature), (record.id(&kit.chain), record.signature));
    assert_ne!(renewed.wire_id(&kit.chain), record.wire_id(&kit.chain));
}

#[test]
fn the_filter_stands_between_a_draft_and_its_record_whoever_made_the_draft() {
    let kit = Kit::new(1);
    let minimal = |policy| Draft::from_bundle(Kind::Ehr, &bundle(0), &policy, &kit.params, &kit.patient.keys);
    assert_ne!(kit.params.purpose, Purpose::Demo);
    assert!(matches!(minimal(Policy::Paper), Err(DraftError::Public(_))), "not on this chain");
    let mut draft = minimal(Policy::Minimal).unwrap().remove(0);
    draft.public = br#"{"birthDate":"1970-05-05","kind":"EHR","v":1}"#.to_vec();
    let refused = seal_record(&kit.params, &kit.healthcare_center.secret, &kit.patient.keys, &draft, AT, &mut rng());
    let refused = refused.unwrap_err();
    assert!(matches!(refused, ProduceError::Public(_)), "{refused}");
    assert!(!refused.to_string().contains("1970"), "the value is not quoted: {refused}");
}

#[test]
fn a_draft_for_one_patient_is_not_sealed_to_another() {
    let kit = Kit::new(1);
    let draft = Draft::from_bundle(Kind::Emr, &bundle(0), &Policy::Minimal, &kit.params, &kit.patient.keys).unwrap();
    let other = kit.extra_patient(3).keys;
    let refused = seal_record(&kit.params, &kit.doctor.secret, &other, &draft[0], AT, &mut rng()).unwrap_err();
    assert!(matches!(refused, ProduceError::OtherRecipient { .. }), "{refused}");
}

#[test]
fn a_bundle_too_large_for_one_record_becomes_several_and_nothing_is_lost() {
    let (kit, whole) = (Kit::new(1), bundle(20));
    let drafts = Draft::from_bundle(Kind::Ehr, &whole, &Policy::Minimal, &kit.params, &kit.patient.keys).unwrap();
    assert!(drafts.len() > 3, "{} drafts", drafts.len());
    let mut entries = Vec::new();
    for draft in &drafts {
        let made = seal_record(&kit.params, &kit.healthcare_center.secret, &kit.patient.keys, draft, AT, &mut rng());
        assert!(made.unwrap().record.encoded_len() <= medring_protocol::limits::RECORD_BYTES_MAX);
        entries.extend(Bundle::parse(&draft.sensitive.bytes).unwrap().entries().to_vec());
    }
    assert_eq!(entries, whole.entries());
}

#[test]
fn a_resource_too_large_for_any_record_is_named() {
    let (kit, mut rng) = (Kit::new(1), rng());
    let mut noise = vec![0; 90_000];
    rand::Rng::fill_bytes(&mut rng, &mut noise);
    let text = format!(r#"{{"resourceType":"Condition","code":{{"text":"{}"}}}}"#, hex::encode(noise));
    let alone = Bundle::parse(text.as_bytes()).unwrap();
    let refused = Draft::from_bundle(Kind::Ehr, &alone, &Policy::Minimal, &kit.params, &kit.patient.keys).unwrap_err();
    assert!(refused.to_string().starts_with("Condition does not fit"), "{refused}");
}

#[test]
fn a_long_recording_becomes_windows_that_make_it_up_again() {
    let kit = Kit::new(1);
    let mut csv = String::from("heart_rate_bpm\n");
    let mut state = 1u32;
    for _ in 0..120_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        csv += &format!("{}.{}\n", 60 + (state >> 24) % 60, (state >> 16) % 100);
    }
    let layout: Layout = "@=10ms,heart_rate_bpm=8867-4:/min".parse().unwrap();
    let whole = Recording::from_csv(csv.as_bytes(), &layout, 1_000_000).unwrap();
    let drafts = Draft::from_vitals(&whole, &Policy::Minimal, &kit.params, &kit.patient.keys).unwrap();
    assert!(drafts.len() > 1);
    let parts: Vec<_> =
        drafts.iter().map(|d| Recording::from_fhir(&Bundle::parse(&d.sensitive.bytes).unwrap()).unwrap()).collect();
    assert_eq!(parts[0].start_ms(), whole.start_ms());
    assert_eq!(parts[1].start_ms(), whole.time_ms(parts[0].rows()));
    let samples: Vec<_> = parts.iter().flat_map(|p| p.signals()[0].samples.clone()).collect();
    assert_eq!(samples, whole.signals()[0].samples);
}

/// An authority with a keystore of its own, and the chain.
struct Office {
    _dir: tempfile::TempDir,
    keystore: Keystore,
    kit: Kit,
}

fn office() -> Office {
    let (dir, mut kit) = (tempfile::tempdir().unwrap(), Kit::new(1));
    let identity = IdentitySecret::generate(&mut rng());
    kit.params.authorities = vec![identity.public()];
    kit.chain = kit.params.chain_id();
    let passphrase = Passphrase::new(b"correct horse").unwrap();
    let path = dir.path().join("authority");
    let keystore = Keystore::create(&path, &passphrase, identity, KdfCost::TESTNET, &mut rng()).unwrap();
    Office { _dir: dir, keystore, kit }
}

#[test]
fn a_challenge_answered_becomes_an_enrolment_that_a_block_may_carry() {
    let Office { keystore, kit, .. } = &office();
    let card = Card::parse(Card::new(kit.doctor.keys.clone()).to_json().as_bytes()).unwrap();
    let challenge = Challenge::new(keystore, &kit.chain, &card, Role::Doctor, &mut rng()).unwrap();
    let challenge = Challenge::parse(challenge.to_json().as_bytes()).unwrap();
    let request = challenge.answer(&kit.chain, &kit.doctor.secret).unwrap();
    let request = Request::parse(request.to_json().as_bytes()).unwrap();
    let entry = request.accept(keystore, &kit.chain, 8, 100).unwrap();
    assert_eq!((entry.keys.id(), entry.role), (kit.doctor.id, Role::Doctor));
    let at = Moment { now_ms: kit.params.genesis_time_ms, tip_height: 0 };
    let record = enrol_record(&kit.params, keystore.identity(), vec![entry.clone()], at).unwrap();
    assert_eq!(Enrolment::decode(&record.content.public).unwrap().entries, std::slice::from_ref(&entry));
    let mut chain = TestChain::new(kit, RuleSet::standard());
    chain.extend(vec![record]).unwrap();
    let twice = enrol_record(&kit.params, keystore.identity(), vec![entry.clone(), entry], at).unwrap_err();
    assert!(matches!(twice, ProduceError::Entry { .. }), "{twice}");
}

#[test]
fn whoever_does_not_know_the_secret_or_changes_a_word_is_not_enrolled() {
    let Office { keystore, kit, .. } = &office();
    let card = Card::new(kit.doctor.keys.clone());
    let challenge = Challenge::new(keystore, &kit.chain, &card, Role::Doctor, &mut rng()).unwrap();
    let thief = challenge.answer(&kit.chain, &kit.patient.secret).unwrap_err();
    assert!(matches!(thief, ChallengeError::Elsewhere { .. }), "{thief}");
    let elsewhere = challenge.answer(&medring_protocol::ChainId([1; 32]), &kit.doctor.secret).unwrap_err();
    assert!(matches!(elsewhere, ChallengeError::Elsewhere { .. }), "{elsewhere}");

    let request = challenge.answer(&kit.chain, &kit.doctor.secret).unwrap();
    let edited = |from: &str, to: &str| {
        let text = request.to_json().replace(from, to);
        assert_ne!(text, request.to_json(), "{from}");
        Request::parse(text.as_bytes()).unwrap().accept(keystore, &kit.chain, 1, 2).unwrap_err()
    };
    let json: serde_json::Value = serde_json::from_str(&request.to_json()).unwrap();
    let opened = json["opened"].as_str().unwrap();
    assert_eq!(edited("\"doctor\"", "\"patient\""), ChallengeError::Wrong, "the challenge was for a doctor");
    assert_eq!(edited(opened, &"00".repeat(32)), ChallengeError::Wrong, "a guess");
    let signature = json["subject_signature"].as_str().unwrap();
    assert_eq!(edited(signature, &"00".repeat(64)), ChallengeError::Consent);
    let other_signing = kit.patient.keys.signing.to_string();
    assert_eq!(edited(&kit.doctor.keys.signing.to_string(), &other_signing), ChallengeError::Wrong, "mixed keys");
}

#[test]
fn a_card_whose_keys_are_not_its_ids_is_refused() {
    let kit = Kit::new(1);
    let text = Card::new(kit.doctor.keys.clone()).to_json();
    let swapped = text.replace(&kit.doctor.keys.signing.to_string(), &kit.patient.keys.signing.to_string());
    assert!(matches!(Card::parse(swapped.as_bytes()), Err(ChallengeError::Elsewhere { .. })));
    for wrong in ["", "{}", "[]", &text[..text.len() / 2], &text.replace("card/1", "card/2")] {
        assert!(matches!(Card::parse(wrong.as_bytes()), Err(ChallengeError::Syntax { .. })), "{wrong}");
    }
    assert!(Card::parse(&vec![b' '; challenge::BYTES_MAX + 1]).is_err());
}
