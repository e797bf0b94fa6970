//! `medring genesis`, and `medring authority` without a node.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::Desk;
use medring_protocol::identity::Enrolment;
use medring_protocol::record::{Kind, Record};
use std::fs;

#[test]
fn a_genesis_file_is_made_shown_and_checked() {
    let desk = Desk::new();
    desk.network("testnet");
    let shown = desk.run("genesis show genesis.json --json").json();
    let checked = desk.run("genesis check genesis.json --json").expect(0, "").json();
    assert_eq!(shown["chain_id"], checked["chain_id"]);
    assert_eq!(shown["params"]["purpose"], "testnet");
    assert_eq!(checked["passed"], true);
    let checks = checked["checks"].as_array().unwrap();
    for word in ["p is prime", "q is prime", "authority", "the base 4"] {
        assert!(checks.iter().any(|c| c["name"].as_str().unwrap().contains(word)), "{word}");
    }
    desk.run("genesis new --name again --authority authority.card").expect(73, "not overwritten");
}

#[test]
fn a_genesis_file_that_was_edited_or_is_none_is_refused() {
    let desk = Desk::new();
    desk.network("testnet");
    let text = fs::read_to_string(desk.path("genesis.json")).unwrap();
    for (from, to, word) in [
        ("\"confirmations\": 6", "\"confirmations\": 1", "changed after it was made"),
        ("\"confirmations\": 6", "\"confirmations\": 0", "1 … 10,000"),
        ("medring-genesis/1", "medring-genesis/9", "unknown here"),
        ("\"retarget\"", "\"retargets\"", "unknown field"),
        ("{", "[", "not a genesis file"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        desk.write("edited.json", edited);
        desk.run("genesis check edited.json").expect(65, word);
    }
    desk.write("large.json", vec![b' '; 300_000]);
    desk.run("genesis show large.json").expect(65, "longer than");
    desk.run("genesis show absent.json").expect(66, "absent.json");
}

#[test]
fn parameters_out_of_bounds_are_refused_before_a_file_is_made() {
    let desk = Desk::new();
    desk.participant("authority");
    for (flags, code, word) in [
        ("--name UPPER", 65, "a-z"),
        ("--name a --block-time 1ms", 65, "target_spacing_ms"),
        ("--name a --block-time soon", 2, "for example 2s"),
        ("--name a --confirmations 0", 65, "confirmations"),
        ("--name a --pad-min 1000", 65, "power of two"),
        ("--name a --quota 1", 65, "quota_bytes"),
        ("--name a --authority authority.card", 65, "listed twice"),
        ("--name a --authority absent.card", 66, "absent.card"),
        ("--name a --authority authority.key", 65, "not a medring-card/1 file"),
    ] {
        desk.run(&format!("genesis new --authority authority.card {flags}")).expect(code, word);
    }
    assert!(!desk.path("genesis.json").exists());
}

#[test]
fn a_challenge_goes_forth_and_back_and_becomes_one_record_for_all() {
    let desk = Desk::new();
    desk.network("testnet");
    for (name, role) in [("dora", "doctor"), ("paul", "patient")] {
        desk.participant(name);
        desk.run(&format!(
            "authority challenge --genesis genesis.json --keystore authority.key --passphrase-file authority.pass \
             --card {name}.card --role {role} --out {name}.challenge"
        ))
        .expect(0, "authority answer");
        desk.run(&format!(
            "authority answer --genesis genesis.json --keystore {name}.key --passphrase-file {name}.pass \
             --challenge {name}.challenge --out {name}.request"
        ))
        .expect(0, "authority enrol");
    }
    let enrol = "authority enrol --genesis genesis.json --keystore authority.key --passphrase-file authority.pass \
                 --tip-height 10 --valid-for 5 --out enrol.rec";
    desk.run(&format!("{enrol} dora.request paul.request")).expect(0, "enrol.rec");
    let record = Record::decode(&fs::read(desk.path("enrol.rec")).unwrap()).unwrap();
    assert_eq!(record.content.kind, Kind::Enrol);
    let entries = Enrolment::decode(&record.content.public).unwrap().entries;
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|e| (e.valid_from, e.valid_until) == (11, 15)));
    desk.run(&format!("{enrol} dora.request")).expect(73, "not overwritten");
}

#[test]
fn the_wrong_key_answers_no_challenge_and_the_wrong_authority_enrols_nobody() {
    let desk = Desk::new();
    desk.network("testnet");
    desk.participant("dora");
    desk.participant("mallory");
    let challenge = "authority challenge --genesis genesis.json --card dora.card --role doctor --out c";
    desk.run(&format!("{challenge} --keystore mallory.key --passphrase-file mallory.pass"))
        .expect(65, "is no authority of network");
    desk.run(&format!("{challenge} --keystore authority.key --passphrase-file mallory.pass"))
        .expect(77, "does not open");
    desk.run(&format!("{challenge} --keystore authority.key --passphrase-file authority.pass")).expect(0, "");
    let answer = "authority answer --genesis genesis.json --challenge c --out r";
    desk.run(&format!("{answer} --keystore mallory.key --passphrase-file mallory.pass"))
        .expect(65, "use the key whose card you sent");
    desk.run(&format!("{answer} --keystore dora.key --passphrase-file dora.pass")).expect(0, "");
    let enrol = "authority enrol --genesis genesis.json --tip-height 0 --out e r";
    desk.run(&format!("{enrol} --keystore mallory.key --passphrase-file mallory.pass"))
        .expect(65, "is no authority of network");
    let request = fs::read_to_string(desk.path("r")).unwrap();
    desk.write("r", request.replace("\"doctor\"", "\"patient\""));
    desk.run(&format!("{enrol} --keystore authority.key --passphrase-file authority.pass"))
        .expect(65, "does not know the key");
    desk.run("authority challenge --card dora.card --role surgeon --out x").expect(2, "roles are");
    assert!(!desk.path("e").exists());
}

#[test]
fn a_revocation_is_made_offline() {
    let desk = Desk::new();
    desk.network("testnet");
    let line = "authority revoke --genesis genesis.json --keystore authority.key --passphrase-file authority.pass \
                --tip-height 4 --out revoke.rec";
    desk.run(&format!("{line} {}", "ab".repeat(32))).expect(0, "revoke.rec");
    let record = Record::decode(&fs::read(desk.path("revoke.rec")).unwrap()).unwrap();
    assert_eq!(record.content.kind, Kind::Revoke);
    desk.run(&format!("{line} abc")).expect(2, "64 hex digits");
}
