//! Nodes on hosts of their own: network namespaces, joined by a bridge in one more. Needs root and `ip`, and `nft` for lost
//! packets; skipped loudly elsewhere.

use super::harness::{BINARY, Foreground, Net, SOON, run};
use medring_testnet::procs::until;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// `ip ARGS…`, which must succeed.
#[track_caller]
fn ip(args: &[&str]) {
    let done = Command::new("ip").args(args).output().unwrap();
    assert!(done.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Namespaces, removed with their owner, also by a panic; what is in one goes with it.
struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// `count` hosts 10.77.0.1, 10.77.0.2, … on one bridge; `None`, said aloud, where that is not possible.
    fn new(count: usize) -> Option<Self> {
        // Tests run side by side in one process.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let tag = format!("medring{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let tried = Command::new("ip").args(["netns", "add", &format!("{tag}-switch")]).stdin(Stdio::null()).output();
        match tried {
            Ok(done) if done.status.success() => {}
            Ok(done) => {
                let why = String::from_utf8_lossy(&done.stderr);
                eprintln!("SKIPPED: no network namespaces here, which needs root: {}", why.trim());
                return None;
            }
            Err(e) => {
                eprintln!("SKIPPED: no network namespaces here: `ip` of iproute2 does not run: {e}");
                return None;
            }
        }
        let mut hosts = Self { names: vec![format!("{tag}-switch")] };
        let switch = hosts.names[0].clone();
        ip(&["-n", &switch, "link", "add", "bridge", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "bridge", "up"]);
        for i in 0..count {
            let (name, port) = (format!("{tag}-{i}"), format!("port{i}"));
            ip(&["netns", "add", &name]);
            hosts.names.push(name.clone());
            ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name]);
            ip(&["-n", &switch, "link", "set", &port, "master", "bridge", "up"]);
            ip(&["-n", &name, "addr", "add", &format!("10.77.0.{}/24", i + 1), "dev", "eth0"]);
            ip(&["-n", &name, "link", "set", "eth0", "up"]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
        Some(hosts)
    }

    /// `medring ARGS…` on a host.
    fn command(&self, host: usize, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[host + 1], BINARY]).args(args);
        command
    }

    /// `nft ARGS…` on a host, or why it does not work.
    fn nft(&self, host: usize, args: &[&str]) -> Result<(), String> {
        let done = Command::new("ip").args(["netns", "exec", &self.names[host + 1], "nft"]).args(args).output();
        let done = done.map_err(|e| e.to_string())?;
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()) }
    }

    /// The cable of a host: in its port, or not.
    fn cable(&self, host: usize, state: &str) {
        ip(&["-n", &self.names[0], "link", "set", &format!("port{host}"), state]);
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in self.names.iter().rev() {
            // What of it is there goes, whatever the others do.
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// Three nodes, each on a host of its own, at height 2.
struct Spread {
    // Dropped in this order: nodes, then hosts.
    _nodes: Vec<Foreground>,
    net: Net,
    hosts: Hosts,
}

impl Spread {
    fn up(hosts: Hosts) -> Self {
        // Keys, genesis and folders as of any testnet; then each node on a host of its own.
        let mut net = Net::up(3, |_| {});
        net.end();
        let ids: Vec<String> = net.state().nodes.iter().map(|node| node.peer_id.clone()).collect();
        let address = |i: usize| format!("/ip4/10.77.0.{}/tcp/7000", i + 1);
        let mut nodes: Vec<Foreground> = Vec::new();
        for i in 0..3 {
            let config = net.node(i).unwrap().config();
            let text = std::fs::read_to_string(&config).unwrap();
            let others = (0..3).filter(|j| *j != i).map(|j| format!("\"{}/p2p/{}\"", address(j), ids[j]));
            let others: Vec<_> = others.collect();
            let line = |line: &str| match line.split(" = ").next() {
                // The first `listen` is the network's, the second the API's.
                Some("listen") if line.contains("/ip4/") => format!("listen = [\"{}\"]", address(i)),
                Some("bootstrap") => format!("bootstrap = [{}]", others.join(", ")),
                _ => line.to_owned(),
            };
            std::fs::write(&config, text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
            let mut node = Foreground::start(hosts.command(i, &["node", "run", "--config", config.to_str().unwrap()]));
            node.prints("medring node ready");
            nodes.push(node);
        }
        let spread = Self { _nodes: nodes, net, hosts };
        spread.mine(0, 1);
        spread.agreed(&[0, 1, 2], 2);
        spread
    }

    /// `medring ARGS… --json` on a host.
    fn medring(&self, i: usize, args: &[&str]) -> Value {
        let data = self.net.node(i).unwrap().data_dir().to_str().unwrap().to_owned();
        run(self.hosts.command(i, &[args, &["--json", "--data-dir", &data]].concat())).ok().json()
    }

    fn mine(&self, i: usize, blocks: u32) {
        self.medring(i, &["chain", "mine", &blocks.to_string()]);
    }

    fn tip(&self, i: usize) -> Value {
        self.medring(i, &["node", "status"])["tip"].clone()
    }

    /// Waits until all of `nodes` are on one tip at this height: its id.
    fn agreed(&self, nodes: &[usize], height: u64) -> Value {
        until(&format!("{nodes:?} on one tip at {height}"), SOON, || {
            let tips: Vec<Value> = nodes.iter().map(|i| self.tip(*i)).collect();
            let there = tips.iter().all(|tip| tip["id"] == tips[0]["id"] && tip["height"] == height);
            if there { Ok(tips[0]["id"].clone()) } else { Err(format!("{tips:?}")) }
        })
        .unwrap()
    }

    /// Blocks on both sides of a cut around host 2; then, once `heal` ended it, the heavier branch everywhere.
    fn grows_apart_and_agrees(&self, heal: impl FnOnce()) {
        self.mine(0, 3);
        self.mine(2, 1);
        let heavier = self.agreed(&[0, 1], 5);
        assert_eq!(self.tip(2)["height"], 3, "nothing reaches a host that is cut off");
        heal();
        assert_eq!(self.agreed(&[0, 1, 2], 5), heavier);
    }
}

#[test]
fn hosts_that_lose_their_cable_agree_once_it_is_back() {
    let Some(hosts) = Hosts::new(3) else { return };
    let spread = Spread::up(hosts);
    spread.hosts.cable(2, "down");
    spread.grows_apart_and_agrees(|| spread.hosts.cable(2, "up"));
}

/// Nobody is told that a packet was dropped: links look whole until something that is due does not come.
#[test]
fn hosts_whose_packets_are_dropped_agree_once_they_pass_again() {
    let Some(hosts) = Hosts::new(3) else { return };
    if let Err(why) = hosts.nft(2, &["list", "ruleset"]) {
        eprintln!("SKIPPED: no packet filter here: {why}");
        return;
    }
    let spread = Spread::up(hosts);
    let nft = |args: &[&str]| spread.hosts.nft(2, args).unwrap();
    nft(&["add", "table", "inet", "medring"]);
    nft(&["add", "chain", "inet", "medring", "in", "{ type filter hook input priority 0; }"]);
    nft(&["add", "rule", "inet", "medring", "in", "iif", "eth0", "drop"]);
    spread.grows_apart_and_agrees(|| nft(&["delete", "table", "inet", "medring"]));
}
