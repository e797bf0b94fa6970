//! Goals of the chain: who may put what on it. The paper's BT asks two things: that C opens under the key that came with it, and
//! that T_BT − T ≤ ΔT. Against ours each attack is refused by one rule, and passes where that rule alone is switched off.

use crate::printed::record::{Upload, WINDOW_MS};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::error::RuleId;
use medring_protocol::hash::Gid;
use medring_protocol::identity::{EnrolmentEntry, Revocation, Role, Signature, SigningPk};
use medring_protocol::record::{Content, Kind, Receiver, Record};
use medring_protocol::testkit::{Actor, Kit, TestChain};
use std::sync::LazyLock;

pub(crate) static KIT: LazyLock<Kit> = LazyLock::new(|| Kit::new(40));
/// BT's clock, ms.
const NOW_MS: i64 = 1_700_000_000_000;

/// What anyone at all may send to the paper's BT under this key.
fn printed(by: &Actor, stamp_ms: u64) -> Upload {
    Upload::new(&by.secret, &[1; 256], [b"brief", b"sealed"], stamp_ms, [2; 32])
}

fn now() -> u64 {
    u64::try_from(NOW_MS).unwrap()
}

/// The record is refused by this rule on this chain, and passes where this rule alone is not in force.
#[track_caller]
pub(crate) fn refused_by(rule: RuleId, chain: &TestChain<'_>, record: Record) {
    let rules = RuleSet::standard();
    let judge = |rules| TestChain { rules, ..chain.clone() }.extend(vec![record.clone()]);
    assert_eq!(judge(rules.clone()).map_err(|violation| violation.rule), Err(rule));
    assert_eq!(judge(rules.without(rule)), Ok(()), "with {rule} disabled");
}

fn chain() -> TestChain<'static> {
    TestChain::enrolled(&KIT, RuleSet::standard())
}

#[test]
fn wrong_kind_or_role() {
    assert!(printed(&KIT.caregiver, now()).bt_takes(NOW_MS), "BT asks nobody what they are");
    let (chain, height) = (chain(), 2);
    let emr = Content { uploader: KIT.caregiver.id, ..KIT.content(Kind::Emr, 1, 1024) };
    refused_by("R-ROLE", &chain, KIT.sign_as(&KIT.caregiver, emr, height));
    let to_a_group = Receiver::Group(Gid([3; 32]));
    let ehr = Content {
        receiver: to_a_group,
        sealed: KIT.random_seal(&to_a_group, 1, 1024),
        ..KIT.content(Kind::Ehr, 1, 1024)
    };
    refused_by("R-RECEIVER", &chain, KIT.sign(ehr, height));
}

#[test]
fn wrong_chain() {
    let upload = printed(&KIT.doctor, now());
    assert!(upload.clone().bt_takes(NOW_MS) && upload.bt_takes(NOW_MS), "nothing in C says which chain it is for");
    // The same people on another chain: what one of them signed there is brought here as it is, in a new envelope.
    let other = Kit::with_params(KIT.seed, |params| params.name = "other".into());
    let there = other.record(Kind::Ehr, 1, 2);
    let uploader = &KIT.healthcare_center;
    assert_eq!(uploader.id, other.healthcare_center.id);
    let (content, envelope) = (there.content.clone(), &there.envelope);
    let here =
        Record::wrap(&KIT.chain, content, there.signature, envelope.stamp_ms, envelope.expiry_height, &uploader.secret);
    refused_by("R-SIG", &chain(), here);
}

#[test]
fn unenrolled_or_revoked_key() {
    let stranger = Actor::new(KIT.seed, "stranger", Some(Role::Doctor));
    assert!(printed(&stranger, now()).bt_takes(NOW_MS), "C_1 and the public key PK_H are sent to BT");
    // A rule about standing needs the uploader's key: it is enrolled, and no longer valid.
    let mut chain = TestChain::new(&KIT, RuleSet::standard());
    let entry = EnrolmentEntry::new(&KIT.chain, &stranger.secret, Role::Doctor, 0, 2);
    let enrolment = medring_protocol::identity::Enrolment::new(vec![entry]);
    chain.extend(vec![KIT.enrol_all(1), KIT.enrol_with(&enrolment, 1)]).unwrap();
    let revocation = Revocation { subject: KIT.doctor.id, invalid_from: 1 };
    let revoke = Content { public: revocation.encode(), ..KIT.content(Kind::Revoke, 0, 0) };
    chain.extend(vec![KIT.sign(revoke, 2)]).unwrap();
    for by in [&stranger, &KIT.doctor] {
        let emr = Content { uploader: by.id, ..KIT.content(Kind::Emr, 2, 1024) };
        refused_by("R-UPLOADER", &chain, KIT.sign_as(by, emr, 3));
    }
    // Never enrolled at all: there is no key to check a signature with.
    let nobody = Actor::new(KIT.seed, "nobody", Some(Role::Doctor));
    let emr = Content { uploader: nobody.id, ..KIT.content(Kind::Emr, 3, 1024) };
    let violation = chain.extend(vec![KIT.sign_as(&nobody, emr, 3)]).unwrap_err();
    assert_eq!(violation.rule, "R-UPLOADER");
}

/// Under a key of small order a signature of zeros holds for every message: a record that nobody signed.
#[test]
fn small_order_ed25519_keys() {
    let mut identity = SigningPk::ZERO;
    identity.0[0] = 1;
    let mut zeros = Signature::ZERO;
    zeros.0[0] = 1;
    let mut upload = printed(&KIT.doctor, now());
    (upload.key, upload.sig, upload.c) = (identity, zeros, zeros);
    for m in [b"all is well", b"all is lost"] {
        upload.m = m.to_vec();
        assert!(upload.bt_takes(NOW_MS) && upload.sig_holds(identity));
    }
    // Ours counts by ZIP-215, where it holds as well; so such a key must not be enrolled.
    let mut enrolment = KIT.enrolment(&[&KIT.extra_patient(9)]);
    enrolment.entries[0].keys.signing = identity;
    enrolment.entries[0].subject_signature = zeros;
    let record = KIT.enrol_with(&enrolment, 2);
    refused_by("R-ENROL", &chain(), record);
}

#[test]
fn future_stamps() {
    let century_ms = 100 * 365 * 24 * 3_600_000;
    assert!(printed(&KIT.doctor, now() + century_ms).bt_takes(NOW_MS), "T_BT − T is negative, and so below ΔT");
    assert!(!printed(&KIT.doctor, now() - WINDOW_MS - 1).bt_takes(NOW_MS));
    let chain = chain();
    let content = KIT.content(Kind::Emr, 1, 1024);
    let stamp_ms = chain.tip().time_ms + century_ms;
    refused_by("R-STAMP", &chain, Record::sign(&KIT.chain, content, stamp_ms, 10, &KIT.doctor.secret));
}

#[test]
fn duplicate_upload() {
    let upload = printed(&KIT.doctor, now());
    let late_ms = NOW_MS + i64::try_from(WINDOW_MS).unwrap();
    assert!(upload.bt_takes(NOW_MS) && upload.bt_takes(late_ms), "the same C twice, within ΔT");
    let mut chain = chain();
    let record = KIT.record(Kind::Emr, 1, 2);
    chain.extend(vec![record.clone()]).unwrap();
    refused_by("R-DUP", &chain, record);
}
