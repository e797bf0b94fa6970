//! A member's whole data folder in a thief's hands, with the passphrase and all long-term keys.

use crate::common::{World, address, config_with_wallet, get, stop};
use crate::groups::{Family, change, parsed, path};
use medring_node::api::types::{GroupsResponse, SealedTo};
use medring_node::driver::{Node, NodeHandle, Shutdown};
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use serde_json::json;
use std::path::Path;

/// Copies a folder as it lies there.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Starts the doctor's node on a copy of its folder, beside nobody, and asks it for a record of the group.
async fn thief_opens(world: &World, copy: &str, group: &GroupUid, record: RecordId) -> u16 {
    let node = Node::start(config_with_wallet(world, copy, &world.kit.doctor, &[]), Shutdown::new()).await.unwrap();
    let read = get(&node, &path(group, &format!("/records/{record}"))).await.status;
    stop(node).await;
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_taken_after_finality_of_the_next_epoch_opens_nothing_of_the_last_and_one_taken_before_does() {
    let mut family = Family::new(49).await;
    let group = family.together().await;
    let old = family.seal(&group, SealedTo::Group).await;
    family.finish(&group, 0, &family.nodes()).await;
    let folder = family.world.data("doctor");
    let again = config_with_wallet(&family.world, "doctor", &family.world.kit.doctor, &[address(&family.patient)]);
    let doctor = family.doctor.info().participant.unwrap();
    let (before, after) = (family.world.data("before"), family.world.data("after"));
    let copied_to = async |doctor: NodeHandle, to: &Path| {
        stop(doctor).await;
        copy(&folder, to);
        Node::start(again.clone(), Shutdown::new()).await.unwrap()
    };

    family.doctor = copied_to(family.doctor, &before).await;
    change(&family.patient, &group, json!([{"update": doctor}])).await;
    family.commit(&group).await;
    family.in_epoch(&group, 1, &family.nodes()).await;
    family.finish(&group, 1, &family.nodes()).await;
    let new = family.seal(&group, SealedTo::Group).await;
    family.doctor = copied_to(family.doctor, &after).await;

    assert_eq!(thief_opens(&family.world, "before", &group, old).await, 200, "the thief knows his trade");
    assert_eq!(thief_opens(&family.world, "after", &group, new).await, 200, "what is not wiped opens");
    assert_ne!(thief_opens(&family.world, "after", &group, old).await, 200, "epoch 0 is wiped");
    // The state of before, with the ciphertext of epoch 0, is of no use without the key that was destroyed.
    let state = |copy: &Path| copy.join("groups").join(group.to_string()).join("state");
    std::fs::copy(state(&before), state(&after)).unwrap();
    let thief = config_with_wallet(&family.world, "after", &family.world.kit.doctor, &[]);
    let thief = Node::start(thief, Shutdown::new()).await.unwrap();
    let list: GroupsResponse = parsed(&get(&thief, "/v1/wallet/groups").await);
    assert!(list.groups.is_empty() && list.problem.unwrap().contains("it is gone, and the state needs it"));
    stop(thief).await;
    family.stop().await;
}
