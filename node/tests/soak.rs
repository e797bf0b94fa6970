//! A whole group over real streams: every member has a swarm, a vault on disk and a machine of its own. Six in `make test`,
//! sixty-four with `MEDRING_SOAK=1`, which prints the figures. And full blocks around a ring of real nodes.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail, and tell, as tests do")]

#[path = "soak/blocks.rs"]
mod blocks;
#[path = "soak/host.rs"]
mod host;
#[path = "soak/town.rs"]
mod town;

use medring_protocol::group::Change;
use medring_protocol::group::machine::{Command, MyStanding};
use medring_protocol::group::message::Wish;
use town::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_over_real_streams_is_set_up_and_somebody_leaves_and_somebody_joins() {
    let n = if std::env::var_os("MEDRING_SOAK").is_some_and(|v| v == "1") { 64 } else { 6 };
    println!("{n} members, each a swarm on 127.0.0.1 with a vault on disk, in one process; seed {}", town::SEED);
    let mut town = Town::new(n + 1).await;
    let everyone: Vec<usize> = (0..n).collect();

    town.measure("invitations taken up", async |town| town.invite(&everyone[1..]).await).await;
    let joins = everyone[1..].iter().map(|who| Change::Join(town.id(*who))).collect();
    let set_up = town.measure("set-up", async |town| {
        town.command(0, Command::Change(joins)).await;
        town.agree(&everyone, 0).await;
    });
    assert_eq!(set_up.await.pairing_members, n, "everyone paired");

    let (leaver, rest) = (n / 2, everyone.iter().copied().filter(|who| *who != n / 2).collect::<Vec<_>>());
    let left = town.measure("one leaves", async |town| {
        town.command(leaver, Command::Ask(Wish::Leave)).await;
        town.agree(&rest, 1).await;
        town.stands(leaver, MyStanding::Left).await;
    });
    assert_eq!(left.await.pairing_members, 2, "the leaver's neighbours, and nobody else");

    town.invite(&[n]).await;
    let members: Vec<usize> = rest.iter().copied().chain([n]).collect();
    let join = Change::Join(town.id(n));
    let joined = town.measure("one joins", async |town| {
        town.command(0, Command::Change(vec![join])).await;
        town.agree(&members, 2).await;
    });
    assert_eq!(joined.await.pairing_members, 3, "the joiner and its neighbours, and nobody else");
}

/// One full block in `make test`; with `MEDRING_SOAK=1` five, and five more whole, as nodes of wire version 1 gossip them.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_block_crosses_a_ring_of_five_nodes() {
    let soak = std::env::var_os("MEDRING_SOAK").is_some_and(|v| v == "1");
    for (wire_version, blocks) in if soak { vec![(2, 5), (1, 5)] } else { vec![(2, 1)] } {
        let mut ring = blocks::Ring::new(65, wire_version).await;
        for block in 0..blocks {
            let records = ring.fill_pools().await;
            let after = ring.mine(block % 5).await;
            println!(
                "wire version {wire_version}: a full block of {records} records at the others after {:.0} … {:.0} ms",
                after[1], after[4]
            );
        }
        ring.stop().await;
    }
}
