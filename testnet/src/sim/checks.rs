//! The invariants that judge a simulation. None asks a core for its opinion where the store can be read.

use super::Simulation;
use super::disk::Disk;
use super::node::SimNode;
use medring_node::core::limits;
use medring_protocol::block::{Block, CheckedBlock};
use medring_protocol::chain::rules::RuleSet;
use medring_protocol::chain::{ApplyError, HeaderTree, MemoryState, StateRead, apply};
use medring_protocol::{BlockId, RecordId};
use medring_storage::{ChainStore, Durability, FaultyEngine, MemoryEngine, Reorg};
use std::collections::{BTreeMap, BTreeSet};

type Store = ChainStore<FaultyEngine<Disk>>;

fn store(node: &SimNode) -> Result<&Store, String> {
    node.core.as_ref().map(|core| core.store()).ok_or_else(|| "a node is still dead".to_owned())
}

fn honest(sim: &Simulation) -> impl Iterator<Item = (usize, &SimNode)> {
    sim.nodes.iter().enumerate().filter(|(_, node)| node.is_honest())
}

/// How many nodes stand where.
pub(super) fn tips(sim: &Simulation) -> String {
    let mut count: BTreeMap<(u64, BlockId, usize), u32> = BTreeMap::new();
    for core in honest(sim).filter_map(|(_, node)| node.core.as_ref()) {
        let snapshot = core.snapshot();
        *count.entry((snapshot.height, snapshot.tip, snapshot.pool_records)).or_default() += 1;
    }
    let tip = |((height, tip, pool), nodes): (&(u64, BlockId, usize), &u32)| {
        format!("{nodes} at {height} {tip} with {pool} records waiting")
    };
    count.iter().map(tip).collect::<Vec<_>>().join(", ")
}

/// Whether all honest nodes live, are on one tip, and nothing waits anywhere.
pub(super) fn settled(sim: &Simulation) -> bool {
    let mut tip = None;
    honest(sim).all(|(_, node)| {
        let Some(core) = node.core.as_ref() else { return false };
        let Ok((own, _)) = core.store().tip() else { return false };
        *tip.get_or_insert(own) == own && core.pool_records().next().is_none()
    })
}

/// Every table within its bound, on every honest node.
pub(super) fn bounded(sim: &Simulation) -> Result<(), String> {
    for (i, node) in honest(sim) {
        let Some(core) = node.core.as_ref() else { continue };
        let tables = core.tables();
        let bounds = [
            ("held blocks", tables.held_blocks, limits::ORPHANS_MAX + limits::SYNC_HELD_BLOCKS_MAX),
            ("future blocks", tables.future_blocks, limits::FUTURE_BLOCKS_MAX),
            ("compact blocks", tables.compact_blocks, limits::RELAY_BLOCKS_MAX),
            ("recent records", tables.recent_records, limits::RECENT_RECORDS_MAX),
            ("jobs", tables.jobs, limits::JOBS_MAX),
            ("sources", tables.sources, limits::SOURCES_MAX),
            ("refused records", tables.refused_records, limits::REFUSED_RECORDS_MAX),
            ("templates", tables.templates, limits::TEMPLATES_MAX),
            ("headers", tables.headers, sim.headers_max()),
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

impl Simulation {
    /// Blocks there are, those that spammers and liars made up included.
    fn headers_max(&self) -> usize {
        let mined = usize::try_from(self.stats.blocks + self.stats.forged).unwrap_or(usize::MAX);
        mined.saturating_add(self.little_work.len() + 1)
    }
}

/// Everything, once the network has settled. Returns the one chain, genesis left out.
pub(super) fn all(sim: &Simulation) -> Result<Vec<Block>, String> {
    bounded(sim)?;
    let first = store(honest(sim).next().ok_or("no honest nodes")?.1)?;
    let chain = best_chain(first)?;
    let state = state_hash(first)?;
    for (i, node) in honest(sim) {
        if state_hash(store(node)?)? != state {
            return Err(format!("the state of node {i} differs from the first node's on the same tip"));
        }
    }
    let placed = at_most_once(sim, &chain)?;
    none_lost(sim, &placed)?;
    let replayed = replay(sim, &chain)?;
    if replayed != state {
        return Err("the state is not what replaying the chain from genesis gives".into());
    }
    Ok(chain)
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

/// Every record an honest node admitted is on the chain, in the pool of that node, or was reported by it; one that expired
/// while its node was dying counts as reported, as its expiry stands on it.
fn none_lost(sim: &Simulation, placed: &BTreeSet<RecordId>) -> Result<(), String> {
    for (i, node) in honest(sim) {
        let Some(core) = &node.core else { return Err(format!("node {i} is dead")) };
        let pool: BTreeSet<RecordId> = core.pool_records().collect();
        let next = core.store().tip().map_err(|e| e.to_string())?.1 + 1;
        for (id, expiry) in &node.admitted {
            if !placed.contains(id) && !pool.contains(id) && !node.dropped.contains_key(id) && *expiry >= next {
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
        if let Some(bad) = pending.iter().find(|pending| !sim.is_good(&pending.check)) {
            return Err(format!("replaying the chain from genesis: {}", bad.violation()));
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
