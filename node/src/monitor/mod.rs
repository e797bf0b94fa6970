//! Monitoring: a patient's node takes vital signs and seals them to the group window by window; a member's node puts what opens
//! together again, and watches it (docs/monitoring.md). Not a medical device.

mod entry;
mod intake;
mod journal;
mod sealer;
mod state;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use intake::Place;
pub use intake::{Accepted, BATCH_SAMPLES_MAX, Batch, Incoming, Intake, IntakeError, StreamStatus, WINDOW_MINUTES};

use crate::driver::{NodeHandle, Shutdown};

/// Runs until the node stops.
pub(crate) async fn run(node: NodeHandle, stop: Shutdown) {
    let Some(monitor) = node.monitor() else { return };
    sealer::run(node, monitor.intake.clone(), stop).await;
}

/// What a node with a wallet keeps for monitoring. Clones are the same.
#[derive(Clone, Debug)]
pub struct Monitor {
    /// What came in.
    pub intake: std::sync::Arc<Intake>,
}

impl Monitor {
    /// Opens what was kept.
    pub(crate) fn open(place: Place, rng: &mut impl rand::CryptoRng) -> Self {
        Self { intake: std::sync::Arc::new(Intake::open(place, rng)) }
    }
}
