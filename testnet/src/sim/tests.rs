//! The judges judged: each is shown a network that is not as it should be.

use super::*;
use crate::sim::{checks, twin};
use medring_node::core::{Event, Ticket, Topic, limits};
use medring_protocol::record::{Kind, Record};
use medring_storage::{Batch, Column, Durability, Engine};

/// Four nodes that agree, with some records on the chain.
fn settled() -> Simulation {
    let mut config = SimConfig::new(5, 4);
    (config.busy_ms, config.block_interval_ms, config.record_interval_ms) = (20_000, 2_000, 1_000);
    let mut sim = Simulation::new(config).unwrap();
    sim.settle().unwrap();
    checks::all(&sim).unwrap();
    sim
}

/// A record more in the state of a node's disk than its chain has.
fn spoil_state(sim: &Simulation, node: usize) {
    let mut batch = Batch::new();
    batch.put(Column::Locations, [7; 32], [0; 12]);
    sim.nodes[node].disk.write(&batch, Durability::Synced).unwrap();
}

#[test]
fn a_state_that_differs_from_the_others_is_seen() {
    let sim = settled();
    spoil_state(&sim, 2);
    assert!(checks::all(&sim).unwrap_err().contains("the state of node 2 differs"));
}

#[test]
fn a_state_that_is_no_replay_of_the_chain_is_seen_also_where_all_have_it() {
    let sim = settled();
    (0..4).for_each(|node| spoil_state(&sim, node));
    assert!(checks::all(&sim).unwrap_err().contains("replaying the chain from genesis"));
}

#[test]
fn a_tip_of_no_more_work_is_seen() {
    let mut sim = settled();
    let connected = vec![sim.kit.params.genesis().id()];
    let tip = Event::Tip { disconnected: Vec::new(), connected, height: 0, settled: true };
    assert!(sim.nodes[0].note(&tip, false).unwrap_err().contains("no more work"));
}

#[test]
fn a_table_beyond_its_bound_is_seen() {
    let mut sim = settled();
    checks::bounded(&sim).unwrap();
    let gossip = traffic::gossip(Topic::Records, Vec::new());
    for _ in 0..=limits::JOBS_MAX {
        sim.nodes[1].new_message(gossip.clone(), None);
    }
    assert!(checks::bounded(&sim).unwrap_err().contains("node 1 holds 1025 messages to judge"));
}

/// A record that waits at a node.
fn submit(sim: &mut Simulation, node: usize) -> RecordId {
    let record = sim.kit.record(Kind::Phr, 900, 1);
    let (secret, expiry) = (&sim.kit.patient.secret, record.envelope.expiry_height);
    let record =
        Record::wrap(&sim.kit.chain, record.content, record.signature, sim.now_ms / 1_000 * 1_000, expiry, secret);
    let id = record.id(&sim.kit.chain);
    sim.expiries.push(expiry);
    let ticket = Ticket(sim.expiries.len() as u64 - 1);
    sim.input(node, Input::Submit { ticket, record: Box::new(record) });
    sim.run_until(sim.now_ms + 20).unwrap();
    assert!(sim.nodes[node].admitted.contains_key(&id));
    id
}

#[test]
fn a_node_that_a_restart_changes_is_seen() {
    let mut sim = settled();
    let id = submit(&mut sim, 3);
    let core = sim.nodes[3].core.as_ref().unwrap();
    let before = essence::Essence::of(core);
    // Through the store, whose tally would tell of an entry that is taken away behind it.
    core.store().remove_pool(&[id]).unwrap();
    core.store().sync().unwrap();
    sim.nodes[3].before = Some(before);
    sim.nodes[3].kill();
    let told = sim.start_node(3, u64::MAX).unwrap_err().to_string();
    assert!(told.contains("a restart made of the pool"), "{told}");
}

#[test]
fn a_twin_that_does_something_else_is_seen() {
    let mut sim = settled();
    twin::all(&mut sim).unwrap();
    let mut sim = settled();
    sim.nodes[1].config.rules = std::mem::take(&mut sim.nodes[1].config.rules).without("R-SIG");
    sim.nodes[1].config.pool = PoolLimits { records_max: 0, ..PoolLimits::default() };
    assert!(twin::all(&mut sim).unwrap_err().contains("told the same"));
}

#[test]
fn a_signature_is_verified_once_in_the_whole_network() {
    let stats = settled().stats;
    assert!(stats.signatures_verified > 0);
    assert!(stats.signatures_asked >= 4 * stats.signatures_verified, "{stats:?}");
}

#[test]
fn nodes_on_two_tips_are_not_settled() {
    let mut sim = settled();
    // Found by one node, and not told to anybody yet.
    sim.input(0, Input::Remake);
    let mut header = sim.nodes[0].template.unwrap();
    testkit::mine(&mut header);
    sim.input(0, Input::Mined { header });
    assert!(!checks::settled(&sim));
}
