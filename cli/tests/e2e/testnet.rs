//! `medring testnet` as an operator uses it, and a node that joins with the genesis file and one address.

use super::harness::{Foreground, Net, SOON, medring, processes_of, seed};
use super::records::Maker;
use medring_protocol::merkle::Proof;
use medring_testnet::client::Client;
use medring_testnet::procs::until;
use serde_json::Value;

#[test]
fn five_nodes_share_one_chain_a_sixth_joins_and_down_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("net");
    let dir = dir.to_str().unwrap();
    let seed = seed().to_string();
    let up = ["testnet", "up", "--nodes", "5", "--seed", &seed, "--block-time", "1s", "--json", "--dir", dir];
    let up = medring(up).ok().json();
    let net = Net::of_folder(folder);
    assert_eq!(up["nodes"].as_array().map(Vec::len), Some(5));
    assert_eq!(up["chain_id"], net.state().chain_id.to_string());

    // Submitted on node 0, proved on node 4.
    let mut maker = Maker::new(&net);
    let record = maker.ehr(1);
    let (id, wire) = (record.id(&net.state().chain_id), record.wire_id(&net.state().chain_id));
    assert_eq!(net.client(0).unwrap().submit(&record).unwrap(), id);
    net.wait_record(4, &id, 1, SOON).unwrap();
    let answer = net.get(4, &format!("/v1/records/{id}/proof"));
    let proof: Proof = serde_json::from_value(answer["proof"].clone()).unwrap();
    let header = hex::decode(answer["header"].as_str().unwrap()).unwrap();
    assert!(proof.verify(&wire, &header[32..64].try_into().unwrap()), "{answer}");

    let agreed = medring(["testnet", "wait", "--agree", "--timeout", "60s", "--json", "--dir", dir]).ok().json();
    assert!(agreed["height"].as_u64() >= Some(2), "{agreed}");
    let status = medring(["testnet", "status", "--dir", dir]).ok();
    assert_eq!(status.out.lines().count(), 6, "a head and five nodes: {}", status.out);
    for words in [["node0", "healthcare-center"], ["node1", "doctor"], ["node2", "patient"], ["node4", "caregiver"]] {
        let line = status.out.lines().find(|l| l.contains(words[0]));
        assert!(line.is_some_and(|l| l.contains(words[1]) && l.contains("yes")), "{}", status.out);
    }
    let logs = medring(["testnet", "logs", "3", "--lines", "1000", "--dir", dir]).ok();
    assert!(logs.out.contains("medring node ready"), "{}", logs.out);

    a_sixth_node_joins(&net);

    // One is killed and comes back to the others' tip.
    medring(["testnet", "kill", "2", "--dir", dir]).ok();
    medring(["testnet", "kill", "2", "--dir", dir]).fails(1, &["does not run", "restart"]);
    medring(["testnet", "restart", "2", "--dir", dir]).ok();
    let processes: Vec<_> = Net::processes(dir);
    assert_eq!(processes.len(), 5);
    net.wait_agree(SOON).unwrap();

    medring(["testnet", "down", "--dir", dir]).ok();
    assert!(processes.iter().all(|p| !p.is_alive()), "{processes:?}");
    assert_eq!(processes_of(net.folder()), Vec::<String>::new());
    medring(["testnet", "up", "--dir", dir]).fails(73, &["holds a testnet already", "down"]);
    medring(["testnet", "down", "--remove", "--dir", dir]).ok();
    assert!(!std::path::Path::new(dir).exists());
    medring(["testnet", "status", "--dir", dir]).fails(66, &["holds no testnet", "up"]);
}

/// With nothing but the genesis file and the address of one node.
fn a_sixth_node_joins(net: &Net) {
    let data = net.scratch().join("sixth");
    let config = net.scratch().join("sixth.toml");
    let genesis = net.folder().join("genesis.json");
    let address = net.node(3).unwrap().address.clone().unwrap();
    let text = format!(
        "data_dir = {data:?}\ngenesis = {genesis:?}\n[network]\nlisten = [\"/ip4/127.0.1.6/tcp/0\"]\nbootstrap = [\"{address}\"]\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut sixth = Foreground::node(&config);
    sixth.prints("medring node ready");
    let client = Client::from_data_dir(&data).unwrap();
    until("the sixth node to be on node 0's tip", SOON, || {
        let (sixth, first): (Value, Value) = (client.get("/v1/status").unwrap(), net.get(0, "/v1/status"));
        let same = sixth["tip"]["id"] == first["tip"]["id"] && first["tip"]["height"].as_u64() >= Some(2);
        if same { Ok(()) } else { Err(format!("{} and {}", sixth["tip"], first["tip"])) }
    })
    .unwrap();
}

#[test]
fn what_is_wrong_on_the_command_line_is_said() {
    medring(["testnet", "up", "--block-time", "2"]).fails(2, &["2s"]);
    medring(["testnet", "up", "--nodes", "0"]).fails(2, &["--nodes"]);
    medring(["testnet", "wait"]).fails(2, &["--height"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "x").unwrap();
    let dir = folder.path().to_str().unwrap();
    medring(["testnet", "up", "--dir", dir]).fails(73, &["not empty", "--dir"]);
    assert!(folder.path().join("thesis.tex").exists());
}
