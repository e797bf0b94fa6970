//! Groups between real nodes: made, joined, left and read over the API, with blocks mined when the test says so.

use crate::common::*;
use libp2p::multiaddr::Protocol;
use medring_node::api::types::*;
use medring_node::driver::{Node, NodeHandle, Shutdown};
use medring_protocol::group::GroupUid;
use medring_protocol::record::Kind;
use medring_protocol::{ParticipantId, RecordId};
use serde_json::json;

/// A bundle with something of a PHR in it.
fn bundle() -> serde_json::Value {
    let pressure = json!({"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": "systolic"});
    let value = json!({"value": 121, "unit": "mmHg"});
    let observation =
        json!({"resourceType": "Observation", "status": "final", "code": pressure, "valueQuantity": value});
    json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": observation}]})
}

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(answer: &Answer) -> T {
    assert!(answer.status < 300, "{} {}", answer.head, String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"))
}

pub(crate) fn path(group: &GroupUid, rest: &str) -> String {
    format!("/v1/wallet/groups/{group}{rest}")
}

/// Where a bundle becomes a PHR of the group.
pub(crate) fn phr(group: &GroupUid, rest: &str) -> String {
    format!("/v1/fhir/Bundle?kind=phr&group={group}{rest}")
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

/// Wants changes, as the group's owner.
pub(crate) async fn change(owner: &NodeHandle, group: &GroupUid, changes: serde_json::Value) {
    let answer = post(owner, &path(group, "/changes"), json!({"changes": changes})).await;
    parsed::<GroupInfo>(&answer);
}

/// Waits until an EpochCommit waits for a block. (Its owner's node may aggregate, too.)
async fn commit_waits(owner: &NodeHandle) {
    let waits = || owner.store().pool().unwrap().iter().any(|entry| entry.record.content.kind == Kind::EpochCommit);
    until_true("an EpochCommit in the pool", waits).await;
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

    /// Mines and waits until every node has the blocks.
    pub(crate) async fn mine(&self, blocks: u32) {
        let tip = *self.patient.mine_blocks(blocks).await.unwrap().last().unwrap();
        for node in self.nodes() {
            until(node, "the tip of the patient's node", |s| s.tip == tip).await;
        }
    }

    /// Mines a block as soon as the EpochCommit waits for one.
    pub(crate) async fn commit(&self, group: &GroupUid) {
        let committing = |info: &GroupInfo| info.status.attempt.as_ref().is_some_and(|a| a.phase == Phase::Committing);
        stands(&self.patient, group, "an attempt that all confirmed", committing).await;
        commit_waits(&self.patient).await;
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

    /// Waits until all of `nodes` are in epoch `epoch`, and checks that they mean the same by it.
    pub(crate) async fn in_epoch(&self, group: &GroupUid, epoch: u64, nodes: &[&NodeHandle]) -> EpochStatus {
        let mut all = Vec::new();
        for node in nodes {
            let what = format!("epoch {epoch} in force, its commit where the others have it");
            // A node's groups may hear of a reorganisation a moment after its chain.
            let height = all.first().map(|first: &EpochStatus| first.height);
            let there = |info: &GroupInfo| {
                let active = info.status.active.as_ref().filter(|a| a.epoch == epoch && a.height.is_some());
                active.is_some_and(|a| height.is_none_or(|height| a.height == height))
            };
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
        change(&self.patient, &group, json!([{"join": doctor}, {"join": caregiver}])).await;
        self.commit(&group).await;
        self.in_epoch(&group, 0, &self.nodes()).await;
        group
    }

    /// Seals a PHR on the patient's node, and mines it.
    pub(crate) async fn seal(&self, group: &GroupUid, to: SealedTo) -> RecordId {
        let wish = if to == SealedTo::Owner { "&to=owner" } else { "" };
        let sealed: BundleResponse = parsed(&post(&self.patient, &phr(group, wish), bundle()).await);
        assert_eq!(sealed.record_ids.len(), 1);
        self.mine(1).await;
        sealed.record_ids[0]
    }

    /// Mines the epoch in force until it is final everywhere.
    pub(crate) async fn finish(&self, group: &GroupUid, epoch: u64, nodes: &[&NodeHandle]) {
        self.mine(self.world.kit.params.confirmations).await;
        for node in nodes {
            let what = format!("finality of epoch {epoch}");
            stands(node, group, &what, |info| {
                info.status.active.as_ref().is_some_and(|a| a.epoch == epoch && a.is_final)
            })
            .await;
        }
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
    assert!(!doctor.status.mine && doctor.status.owner == family.world.kit.patient.id);
    let owner = family.patient.groups().unwrap().info(&group).unwrap();
    assert_eq!(owner.online.len(), 3, "{owner:?}");
    assert_eq!(owner.tickets_open, 0);
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_group_are_listed_to_its_members_and_opened_by_them_alone() {
    let family = Family::new(42).await;
    let group = family.together().await;
    let outsider =
        with_wallet(&family.world, "outsider", &family.world.kit.healthcare_center, &[address(&family.patient)]).await;
    let to_group = family.seal(&group, SealedTo::Group).await;
    let to_owner = family.seal(&group, SealedTo::Owner).await;
    for node in family.nodes() {
        let list: GroupRecordsResponse = parsed(&get(node, &path(&group, "/records")).await);
        let seen: Vec<_> = list.records.iter().map(|r| (r.record_id, r.epoch, r.state)).collect();
        assert_eq!(seen, [(to_owner, 0, RecordState::Confirmed), (to_group, 0, RecordState::Confirmed)]);
        assert!(list.records[1].readable);
        let opened: OpenedResponse = parsed(&get(node, &path(&group, &format!("/records/{to_group}"))).await);
        assert!(opened.passed, "{:?}", opened.checks);
        assert_eq!(opened.recipient, family.world.kit.patient.id);
        assert!(opened.content.get().contains("systolic"));
    }
    // Type 3 is for the owner, under the group's name.
    let own = get(&family.patient, &path(&group, &format!("/records/{to_owner}"))).await;
    assert!(parsed::<OpenedResponse>(&own).passed, "{own:?}");
    let others = get(&family.doctor, &path(&group, &format!("/records/{to_owner}"))).await;
    assert_eq!(
        (others.status, others.json()["type"].as_str()),
        (422, Some("urn:medring:problem:no-key")),
        "{others:?}"
    );
    // The owner's wallet holds both, with what discloses them.
    let wallet = family.patient.wallet().unwrap();
    until_true("the wallet's scan", || {
        [to_group, to_owner].iter().all(|id| wallet.record(id).is_some_and(|r| r.place.is_some()))
    })
    .await;
    for id in [to_group, to_owner] {
        let opened: OpenedResponse = parsed(&get(&family.patient, &format!("/v1/wallet/records/{id}")).await);
        assert!(opened.passed, "{:?}", opened.checks);
    }

    until(&outsider, "the same tip", |s| s.tip == family.patient.snapshot().tip).await;
    assert_eq!(get(&outsider, &path(&group, "/records")).await.status, 404);
    let doctor = post(&family.doctor, &phr(&group, ""), bundle()).await;
    assert_eq!(doctor.status, 409, "only the owner seals: {doctor:?}");
    stop(outsider).await;
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_join_are_removed_and_leave_and_read_what_was_sealed_while_they_were_in() {
    let family = Family::new(43).await;
    let group = family.create().await;
    let doctor = family.invite(&group, &family.doctor, "Dr. Lin").await;
    change(&family.patient, &group, json!([{"join": doctor}])).await;
    family.commit(&group).await;
    family.in_epoch(&group, 0, &[&family.patient, &family.doctor]).await;
    let first = family.seal(&group, SealedTo::Group).await;
    family.finish(&group, 0, &[&family.patient, &family.doctor]).await;

    let caregiver = family.invite(&group, &family.caregiver, "Mei").await;
    change(&family.patient, &group, json!([{"join": caregiver}])).await;
    family.commit(&group).await;
    family.in_epoch(&group, 1, &family.nodes()).await;
    let second = family.seal(&group, SealedTo::Group).await;
    let read = async |node: &NodeHandle, id: RecordId| get(node, &path(&group, &format!("/records/{id}"))).await.status;
    assert_eq!(read(&family.caregiver, second).await, 200);
    assert_ne!(read(&family.caregiver, first).await, 200, "a joiner reads nothing older");
    family.finish(&group, 1, &family.nodes()).await;

    // Nothing is sealed under an epoch once a removal is wanted.
    change(&family.patient, &group, json!([{"remove": doctor}])).await;
    let refused = post(&family.patient, &phr(&group, ""), bundle()).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.json()["detail"].as_str().unwrap().contains("being removed"), "{refused:?}");
    family.commit(&group).await;
    family.in_epoch(&group, 2, &[&family.patient, &family.caregiver]).await;
    stands(&family.doctor, &group, "word of the removal", |info| info.status.standing == MyStanding::Removed).await;
    let third = family.seal(&group, SealedTo::Group).await;
    assert_eq!(read(&family.caregiver, third).await, 200);
    assert_ne!(read(&family.doctor, third).await, 200, "a removed member reads nothing newer");
    family.finish(&group, 2, &[&family.patient, &family.caregiver]).await;

    parsed::<GroupInfo>(&post(&family.caregiver, &path(&group, "/ask"), json!({"wish": "leave"})).await);
    family.commit(&group).await;
    family.in_epoch(&group, 3, &[&family.patient]).await;
    stands(&family.caregiver, &group, "word of having left", |info| info.status.standing == MyStanding::Left).await;
    let fourth = family.seal(&group, SealedTo::Group).await;
    assert_ne!(read(&family.caregiver, fourth).await, 200);
    // The owner, though keys of old epochs are gone, still reads what it made itself.
    for id in [first, second, third, fourth] {
        assert_eq!(read(&family.patient, id).await, 200, "{id}");
    }
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_for_an_absent_node_and_goes_on_when_it_is_back() {
    let mut family = Family::new(44).await;
    let group = family.create().await;
    let doctor = family.invite(&group, &family.doctor, "Dr. Lin").await;
    let caregiver = family.invite(&group, &family.caregiver, "Mei").await;
    let away = config_with_wallet(&family.world, "caregiver", &family.world.kit.caregiver, &[address(&family.patient)]);
    stop(family.caregiver).await;
    change(&family.patient, &group, json!([{"join": doctor}, {"join": caregiver}])).await;
    stands(&family.patient, &group, "the absent member's name", |info| info.status.waiting_for == [caregiver]).await;
    family.caregiver = Node::start(away, Shutdown::new()).await.unwrap();
    commit_waits(&family.patient).await;

    // The owner is gone before its commit is mined, and goes on from its disk.
    let listen = family.patient.info().listen[0].clone();
    stop(family.patient).await;
    let mut again = config_with_wallet(&family.world, "patient", &family.world.kit.patient, &[]);
    again.network.listen = vec![listen.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()];
    family.patient = Node::start(again, Shutdown::new()).await.unwrap();
    family.mine(1).await;
    family.in_epoch(&group, 0, &family.nodes()).await;
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_a_reorganisation_takes_away_is_mined_again() {
    let family = Family::new(45).await;
    let group = family.create().await;
    let rival = family.world.start("rival", &[address(&family.patient)]).await;
    until(&rival, "the patient's tip", |s| s.tip == family.patient.snapshot().tip).await;
    rival.isolate(true).await.unwrap();
    let doctor = family.invite(&group, &family.doctor, "Dr. Lin").await;
    change(&family.patient, &group, json!([{"join": doctor}])).await;
    family.commit(&group).await;
    let before = family.in_epoch(&group, 0, &[&family.patient, &family.doctor]).await;

    let mut events = family.patient.groups().unwrap().subscribe();
    let longer = *rival.mine_blocks(2).await.unwrap().last().unwrap();
    rival.isolate(false).await.unwrap();
    until(&family.patient, "the rival's branch", |s| s.tip == longer).await;
    let rolled_back = async {
        while !matches!(events.recv().await.unwrap().event, medring_protocol::group::machine::Event::RolledBack { .. })
        {
        }
    };
    tokio::time::timeout(PATIENCE, rolled_back).await.expect("awaited the epoch's roll-back");
    commit_waits(&family.patient).await;
    family.mine(1).await;
    let after = family.in_epoch(&group, 0, &[&family.patient, &family.doctor]).await;
    assert_eq!((after.gid, after.commit, after.fingerprint), (before.gid, before.commit, before.fingerprint));
    assert_eq!(after.height, Some(4));
    stop(rival).await;
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_has_only_its_keys_recalls_its_group_from_a_member() {
    let mut family = Family::new(46).await;
    let group = family.together().await;
    family.finish(&group, 0, &family.nodes()).await;
    let listen = family.patient.info().listen[0].clone();
    stop(family.patient).await;
    std::fs::remove_dir_all(family.world.data("patient").join("groups")).unwrap();
    let mut again = config_with_wallet(&family.world, "patient", &family.world.kit.patient, &[address(&family.doctor)]);
    again.network.listen = vec![listen.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()];
    family.patient = Node::start(again, Shutdown::new()).await.unwrap();
    assert_eq!(get(&family.patient, &path(&group, "")).await.status, 404, "nothing is left of it");

    let ask = json!({"address": address(&family.doctor)});
    let back: RecallResponse = parsed(&post(&family.patient, "/v1/wallet/groups/recall", ask).await);
    assert_eq!(back.groups, [group]);
    family.commit(&group).await;
    family.in_epoch(&group, 1, &family.nodes()).await;

    let outsider =
        with_wallet(&family.world, "outsider", &family.world.kit.healthcare_center, &[address(&family.patient)]).await;
    let ask = json!({"address": address(&family.doctor)});
    let none = post(&outsider, "/v1/wallet/groups/recall", ask).await;
    assert_eq!(none.status, 502, "{none:?}");
    stop(outsider).await;
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_cannot_do_is_answered_with_a_reason() {
    let family = Family::new(47).await;
    let group = family.create().await;
    let somebody = family.world.kit.authority.id;
    let (patient, doctor) = (&family.patient, &family.doctor);
    let wrong = |node, path: String, body, status, says: &'static str| (node, path, body, status, says);
    let groups = || "/v1/wallet/groups".to_owned();
    let cases = [
        wrong(patient, groups(), json!({"name": ""}), 400, "empty"),
        wrong(patient, groups(), json!({"name": "x".repeat(41)}), 400, "too long"),
        wrong(patient, groups(), json!({"name": "x", "members": 3}), 400, "unknown field"),
        wrong(doctor, groups(), json!({"name": "ward"}), 400, "only a patient owns a group"),
        wrong(patient, path(&group, "/invitations"), json!({"name": "Mei", "minutes": 0}), 400, "minutes"),
        wrong(patient, path(&group, "/changes"), json!({"changes": []}), 400, "no change"),
        wrong(patient, path(&group, "/changes"), json!({"changes": [{"join": somebody}]}), 404, "no candidate"),
        wrong(patient, path(&group, "/ask"), json!({"wish": "leave"}), 403, "owner"),
        wrong(patient, path(&group, "/ask"), json!({"wish": "dance"}), 400, "wish"),
        wrong(patient, path(&group, "/retry"), json!(null), 409, "tried again"),
        wrong(patient, phr(&group, ""), json!({}), 400, "bundle"),
        wrong(patient, phr(&group, ""), bundle(), 409, "no epoch yet"),
        wrong(patient, phr(&group, "&public=all"), bundle(), 400, "public"),
        wrong(patient, phr(&group, "&patient=00"), bundle(), 400, "patient"),
        wrong(doctor, path(&group, "/cancel"), json!(null), 404, "none of this node"),
        wrong(doctor, path(&GroupUid([0; 32]), "/ask"), json!({"wish": "leave"}), 404, "none of this node"),
        wrong(doctor, "/v1/wallet/groups/accept".into(), json!({"ticket": "MEDRING1", "name": "x"}), 400, "ticket"),
        wrong(doctor, "/v1/wallet/groups/recall".into(), json!({"address": "/ip4/127.0.0.1/tcp/1"}), 400, "/p2p/"),
        wrong(doctor, "/v1/wallet/groups/recall".into(), json!({"address": "x"}), 400, "address"),
        wrong(doctor, "/v1/wallet/groups/recall".into(), json!({"address": address(doctor)}), 400, "own address"),
    ];
    for (node, path, body, status, says) in cases {
        let answer = post(node, &path, body.clone()).await;
        let problem: Problem =
            serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{path} {body}: {e}: {answer:?}"));
        assert_eq!(problem.status, status, "{path} {body}: {problem:?}");
        assert!(problem.detail.contains(says) && !problem.next.is_empty(), "{path} {body}: {problem:?}");
    }
    assert_eq!(get(patient, "/v1/wallet/groups/zz").await.status, 400);
    let bare = family.world.start("bare", &[]).await;
    assert_eq!(get(&bare, "/v1/wallet/groups").await.status, 404, "no wallet, no groups");
    stop(bare).await;
    family.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_groups_are_told_of_and_the_rest_of_the_node_works() {
    let family = Family::new(48).await;
    let group = family.create().await;
    stop(family.patient).await;
    let state = family.world.data("patient").join("groups").join(group.to_string()).join("state");
    let mut bytes = std::fs::read(&state).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let patient = with_wallet(&family.world, "patient", &family.world.kit.patient, &[]).await;
    let list: GroupsResponse = parsed(&get(&patient, "/v1/wallet/groups").await);
    assert!(list.groups.is_empty() && list.problem.as_ref().unwrap().contains("damaged"), "{list:?}");
    let refused = post(&patient, "/v1/wallet/groups", json!({"name": "another"})).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    patient.mine_blocks(1).await.unwrap();
    for node in [patient, family.doctor, family.caregiver] {
        stop(node).await;
    }
}
