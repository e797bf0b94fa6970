//! Rules on one record at its place on a chain.

use super::{Bad, Fixture, NEXT, PATIENT_QUOTA};
use medring_protocol::chebyshev::PublicKeyBytes;
use medring_protocol::hash::ParticipantId;
use medring_protocol::identity::{EnrolmentEntry, PublicKeys, Revocation, Role};
use medring_protocol::limits::QUOTA_WINDOW_HEIGHTS;
use medring_protocol::record::{Content, Kind, Record};
use medring_protocol::testkit::Actor;

impl Fixture {
    /// A valid record of this kind but for its uploader.
    fn by(&self, actor: &Actor, kind: Kind) -> Record {
        let content = Content { uploader: actor.id, ..self.record(kind).content };
        self.kit.sign_as(actor, content, NEXT)
    }

    fn ehr_at(&self, stamp_ms: u64, expiry_height: u64) -> Bad {
        let content = self.record(Kind::Ehr).content;
        let secret = &self.kit.healthcare_center.secret;
        self.block(vec![Record::sign(&self.kit.chain, content, stamp_ms, expiry_height, secret)])
    }

    fn revoking(&self, subject: ParticipantId) -> Record {
        self.edited(Kind::Revoke, |content| content.public = Revocation { subject, invalid_from: 0 }.encode())
    }
}

#[test]
fn an_uploader_not_enrolled_not_valid_or_revoked_is_refused() {
    let f = Fixture::new();
    let stranger = Actor::new(f.kit.seed, "stranger", Some(Role::HealthcareCenter));
    for actor in [&stranger, &f.future, &f.past, &f.former] {
        f.broken_only("R-UPLOADER", &f.block(vec![f.by(actor, Kind::Ehr)]));
    }
    // Enrolled in this very block: the parent's state decides.
    f.broken_only("R-UPLOADER", &f.block(vec![f.kit.enrol(&[&stranger], NEXT), f.by(&stranger, Kind::Ehr)]));
    // Revoked in this very block: likewise.
    f.accepted(&f.block(vec![f.revoking(f.kit.healthcare_center.id), f.record(Kind::Ehr)]));
}

#[test]
fn a_kind_that_is_not_the_uploaders_to_upload_is_refused() {
    let f = Fixture::new();
    let kit = f.kit;
    let wrong: [(&Actor, &[Kind]); 5] = [
        (&kit.healthcare_center, &[Kind::Emr, Kind::Phr, Kind::Aphr, Kind::EpochCommit, Kind::Enrol, Kind::Revoke]),
        (&kit.doctor, &[Kind::Ehr, Kind::Phr, Kind::Aphr, Kind::EpochCommit, Kind::Enrol, Kind::Revoke]),
        (&kit.patient, &[Kind::Ehr, Kind::Emr, Kind::Enrol, Kind::Revoke]),
        (&kit.caregiver, &[Kind::Ehr, Kind::Emr, Kind::Phr, Kind::Aphr, Kind::EpochCommit, Kind::Enrol, Kind::Revoke]),
        (&kit.authority, &[Kind::Ehr, Kind::Emr, Kind::Phr, Kind::Aphr, Kind::EpochCommit]),
    ];
    for (actor, kinds) in wrong {
        for kind in kinds {
            f.broken_only("R-ROLE", &f.block(vec![f.by(actor, *kind)]));
        }
    }
}

#[test]
fn a_record_that_stands_on_the_chain_already_is_refused() {
    let f = Fixture::new();
    f.broken_only("R-DUP", &f.block(vec![f.placed.clone()]));
    // In a new envelope it is the same record.
    let Record { content, signature, envelope } = f.placed.clone();
    let secret = &f.kit.healthcare_center.secret;
    let again = Record::wrap(&f.kit.chain, content, signature, envelope.stamp_ms, envelope.expiry_height + 1, secret);
    f.broken_only("R-DUP", &f.block(vec![again]));
    let twice = f.record(Kind::Ehr);
    f.broken_only("R-DUP", &f.block(vec![twice.clone(), f.record(Kind::Emr), twice]));
}

#[test]
fn a_stamp_beyond_the_blocks_window_is_refused() {
    let f = Fixture::new();
    let Bad::Next(block) = f.block(vec![]) else { unreachable!() };
    let most = block.header.time_ms + f.kit.params.stamp_window_ms;
    let step = f.kit.params.stamp_granularity_ms;
    assert_eq!(most % step, 0);
    f.accepted(&f.ehr_at(most, NEXT));
    f.broken_only("R-STAMP", &f.ehr_at(most + step, NEXT));
    f.accepted(&f.ehr_at(0, NEXT)); // records that return from a fork must not die of age
}

