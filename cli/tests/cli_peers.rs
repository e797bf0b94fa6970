//! `medring node check` and `medring peers`, against a real node.

#![allow(clippy::unwrap_used, reason = "a test")]

mod cli_common;

use cli_common::{Desk, start};

/// A desk with a network and a node's folder on it.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.network("demo");
    desk.run("node init --data-dir node --genesis genesis.json").expect(0, "medring node run");
    desk
}

#[test]
fn what_keeps_a_node_from_others_is_told_before_it_runs() {
    let desk = desk();
    desk.run("node check --data-dir node").expect(0, "listens on this machine only");
    let _node = start(&desk);
    desk.run("node check --data-dir node").expect(0, "a node runs on");
    let status = desk.run("node status --data-dir node --json").json();
    let listen: Vec<_> = status["listen"].as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect();
    let [tcp, quic] = listen.as_slice() else { panic!("{listen:?}") };
    let other = libp2p::PeerId::random().to_string();
    let misnamed = tcp.replace(status["peer_id"].as_str().unwrap(), &other);
    desk.run("genesis new --name other --authority authority.card --out other.json").expect(0, "");
    for (name, genesis, bootstrap, code, word) in [
        ("tcp", "genesis.json", tcp.as_str(), 0, "answers, height 0"),
        ("quic", "genesis.json", quic.as_str(), 0, "answers, height 0"),
        ("misnamed", "genesis.json", misnamed.as_str(), 1, "ask its operator which is right"),
        ("network", "other.json", tcp.as_str(), 1, "is on another network: our chain is"),
        ("nobody", "genesis.json", "/ip4/127.0.0.1/tcp/9", 1, "nothing answers at"),
    ] {
        desk.run(&format!("node init --data-dir {name} --genesis {genesis} --bootstrap {bootstrap}")).expect(0, "");
        let said = desk.run(&format!("node check --data-dir {name} --json")).expect(code, word);
        let json = said.json();
        assert_eq!(json["ok"], code == 0, "{json}");
        let bad = json["findings"].as_array().unwrap().iter().filter(|f| f["standing"] == "bad");
        assert!(bad.clone().all(|f| f["next"] != "" && f["what"] == "bootstrap"), "{json}");
        assert_eq!(bad.count(), usize::from(code != 0), "{json}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let set = format!("--set network.listen=/ip4/127.0.0.1/tcp/{port}");
    desk.run(&format!("node check --data-dir tcp {set}")).expect(1, "another process listens there");
    desk.run("node check --data-dir tcp --set genesis=absent.json").expect(1, "cannot read the genesis file");
}

#[test]
fn people_ban_and_forgive() {
    let desk = desk();
    let mut node = start(&desk);
    desk.run("peers banned --data-dir node").expect(0, "Nobody is banned");
    desk.run("peers list --known --data-dir node").expect(0, "remembers nobody");
    desk.run("peers ban 192.0.2.7 --for 2 --reason spam --data-dir node").expect(0, "is banned for 2 h");
    desk.run("peers ban 2001:db8::7 --data-dir node").expect(0, "2001:db8::/64 is banned for 1 d");
    desk.run("peers ban 127.0.0.1 --data-dir node").expect(65, "ban a local node by its peer id");
    desk.run("peers ban nobody --data-dir node").expect(65, "neither a peer id nor an IP address");
    desk.run("peers ban 192.0.2.8 --for 0 --data-dir node").expect(65, "minutes");
    desk.run("node stop --data-dir node").expect(0, "has stopped");
    assert!(node.0.wait().unwrap().success());
    let _node = start(&desk);
    let banned = desk.run("peers banned --data-dir node --json").json();
    let shown: Vec<_> = banned["bans"].as_array().unwrap().iter().map(|ban| (&ban["target"], &ban["reason"])).collect();
    assert_eq!(shown, [(&"192.0.2.7".into(), &"spam".into()), (&"2001:db8::/64".into(), &"by command".into())]);
    desk.run("peers unban 192.0.2.7 --data-dir node").expect(0, "no longer banned");
    desk.run("peers unban 192.0.2.7 --data-dir node").expect(1, "is not banned");
}
