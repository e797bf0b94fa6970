//! Two hosts on one LAN that were told nothing of each other: mDNS links them. The hosts are network namespaces, which need root
//! and iproute2; where they cannot be made, that is said.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod cli_common;

use cli_common::{Desk, Node};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Two namespaces and the cable between them.
struct Lan {
    hosts: [String; 2],
}

fn ip(line: &str) -> bool {
    let run = Command::new("ip").args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

impl Lan {
    /// `None` where this user may not, or there is no `ip`.
    fn new() -> Option<Self> {
        let hosts = ["a", "b"].map(|host| format!("medring-{}-{host}", std::process::id()));
        let lan = Self { hosts };
        let [a, b] = &lan.hosts;
        let made = ip(&format!("netns add {a}"))
            && ip(&format!("netns add {b}"))
            && ip(&format!("link add lan0 netns {a} type veth peer name lan0 netns {b}"));
        let up = |(n, host): (usize, &String)| {
            ip(&format!("-n {host} addr add 10.77.0.{}/24 dev lan0", n + 1))
                && ip(&format!("-n {host} link set lo up"))
                && ip(&format!("-n {host} link set lan0 up"))
                && ip(&format!("-n {host} route add default dev lan0"))
        };
        (made && lan.hosts.iter().enumerate().all(up)).then_some(lan)
    }

    /// `medring` on one of the hosts.
    fn command(&self, host: usize, desk: &Desk, line: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts[host], env!("CARGO_BIN_EXE_medring")]);
        command.args(line.split(' ')).current_dir(desk.path("")).env("HOME", desk.path(""));
        command
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for host in &self.hosts {
            ip(&format!("netns del {host}"));
        }
    }
}

#[test]
fn two_nodes_on_one_lan_find_each_other_without_any_address() {
    let Some(lan) = Lan::new() else {
        eprintln!("SKIPPED: no network namespaces here; root and iproute2 are needed");
        return;
    };
    let desk = Desk::new();
    desk.network("demo");
    let mut nodes = Vec::new();
    for host in 0..2 {
        let listen = format!("/ip4/10.77.0.{}", host + 1);
        let line = format!(
            "node init --data-dir n{host} --genesis genesis.json --listen {listen}/tcp/9444 --listen {listen}/udp/9444/quic-v1"
        );
        desk.run(&line).expect(0, "medring node run");
        let line = format!("node run --data-dir n{host} --set network.mdns=true --set network.discovery=false");
        let mut command = lan.command(host, &desk, &line);
        nodes.push(Node(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()));
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = lan.command(0, &desk, "peers list --data-dir n0").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        if said.contains("/ip4/10.77.0.2/") {
            break;
        }
        assert!(Instant::now() < deadline, "awaited the node on the other host; peers are {said:?}");
    }
}
