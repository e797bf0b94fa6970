//! Nodes that cannot start, or cannot go on: a clear error, an exit code, and nothing lost.

use super::harness::{BINARY, Foreground, Net, Ran, SOON};
use super::records::{Maker, now_ms};
use medring_node::wallet::Moment;
use medring_protocol::record::Kind;
use medring_testnet::client::Client;
use medring_testnet::procs::until;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A testnet of one node that does not run, and the text of its configuration.
fn stopped() -> (Net, PathBuf, String) {
    let mut net = Net::up(1, |_| {});
    net.end();
    let config = net.node(0).unwrap().config();
    let text = std::fs::read_to_string(&config).unwrap();
    (net, config, text)
}

/// What a node says when it is started with this configuration.
fn start(config: &Path, text: &str) -> Ran {
    std::fs::write(config, text).unwrap();
    Foreground::node(config).ended()
}

#[test]
fn a_node_that_cannot_start_says_why_and_starts_once_that_is_mended() {
    let (mut net, config, text) = stopped();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let listen = text.lines().find(|l| l.starts_with("listen = [")).unwrap();
    start(&config, &text.replace(listen, &format!("listen = [\"/ip4/127.0.0.1/tcp/{port}\"]")))
        .fails(73, &[&port.to_string(), "listens there"]);
    start(&config, &text.replace("\"127.0.0.1:0\"", &format!("\"127.0.0.1:{port}\""))).fails(73, &["api.listen"]);
    drop(busy);

    let file = net.scratch().join("a file");
    std::fs::write(&file, "in the way").unwrap();
    let data = net.node(0).unwrap().data_dir();
    let elsewhere = |path: &Path| text.replace(&format!("{data:?}"), &format!("{path:?}"));
    start(&config, &elsewhere(&file.join("data"))).fails(73, &["a file", "data_dir"]);

    let genesis = net.folder().join("genesis.json");
    start(&config, &text.replace("genesis.json", "none.json")).fails(66, &["none.json", "genesis"]);
    let edited = net.folder().join("edited.json");
    let other = std::fs::read_to_string(&genesis).unwrap().replace("\"confirmations\": 3", "\"confirmations\": 4");
    std::fs::write(&edited, other).unwrap();
    start(&config, &text.replace("genesis.json", "edited.json")).fails(65, &["changed after it was made"]);
    start(&config, &format!("{text}\n[minning]\nenabled = true\n")).fails(78, &["minning", "mining"]);

    let passphrase = net.node(0).unwrap().folder.join("passphrase");
    let right = std::fs::read(&passphrase).unwrap();
    std::fs::write(&passphrase, "not this one\n").unwrap();
    start(&config, &text).fails(77, &["passphrase"]);
    std::fs::write(&passphrase, right).unwrap();

    std::fs::write(&config, &text).unwrap();
    net.start(0).unwrap();
    assert_eq!(net.status()[0].tip().map(|tip| tip.1), Some(1), "the chain is as it was");
}

#[test]
fn a_second_process_on_one_folder_is_refused() {
    let net = Net::up(1, |_| {});
    let pid = net.node(0).unwrap().process.unwrap().pid.to_string();
    Foreground::node(&net.node(0).unwrap().config()).ended().fails(73, &["in use", &pid, "data_dir"]);
    assert!(net.get(0, "/v1/status")["tip"]["height"].is_u64(), "the first goes on");
}

#[test]
fn nodes_of_two_networks_name_each_others_chain() {
    let (mut ours, theirs) = (Net::up(1, |_| {}), Net::up(1, |options| options.seed = 1_000_003));
    let chains = [ours.state().chain_id.to_string(), theirs.state().chain_id.to_string()];
    let address = theirs.node(0).unwrap().address.clone().unwrap();
    // The link comes to stand, then falls: whether the call reports it is a matter of moments.
    let _ = ours.client(0).unwrap().post::<serde_json::Value>("/v1/peers", &serde_json::json!({ "address": address }));
    for (net, other) in [(&ours, &chains[1]), (&theirs, &chains[0])] {
        let log = net.node(0).unwrap().log();
        let own = net.state().chain_id.to_string();
        until("the log to name both chains", SOON, || {
            let text = std::fs::read_to_string(&log).unwrap();
            let named = |line: &str| line.contains(other.as_str()) && line.contains(&own);
            if text.lines().any(named) { Ok(()) } else { Err(text) }
        })
        .unwrap();
        // Each side says goodbye before it hangs up, so the link may outlive the line in the log by a moment.
        until("the link to the other network to be gone", SOON, || match &net.get(0, "/v1/status")["peers"] {
            peers if *peers == 0 => Ok(()),
            peers => Err(format!("{peers} peers")),
        })
        .unwrap();
    }
    // A folder of another network is refused, too.
    let config = ours.node(0).unwrap().config();
    ours.end();
    let text = std::fs::read_to_string(&config).unwrap();
    let genesis = |net: &Net| net.folder().join("genesis.json").to_string_lossy().into_owned();
    start(&config, &text.replace(&genesis(&ours), &genesis(&theirs))).fails(76, &[&chains[0], &chains[1]]);
}

/// Files may grow to `kib` KiB and no further: what a full disk looks like to whoever writes, without root.
fn node_on_a_full_disk(config: &Path, kib: u32) -> Foreground {
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; exec \"$2\" node run --config \"$3\"", "bash"]);
    command.arg(kib.to_string()).arg(BINARY).arg(config);
    Foreground::start(command)
}

#[test]
fn a_full_disk_stops_the_node_and_what_it_acknowledged_is_kept() {
    let (mut net, config, _) = stopped();
    let mut maker = Maker::new(&net);
    let mut node = node_on_a_full_disk(&config, 1500);
    node.prints("medring node ready");
    let client = Client::from_data_dir(&net.node(0).unwrap().data_dir()).unwrap();
    let mut acknowledged = Vec::new();
    // 1,500 KiB are full after at most that many records of 64 KiB.
    for _ in 0..60 {
        let record = maker.record(Kind::Ehr, "node0", Moment { now_ms: now_ms(), tip_height: 1 }, 100_000);
        match client.submit(&record) {
            Ok(id) => acknowledged.push(id),
            Err(_) => break,
        }
    }
    assert!((1..60).contains(&acknowledged.len()), "{} records, then none", acknowledged.len());
    node.ended().fails(74, &["make room"]);

    net.start(0).unwrap();
    for id in &acknowledged {
        let found = net.get(0, &format!("/v1/records/{id}"));
        assert_eq!(found["state"], "pending", "{id} was acknowledged: {found}");
    }
    net.mine(0, 4).unwrap();
    for id in &acknowledged {
        assert!(net.get(0, &format!("/v1/records/{id}"))["height"].is_u64(), "{id}");
    }
}
