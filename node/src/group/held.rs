//! One group on this node: its machine, what of it is stored, and whom to answer once that is so.

use super::GroupError;
use super::extra::Extra;
use medring_protocol::ChainId;
use medring_protocol::group::machine::{Config, Machine, Me, Output, Snapshot};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// A store that failed is tried again after this, ms.
const RETRY_MS: u64 = 5_000;

/// Told whether what was asked is stored.
pub(super) type Told = Box<dyn FnOnce(Result<(), GroupError>) + Send>;

/// What every machine of this node is made with.
#[derive(Clone)]
pub(super) struct Making {
    pub(super) me: Me,
    pub(super) chain: ChainId,
    pub(super) config: Config,
}

/// One group.
pub(super) struct Held {
    pub(super) machine: Machine,
    pub(super) extra: Extra,
    /// Counts restores: answers to what an earlier machine sent are not for this one.
    pub(super) life: u64,
    /// As it lies in the vault; `None` before the first time.
    stored: Option<(Snapshot, Extra)>,
    /// The machine is not the one that is stored.
    replaced: bool,
    told: Vec<Told>,
    /// Peers that await an answer, by the ticket their message was given.
    pub(super) answers: BTreeMap<u64, oneshot::Sender<Vec<u8>>>,
    /// The chain could not be read while the machine worked: what it did is not to be stored.
    pub(super) misled: Option<String>,
    /// Why it could not be stored last time.
    problem: Option<String>,
    /// Why its EpochCommit is not taken.
    pub(super) refused: Option<String>,
    /// Out of work since the vault failed, until then.
    pub(super) paused_until_ms: Option<u64>,
}

impl Held {
    /// A new group, not stored yet.
    pub(super) fn new(machine: Machine, extra: Extra) -> Self {
        Self {
            machine,
            extra,
            life: 0,
            stored: None,
            replaced: false,
            told: Vec::new(),
            answers: BTreeMap::new(),
            misled: None,
            problem: None,
            refused: None,
            paused_until_ms: None,
        }
    }

    /// As it came from the vault.
    pub(super) fn restored(machine: Machine, snapshot: Snapshot, extra: Extra) -> Self {
        Self { stored: Some((snapshot, extra.clone())), ..Self::new(machine, extra) }
    }

    /// Another machine in this one's place: what lies in the vault stays until it is replaced.
    pub(super) fn with(self, machine: Machine, extra: Extra) -> Self {
        Self { stored: self.stored, life: self.life + 1, replaced: true, ..Self::new(machine, extra) }
    }

    /// Answers once what has been done so far is stored, or could not be.
    pub(super) fn when_stored(&mut self, told: impl FnOnce(Result<(), GroupError>) + Send + 'static) {
        self.told.push(Box::new(told));
    }

    /// Stores what changed, and only then gives out what the machine wants done. `Err`: nothing
    /// was stored, everything since the last time is undone, and the group pauses (or, if it was never stored, is no more).
    pub(super) fn settle(
        &mut self,
        making: &Making,
        now_ms: u64,
        store: &mut dyn FnMut(&Snapshot, &Extra) -> Result<(), String>,
    ) -> Result<Vec<Output>, String> {
        if let Some(problem) = self.misled.take() {
            self.undo(making, now_ms, &problem);
            return Err(problem);
        }
        let outputs: Vec<Output> = std::iter::from_fn(|| self.machine.poll_output()).collect();
        let beside = self.replaced || self.stored.as_ref().is_none_or(|(_, extra)| *extra != self.extra);
        if self.machine.changed() || beside {
            let snapshot = self.machine.snapshot();
            if let Err(problem) = store(&snapshot, &self.extra) {
                self.undo(making, now_ms, &problem);
                return Err(problem);
            }
            (self.stored, self.replaced) = (Some((snapshot, self.extra.clone())), false);
        }
        self.problem = None;
        Ok(outputs)
    }

    /// Answers whoever waits for what is stored now. After it was published, so that who is answered and looks sees it.
    pub(super) fn answer_callers(&mut self) {
        self.told.drain(..).for_each(|told| told(Ok(())));
    }

    fn undo(&mut self, making: &Making, now_ms: u64, problem: &str) {
        // Dropped: their streams are reset, and they send again.
        self.answers.clear();
        self.told.drain(..).for_each(|told| told(Err(GroupError::Storage(problem.to_owned()))));
        (self.problem, self.paused_until_ms) = (Some(problem.to_owned()), Some(now_ms.saturating_add(RETRY_MS)));
        let Some((snapshot, extra)) = &self.stored else { return };
        match Machine::restore(making.me.clone(), making.chain, making.config, snapshot) {
            Ok(machine) => {
                (self.machine, self.extra, self.replaced, self.life) = (machine, extra.clone(), false, self.life + 1);
            }
            // It was made by this machine and stored: only a bug gets here, and a restart tries again.
            Err(error) => self.problem = Some(format!("{problem}; and what was stored last is refused: {error}")),
        }
    }

    /// What is wrong beside what the status says.
    pub(super) fn problem(&self) -> Option<&String> {
        self.problem.as_ref().or(self.refused.as_ref())
    }

    /// Whether it is in the vault.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.is_some()
    }
}
