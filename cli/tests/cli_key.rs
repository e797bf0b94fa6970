//! `medring key`: made, shown, backed up, restored; and everything that can go wrong with its files.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::{Desk, names};
use medring_node::wallet::{Keystore, Passphrase};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn keys_live_through_a_new_passphrase_a_backup_and_a_restore_and_are_never_said() {
    let desk = Desk::new();
    desk.participant("alice");
    desk.passphrase("second.pass", "another pass phrase");
    desk.passphrase("third.pass", "the backup's pass phrase");
    let id = |name: &str| desk.run(&format!("key show --keystore {name} --json")).json()["participant"].clone();
    let before = id("alice.key");

    let line = "key passwd --keystore alice.key --passphrase-file alice.pass --new-passphrase-file second.pass";
    desk.run(line).expect(0, "Passphrase changed");
    desk.run(line).expect(77, "does not open");
    let line = "key backup --keystore alice.key --passphrase-file second.pass --out alice.backup \
                --new-passphrase-file third.pass --birthday 42 --chain";
    let chain = "ab".repeat(32);
    desk.run(&format!("{line} {chain}")).expect(0, "Backup in alice.backup");
    desk.run(&format!("{line} {chain}")).expect(73, "exists already");
    desk.run("key restore --from alice.backup --keystore new.key --passphrase-file second.pass").expect(77, "does not");
    let restored = desk.run("key restore --from alice.backup --keystore new.key --passphrase-file third.pass --json");
    assert_eq!(restored.json()["birthdays"][&chain], 42);
    assert_eq!(id("new.key"), before);

    let passphrase = Passphrase::from_file(&desk.path("third.pass")).unwrap();
    let keystore = Keystore::open(&desk.path("new.key"), &passphrase).unwrap();
    let mut secrets: Vec<String> = keystore.identity().expose().chunks(32).map(hex::encode).collect();
    secrets.extend(["pass phrase of alice", "another pass phrase", "backup's pass phrase"].map(str::to_owned));
    let everything = desk.everything_said();
    for name in ["alice.key", "new.key", "alice.backup", "alice.card"] {
        let file = fs::read_to_string(desk.path(name)).unwrap();
        assert!(secrets.iter().all(|secret| !file.contains(secret) && !everything.contains(secret)), "{name}");
    }
    for name in ["alice.key", "new.key", "alice.backup"] {
        assert_eq!(fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn each_bad_file_has_its_exit_code_and_the_next_step_and_changes_nothing() {
    let desk = Desk::new();
    desk.participant("alice");
    let whole = fs::read(desk.path("alice.key")).unwrap();
    let open = "key passwd --passphrase-file alice.pass --new-passphrase-file alice.pass --keystore";
    desk.run(&format!("{open} absent.key")).expect(66, "check the path");
    desk.write("cut.key", &whole[..whole.len() / 2]);
    desk.run(&format!("{open} cut.key")).expect(65, "restore it from a backup");
    desk.write("other.key", b"\xff\xfe not JSON");
    desk.run(&format!("{open} other.key")).expect(65, "damaged");
    desk.run("key new --keystore alice.key --passphrase-file alice.pass").expect(73, "not overwritten");
    desk.write("file", "");
    desk.run("key new --keystore file/under/it --passphrase-file alice.pass").expect(73, "cannot write");
    desk.passphrase("short.pass", "short");
    desk.run("key new --keystore new.key --passphrase-file short.pass").expect(65, "at least 8");
    desk.passphrase("empty.pass", "");
    desk.run("key new --keystore new.key --passphrase-file empty.pass").expect(65, "empty");
    desk.run("key new --keystore new.key --passphrase-file absent.pass").expect(66, "absent.pass");
    desk.run("key new --keystore new.key").expect(2, "--passphrase-file FILE");
    assert_eq!(fs::read(desk.path("alice.key")).unwrap(), whole);
    assert!(!desk.path("new.key").exists());
}

#[test]
fn a_passphrase_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let desk = Desk::new();
    desk.passphrase("pass", "correct horse");
    fs::set_permissions(desk.path("pass"), Permissions::from_mode(0o644)).unwrap();
    desk.run("key new --keystore a.key --passphrase-file pass").expect(77, "chmod 600 pass");
    assert_eq!(names(&desk.path("")), ["pass"]);
}

#[test]
fn a_passphrase_comes_through_a_descriptor() {
    let desk = Desk::new();
    desk.run_with("key new --keystore a.key --passphrase-fd 0", b"correct horse\n").expect(0, "participant");
    desk.passphrase("pass", "correct horse");
    desk.run("key backup --keystore a.key --passphrase-file pass --out b").expect(0, "Backup");
    desk.run("key new --keystore b.key --passphrase-fd 77").expect(66, "/dev/fd/77");
}

#[test]
fn a_failure_is_one_json_object_where_json_is_asked_for() {
    let desk = Desk::new();
    let said = desk.run("--json key show --keystore absent.key").expect(66, "");
    assert_eq!(said.stdout, "");
    let error: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!((&error["error"]["exit"], &error["error"]["kind"]), (&66.into(), &"no-input".into()));
    assert!(error["error"]["message"].as_str().unwrap().contains("absent.key"));
}

#[test]
fn completions_name_the_commands() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        desk.run(&format!("completions {shell}")).expect(0, "authority");
    }
    desk.run("completions tcsh").expect(2, "possible values");
}

#[test]
fn a_wrong_command_line_is_told_as_json_too_and_next_steps_name_the_keystore() {
    let desk = Desk::new();
    for line in ["key nosuch --json", "--json key show --nosuch", "--json record show 00", "--json key show extra"] {
        let said = desk.run(line);
        let error: serde_json::Value =
            serde_json::from_str(said.stderr.trim()).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert_eq!(said.code, 2, "{said:?}");
        assert_eq!(error["error"]["kind"], "usage", "{said:?}");
    }
    desk.run("key nosuch").expect(2, "Usage:");
    desk.passphrase("a.pass", "a pass phrase");
    desk.run("authority new --keystore a.key --passphrase-file a.pass").expect(0, "key show --keystore a.key --card");
}
