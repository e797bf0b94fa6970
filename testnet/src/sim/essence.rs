//! What a restart must not change: a node started from its store is the node that was.

use super::node::SimCore;
use medring_protocol::{BlockId, RecordId};

/// The part of a core that outlives its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Essence {
    tip: BlockId,
    /// Each header: complete since when, with a body, invalid.
    headers: Vec<(BlockId, Option<u64>, bool, bool)>,
    /// The pool in the order of admission.
    pool: Vec<RecordId>,
}

impl Essence {
    pub(super) fn of(core: &SimCore) -> Self {
        let header =
            |(id, node): (&BlockId, &medring_protocol::chain::HeaderNode)| (*id, node.arrival, node.body, node.invalid);
        Self {
            tip: core.snapshot().tip,
            headers: core.tree().iter().map(header).collect(),
            pool: core.pool_records().collect(),
        }
    }

    /// `Err` says what the restart changed.
    pub(super) fn compare(&self, after: &Self) -> Result<(), String> {
        if self.tip != after.tip {
            return Err(format!("a restart moved the tip from {} to {}", self.tip, after.tip));
        }
        if let Some((a, b)) = self.headers.iter().zip(&after.headers).find(|(a, b)| a != b) {
            return Err(format!("a restart made of header (id, arrival, body, invalid) {a:?} {b:?}"));
        }
        if self.headers.len() != after.headers.len() {
            return Err(format!("a restart made {} headers of {}", after.headers.len(), self.headers.len()));
        }
        if self.pool != after.pool {
            return Err(format!("a restart made of the pool {:?} {:?}", self.pool, after.pool));
        }
        Ok(())
    }

    /// Whether the tip is the same.
    pub(super) fn same_tip(&self, other: &Self) -> bool {
        self.tip == other.tip
    }
}
