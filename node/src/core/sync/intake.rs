//! Which headers are stored: those whose branch has enough work, that do not lie in the future, and that contradict no
//! checkpoint of the operator.

use super::super::{NodeCore, limits};
use medring_protocol::BlockId;
use medring_protocol::block::Header;
use medring_protocol::chain::{HeaderError, Inserted};
use medring_protocol::pow::{Target, Work};
use medring_storage::{Durability, Engine, StorageError};

/// What became of successive headers.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The last one that is in the tree now.
    pub(super) last: Option<BlockId>,
    /// Why the next one is not.
    pub(super) stopped: Option<Stopped>,
}

/// Why a header was not taken.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Its stamp is too far ahead: its time may come.
    Future,
    /// The operator does not want the block at this height, by a checkpoint or by command. It is not marked invalid.
    Unwanted(u64),
    /// It breaks a rule.
    Bad(BlockId, HeaderError),
}

impl<E: Engine> NodeCore<E> {
    /// Height of the header with most work.
    pub(in crate::core) fn best_header_height(&self) -> u64 {
        self.tree.get(&self.tree.best_header()).map_or(0, |node| node.header.height)
    }

    /// The least work of a branch whose headers are stored: the operator's minimum, or our tip's less a day's slack or so;
    /// where side branches fill their table, more than any branch has.
    pub(in crate::core) fn work_needed(&self) -> Work {
        let best = self.tree.get(&self.tree.best_header());
        let height = best.map_or(0, |node| node.header.height);
        if self.tree.len() as u64 > height.saturating_add(limits::SIDE_HEADERS_MAX as u64) {
            let best = best.map(|node| node.work.clone()).unwrap_or_default();
            return best.plus(&Work::from_bytes(&ONE));
        }
        let tip = self.tree.get(&self.tip());
        let own = tip.map(|tip| own_work(&tip.header)).unwrap_or_default();
        let near_tip = self.work().minus(&own.times(limits::WORK_SLACK_BLOCKS));
        self.config.min_work.clone().max(near_tip)
    }

    /// Whether the block of a header that is not in the tree would stand on a branch with enough work; `true` where its parent
    /// is unknown. Whoever asks has checked the header's proof of work.
    pub(in crate::core) fn has_enough_work(&self, header: &Header) -> bool {
        let Some(parent) = self.tree.get(&header.prev) else { return true };
        parent.work.plus(&own_work(header)) >= self.work_needed()
    }

    /// Whether the operator's checkpoints name another block for this height.
    pub(in crate::core) fn contradicts_checkpoint(&self, height: u64, id: &BlockId) -> bool {
        self.config.checkpoints.get(&height).is_some_and(|due| due != id)
    }

    /// Takes successive headers into the tree and the store, in one batch, up to the first that cannot be taken.
    pub(super) fn store_headers(&mut self, headers: &[Header]) -> Result<Taken, StorageError> {
        let (mut taken, mut new) = (Taken::default(), Vec::new());
        for header in headers {
            let id = header.id();
            taken.stopped = if header.time_ms > self.latest_stamp_ms() {
                Some(Stopped::Future)
            } else if self.contradicts_checkpoint(header.height, &id) {
                Some(Stopped::Unwanted(header.height))
            } else {
                match self.tree.insert(&self.config.rules, &self.config.params, *header) {
                    Ok(inserted) => {
                        new.extend((inserted == Inserted::New).then_some(*header));
                        None
                    }
                    Err(HeaderError::VetoedParent(_)) => Some(Stopped::Unwanted(header.height)),
                    Err(error) => Some(Stopped::Bad(id, error)),
                }
            };
            if taken.stopped.is_some() {
                break;
            }
            taken.last = Some(id);
        }
        if !new.is_empty() {
            self.store.put_headers(&new, Durability::Buffered)?;
        }
        Ok(taken)
    }
}

/// Work of one block, as its header claims it.
pub(super) fn own_work(header: &Header) -> Work {
    header.target.decode().map(Target::work).unwrap_or_default()
}

/// The number one, big-endian.
const ONE: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[31] = 1;
    bytes
};
