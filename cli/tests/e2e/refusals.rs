//! Records that a node refuses, each with the rule it breaks and what to do next.

use super::harness::{Net, medring};
use super::records::{Maker, now_ms};
use medring_node::wallet::{Moment, renew, revoke_record};
use medring_protocol::limits::RECORD_BYTES_MAX;
use medring_protocol::record::{Kind, Record};
use medring_testnet::client::{ClientError, Problem};
use serde_json::Value;

fn refused(net: &Net, record: &Record) -> Problem {
    match net.client(0).unwrap().submit(record) {
        Err(ClientError::Refused(problem)) => problem,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// Refused with this status and rule, saying `word`, and with something to do next.
#[track_caller]
fn assert_refused(net: &Net, record: &Record, status: u16, rule: Option<&str>, word: &str) {
    let problem = refused(net, record);
    assert_eq!((problem.status, problem.rule.as_deref()), (status, rule), "{problem:?}");
    assert!(problem.detail.contains(word), "{word:?} is not in {problem:?}");
    assert!(problem.next.is_some_and(|next| !next.is_empty()));
}

#[test]
fn every_refusal_names_its_rule() {
    let net = Net::up(3, |_| {});
    let mut maker = Maker::new(&net);
    let here = || Moment { now_ms: now_ms(), tip_height: 1 };
    let params = maker.params.clone();

    let stranger = maker.record(Kind::Ehr, "stranger", here(), 64);
    assert_refused(&net, &stranger, 422, Some("R-UPLOADER"), "not enrolled");
    let doctors_ehr = maker.record(Kind::Ehr, "node1", here(), 64);
    assert_refused(&net, &doctors_ehr, 422, Some("R-ROLE"), "healthcare-center");
    let mut forged = maker.ehr(1);
    forged.signature.0[5] ^= 1;
    assert_refused(&net, &forged, 422, Some("R-SIG"), "");
    let mut forged = maker.ehr(1);
    forged.envelope.stamp_ms += 1000;
    assert_refused(&net, &forged, 422, Some("R-ENVELOPE-SIG"), "");
    let hour_ahead = Moment { now_ms: now_ms() + 3_600_000, tip_height: 1 };
    let future = maker.record(Kind::Ehr, "node0", hour_ahead, 64);
    assert_refused(&net, &future, 422, None, "clock");
    let expired = Moment { now_ms: now_ms(), tip_height: 1_000_000 };
    let far = maker.record(Kind::Ehr, "node0", expired, 64);
    assert_refused(&net, &far, 422, Some("R-EXPIRY"), "expires");

    let good = maker.ehr(1);
    net.client(0).unwrap().submit(&good).unwrap();
    assert_refused(&net, &good, 409, None, "waiting already");
    net.mine(0, 1).unwrap();
    assert_refused(&net, &good, 422, Some("R-DUP"), "height 2");
    let again = renew(&params, good, &maker.identity("node0"), here());
    assert_refused(&net, &again, 422, Some("R-DUP"), "height 2");

    let doctor = net.node(1).unwrap().participant;
    let revocation = revoke_record(&params, &maker.identity("authority"), doctor, 2, here()).unwrap();
    net.client(0).unwrap().submit(&revocation).unwrap();
    net.mine(0, 1).unwrap();
    let after = maker.record(Kind::Emr, "node1", here(), 64);
    assert_refused(&net, &after, 422, Some("R-UPLOADER"), "revoked at height 3");
    let status = net.get(0, "/v1/status");
    assert_eq!((&status["pool"]["records"], &status["tip"]["height"]), (&0.into(), &3.into()), "nothing was let in");
}

#[test]
fn a_quota_holds() {
    let net = Net::up(1, |options| options.quota_bytes = RECORD_BYTES_MAX as u64);
    let mut maker = Maker::new(&net);
    let mut large = || maker.record(Kind::Ehr, "node0", Moment { now_ms: now_ms(), tip_height: 1 }, 100_000);
    let (first, second) = (large(), large());
    assert!(first.encoded_len() + second.encoded_len() > RECORD_BYTES_MAX, "{}", first.encoded_len());
    net.client(0).unwrap().submit(&first).unwrap();
    net.mine(0, 1).unwrap();
    assert_refused(&net, &second, 422, Some("R-QUOTA"), "144 heights");
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let net = Net::up(1, |_| {});
    let mut maker = Maker::new(&net);
    let client = net.client(0).unwrap();
    let post = |bytes: &[u8]| match client.post_bytes::<Value>("/v1/records", bytes) {
        Err(ClientError::Refused(problem)) => problem.status,
        other => panic!("{} bytes were not refused: {other:?}", bytes.len()),
    };
    let good = maker.ehr(1).encode();
    assert_eq!(post(&[]), 400);
    assert_eq!(post(&good[..good.len() - 1]), 400, "truncated");
    assert_eq!(post(&[&good[..], &[0]].concat()), 400, "trailing");
    assert_eq!(post(&vec![0; RECORD_BYTES_MAX + 1]), 413);
    let stranger = medring_testnet::client::Client::new(client.base(), "0000");
    assert!(matches!(stranger.get::<Value>("/v1/status"), Err(ClientError::Refused(p)) if p.status == 401));
    // The command says the same, and what to do.
    let gone = net.scratch().join("nowhere");
    medring(["chain", "status", "--data-dir", gone.to_str().unwrap()]).fails(69, &["medring node run"]);
}
