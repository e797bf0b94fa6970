//! group.json: an epoch descriptor, its GID and what its owner signs.

use super::settle;
use medring_protocol::RecordId;
use medring_protocol::group::{Change, EpochDescriptor, Member};
use medring_protocol::testkit::Kit;
use serde_json::{Value, json};

fn case(name: &str, ed: &EpochDescriptor) -> Value {
    let mut case = descriptor(ed);
    case["name"] = name.into();
    case
}

/// A descriptor, its GID and what its owner signs.
pub(crate) fn descriptor(ed: &EpochDescriptor) -> Value {
    assert_eq!(ed.check(), Ok(()));
    let changes = ed.changes.iter().map(|c| json!({ "kind": c.parts().0, "who": c.parts().1 }));
    let member = |m: &Member| json!({ "signing": m.keys.signing, "chebyshev": m.keys.chebyshev, "id": m.keys.id(), "peer_id": hex::encode(&m.peer_id) });
    json!({
        "chain": ed.chain,
        "group": hex::encode(ed.group),
        "epoch": ed.epoch,
        "attempt": ed.attempt,
        "previous": ed.previous,
        "random": hex::encode(ed.random),
        "changes": changes.collect::<Vec<_>>(),
        "owner": ed.owner,
        "uploader": ed.uploader,
        "patient_ids": ed.patient_ids,
        "roster": ed.roster.iter().map(member).collect::<Vec<_>>(),
        "refresh": ed.refresh,
        "deadline_height": ed.deadline_height,
        "gid": ed.gid(),
        "signing_hash": hex::encode(ed.signing_hash()),
    })
}

#[test]
fn group_json_is_what_this_crate_computes() {
    let kit = Kit::new(102);
    let actors = [&kit.patient, &kit.doctor, &kit.caregiver];
    let roster: Vec<_> =
        (1..).zip(actors).map(|(n, a)| Member { keys: a.secret.public(), peer_id: vec![n; 38] }).collect();
    let owner = roster[0].keys.id();
    let first = EpochDescriptor {
        chain: kit.chain,
        group: [0x11; 32],
        epoch: 0,
        attempt: 0,
        previous: RecordId::ZERO,
        random: [0x22; 32],
        changes: roster.iter().map(|m| Change::Join(m.keys.id())).collect(),
        owner,
        uploader: owner,
        patient_ids: vec![owner],
        roster,
        refresh: vec![],
        deadline_height: 50,
    };
    let mut second = first.clone();
    (second.epoch, second.attempt, second.previous, second.random) = (1, 3, RecordId([0x33; 32]), [0x44; 32]);
    let gone = second.roster.remove(1).keys.id();
    (second.changes, second.refresh, second.deadline_height) = (vec![Change::Remove(gone)], vec![0, 1], 90);
    let cases = vec![case("three members, first epoch", &first), case("one removed, fourth attempt", &second)];
    settle("group.json", "Epoch descriptors: the GID and what the owner signs.", cases);
}
