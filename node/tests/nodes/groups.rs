//! Groups between real nodes: made, joined, left and read over the API, with blocks mined when the test says so.

use crate::common::*;
use medring_node::api::types::*;
use medring_node::driver::NodeHandle;
use medring_protocol::ParticipantId;
use medring_protocol::group::GroupUid;
use medring_protocol::testkit::Actor;
use serde_json::json;

/// A bundle with something of a PHR in it.
const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Observation",
"status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"text":"pulse"},"valueQuantity":{"value":61}}}]}"#;

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> T {
    assert!(answer.status < 300, "{} {}", answer.head, String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"))
}

pub(crate) fn path(group: &GroupUid, rest: &str) -> String {
    format!("/v1/wallet/groups/{group}{rest}")
}

/// Waits until a group stands as described on a node; says what was awaited if it never does.
async fn stands(node: &NodeHandle, group: &GroupUid, what: &str, stands: impl Fn(&GroupInfo) -> bool) -> GroupInfo {
    let groups = node.groups().unwrap();
    let mut changes = groups.watch();
    let wait = async {
        loop {
            changes.borrow_and_update();
            if let Some(info) = groups.info(group).ok().filter(&stands) {
                return info;
            }
            changes.changed().await.expect("the groups have ended");
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("awaited {what} for {PATIENCE:?}; it is {:#?}", groups.info(group)))
}

/// The patient's node, which mines, and those of two others.
pub(crate) struct Family {
    pub(crate) world: World,
    pub(crate) patient: NodeHandle,
    pub(crate) doctor: NodeHandle,
    pub(crate) caregiver: NodeHandle,
}

impl Family {
    pub(crate) async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let patient = with_wallet(&world, "patient", &world.kit.patient, &[]).await;
        patient.submit(world.kit.enrol_all(1)).await.unwrap();
        let bootstrap = [address(&patient)];
        let doctor = with_wallet(&world, "doctor", &world.kit.doctor, &bootstrap).await;
        let caregiver = with_wallet(&world, "caregiver", &world.kit.caregiver, &bootstrap).await;
        let family = Self { world, patient, doctor, caregiver };
        family.mine(1).await;
        family
    }

    pub(crate) fn nodes(&self) -> [&NodeHandle; 3] {
        [&self.patient, &self.doctor, &self.caregiver]
    }

    fn id(actor: &Actor) -> ParticipantId {
        actor.id
    }

    /// Mines and waits until every node has the blocks.
    pub(crate) async fn mine(&self, blocks: u32) {
        let tip = *self.patient.mine_blocks(blocks).await.unwrap().last().unwrap();
        for node in self.nodes() {
            until(node, "the tip of the patient's node", |s| s.tip == tip).await;
        }
    }

    /// Mines a block as soon as the EpochCommit waits for one.
    async fn commit(&self) {
        until(&self.patient, "an EpochCommit in the pool", |s| s.pool_records > 0).await;
        self.mine(1).await;
    }

    async fn create(&self) -> GroupUid {
        let info: GroupInfo = parsed(&post(&self.patient, "/v1/wallet/groups", json!({"name": "family"})).await);
        assert!(info.status.mine && info.status.active.is_none() && info.name == "family", "{info:?}");
        info.status.group
    }

    /// Invites whoever lives on `node` and sees it become a candidate with the code it was shown.
    async fn invite(&self, group: &GroupUid, node: &NodeHandle, name: &str) -> ParticipantId {
        let invitation = json!({"name": name, "minutes": 60});
        let ticket: InvitationResponse = parsed(&post(&self.patient, &path(group, "/invitations"), invitation).await);
        let accept = json!({"ticket": ticket.ticket, "name": "the ring"});
        let accepted: AcceptResponse = parsed(&post(node, "/v1/wallet/groups/accept", accept).await);
        assert_eq!(accepted.group, *group);
        let me = node.info().participant.unwrap();
        let owner = stands(&self.patient, group, "a candidate", |info| {
            info.status.candidates.iter().any(|candidate| candidate.member == me)
        });
        let owner = owner.await;
        let candidate = owner.status.candidates.iter().find(|candidate| candidate.member == me).unwrap();
        assert_eq!((candidate.code.as_str(), candidate.name.as_str()), (accepted.code.as_str(), name));
        me
    }

    async fn change(&self, group: &GroupUid, changes: serde_json::Value) {
        let answer = post(&self.patient, &path(group, "/changes"), json!({"changes": changes})).await;
        parsed::<GroupInfo>(&answer);
    }

    /// Waits until all of `nodes` are in epoch `epoch`, and checks that they mean the same by it.
    async fn in_epoch(&self, group: &GroupUid, epoch: u64, nodes: &[&NodeHandle]) -> EpochStatus {
        let mut all = Vec::new();
        for node in nodes {
            let what = format!("epoch {epoch} in force");
            let there = |info: &GroupInfo| info.status.active.as_ref().is_some_and(|a| a.epoch == epoch);
            all.push(stands(node, group, &what, there).await.status.active.unwrap());
        }
        let same = |a: &EpochStatus| (a.gid, a.fingerprint, a.commit, a.ring.clone(), a.height);
        assert!(all.iter().all(|one| same(one) == same(&all[0])), "{all:#?}");
        assert_eq!(all[0].ring.len(), nodes.len());
        assert_ne!(all[0].fingerprint, Fingerprint::ZERO);
        all.remove(0)
    }

    /// A group of all three in epoch 0.
    pub(crate) async fn together(&self) -> GroupUid {
        let group = self.create().await;
        let doctor = self.invite(&group, &self.doctor, "Dr. Lin").await;
        let caregiver = self.invite(&group, &self.caregiver, "Mei").await;
        self.change(&group, json!([{"join": doctor}, {"join": caregiver}])).await;
        self.commit().await;
        self.in_epoch(&group, 0, &self.nodes()).await;
        group
    }

    pub(crate) async fn stop(self) {
        for node in [self.doctor, self.caregiver, self.patient] {
            stop(node).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_make_a_ring_and_agree_on_one_epoch_and_one_fingerprint() {
    let family = Family::new(41).await;
    let group = family.together().await;
    let list: GroupsResponse = parsed(&get(&family.doctor, "/v1/wallet/groups").await);
    assert_eq!((list.groups.len(), list.problem.clone()), (1, None));
    let doctor = &list.groups[0];
    assert_eq!((doctor.name.as_str(), doctor.status.standing), ("the ring", MyStanding::Member));
    assert!(!doctor.status.mine && doctor.status.owner == Family::id(&family.world.kit.patient));
    let owner = family.patient.groups().unwrap().info(&group).unwrap();
    assert_eq!(owner.online.len(), 3, "{owner:?}");
    assert_eq!(owner.tickets_open, 0);
    family.stop().await;
}
