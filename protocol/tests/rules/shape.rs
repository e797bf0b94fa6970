//! Rules on one record alone.

use super::{Fixture, NEXT};
use medring_protocol::chebyshev::PublicKeyBytes;
use medring_protocol::hash::{Commitment, Gid};
use medring_protocol::identity::{EnrolmentEntry, PublicKeys, Role, Signature, SigningPk};
use medring_protocol::limits::{ENROL_ENTRIES_MAX, PUBLIC_BYTES_MAX};
use medring_protocol::record::{Kind, Receiver, Record};

#[test]
fn a_record_or_public_part_that_is_too_large_is_refused() {
    let f = Fixture::new();
    let public = f.edited(Kind::Ehr, |content| content.public = vec![b'x'; PUBLIC_BYTES_MAX + 1]);
    f.broken_only("R-RECORD-SIZE", &f.block(vec![public]));
    let mut whole = f.kit.record_of(Kind::Ehr, 50, NEXT, 65_536).content;
    whole.public = vec![b'x'; PUBLIC_BYTES_MAX];
    f.broken_only("R-RECORD-SIZE", &f.block(vec![f.kit.sign(whole, NEXT)]));
    f.accepted(&f.block(vec![f.edited(Kind::Ehr, |content| content.public = vec![b'x'; PUBLIC_BYTES_MAX])]));
}

#[test]
fn a_reserved_kind_is_refused() {
    let f = Fixture::new();
    f.broken_only("R-KIND", &f.block(vec![f.record(Kind::AuthorityUpdate)]));
}

#[test]
fn a_receiver_of_the_wrong_type_is_refused() {
    let f = Fixture::new();
    let gid = Gid([3; 32]);
    for kind in [Kind::Ehr, Kind::Emr] {
        let record = f.edited(kind, |content| content.receiver = Receiver::GroupOwner(gid));
        f.broken_only("R-RECEIVER", &f.block(vec![record]));
        let record = f.edited(kind, |content| {
            content.receiver = Receiver::Group(gid);
            content.sealed = f.kit.random_seal(&content.receiver, 1, 1024);
        });
        f.broken_only("R-RECEIVER", &f.block(vec![record]));
    }
    let to_tag = f.edited(Kind::Aphr, |content| {
        content.receiver = Receiver::Tag([1; 16]);
        content.sealed = f.kit.random_seal(&content.receiver, 1, 1024);
    });
    f.broken_only("R-RECEIVER", &f.block(vec![to_tag]));
    for kind in [Kind::Ehr, Kind::Emr, Kind::Phr, Kind::Aphr] {
        let to_nobody = f.edited(kind, |content| {
            content.receiver = Receiver::None;
            content.commitment = Commitment::ZERO;
            content.sealed.clear();
        });
        f.broken_only("R-RECEIVER", &f.block(vec![to_nobody]));
    }
    for kind in [Kind::EpochCommit, Kind::Enrol, Kind::Revoke] {
        let to_group = f.edited(kind, |content| {
            content.receiver = Receiver::Group(gid);
            content.commitment = Commitment([1; 32]);
            content.sealed = f.kit.random_seal(&content.receiver, 1, 1024);
        });
        f.broken_only("R-RECEIVER", &f.block(vec![to_group]));
    }
    for receiver in [Receiver::Group(gid), Receiver::GroupOwner(gid)] {
        let sealed = f.kit.random_seal(&receiver, 1, 1024);
        let phr = f.edited(Kind::Phr, |content| (content.receiver, content.sealed) = (receiver, sealed));
        f.accepted(&f.block(vec![phr]));
    }
}

#[test]
fn a_sealed_part_of_wrong_shape_is_refused() {
    let f = Fixture::new();
    let spoil = |edit: fn(&mut Vec<u8>)| f.edited(Kind::Ehr, |content| edit(&mut content.sealed));
    let spoiled = [
        spoil(Vec::clear),
        spoil(|s| s[0] = 2),
        spoil(|s| s[1..257].fill(0xff)), // E ≥ p
        spoil(|s| s.truncate(s.len() - 1)),
        spoil(|s| s.push(0)),
        spoil(|s| s.truncate(s.len() - 512)), // a power of two below the minimum
        spoil(|s| s.truncate(321)),           // no body
        f.edited(Kind::Ehr, |content| content.commitment = Commitment::ZERO),
        f.edited(Kind::EpochCommit, |content| content.commitment = Commitment([1; 32])),
        f.edited(Kind::EpochCommit, |content| content.sealed = vec![1]),
    ];
    for record in spoiled {
        f.broken_only("R-SEALED", &f.block(vec![record]));
    }
}

