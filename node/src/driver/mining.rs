//! Mining on demand: so many blocks, now, on a test network.

use super::NodeHandle;
use super::core_thread::Local;
use crate::core::Event;
use crate::miner::Miner;
use medring_protocol::BlockId;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Most blocks of one call.
const BLOCKS_MAX: u32 = 10_000;
/// A demanded block that did not join the best chain by then was overtaken: another is mined in its place.
const OVERTAKEN_AFTER: Duration = Duration::from_millis(500);

/// Why no blocks were mined on demand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MineError {
    /// A production network.
    #[error("{0:?} is a production network: blocks are mined by competition only")]
    Production(String),
    /// Too many at once.
    #[error("{asked} blocks are more than {BLOCKS_MAX} at once; ask several times")]
    TooMany {
        /// How many were asked for.
        asked: u32,
    },
    /// The store failed.
    #[error("the node could not read its store: {0}")]
    Storage(String),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// Takes back what is left of the demand, also when the caller goes away.
struct Demand<'a>(&'a Miner);

impl Drop for Demand<'_> {
    fn drop(&mut self) {
        self.0.cancel_demand();
    }
}

/// Mines until `blocks` of ours joined the best chain. One call at a time; others wait.
pub(super) async fn mine(node: &NodeHandle, blocks: u32) -> Result<Vec<BlockId>, MineError> {
    if !node.params().is_testnet() {
        return Err(MineError::Production(node.params().name.clone()));
    }
    if blocks > BLOCKS_MAX {
        return Err(MineError::TooMany { asked: blocks });
    }
    let _turn = node.0.mining_turn.lock().await;
    let mut events = node.subscribe();
    let miner = &node.0.miner;
    let _demand = Demand(miner);
    let wanted = usize::try_from(blocks).unwrap_or(usize::MAX);
    let mut ours: Vec<(u64, BlockId)> = Vec::new();
    let demand = async |blocks: usize| {
        let blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
        node.0.local.send(Local::Demand(blocks)).await.map_err(|_| MineError::Stopping)
    };
    demand(wanted).await?;
    loop {
        let joined = joined(node, &ours)?;
        if joined.len() >= wanted {
            return Ok(joined);
        }
        tokio::select! {
            () = node.0.shutdown.cancelled() => return Err(MineError::Stopping),
            event = events.recv() => match event {
                Ok(Event::MinedBlock { block, height }) => ours.push((height, block)),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(MineError::Stopping),
            },
            () = tokio::time::sleep(OVERTAKEN_AFTER), if miner.demanded() == 0 => {
                demand(wanted - joined.len()).await?;
            }
        }
    }
}

/// Those of `ours` that are on the best chain, lowest first.
fn joined(node: &NodeHandle, ours: &[(u64, BlockId)]) -> Result<Vec<BlockId>, MineError> {
    let mut out = Vec::new();
    for (height, id) in ours {
        if node.store().id_at(*height).map_err(|e| MineError::Storage(e.to_string()))? == Some(*id) {
            out.push(*id);
        }
    }
    Ok(out)
}
