//! The figures of `/metrics` that the simulator has: what a core shows, and what its driver would count.

use medring_node::core::{Event, Input, Output, Snapshot, Verdict};
use medring_protocol::wire::{Request, Response};

/// What a node's driver counts from its start on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sim) struct Figures {
    blocks_found: u64,
    reorgs: u64,
    deep_reorgs: u64,
    reorg_depth: u64,
    /// Blocks that the deepest reorganisation disconnected.
    pub(in crate::sim) reorg_depth_max: u64,
    pub(in crate::sim) bans: u64,
    accepted: u64,
    ignored: u64,
    rejected: u64,
    bodies_asked: u64,
    bodies_received: u64,
    bodies_served: u64,
}

/// A figure's name, and where it comes from.
type Figure = (&'static str, fn(&Figures, &Snapshot) -> u64);

/// All of them. Names and meanings are those of real nodes.
const ALL: &[Figure] = &[
    ("medring_height", |_, core| core.height),
    ("medring_headers_height", |_, core| core.headers_height),
    ("medring_peers", |_, core| core.peers.len() as u64),
    ("medring_pool_records", |_, core| core.pool_records as u64),
    ("medring_pool_bytes", |_, core| core.pool_bytes as u64),
    ("medring_future_blocks", |_, core| core.tables.future_blocks as u64),
    ("medring_blocks_found_total", |own, _| own.blocks_found),
    ("medring_reorgs_total", |own, _| own.reorgs),
    ("medring_reorg_depth", |own, _| own.reorg_depth),
    ("medring_reorg_depth_max", |own, _| own.reorg_depth_max),
    ("medring_deep_reorgs_total", |own, _| own.deep_reorgs),
    ("medring_bans_total", |own, _| own.bans),
    ("medring_gossip_messages_total{verdict=\"accept\"}", |own, _| own.accepted),
    ("medring_gossip_messages_total{verdict=\"ignore\"}", |own, _| own.ignored),
    ("medring_gossip_messages_total{verdict=\"reject\"}", |own, _| own.rejected),
    ("medring_bodies_asked_total", |own, _| own.bodies_asked),
    ("medring_bodies_received_total", |own, _| own.bodies_received),
    ("medring_bodies_served_total", |own, _| own.bodies_served),
];

fn named(name: &str) -> Option<&'static Figure> {
    ALL.iter().find(|(known, _)| *known == name)
}

/// Whether the simulator has a figure; if not, what it has.
pub(super) fn check(name: &str) -> Result<(), String> {
    if named(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "the simulator has no metric {name:?}: it has no sockets, miners and worker threads. It has {}; without --sim the \
         scenario runs on real nodes, which have all",
        names.join(", ")
    ))
}

/// A figure of a node.
pub(super) fn of(name: &str, own: &Figures, core: &Snapshot) -> Result<f64, String> {
    check(name)?;
    let count = named(name).map_or(0, |(_, of)| of(own, core));
    // As on real nodes: exact below 2^32.
    Ok(u32::try_from(count).map_or(f64::from(u32::MAX), f64::from))
}

impl Figures {
    /// Counts what a core lets out, before anything is changed about it. `settled_depth`: D.
    pub(super) fn count(&mut self, output: &Output, settled_depth: u32) {
        match output {
            Output::Ask { request: Request::Blocks { ids }, .. } => self.bodies_asked += ids.len() as u64,
            Output::Respond { response: Response::Blocks(blocks), .. } => self.bodies_served += blocks.len() as u64,
            Output::Event(Event::MinedBlock { .. }) => self.blocks_found += 1,
            Output::Event(Event::Reorg { report }) => {
                self.reorgs += 1;
                self.reorg_depth = report.depth();
                self.reorg_depth_max = self.reorg_depth_max.max(report.depth());
                self.deep_reorgs += u64::from(report.depth() > u64::from(settled_depth));
            }
            _ => {}
        }
    }

    /// Counts what gossip is told.
    pub(super) fn judge(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept => self.accepted += 1,
            Verdict::Ignore => self.ignored += 1,
            Verdict::Reject => self.rejected += 1,
        }
    }

    /// Counts what reaches a core.
    pub(in crate::sim) fn arrive(&mut self, input: &Input) {
        if let Input::Response { response: Ok(Response::Blocks(blocks)), .. } = input {
            self.bodies_received += blocks.len() as u64;
        }
    }
}
