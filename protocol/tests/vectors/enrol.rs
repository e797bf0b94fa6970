//! enrol.json: participant ids, names of keys, what a subject signs, and the payloads of Enrol, Revoke and EpochCommit.

use super::settle;
use medring_protocol::identity::{Enrolment, EnrolmentEntry, Revocation};
use medring_protocol::record::{EpochCommit, Kind};
use medring_protocol::testkit::Kit;
use serde_json::{Value, json};

fn entry(entry: &EnrolmentEntry, kit: &Kit) -> Value {
    let check = entry.signature_check(&kit.chain);
    assert!(check.verify());
    json!({
        "signing": entry.keys.signing,
        "chebyshev": entry.keys.chebyshev,
        "id": entry.keys.id(),
        "key_hashes": entry.keys.key_hashes(),
        "role": entry.role.id(),
        "valid_from": entry.valid_from,
        "valid_until": entry.valid_until,
        "subject_hash": hex::encode(check.hash),
        "subject_signature": entry.subject_signature,
    })
}

#[test]
fn enrol_json_is_what_this_crate_computes() {
    let kit = Kit::new(101);
    let all = Enrolment::decode(&kit.enrol_all(1).content.public).unwrap();
    let one = kit.extra_patient(1);
    let short = EnrolmentEntry::new(&kit.chain, &one.secret, one.role.unwrap(), 10, 20);
    let enrolment = |name: &str, payload: &Enrolment| {
        let entries: Vec<_> = payload.entries.iter().map(|e| entry(e, &kit)).collect();
        let payload = hex::encode(payload.encode());
        json!({ "name": name, "type": "enrol", "chain": kit.chain, "entries": entries, "payload": payload })
    };
    let revoke = Revocation::decode(&kit.record(Kind::Revoke, 9, 1).content.public).unwrap();
    let commit = EpochCommit::decode(&kit.record(Kind::EpochCommit, 9, 1).content.public).unwrap();
    let cases = vec![
        enrolment("one of each role, ascending by id", &all),
        enrolment("a patient for eleven heights", &Enrolment::new(vec![short])),
        json!({ "name": "a revocation", "type": "revoke", "subject": revoke.subject,
                "invalid_from": revoke.invalid_from, "payload": hex::encode(revoke.encode()) }),
        json!({ "name": "an epoch's commit", "type": "epoch-commit", "gid": commit.gid,
                "transcript": hex::encode(commit.transcript), "confirms": hex::encode(commit.confirms),
                "payload": hex::encode(commit.encode()) }),
    ];
    settle("enrol.json", "Participants, and the public parts of Enrol, Revoke and EpochCommit in the codec.", cases);
}
