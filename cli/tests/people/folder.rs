//! The data folder of a node is all that has to be named: genesis, keystore and passphrase are found from it.

use crate::cli_common::Desk;
use std::fs;
use std::path::Path;

/// A testnet in the folder `net`, ended with the test whatever happens.
pub(crate) struct Net<'a>(&'a Desk);

impl<'a> Net<'a> {
    pub(crate) fn up(desk: &'a Desk, rest: &str) -> Self {
        let net = Self(desk);
        desk.run(&format!("testnet up --dir net --seed 5 {rest}")).expect(0, "healthcare-center");
        net
    }
}

impl Drop for Net<'_> {
    fn drop(&mut self) {
        self.0.run("testnet down --dir net");
    }
}

#[test]
fn a_node_of_a_testnet_is_named_by_its_data_folder_alone() {
    let desk = Desk::new();
    let net = Net::up(&desk, "--nodes 3 --no-mine");
    desk.write("vitals.csv", "minute,heart_rate_bpm\n0,61.5\n1,63\n");
    let submit = "record submit --vitals vitals.csv --columns @minute=60s,heart_rate_bpm=8867-4:/min";
    desk.run(&format!("--data-dir net/node2/data {submit}")).expect(0, "PHR");
    desk.run("--data-dir net/node2/data chain mine 3").expect(0, "mined");
    let list = desk.run("--data-dir net/node2/data record list --json").expect(0, "").json();
    let id = list["records"][0]["record_id"].as_str().unwrap();
    desk.run(&format!("--data-dir net/node2/data record verify {id} --depth 3")).expect(0, "Verified");

    // A keystore that is named is not opened with the passphrase of another.
    desk.participant("other");
    desk.run(&format!("--data-dir net/node2/data {submit} --keystore other.key")).expect(2, "a passphrase is needed");
    // The node's word for its network has to be the one it gave when it started.
    let file = desk.path("net/node2/data/node.json");
    let node = fs::read_to_string(&file).unwrap();
    let at = node.find("\"chain_id\": \"").unwrap() + "\"chain_id\": \"".len();
    let mut other = node.clone();
    other.replace_range(at..at + 2, if &node[at..at + 2] == "00" { "11" } else { "00" });
    fs::write(&file, other).unwrap();
    desk.run(&format!("--data-dir net/node2/data record verify {id}")).expect(76, "--genesis FILE");
    fs::write(&file, node).unwrap();
    drop(net);
    // Without a node: the genesis cannot be asked for, and the message says what can be done.
    assert!(!Path::new(&file).exists());
    desk.run(&format!("--data-dir net/node2/data record verify {id}")).expect(66, "--data-dir DIR");
}

#[test]
fn an_initialised_folder_names_its_keystore_before_the_node_ever_ran() {
    let desk = Desk::new();
    desk.network("testnet");
    desk.participant("patient");
    desk.run("node init --data-dir node --genesis genesis.json --keystore patient.key --passphrase-file patient.pass")
        .expect(0, "");
    let shown = desk.run("key show --data-dir node --json").expect(0, "").json();
    assert_eq!(shown["participant"], desk.run("key show --keystore patient.key --json").json()["participant"]);
    // The passphrase comes from the configuration too, for this keystore.
    desk.run("key backup --data-dir node --out backup").expect(0, "Backup in backup");
    // New keys go where they went before.
    desk.run("key new --data-dir node --passphrase-file patient.pass").expect(0, "node/keystore");
    let own = desk.run("key show --data-dir node --json").expect(0, "").json();
    assert_ne!(own["participant"], shown["participant"], "a keystore in the folder comes first");
}

#[test]
fn a_folder_with_nothing_in_it_says_how_to_begin() {
    let desk = Desk::new();
    desk.run("node run").expect(66, "`medring node init --genesis FILE`");
    desk.run("node run --data-dir new").expect(66, "`medring node init --genesis FILE --data-dir new`");
    desk.run("key show --data-dir new").expect(66, "`medring key new --data-dir new`");
    desk.run("key show --keystore gone").expect(66, "cannot read gone");
    desk.run("record verify 00").expect(2, "64 hex digits");
}
