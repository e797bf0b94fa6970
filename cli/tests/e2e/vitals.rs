//! Live vital signs on real nodes.

use super::harness::{Net, SOON, medring};
use super::live::reaches_a_relative_across_kills;
use medring_testnet::client::ClientError;
use medring_testnet::procs::until;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const OWNER: usize = 2;
const RELATIVE: usize = 1;

#[test]
fn four_hours_of_vital_signs_reach_a_relative_across_a_kill_of_each_node() {
    let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/samples/vitals/live_gaps_1min.csv");
    reaches_a_relative_across_kills(&csv, "5", Duration::from_secs(300));
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A patient and a relative in one group.
struct Pair {
    net: Net,
    group: String,
    sent: u64,
}

impl Pair {
    fn up() -> Self {
        let net = Net::up(3, |options| {
            options.mine = true;
            options.block_time_ms = 500;
        });
        let group = net.group_create(OWNER, "family").unwrap();
        Self { net, group, sent: 0 }
    }

    fn join(&self) {
        self.net.group_invite(OWNER, &self.group, &[RELATIVE], SOON).unwrap();
        self.net.group_change(OWNER, &self.group, &[("join", RELATIVE)]).unwrap();
        self.net.group_epoch(&self.group, 0, &[OWNER, RELATIVE], SOON).unwrap();
    }

    /// A heart rate of now, sealed at once.
    fn measures(&mut self, heart: &str) -> Value {
        let sample = json!({ "time_ms": now_ms(), "channel": "8867-4", "value": heart, "unit": "/min" });
        let batch = json!({
            "stream": "watch", "group": self.group, "first_seq": self.sent, "samples": [sample], "end": true,
        });
        self.sent += 1;
        self.net.client(OWNER).unwrap().post("/v1/vitals/samples", &batch).unwrap()
    }

    fn data(&self, i: usize) -> String {
        self.net.node(i).unwrap().data_dir().display().to_string()
    }

    /// `medring phr alerts …` on the relative's node.
    fn alerts(&self, args: &[&str]) -> Value {
        let data = self.data(RELATIVE);
        medring(["phr", "alerts", "--json", "--data-dir", &data].iter().chain(args)).ok().json()
    }

    fn awaits(&self, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        until(what, SOON, || {
            let path = format!("/v1/groups/{}/alerts", self.group);
            let alerts: Value = self.net.client(RELATIVE).unwrap().get(&path).map_err(|e| e.to_string())?;
            if holds(&alerts) { Ok(alerts) } else { Err(alerts.to_string()) }
        })
        .unwrap()
    }
}

#[test]
fn an_alert_is_raised_on_a_relatives_node_acknowledged_and_not_raised_again_while_it_lasts() {
    let mut pair = Pair::up();
    pair.join();
    pair.alerts(&["--set", "8867-4", "--unit", "/min", "--low", "50", "--high", "120"]);
    pair.measures("72");
    pair.awaits("a normal value at the relative's node", |a| a["channels"][0]["value"] == "72");
    pair.measures("131");
    let raised = pair.awaits("an alert", |a| a["open"][0]["kind"] == "high");
    assert_eq!(raised["open"][0]["value"], "131");
    let id = raised["open"][0]["id"].to_string();
    let seen = pair.alerts(&["--acknowledge", &id]);
    assert!(seen["open"][0]["acknowledged_ms"].is_u64(), "{seen}");
    pair.measures("140");
    let lasts = pair.awaits("the next value", |a| a["channels"][0]["value"] == "140");
    assert_eq!(lasts["open"], seen["open"], "neither raised again nor another");
    // It survives the end of the node.
    pair.net.restart(RELATIVE).unwrap();
    assert_eq!(pair.alerts(&[])["open"], seen["open"]);
    pair.measures("80");
    let over = pair.awaits("its end", |a| a["open"] == json!([]));
    assert_eq!(over["past"][0]["id"].to_string(), id);
    pair.alerts(&["--snooze", "8867-4:high", "--minutes", "10"]);
    pair.measures("150");
    let snoozed = pair.awaits("the next condition", |a| a["open"][0]["kind"] == "high");
    assert_eq!((&snoozed["open"][0]["snoozed"], &snoozed["open"][0]["raised_ms"]), (&json!(true), &Value::Null));
    pair.measures("44");
    let low = pair.awaits("a low though highs are snoozed", |a| a["open"][0]["kind"] == "low");
    assert!(low["open"][0]["raised_ms"].is_u64());
}

#[test]
fn samples_wait_on_disk_until_the_group_can_be_sealed_to_and_bad_ones_are_refused() {
    let mut pair = Pair::up();
    let waits = pair.measures("72");
    assert_eq!((&waits["sealing"], &waits["next_seq"]), (&json!(false), &json!(1)));
    assert!(waits["waiting_because"].as_str().unwrap().contains("no epoch yet"), "{waits}");
    pair.net.kill(OWNER).unwrap();
    pair.net.start(OWNER).unwrap();
    let info = pair.net.get(OWNER, "/v1/vitals/streams/watch");
    assert_eq!((&info["next_seq"], &info["unsealed"]), (&json!(1), &json!(1)), "{info}");

    // The patient sees it on its own node meanwhile, in no record.
    let own = pair.net.get(OWNER, &format!("/v1/groups/{}/vitals", pair.group));
    assert_eq!((&own["samples"][0]["value"], own["samples"][0].get("record_id")), (&json!("72"), None), "{own}");

    let refused = |body: Value| match pair.net.client(OWNER).unwrap().post::<Value>("/v1/vitals/samples", &body) {
        Err(ClientError::Refused(problem)) => (problem.status, problem.to_string()),
        other => panic!("{other:?}"),
    };
    let sample = |value: Value| json!({ "time_ms": 1, "channel": "8867-4", "value": value, "unit": "/min" });
    let batch = |first: u64, value: Value| json!({ "stream": "watch", "group": pair.group, "first_seq": first, "samples": [sample(value)] });
    assert_eq!(refused(batch(5, json!("70"))).0, 409, "a gap");
    assert_eq!(refused(batch(0, json!("70"))).0, 409, "another sample under the same number");
    let (status, why) = refused(batch(1, json!("warm")));
    assert!(status == 400 && why.contains("samples[0].value") && !why.contains("warm"), "{why}");
    let mut many = batch(1, json!("70"));
    many["samples"] = vec![sample(json!("70")); 4097].into();
    assert_eq!(refused(many).0, 400);
    let mut stranger = batch(1, json!("70"));
    stranger["group"] = json!("00".repeat(32));
    assert_eq!(refused(stranger).0, 404);

    pair.join();
    until("the sample that waited to be settled", SOON, || {
        let info = pair.net.get(OWNER, "/v1/vitals/streams/watch");
        if info["settled_seq"] == 1 { Ok(()) } else { Err(info.to_string()) }
    })
    .unwrap();
    let own = pair.net.get(OWNER, &format!("/v1/groups/{}/vitals", pair.group));
    assert!(own["samples"].as_array().unwrap().len() == 1 && own["samples"][0]["mined"] == true, "{own}");
    let out = medring(["phr", "show", "--csv", "--data-dir", &pair.data(RELATIVE)]).ok().out;
    assert!(out.starts_with("time,8867-4\n") && out.trim_end().ends_with(",72"), "{out}");
}
