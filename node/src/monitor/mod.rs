//! Monitoring: a patient's node takes vital signs and seals them to the group window by window; a member's node puts what opens
//! together again, and watches it (docs/monitoring.md). Not a medical device.

mod entry;
mod intake;
mod journal;
mod open;
mod sealer;
mod state;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use intake::Place;
pub use intake::{Accepted, BATCH_SAMPLES_MAX, Batch, Incoming, Intake, IntakeError, StreamStatus, WINDOW_MINUTES};
pub use open::ReadError;
pub use timeline::{Cover, Point, Timeline};

use crate::driver::{NodeHandle, Shutdown};
use crate::group::{GroupHandle, GroupView};
use std::sync::Arc;

/// Runs until the node stops.
pub(crate) async fn run(node: NodeHandle, stop: Shutdown) {
    let Some(monitor) = node.monitor() else { return };
    sealer::run(node, monitor.intake.clone(), stop).await;
}

/// What a node with a wallet keeps for monitoring. Clones are the same.
#[derive(Clone)]
pub struct Monitor {
    /// What came in.
    pub intake: Arc<Intake>,
    reader: Arc<open::Reader>,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Monitor(redacted)")
    }
}

impl Monitor {
    /// Opens what was kept.
    pub(crate) fn open(place: Place, rng: &mut impl rand::CryptoRng) -> Self {
        Self { intake: Arc::new(Intake::open(place, rng)), reader: Arc::default() }
    }

    /// What of a group's vital signs opens here, put together. Blocks on the store.
    ///
    /// # Errors
    /// If the chain or the wallet cannot be read; what does not open is told in the timeline.
    pub fn timeline(&self, node: &NodeHandle, groups: &GroupHandle, view: &GroupView) -> Result<Timeline, ReadError> {
        Ok(Timeline::assemble(&self.reader.read(node, groups, view)?))
    }
}
