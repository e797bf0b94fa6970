//! Monitoring: a patient's node takes vital signs and seals them to the group window by window; a member's node puts what opens
//! together again, and watches it (docs/monitoring.md). Not a medical device.

mod alerts;
#[cfg(test)]
mod alerts_tests;
mod batch;
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
mod watch;

pub use alerts::{
    AHEAD_MS, Alert, AlertError, AlertKind, Board, CHANNELS_MAX, Change, Latest, Limits, PAST_MAX, SNOOZE_MS_MAX,
};
pub use batch::{BATCH_SAMPLES_MAX, Batch, Incoming, WINDOW_MINUTES};
pub(crate) use intake::Place;
pub use intake::{Accepted, Intake, IntakeError, StreamStatus};
pub use open::ReadError;
pub use timeline::{Cover, Point, Timeline};
pub use watch::{AlertNotice, BoardError, Boards, channel_name};

use crate::driver::{NodeHandle, Shutdown};
use crate::group::{GroupHandle, GroupView};
use medring_protocol::RecordId;
use medring_protocol::group::GroupUid;
use medring_protocol::vitals::Window;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs until the node stops.
pub(crate) async fn run(node: NodeHandle, stop: Shutdown) {
    let Some(monitor) = node.monitor() else { return };
    let sealing = sealer::run(node.clone(), monitor.intake.clone(), stop.clone());
    let watching = watch::run(node, monitor, stop);
    tokio::join!(sealing, watching);
}

/// What a node with a wallet keeps for monitoring. Clones are the same.
#[derive(Clone)]
pub struct Monitor {
    /// What came in.
    pub intake: Arc<Intake>,
    /// What is out of a member's thresholds.
    pub alerts: Arc<Boards>,
    reader: Arc<open::Reader>,
    /// By group, what was put together last, and from which records.
    assembled: Arc<Mutex<BTreeMap<GroupUid, Assembled>>>,
}

/// A timeline, and what it is from: records with whether a block held each, and ranges of streams that wait.
type Assembled = (Vec<Origin>, Arc<Timeline>);
type Origin = (Option<RecordId>, bool, String, u64, u64);

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Monitor(redacted)")
    }
}

impl Monitor {
    /// Opens what was kept.
    pub(crate) fn open(place: Place, rng: &mut impl rand::CryptoRng) -> Self {
        let owner = watch::Owner {
            dir: place.dir.clone(),
            key: place.key.clone(),
            chain: place.chain,
            participant: place.participant,
        };
        let alerts = Arc::new(Boards::open(owner));
        Self { intake: Arc::new(Intake::open(place, rng)), alerts, reader: Arc::default(), assembled: Arc::default() }
    }

    /// What of a group's vital signs opens here, put together. Blocks on the store.
    ///
    /// # Errors
    /// If the chain or the wallet cannot be read; what does not open is told in the timeline.
    pub fn timeline(
        &self,
        node: &NodeHandle,
        groups: &GroupHandle,
        view: &GroupView,
    ) -> Result<Arc<Timeline>, ReadError> {
        let group = view.status.group;
        // What waits first: what is sealed and sent meanwhile is found among the records.
        let waiting = self.intake.waiting(&group);
        let mut opened = self.reader.read(node, groups, view)?;
        let of_record = |one: &open::Opened| (one.record, one.mined, String::new(), 0, 0);
        let of_stream = |w: &Window| (None, false, w.stream().to_owned(), w.from(), w.to());
        let from: Vec<Origin> = opened.iter().map(of_record).chain(waiting.iter().map(of_stream)).collect();
        let lock = || self.assembled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, timeline)) = lock().get(&group).filter(|(last, _)| *last == from) {
            return Ok(timeline.clone());
        }
        let waiting = waiting.into_iter().map(|window| open::What::Window(Arc::new(window)));
        opened.extend(waiting.map(|what| open::Opened { record: None, mined: false, what }));
        let timeline = Arc::new(Timeline::assemble(&opened));
        lock().insert(group, (from, timeline.clone()));
        Ok(timeline)
    }
}