#[test]
fn a_record_past_its_expiry_or_with_one_too_far_ahead_is_refused() {
    let f = Fixture::new();
    let stamp = f.kit.params.genesis_time_ms;
    let most = NEXT + f.kit.params.expiry_window_heights;
    for expiry in [0, NEXT - 1, most + 1, u64::MAX] {
        f.broken_only("R-EXPIRY", &f.ehr_at(stamp, expiry));
    }
    for expiry in [NEXT, most] {
        f.accepted(&f.ehr_at(stamp, expiry));
    }
}

#[test]
fn more_bytes_than_the_quota_are_refused_until_the_window_has_passed() {
    let mut f = Fixture::new();
    let first = f.kit.record_of(Kind::Phr, 1, NEXT, 65_536);
    let second = f.kit.record_of(Kind::Phr, 2, NEXT, 65_536);
    assert!(2 * first.encoded_len() as u64 > PATIENT_QUOTA);
    f.broken_only("R-QUOTA", &f.block(vec![first.clone(), second.clone()]));
    // To the byte: a public part fills what is left.
    let room = usize::try_from(PATIENT_QUOTA).unwrap() - first.encoded_len();
    let small = f.record(Kind::Phr).encoded_len();
    let filler = |extra| f.edited(Kind::Phr, |content| content.public = vec![b'x'; room - small + extra]);
    f.accepted(&f.block(vec![first.clone(), filler(0)]));
    f.broken_only("R-QUOTA", &f.block(vec![first.clone(), filler(1)]));

    f.chain.extend(vec![first]).unwrap();
    while f.chain.next_height() < NEXT + QUOTA_WINDOW_HEIGHTS {
        let next = f.chain.next_height();
        if next == NEXT + 1 || next + 1 == NEXT + QUOTA_WINDOW_HEIGHTS {
            f.broken_only("R-QUOTA", &f.block(vec![second.clone()]));
        }
        f.chain.extend(vec![]).unwrap();
    }
    f.accepted(&f.block(vec![second]));
}

#[test]
fn a_key_enrolled_before_or_twice_is_refused() {
    let f = Fixture::new();
    let (patient, other) = (&f.kit.patient, f.kit.extra_patient(60));
    f.broken_only("R-KEY-REUSE", &f.block(vec![f.kit.enrol(&[patient], NEXT)]));
    f.broken_only("R-KEY-REUSE", &f.block(vec![f.kit.enrol(&[&f.former], NEXT)]));
    f.broken_only("R-KEY-REUSE", &f.block(vec![f.kit.enrol(&[&f.kit.authority], NEXT)]));

    // One of the two keys is enough: the same key under two ids is how one participant plays two.
    let entry = |signer: &Actor, chebyshev: PublicKeyBytes| {
        let keys = PublicKeys { signing: signer.keys.signing, chebyshev };
        let hash = EnrolmentEntry::subject_hash(&f.kit.chain, &keys, Role::Patient);
        let subject_signature = signer.secret.sign(&hash);
        EnrolmentEntry { keys, role: Role::Patient, valid_from: 0, valid_until: 9, subject_signature }
    };
    f.broken_only("R-KEY-REUSE", &f.enrolling(vec![entry(patient, other.keys.chebyshev)]));
    f.broken_only("R-KEY-REUSE", &f.enrolling(vec![entry(&other, patient.keys.chebyshev)]));

    let third = f.kit.extra_patient(61);
    let sorted = |mut entries: Vec<EnrolmentEntry>| {
        entries.sort_by_key(|e| e.keys.id());
        f.enrolling(entries)
    };
    let same_signing = vec![entry(&other, other.keys.chebyshev), entry(&other, third.keys.chebyshev)];
    f.broken_only("R-KEY-REUSE", &sorted(same_signing));
    let same_chebyshev = vec![entry(&other, other.keys.chebyshev), entry(&third, other.keys.chebyshev)];
    f.broken_only("R-KEY-REUSE", &sorted(same_chebyshev));
    let twice = vec![f.kit.enrol(&[&other], NEXT), f.kit.enrol(&[&other, &third], NEXT)];
    f.broken_only("R-KEY-REUSE", &f.block(twice));
}

#[test]
fn a_revocation_of_nobody_or_for_the_second_time_is_refused() {
    let f = Fixture::new();
    for subject in [ParticipantId([9; 32]), f.former.id, f.kit.authority.id] {
        f.broken_only("R-REVOKE", &f.block(vec![f.revoking(subject)]));
    }
    let id = f.kit.caregiver.id;
    let again = f.edited(Kind::Revoke, |content| {
        content.public = Revocation { subject: id, invalid_from: 1 }.encode();
    });
    f.broken_only("R-REVOKE", &f.block(vec![f.revoking(id), again]));
    let other = f.kit.extra_patient(60);
    f.broken_only("R-REVOKE", &f.block(vec![f.kit.enrol(&[&other], NEXT), f.revoking(other.id)]));
}
