//! Events as log lines. What a peer can cause at will is said at most once in a while.

use crate::core::limits::CATCHING_UP_BLOCKS;
use crate::core::{Event, Snapshot, SyncPhase};
use crate::telemetry::Limiter;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

/// Logs until the node is gone.
pub(super) async fn run(
    mut events: Receiver<Event>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    (chain, confirmations): (String, u64),
    now_ms: fn() -> u64,
) {
    let mut progress = Limiter::default();
    let (mut wrong, mut faults, mut warnings) = (Limiter::default(), Limiter::default(), Limiter::default());
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "events came faster than they could be logged");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        match event {
            Event::Tip { disconnected, connected, height, settled: _ } => {
                let tip = connected.last().map(ToString::to_string).unwrap_or_default();
                if disconnected.is_empty() && is_far_behind(&snapshot.borrow()) {
                    if progress.allow(now_ms()).is_some() {
                        tracing::info!(height, "{}", told(&snapshot.borrow()));
                    }
                } else if disconnected.is_empty() {
                    tracing::info!(height, tip, "new tip");
                } else {
                    tracing::warn!(height, tip, left = disconnected.len(), joined = connected.len(), "reorganised");
                }
            }
            Event::Reorg { report } if report.depth() > confirmations => tracing::error!(
                depth = report.depth(),
                from = %report.from.0,
                to = %report.to.0,
                "a deep reorganisation: blocks that counted as settled left the chain; see `medring chain reorgs`"
            ),
            Event::Reorg { report } => tracing::debug!(depth = report.depth(), "records of left blocks return"),
            Event::MinedBlock { block, height } => tracing::info!(height, %block, "mined a block"),
            Event::Pooled { record } => tracing::debug!(%record, "a record waits to be mined"),
            Event::Dropped { record, reason } => tracing::info!(%record, reason, "a record left the pool unmined"),
            Event::WrongNetwork { peer, theirs } => {
                if let Some(more) = wrong.allow(now_ms()) {
                    let (peer, theirs, name) = (peer.0, theirs.chain.to_string(), theirs.chain_name);
                    tracing::warn!(
                        peer,
                        ours = chain,
                        theirs,
                        name,
                        more,
                        "a peer is on another network; compare genesis files"
                    );
                }
            }
            Event::PeerFault { peer, reason } => {
                if let Some(more) = faults.allow(now_ms()) {
                    tracing::info!(peer = peer.0, reason, more, "a peer broke a rule and was disconnected");
                }
            }
            Event::Warning(warning) => {
                if let Some(more) = warnings.allow(now_ms()) {
                    tracing::warn!(more, "{warning}");
                }
            }
            Event::Fatal(problem) => tracing::error!("{problem}"),
        }
    }
}

/// Whether so much is missing that a line for each block would say little.
fn is_far_behind(snapshot: &Snapshot) -> bool {
    snapshot.sync.phase == SyncPhase::Bodies && snapshot.sync.to > snapshot.height + CATCHING_UP_BLOCKS
}

/// How far catching up is.
fn told(snapshot: &Snapshot) -> String {
    let sync = &snapshot.sync;
    let left = sync.left_ms.map(|ms| format!(", {} s left", ms.div_ceil(1_000))).unwrap_or_default();
    let (bodies, total, rate) = (sync.bodies, sync.bodies_total, sync.blocks_per_second);
    format!("catching up: {bodies} of {total} blocks from {} peers, {rate} blocks/s{left}", sync.peers)
}
