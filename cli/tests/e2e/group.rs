//! A group's whole life on seven processes: set up, joined, left, killed, offline and back; one epoch and one key throughout.

use super::harness::{Net, SOON};
use medring_protocol::vitals::{Layout, Recording};
use medring_testnet::procs::{EpochSeen, group_path, until};
use serde_json::Value;

const OWNER: usize = 2;

/// Seven nodes that mine by themselves, and the group of the patient on node 2.
struct Family {
    net: Net,
    group: String,
}

impl Family {
    fn up() -> Self {
        let net = Net::up(7, |options| {
            options.mine = true;
            options.block_time_ms = 500;
        });
        let group = net.group_create(OWNER, "family").unwrap();
        Self { net, group }
    }

    fn admit(&self, nodes: &[usize]) {
        self.net.group_invite(OWNER, &self.group, nodes, SOON).unwrap();
        let joins: Vec<_> = nodes.iter().map(|node| ("join", *node)).collect();
        self.net.group_change(OWNER, &self.group, &joins).unwrap();
    }

    /// One epoch, one ring and one fingerprint on all of `members`, and nobody else in the ring.
    fn epoch(&self, epoch: u64, members: &[usize]) -> EpochSeen {
        let seen = self.net.group_epoch(&self.group, epoch, members, SOON).unwrap();
        let mut ring = seen.ring.clone();
        let mut expected: Vec<_> = members.iter().map(|i| self.net.node(*i).unwrap().participant.to_string()).collect();
        ring.sort();
        expected.sort();
        assert_eq!(ring, expected, "epoch {epoch}");
        seen
    }

    fn status(&self, i: usize) -> Value {
        self.net.group_status(i, &self.group).unwrap()
    }

    /// A record sealed to the group now.
    fn seal(&self) -> String {
        let csv = include_bytes!("../../../testnet/samples/vitals/pulse_heartpy_1min.csv");
        let recording = Recording::from_csv(csv, &Layout::default(), 1_700_000_000_000).unwrap();
        let subject = format!("Patient/{}", self.net.node(OWNER).unwrap().participant);
        let client = self.net.client(OWNER).unwrap();
        let path = format!("/v1/fhir/Bundle?kind=phr&group={}", self.group);
        let made: Value = client.post_fhir(&path, &recording.to_fhir(&subject).to_bytes()).unwrap();
        made["record_ids"][0].as_str().unwrap().to_string()
    }

    fn opens(&self, i: usize, id: &str) -> bool {
        self.net.wait_record(i, &id.parse().unwrap(), 1, SOON).unwrap();
        self.net.client(i).unwrap().get::<Value>(&group_path(&self.group, &format!("/records/{id}"))).is_ok()
    }

    /// A record sealed now opens for all of `members` and for none of `others`.
    fn reads(&self, members: &[usize], others: &[usize]) {
        let id = self.seal();
        for i in members {
            until(&format!("node {i} to open {id}"), SOON, || {
                if self.opens(*i, &id) { Ok(()) } else { Err("it does not".into()) }
            })
            .unwrap();
        }
        for i in others {
            assert!(!self.opens(*i, &id), "node {i} is outside and opened {id}");
        }
    }
}

#[test]
fn a_group_lives_through_joins_removals_a_kill_in_pairing_and_an_absence() {
    let mut family = Family::up();
    family.admit(&[1, 3]);
    let first = family.epoch(0, &[2, 1, 3]);
    family.reads(&[2, 1, 3], &[0, 4, 5, 6]);

    // Two join in one epoch.
    family.admit(&[4, 5]);
    let second = family.epoch(1, &[2, 1, 3, 4, 5]);
    assert_ne!(first.fingerprint, second.fingerprint);

    // One is removed: what is sealed after that opens for all but it.
    family.net.group_change(OWNER, &family.group, &[("remove", 4)]).unwrap();
    family.epoch(2, &[2, 1, 3, 5]);
    family.reads(&[2, 1, 3, 5], &[4, 0, 6]);
    assert_eq!(family.status(4)["standing"], "removed");

    // One leaves by itself.
    family.net.group_ask(5, &family.group, "leave").unwrap();
    family.epoch(3, &[2, 1, 3]);
    assert_eq!(family.status(5)["standing"], "left");

    killed_in_pairing(&mut family);
    offline_for_a_change(&mut family);
}

/// A member dies between two stored steps of its pairing and comes back: the group reaches the epoch.
fn killed_in_pairing(family: &mut Family) {
    // The second stored step after a start is the first message of its pairing; the first is the proposal.
    family.net.crash_after(3, Some(2)).unwrap();
    family.net.restart(3).unwrap();
    family.admit(&[6]);
    family.net.group_change(OWNER, &family.group, &[("update", 3)]).ok();
    until("node 3 to abort in the middle of pairing", SOON, || match family.net.is_alive(3) {
        Ok(true) => Err(format!("attempt {}", family.status(OWNER)["attempt"])),
        _ => Ok(()),
    })
    .unwrap();
    assert_ne!(family.status(OWNER)["active"]["epoch"], 4, "the epoch waits for the one who died");
    family.net.crash_after(3, None).unwrap();
    family.net.start(3).unwrap();
    family.net.group_epoch(&family.group, 4, &[2, 1, 3, 6], SOON).unwrap();
}

/// A member is away while the group changes; the change waits and names it, or goes on without it; then it is back.
fn offline_for_a_change(family: &mut Family) {
    let away = family.net.node(1).unwrap().participant.to_string();
    family.net.stop(1).unwrap();
    family.net.group_change(OWNER, &family.group, &[("remove", 6)]).unwrap();
    until("the owner to say for whom the change waits", SOON, || {
        let waiting = family.status(OWNER)["waiting_for"].clone();
        if waiting.as_array().is_some_and(|w| w.iter().any(|id| *id == away)) {
            Ok(())
        } else {
            Err(waiting.to_string())
        }
    })
    .unwrap();
    // The owner waits, so it is in epoch 4 until it is told to go on without the one who is away.
    family.net.group_change(OWNER, &family.group, &[("suspend", 1)]).unwrap();
    let epoch = 5;
    family.epoch(epoch, &[2, 3]);
    family.net.start(1).unwrap();
    family.net.group_change(OWNER, &family.group, &[("return", 1)]).unwrap();
    family.epoch(epoch + 1, &[2, 1, 3]);
    family.reads(&[2, 1, 3], &[4, 5, 6, 0]);
}
