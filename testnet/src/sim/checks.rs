//! The invariants that judge a simulation. None asks a core for its opinion where the store can be read.

use super::Simulation;
use super::node::SimNode;
use medring_node::core::limits;
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chain::{ApplyError, HeaderTree, MemoryState, StateRead, apply};
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, Durability, FaultyEngine, MemoryEngine, Reorg};
use std::collections::{BTreeMap, BTreeSet};

type Store = ChainStore<FaultyEngine<MemoryEngine>>;

fn store(node: &SimNode) -> Result<&Store, String> {
    node.core.as_ref().map(|core| core.store()).ok_or_else(|| "a node is still dead".to_owned())
}

/// How many nodes stand where.
pub(super) fn tips(sim: &Simulation) -> String {
    let mut count: BTreeMap<(u64, BlockId), u32> = BTreeMap::new();
    for core in sim.nodes.iter().filter_map(|node| node.core.as_ref()) {
        let snapshot = core.snapshot();
        *count.entry((snapshot.height, snapshot.tip)).or_default() += 1;
    }
    let tips: Vec<_> = count.iter().map(|((height, tip), nodes)| format!("{nodes} at {height} {tip}")).collect();
    tips.join(", ")
}

/// Whether everybody lives, all are on one tip, and nothing waits anywhere.
pub(super) fn settled(sim: &Simulation) -> bool {
    let mut tips = BTreeSet::new();
    for node in &sim.nodes {
        let Some(snapshot) = node.core.as_ref().map(|core| core.snapshot()) else { return false };
        if snapshot.pool_records > 0 {
            return false;
        }
        tips.insert(snapshot.tip);
    }
    tips.len() == 1
}

/// Every table within its bound, on every node.
pub(super) fn bounded(sim: &Simulation) -> Result<(), String> {
    for (i, node) in sim.nodes.iter().enumerate() {
        let Some(snapshot) = node.core.as_ref().map(|core| core.snapshot()) else { continue };
        let tables = snapshot.tables;
        let bounds = [
            ("held blocks", tables.held_blocks, limits::ORPHANS_MAX + limits::SYNC_HELD_BLOCKS_MAX),
            ("future blocks", tables.future_blocks, limits::FUTURE_BLOCKS_MAX),
            ("jobs", tables.jobs, limits::JOBS_MAX),
            ("sources", tables.sources, limits::SOURCES_MAX),
            ("refused records", tables.refused_records, limits::REFUSED_RECORDS_MAX),
            ("templates", tables.templates, limits::TEMPLATES_MAX),
            ("headers", tables.headers, usize::try_from(sim.stats.blocks).unwrap_or(usize::MAX) + 1),
            ("messages to judge", node.judging.len(), limits::JOBS_MAX),
        ];
        for (name, is, most) in bounds {
            if is > most {
                return Err(format!("node {i} holds {is} {name}, at most {most} are allowed"));
            }
        }
    }
    Ok(())
}

/// Everything, once the network has settled.
pub(super) fn all(sim: &Simulation) -> Result<(), String> {
    bounded(sim)?;
    let first = store(sim.nodes.first().ok_or("no nodes")?)?;
    let chain = best_chain(first)?;
    let state = state_hash(first)?;
    for (i, node) in sim.nodes.iter().enumerate() {
        if state_hash(store(node)?)? != state {
            return Err(format!("the state of node {i} differs from node 0's on the same tip"));
        }
    }
    let placed = at_most_once(sim, &chain)?;
    none_lost(sim, &placed)?;
    let replayed = replay(sim, &chain)?;
    if replayed != state {
        return Err("the state is not what replaying the chain from genesis gives".into());
    }
    Ok(())
}

fn state_hash<E: medring_storage::Engine>(store: &ChainStore<E>) -> Result<[u8; 32], String> {
    store.state_hash().map_err(|e| e.to_string())
}

/// The blocks above genesis.
fn best_chain(store: &Store) -> Result<Vec<Block>, String> {
    let height = store.tip().map_err(|e| e.to_string())?.1;
    let block = |height| -> Result<Block, String> {
        let id = store.id_at(height).map_err(|e| e.to_string())?.ok_or_else(|| format!("no block at {height}"))?;
        store.block(&id).map_err(|e| e.to_string())?.ok_or_else(|| format!("no body at {height}"))
    };
    (1..=height).map(block).collect()
}

/// No record stands twice. Returns those that stand.
fn at_most_once(sim: &Simulation, chain: &[Block]) -> Result<BTreeSet<RecordId>, String> {
    let mut placed = BTreeSet::new();
    for (block, record) in chain.iter().flat_map(|block| block.records.iter().map(move |record| (block, record))) {
        let id = record.id(&sim.kit.chain);
        if !placed.insert(id) {
            return Err(format!("record {id} stands twice, also at height {}", block.header.height));
        }
    }
    Ok(placed)
}

/// Every admitted record is on the chain, in the pool of the node that admitted it, or was reported by it; one that expired
/// while its node was dying counts as reported, as its expiry stands on it.
fn none_lost(sim: &Simulation, placed: &BTreeSet<RecordId>) -> Result<(), String> {
    for (i, node) in sim.nodes.iter().enumerate() {
        let Some(core) = &node.core else { return Err(format!("node {i} is dead")) };
        let pool: BTreeSet<RecordId> = core.pool_records().collect();
        let next = core.snapshot().height + 1;
        for id in &node.admitted {
            let expired = sim.records.get(id).is_some_and(|record| record.envelope.expiry_height < next);
            if !placed.contains(id) && !pool.contains(id) && !node.dropped.contains_key(id) && !expired {
                return Err(format!("record {id}, admitted by node {i}, is lost"));
            }
        }
    }
    Ok(())
}

/// The state hash of a fresh store into which the chain is applied block by block, every check done again.
fn replay(sim: &Simulation, chain: &[Block]) -> Result<[u8; 32], String> {
    let (params, rules) = (&sim.kit.params, RuleSet::standard());
    let fresh = ChainStore::open(MemoryEngine::new(), params).map_err(|e| e.to_string())?;
    let (mut tree, mut state) = (HeaderTree::new(params), MemoryState::default());
    for block in chain {
        tree.insert(&rules, params, block.header).map_err(|e| e.to_string())?;
        let checked = CheckedBlock::check(&rules, params, &sim.kit.chain, block.clone()).map_err(|e| e.to_string())?;
        let keys = |id: &_| {
            let authority = params.authorities.iter().find(|keys| keys.id() == *id).cloned();
            let Ok(participant) = state.participant(id);
            authority.or(participant.map(|p| p.keys))
        };
        let pending = checked.signatures(&rules, &sim.kit.chain, keys).map_err(|e| e.to_string())?;
        if let Some(bad) = pending.iter().find(|pending| !pending.check.verify()) {
            return Err(bad.violation().to_string());
        }
        let verified = checked.assume_verified();
        let diff = apply(&rules, params, &state, &verified).map_err(|ApplyError::Violation(v)| v.to_string())?;
        state.apply(&diff);
        let stored = fresh
            .put_headers(&[block.header], Durability::Buffered)
            .and_then(|()| fresh.put_body(&verified, &tree.body_stored(&verified.id()), Durability::Buffered))
            .and_then(|()| {
                let connect = vec![(verified.id(), diff)];
                fresh.commit(&Reorg { connect, ..Reorg::default() }, Durability::Buffered)
            });
        stored.map_err(|e| e.to_string())?;
    }
    state_hash(&fresh)
}
