//! Rules that are signatures.

use super::Fixture;
use medring_protocol::identity::Role;
use medring_protocol::record::{Kind, Record};

#[test]
fn a_content_signature_by_another_is_refused() {
    let f = Fixture::new();
    let Record { content, envelope, .. } = f.record(Kind::Ehr);
    // The uploader wraps what another signed: strip-and-resign fails here, too.
    let foreign = f.kit.doctor.secret.sign(&content.id(&f.kit.chain).0);
    let secret = &f.kit.healthcare_center.secret;
    let record = Record::wrap(&f.kit.chain, content, foreign, envelope.stamp_ms, envelope.expiry_height, secret);
    f.broken_only("R-SIG", &f.block(vec![record]));
}

#[test]
fn an_envelope_proof_that_does_not_verify_is_refused() {
    let f = Fixture::new();
    let mut stretched = f.record(Kind::Ehr);
    stretched.envelope.expiry_height -= 1;
    f.broken_only("R-ENVELOPE-SIG", &f.block(vec![stretched]));
    let mut later = f.record(Kind::Ehr);
    later.envelope.stamp_ms += f.kit.params.stamp_granularity_ms;
    f.broken_only("R-ENVELOPE-SIG", &f.block(vec![later]));
    for byte in [0, 31, 32, 63] {
        let mut flipped = f.record(Kind::Ehr);
        flipped.envelope.auth.proof[byte] ^= 1;
        f.broken_only("R-ENVELOPE-SIG", &f.block(vec![f.record(Kind::Emr), flipped]));
    }
}

#[test]
fn an_enrolment_without_the_subjects_consent_is_refused() {
    let f = Fixture::new();
    let mut role = f.entry(60);
    role.role = Role::Doctor;
    f.broken_only("R-ENROL-CONSENT", &f.enrolling(vec![role]));
    let mut other_key = f.entry(60);
    other_key.subject_signature = f.entry(61).subject_signature;
    f.broken_only("R-ENROL-CONSENT", &f.enrolling(vec![other_key]));
}
