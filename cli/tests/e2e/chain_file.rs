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
