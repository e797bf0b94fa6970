//! A family's group between real nodes, by the commands alone: made, read, joined and left; and the page that shows it.

use crate::cli_common::{Desk, Said};
use crate::folder::Net;
use medring_testnet::procs;
use serde_json::Value;
use std::time::Duration;

pub(crate) const PATIENT: usize = 2;
/// How long a step of a few blocks may take.
const SOON: Duration = Duration::from_secs(60);

/// A command on a node's folder.
pub(crate) fn on(desk: &Desk, node: usize, line: &str) -> Said {
    desk.run(&format!("--data-dir net/node{node}/data {line}"))
}

/// Waits until a command's JSON is as wished; `what` names it.
pub(crate) fn until(desk: &Desk, node: usize, line: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let asked = procs::until(what, SOON, || {
        let said = on(desk, node, &format!("{line} --json"));
        let value: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
        if so(&value) { Ok(value) } else { Err(format!("{said:?}")) }
    });
    asked.unwrap()
}

/// Invites by name, has that node accept, and returns once the owner sees the same code.
pub(crate) fn invite(desk: &Desk, node: usize, name: &str) {
    let invited = on(desk, PATIENT, &format!("group invite {name} --json --no-qr")).expect(0, "").json();
    let ticket = invited["ticket"].as_str().unwrap();
    let accepted = on(desk, node, &format!("group accept {ticket} --name mother --json")).expect(0, "").json();
    until(desk, PATIENT, "group status", &format!("{name} to be a candidate with that code"), |status| {
        let candidates = status["candidates"].as_array().cloned().unwrap_or_default();
        candidates.iter().any(|c| c["name"] == name && c["code"] == accepted["code"])
    });
}

/// The fingerprint that a node shows to people.
pub(crate) fn fingerprint(desk: &Desk, node: usize) -> String {
    let shown = on(desk, node, "group status").expect(0, "fingerprint").stdout;
    shown.lines().find(|line| line.starts_with("fingerprint")).unwrap().to_owned()
}

#[test]
fn a_family_makes_a_group_reads_takes_in_and_puts_out() {
    let desk = Desk::new();
    let _net = Net::up(&desk, "--nodes 6 --block-time 500ms");
    on(&desk, PATIENT, "group status").expect(1, "group create NAME");
    let made = on(&desk, PATIENT, "group create family").expect(0, "group invite NAME");
    assert!(made.stdout.starts_with("Group family\n"), "{made:?}");
    let ticket = on(&desk, PATIENT, "group invite doctor --qr-file code.svg").expect(0, "for 15 min").stdout;
    assert!(ticket.contains('▀') && std::fs::read_to_string(desk.path("code.svg")).unwrap().starts_with("<svg"));
    on(&desk, PATIENT, "group add doctor --yes").expect(1, "has not taken the invitation up");

    for (node, name) in [(1, "doc"), (3, "daughter"), (4, "carer")] {
        invite(&desk, node, name);
    }
    // Without a terminal nobody can say that codes were compared, unless it is said on the command line.
    on(&desk, PATIENT, "group add doc daughter carer").expect(2, "--yes");
    let ring =
        on(&desk, PATIENT, "group add doc daughter carer --yes --wait").expect(0, "epoch        0, final").stdout;
    assert!(ring.contains("★ (you)") && ring.contains("daughter") && ring.contains('╭'), "{ring}");
    until(&desk, 4, "group status", "the carer to be in", |status| status["active"]["is_final"] == true);
    let first = fingerprint(&desk, PATIENT);
    assert_eq!(first, fingerprint(&desk, 4), "one fingerprint on all screens");
    on(&desk, 3, "group remove carer").expect(65, "only the group's owner");
    on(&desk, PATIENT, "group remove nobody").expect(1, "daughter");

    // Live vital signs, window by window, that every member opens on its own node.
    desk.write("v.csv", "minute,pulse\n0,61\n1,63\n2,62\n3,66\n");
    let vitals = "record submit --vitals v.csv --columns @minute=60s,pulse=8867-4:/min";
    let fed =
        on(&desk, PATIENT, &format!("{vitals} --to group --live 0 --window 2 --wait 1 --json")).expect(0, "").json();
    assert_eq!(fed["records"].as_array().unwrap().len(), 2, "{fed}");
    let record = fed["records"][1]["record_id"].as_str().unwrap();
    until(&desk, 4, "group records", "the carer to see the live PHR", |list| list.to_string().contains(record));
    on(&desk, 4, &format!("group records --open {record}")).expect(0, "8867-4");

    // One change takes the nurse in and the carer out.
    invite(&desk, 5, "nurse");
    let change = "group change --add nurse --remove carer --yes --wait";
    let ring = on(&desk, PATIENT, change).expect(0, "epoch        1, final").stdout;
    assert!(ring.contains("carer  what was sealed in epoch 0"), "{ring}");
    assert_ne!(first, fingerprint(&desk, PATIENT), "a new epoch has a new key");
    until(&desk, 4, "group status", "the carer to know", |status| status["standing"] == "removed");
    on(&desk, 4, "group status").expect(0, "The last epoch you were in");
    let later = on(&desk, PATIENT, &format!("{vitals} --to group --wait 1 --json")).expect(0, "").json();
    let later = later["records"][0]["record_id"].as_str().unwrap();
    until(&desk, 5, "group records", "the nurse to see the new PHR", |list| list.to_string().contains(later));
    on(&desk, 5, &format!("group records --open {later}")).expect(0, "8867-4");
    let refused = on(&desk, 4, &format!("group records --open {later}"));
    assert!(refused.code != 0 && refused.stdout.is_empty(), "the removed carer opened it: {refused:?}");

    // The aggregate: the nurse's node makes it again from sources on its own chain; whoever is out sees none of this epoch.
    on(&desk, PATIENT, "aggregate --every-records 5").expect(0, "every 5 new records");
    on(&desk, PATIENT, "aggregate").expect(0, "group verify");
    until(&desk, 5, "group verify", "an aggregate of epoch 1 that verifies", |report| {
        report["passed"] == true && report["epoch"] == 1
    });
    on(&desk, 5, "group verify").expect(0, "Verified:");
    on(&desk, 5, "aggregate --show").expect(0, "Latest vital signs");
    let shown = on(&desk, 5, "aggregate --show --json").expect(0, "Composition").json();
    assert_eq!(shown["epoch"], 1, "{shown}");
    // An aggregate of its own epoch, if one was made in time, the carer may still open.
    let old = on(&desk, 4, "aggregate --show --json");
    assert!(old.code == 1 || old.json()["epoch"] == 0, "the removed carer opened a newer aggregate: {old:?}");
    let id = shown["record_id"].as_str().unwrap();
    let refused = on(&desk, 4, &format!("group records --open {id}"));
    assert!(refused.code != 0 && refused.stdout.is_empty(), "the removed carer opened it: {refused:?}");
    on(&desk, 5, "aggregate").expect(65, "only the group's owner");

    on(&desk, 3, "group leave --wait").expect(0, "You left");
    until(&desk, PATIENT, "group status", "the epoch without the daughter", |status| {
        status["active"]["ring"].as_array().is_some_and(|ring| ring.len() == 3) && status["active"]["is_final"] == true
    });
}
