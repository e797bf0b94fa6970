//! `medring group` and `medring aggregate` where no node is needed: what is wrong is told, with what to do instead.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cli_common;

use cli_common::Desk;

/// A ticket as `medring group invite` prints one, from zeros; good until `expires_ms`.
fn ticket(expires_ms: u64) -> String {
    use medring_protocol::group::message::Endpoint;
    use medring_protocol::group::{GroupUid, Ticket};
    use medring_protocol::{ChainId, ParticipantId};
    let peer_id = [&[0, 36, 8, 1, 18, 32][..], &[7; 32]].concat();
    let endpoint = Endpoint { peer_id, addresses: vec!["/ip4/127.0.0.1/tcp/4001".into()] };
    let (chain, group, owner) = (ChainId::ZERO, GroupUid([1; 32]), ParticipantId([2; 32]));
    Ticket { chain, group, owner, token: [3; 16], expires_ms, endpoint }.to_string()
}

#[test]
fn every_command_says_that_no_node_runs_and_how_to_start_one() {
    let desk = Desk::new();
    let ticket = ticket(u64::MAX);
    for line in [
        "group create family",
        "group list",
        "group invite daughter",
        "group add daughter --yes",
        "group remove carer",
        "group suspend carer --wait",
        "group change --add nurse --remove carer",
        "group update",
        "group leave",
        "group return",
        "group status",
        "group records",
        "group verify",
        "group cancel",
        "group retry",
        "group recover --from /ip4/127.0.0.1/tcp/4001/p2p/12D3KooWA",
        "aggregate",
        "aggregate --show",
        "aggregate --every-records 5",
    ] {
        desk.run(line).expect(69, "`medring node run`");
    }
    desk.run(&format!("group accept {ticket}")).expect(69, "`medring node run`");
    let said = desk.run("group status --json");
    assert!(said.stdout.is_empty() && said.stderr.contains("\"kind\":\"unreachable\""), "{said:?}");
}

#[test]
fn a_ticket_is_read_before_any_node_is_asked() {
    let desk = Desk::new();
    let good = ticket(u64::MAX);
    desk.run("group accept hello").expect(65, "a ticket begins with MEDRING1");
    desk.run(&format!("group accept {}", &good[..good.len() - 3])).expect(65, "checksum does not hold");
    desk.run(&format!("group accept {}", good.replace("MEDRING1A", "MEDRING1B"))).expect(65, "copy or scan it again");
    desk.run(&format!("group accept {}", ticket(1))).expect(1, "1970-01-01T00:00:00Z; ask for a new one");
    // From standard input, as a mail program breaks it.
    let broken = good.as_bytes().chunks(40).map(|line| [line, b" \r\n"].concat()).collect::<Vec<_>>().concat();
    desk.run_with("group accept -", &broken.to_ascii_lowercase()).expect(69, "`medring node run`");
    desk.run_with("group accept -", b"").expect(65, "no ticket");
    desk.run_with("group accept -", &[b'A'; 9000]).expect(65, "`medring group invite`");
}

#[test]
fn lines_that_cannot_be_meant_are_refused() {
    let desk = Desk::new();
    desk.run("group add").expect(2, "<WHO>");
    desk.run("group change").expect(2, "--remove WHO");
    desk.run("group invite x --minutes 0").expect(2, "10080");
    desk.run("group invite x --qr-file code.png").expect(2, "FILE.svg");
    desk.write("code.svg", "mine");
    desk.run("group invite x --qr-file code.svg").expect(73, "not overwritten");
    desk.run("group create family --wait").expect(2, "--alone");
    desk.run("group status --wait").expect(2, "--wait");
    desk.run("group add x --timeout 3").expect(2, "--wait");
    desk.run("group recover --from /ip4/127.0.0.1/tcp/4001").expect(2, "/p2p/PEERID");
    desk.run("group records --out x").expect(2, "--open");
    desk.run("aggregate --show --every-records 3").expect(2, "cannot be used with");
    desk.run("aggregate --every-records 0").expect(2, "--every-records");
    desk.run("aggregate --all").expect(2, "--show");
}

#[test]
fn a_phr_for_the_group_is_the_nodes_to_seal() {
    let desk = Desk::new();
    desk.write("vitals.csv", "minute,pulse\n0,61.5\n1,63\n");
    desk.write(
        "bundle.json",
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
    );
    let vitals = "--vitals vitals.csv --columns @minute=60s,pulse=8889-8:/min";
    desk.run(&format!("record submit {vitals} --to group")).expect(69, "`medring node run`");
    desk.run(&format!("record submit {vitals} --to group-owner:family --live 1")).expect(69, "`medring node run`");
    desk.run(&format!("record seal {vitals} --to group --out x")).expect(2, "record submit --to group");
    desk.run(&format!("record submit {vitals} --live 1")).expect(2, "--to group");
    desk.run("record submit --bundle bundle.json --as emr --to group").expect(2, "EMR goes to its patient");
    desk.run("record submit --bundle bundle.json --as phr --to group --live 1").expect(2, "--vitals");
    desk.run(&format!("record submit {vitals} --to group --window 5")).expect(2, "--live");
}

#[test]
fn shells_complete_the_groups_commands() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.run(&format!("completions {shell}")).expect(0, "invite").stdout;
        assert!(script.contains("aggregate") && script.contains("recover"), "{shell}");
    }
}
