//! A chain as a file: exported from a running node, checked from genesis by someone who has no node.

use super::harness::{Net, medring};
use super::records::Maker;
use rand::RngExt;

#[test]
fn an_exported_chain_verifies_offline_and_no_flipped_byte_passes() {
    let mut net = Net::up(1, |_| {});
    let mut maker = Maker::new(&net);
    for height in 1..4 {
        net.client(0).unwrap().submit(&maker.ehr(height)).unwrap();
        net.mine(0, 2).unwrap();
    }
    let (tip, height) = net.status()[0].tip().unwrap();
    let data = net.node(0).unwrap().data_dir();
    let (data, file) = (data.to_str().unwrap(), net.scratch().join("chain"));
    let genesis = net.folder().join("genesis.json");
    let (path, genesis) = (file.to_str().unwrap(), genesis.to_str().unwrap());
    medring(["chain", "export", "--out", path, "--data-dir", data]).ok();
    net.end();

    let verify = || medring(["chain", "verify", path, "--genesis", genesis, "--json"]);
    let verified = verify().ok();
    assert!(verified.out.contains(&tip.to_string()), "{verified:?}");
    assert!(verified.out.contains(&format!("{height}")), "{verified:?}");
    // The library's own test flips thousands; here the command itself must notice some, wherever they lie.
    let good = std::fs::read(&file).unwrap();
    let mut rng = medring_testnet::procs::rng(net.state().seed, "flips");
    for _ in 0..24 {
        let (at, bit) = (rng.random_range(0..good.len()), rng.random_range(0..8));
        let mut bad = good.clone();
        bad[at] ^= 1 << bit;
        std::fs::write(&file, &bad).unwrap();
        let ran = verify();
        let other_tip = ran.code == Some(0) && !ran.out.contains(&tip.to_string());
        assert!(ran.code == Some(1) || ran.code == Some(65) || other_tip, "byte {at}, bit {bit}: {ran:?}");
    }
    std::fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert_ne!(verify().code, Some(0), "a truncated file");
    std::fs::write(&file, [&good[..], &[0]].concat()).unwrap();
    assert_ne!(verify().code, Some(0), "trailing bytes");
}

#[test]
fn an_exported_chain_is_imported_by_another_node_and_checked_not_trusted() {
    let mut net = Net::up(1, |_| {});
    let mut maker = Maker::new(&net);
    for height in 1..4 {
        net.client(0).unwrap().submit(&maker.ehr(height)).unwrap();
        net.mine(0, 2).unwrap();
    }
    let (tip, height) = net.status()[0].tip().unwrap();
    let data = net.node(0).unwrap().data_dir();
    let at = |name: &str| net.scratch().join(name).to_str().unwrap().to_owned();
    let (data, file, fresh) = (data.to_str().unwrap().to_owned(), at("chain"), at("fresh"));
    let genesis = net.folder().join("genesis.json").to_str().unwrap().to_owned();
    medring(["chain", "export", "--out", &file, "--data-dir", &data]).ok();
    let import = |file: &str, data: &str| medring(["chain", "import", file, "--data-dir", data, "--json"]);
    let refused = |ran: super::harness::Ran, code: i32, word: &str| {
        assert!(ran.code == Some(code) && ran.err.contains(word), "{code}, {word}: {ran:?}");
    };
    refused(import(&file, &data), 73, "in use by another medring");
    refused(import(&file, &fresh), 66, "node init --genesis FILE");

    // Damage is seen before anything is imported, and so is another network's file.
    medring(["node", "init", "--genesis", &genesis, "--data-dir", &fresh]).ok();
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    let damaged = at("damaged");
    std::fs::write(&damaged, &bad).unwrap();
    refused(import(&damaged, &fresh), 65, "export the file again");
    std::fs::write(&damaged, &good[..good.len() - 60]).unwrap();
    refused(import(&damaged, &fresh), 65, "cut short");
    let wrong = medring(["chain", "import", &file, "--data-dir", &fresh, "--tip", &"0".repeat(64)]);
    refused(wrong, 1, "ask for the tip");
    let mut foreign = Net::up(1, |_| {});
    let (theirs, other) = (foreign.folder().join("genesis.json"), at("other"));
    medring(["node", "init", "--genesis", theirs.to_str().unwrap(), "--data-dir", &other]).ok();
    foreign.end();
    refused(import(&file, &other), 76, "prepared with that network's genesis file");
    assert!(!std::path::Path::new(&fresh).join("chain").exists(), "nothing was written so far");

    // Taken in, and passed over the second time; the node then starts where the file ends.
    let first = import(&file, &fresh).ok().json();
    assert_eq!((&first["tip"], &first["imported"]), (&tip.to_string().into(), &height.into()), "{first}");
    let again = import(&file, &fresh).ok().json();
    assert_eq!((&again["imported"], &again["known"]), (&0.into(), &height.into()), "{again}");
    net.end();
}