#[test]
fn a_payload_that_is_not_exactly_one_value_is_refused() {
    let f = Fixture::new();
    for kind in [Kind::EpochCommit, Kind::Enrol] {
        let longer = f.edited(kind, |content| content.public.push(0));
        f.broken_only("R-PAYLOAD", &f.block(vec![longer]));
        let shorter = f.edited(kind, |content| content.public.truncate(20));
        f.broken_only("R-PAYLOAD", &f.block(vec![shorter]));
    }
}

/// An entry of these keys whose consent verifies under a key of small order: R the identity, s zero.
fn small_order_entry(key: [u8; 32], good: &EnrolmentEntry) -> EnrolmentEntry {
    let mut signature = Signature::ZERO;
    signature.0[0] = 1;
    let keys = PublicKeys { signing: SigningPk(key), chebyshev: good.keys.chebyshev };
    EnrolmentEntry { keys, subject_signature: signature, ..good.clone() }
}

#[test]
fn an_enrolment_with_a_bad_entry_is_refused() {
    let f = Fixture::new();
    let good = f.entry(60);
    f.accepted(&f.enrolling(vec![good.clone()]));
    f.broken_only("R-ENROL", &f.enrolling(vec![]));
    f.broken_only("R-ENROL", &f.enrolling(vec![EnrolmentEntry { valid_from: 9, valid_until: 8, ..good.clone() }]));

    let mut two = f.kit.enrolment(&[&f.kit.extra_patient(60), &f.kit.extra_patient(61)]).entries;
    f.accepted(&f.enrolling(two.clone()));
    two.reverse();
    f.broken_only("R-ENROL", &f.enrolling(two));

    let identity: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
    f.broken_only("R-ENROL", &f.enrolling(vec![small_order_entry(identity, &good)]));

    let subject = f.kit.extra_patient(60);
    for bad in [PublicKeyBytes::ZERO, PublicKeyBytes([0xff; 256])] {
        let keys = PublicKeys { signing: subject.keys.signing, chebyshev: bad };
        let hash = EnrolmentEntry::subject_hash(&f.kit.chain, &keys, Role::Patient);
        let subject_signature = subject.secret.sign(&hash);
        f.broken_only("R-ENROL", &f.enrolling(vec![EnrolmentEntry { keys, subject_signature, ..good.clone() }]));
    }
}

#[test]
fn an_enrolment_of_too_many_is_refused() {
    let f = Fixture::new();
    let people: Vec<_> = (0..=ENROL_ENTRIES_MAX as u64).map(|i| f.kit.extra_patient(100 + i)).collect();
    let most: Vec<_> = people.iter().take(ENROL_ENTRIES_MAX).collect();
    f.accepted(&f.block(vec![f.kit.enrol(&most, NEXT)]));
    f.broken_only("R-ENROL", &f.block(vec![f.kit.enrol(&people.iter().collect::<Vec<_>>(), NEXT)]));
}

#[test]
fn an_unknown_auth_scheme_is_refused() {
    let f = Fixture::new();
    let mut record = f.record(Kind::Ehr);
    record.envelope.auth.scheme = 2;
    f.broken_only("R-AUTH-SCHEME", &f.block(vec![record]));
    for length in [0, 63, 65] {
        let mut record = f.record(Kind::Ehr);
        record.envelope.auth.proof.resize(length, 0);
        f.broken_only("R-AUTH-SCHEME", &f.block(vec![record]));
    }
}

#[test]
fn a_stamp_finer_than_the_granularity_is_refused() {
    let f = Fixture::new();
    let Record { content, envelope, .. } = f.record(Kind::Ehr);
    let secret = &f.kit.healthcare_center.secret;
    let record = Record::sign(&f.kit.chain, content, envelope.stamp_ms + 1, envelope.expiry_height, secret);
    f.broken_only("R-STAMP-STEP", &f.block(vec![record]));
}
