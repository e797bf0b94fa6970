//! Submitting to the end: mined, deep enough and verified on the node's own chain, or told what was last seen.

use crate::cli_common::{Desk, start};
use crate::folder::Net;
use medring_node::wallet::{Keystore, Moment, Passphrase, renew};
use medring_protocol::params::GenesisFile;
use medring_protocol::record::Record;
use std::fs;
use std::time::{Duration, Instant};

const SUBMIT: &str =
    "--data-dir net/node2/data record submit --vitals vitals.csv --columns @minute=60s,pulse=8889-8:/min";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("vitals.csv", "minute,pulse\n0,61.5\n1,63\n");
    desk
}

#[test]
fn a_record_is_waited_for_until_it_lies_deep_enough_and_is_verified() {
    let desk = desk();
    let _net = Net::up(&desk, "--nodes 3 --block-time 200ms");
    let said = desk.run(&format!("{SUBMIT} --wait 2")).expect(0, "Verified:");
    assert_eq!(said.stderr, "", "no progress where nobody looks");
    // At the depth the genesis file names, as JSON.
    let said = desk.run(&format!("{SUBMIT} --json --wait")).expect(0, "").json();
    let (record, checked) = (&said["records"][0], &said["verifications"][0]);
    assert_eq!((&checked["verified"], &checked["record_id"]), (&true.into(), &record["record_id"]));
    assert!(checked["confirmations"].as_u64() >= checked["required"].as_u64(), "{said}");
    assert!(checked["checks"].as_array().unwrap().iter().any(|check| check["name"] == "merkle_proof"));

    // People see UTC, programs milliseconds.
    let id = record["record_id"].as_str().unwrap();
    let show = format!("--data-dir net/node2/data record show {id}");
    let stamp_ms = desk.run(&format!("{show} --json")).json()["stamp_ms"].as_u64().unwrap();
    let shown = desk.run(&show).expect(0, "stamp").stdout;
    let stamp = shown.lines().find_map(|line| line.strip_prefix("stamp")).unwrap().trim();
    assert_eq!(stamp, medring_protocol::vitals::instant(stamp_ms).replace(".000Z", "Z"));
    // The wallet follows, and says how far it is.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !desk.run("--data-dir net/node2/data record list --mine").expect(0, "").stdout.contains(id) {
        assert!(Instant::now() < deadline, "the wallet finds {id}");
    }
    let status = desk.run("--data-dir net/node2/data node status").expect(0, "2 records, scanned to");
    assert!(status.stdout.contains("\nwallet "), "{status:?}");
    assert_eq!(desk.run("--data-dir net/node2/data node status --json").json()["wallet"]["records"], 2);
    assert!(desk.run("--data-dir net/node0/data record list --mine --json").json()["wallet"]["tip_height"].is_u64());
}

#[test]
fn when_time_is_up_it_says_where_the_record_was_last_seen() {
    let desk = desk();
    let _net = Net::up(&desk, "--nodes 3 --no-mine");
    desk.run(&format!("{SUBMIT} --wait 2 --timeout 0")).expect(1, "it waits in the pool");
    desk.run("--data-dir net/node2/data chain mine").expect(0, "mined");
    let said = desk.run(&format!("{SUBMIT} --wait --timeout 1 --json"));
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    assert!(
        said.stderr.contains("\"kind\":\"not-so\"") && said.stderr.contains("--data-dir net/node2/data"),
        "{said:?}"
    );
    desk.run(&format!("{SUBMIT} --timeout 1")).expect(2, "--wait");
    desk.run(&format!("{SUBMIT} --wait 0")).expect(2, "--wait");
}

#[test]
fn an_expired_envelope_is_renewed_by_its_uploader_and_by_nobody_else() {
    let desk = Desk::new();
    desk.participant("authority");
    desk.participant("patient");
    let office = "--keystore authority.key --passphrase-file authority.pass";
    desk.run(
        "genesis new --name short --purpose testnet --authority authority.card --hashes 2 --expiry-window 4 \
         --time 2026-01-01T00:00:00Z",
    )
    .expect(0, "2026-01-01T00:00:00Z");
    let chain = "--genesis genesis.json";
    desk.run(&format!("authority challenge {chain} {office} --card patient.card --role patient --out challenge"))
        .expect(0, "");
    desk.run(&format!(
        "authority answer {chain} --keystore patient.key --passphrase-file patient.pass --challenge challenge --out request"
    ))
    .expect(0, "");
    let sealed = desk.run(&format!("authority enrol {chain} {office} --tip-height 0 --out late.rec request --json"));
    let id = sealed.json()["records"][0]["record_id"].as_str().unwrap().to_owned();

    desk.run("node init --data-dir node --genesis genesis.json --keystore patient.key --passphrase-file patient.pass")
        .expect(0, "`medring node run --data-dir node`");
    let _node = start(&desk);
    desk.run("--data-dir node chain mine 5").expect(0, "mined");
    // The keystore found from the node is the patient's.
    let refused = desk.run("--data-dir node record submit late.rec").expect(65, "only its uploader");
    assert!(refused.stderr.contains("could be mined up to height 2, and the next block is 6"), "{refused:?}");
    stamped_in_1970(&desk);
    desk.run("--data-dir node record submit old.rec").expect(65, "its stamp 1970-01-12T13:46:00Z is");
    let said = desk.run(&format!("--data-dir node record submit late.rec {office} --json")).expect(0, "is renewed");
    let record = said.json()["records"][0].clone();
    assert_eq!((&record["renewed"], record["record_id"].as_str()), (&true.into(), Some(id.as_str())));
    desk.run("--data-dir node chain mine").expect(0, "mined");
    desk.run(&format!("--data-dir node record show {id}")).expect(0, "confirmed");
}

/// `late.rec` in an envelope of the same authority that has not expired, with an old stamp: `old.rec`.
fn stamped_in_1970(desk: &Desk) {
    let params = GenesisFile::parse(&fs::read(desk.path("genesis.json")).unwrap()).unwrap().params;
    let passphrase = Passphrase::from_file(&desk.path("authority.pass")).unwrap();
    let authority = Keystore::open(&desk.path("authority.key"), &passphrase).unwrap();
    let record = Record::decode(&fs::read(desk.path("late.rec")).unwrap()).unwrap();
    let at = Moment { now_ms: 1_000_000_000, tip_height: 5 };
    desk.write("old.rec", renew(&params, record, authority.identity(), at).encode());
}
