//! Brings what the intake holds onto the chain: cuts windows, seals them to their groups, and sees that each gets there once.

use super::entry::Entry;
use super::intake::{Intake, IntakeError};
use super::state::Stage;
use super::steps::{Seen, Step, step};
use crate::core::SubmitError;
use crate::driver::{NodeHandle, Shutdown, now_ms, os_rng};
use crate::group::{GroupError, GroupHandle};
use crate::wallet::{Draft, DraftError, Moment, Wallet, WalletError, confirmations, seal_to_group};
use medring_protocol::chain::StateRead;
use medring_protocol::deid::Policy;
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::EpochAccess;
use medring_protocol::record::Record;
use medring_protocol::seal::RecordSecret;
use medring_protocol::{ParticipantId, RecordId};
use medring_storage::StorageError;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often windows are looked at though nothing moved: silence ends a window, too.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Windows that are handed on in one round.
const ROUND_MAX: usize = 256;

/// Why a round ended early; it is tried again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error(transparent)]
    Produce(#[from] crate::wallet::ProduceError),
    #[error(transparent)]
    Wallet(#[from] WalletError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error("window {0} of a stream cannot be made: {1}")]
    Window(u64, String),
}

/// One window that is under way.
struct Job {
    of: u32,
    from: u64,
    to: u64,
    group: GroupUid,
    stage: Stage,
}

/// Runs until the node stops.
pub(super) async fn run(node: NodeHandle, intake: Arc<Intake>, stop: Shutdown) {
    let (Some(groups), Some(wallet)) = (node.groups(), node.wallet()) else { return };
    let (mut taken, mut changes, mut tips) = (intake.watch(), groups.watch(), node.watch());
    let mut failing = false;
    loop {
        taken.borrow_and_update();
        changes.borrow_and_update();
        let tip = tips.borrow_and_update().tip;
        let sealer = Sealer { node: &node, intake: &intake, groups: &groups, wallet: &wallet };
        match sealer.round().await {
            Ok(()) => failing = false,
            // Once: what stays wrong would fill the log.
            Err(error) if !failing => {
                tracing::warn!(%error, "vital signs wait to be sealed; it is tried again");
                failing = true;
            }
            Err(_) => {}
        }
        // What failed is not hurried by samples that come in.
        let hurry = async {
            if failing {
                std::future::pending::<()>().await;
            }
            let _ = taken.changed().await;
        };
        tokio::select! {
            () = hurry => {}
            moved = changes.changed() => if moved.is_err() { return },
            moved = tips.wait_for(|snapshot| snapshot.tip != tip) => if moved.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Sealer<'a> {
    node: &'a NodeHandle,
    intake: &'a Arc<Intake>,
    groups: &'a GroupHandle,
    wallet: &'a Arc<Wallet>,
}

impl Sealer<'_> {
    async fn round(&self) -> Result<(), RoundError> {
        self.blocking(cut_due).await?;
        let jobs = self.intake.look(|state| {
            let all = state.streams.iter().flat_map(|(of, stream)| {
                stream.windows.iter().map(|(from, cut)| Job {
                    of: *of,
                    from: *from,
                    to: cut.to,
                    group: stream.group,
                    stage: cut.stage.clone(),
                })
            });
            all.filter(|job| !matches!(job.stage, Stage::Settled)).take(ROUND_MAX).collect::<Vec<_>>()
        });
        if jobs.is_empty() {
            return Ok(());
        }
        let waiting = self.blocking(|parts| parts.waiting()).await?;
        for job in jobs {
            self.advance(job, &waiting).await?;
        }
        Ok(())
    }

    /// Takes one window as far as it goes now.
    async fn advance(&self, mut job: Job, waiting: &BTreeSet<RecordId>) -> Result<(), RoundError> {
        // At most: given up, sealed, submitted, noted; then it waits.
        for _ in 0..6 {
            let (stage, group) = (job.stage.clone(), job.group);
            let known = waiting.clone();
            let seen = self.blocking(move |parts| parts.seen(&stage, &group, &known)).await?;
            let chosen = step(&job.stage, &seen);
            job = match chosen {
                Step::Wait => return Ok(()),
                Step::Submit => self.submit(job).await?,
                other => self.blocking(move |parts| parts.note(job, other)).await?,
            };
        }
        Ok(())
    }

    async fn submit(&self, job: Job) -> Result<Job, RoundError> {
        let (Stage::Sealed(record, r) | Stage::Submitted(record, r)) = job.stage.clone() else { return Ok(job) };
        let bytes = u64::try_from(record.content.sealed.len()).unwrap_or(u64::MAX);
        let (copy, secret) = (record.clone(), RecordSecret::from_bytes(&r));
        // What opens it is in the wallet before anybody has it.
        self.blocking(move |parts| Ok(parts.wallet.note_made(&parts.node.chain_id(), &copy, secret, bytes)?)).await?;
        let first = matches!(job.stage, Stage::Sealed(..));
        match self.node.submit((*record).clone()).await {
            Ok(_) | Err(SubmitError::Pending(_)) => {}
            Err(SubmitError::Invalid(violation)) if violation.rule == "R-DUP" => {}
            // It breaks a rule now: sealed anew it may not.
            Err(SubmitError::Invalid(violation)) => {
                self.blocking(move |parts| parts.note(job, Step::Unseal)).await?;
                return Err(SubmitError::Invalid(violation).into());
            }
            Err(other) => return Err(other.into()),
        }
        if first {
            return self.blocking(move |parts| parts.note(job, Step::NoteSubmitted)).await.map(settled_for_now);
        }
        Ok(settled_for_now(job))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts) -> Result<T, RoundError> + Send + 'static,
    ) -> Result<T, RoundError> {
        let parts = Parts {
            node: self.node.clone(),
            intake: self.intake.clone(),
            groups: self.groups.clone(),
            wallet: self.wallet.clone(),
        };
        // Err: it panicked.
        tokio::task::spawn_blocking(move || work(&parts)).await.map_err(|_| GroupError::Gone)?
    }
}

/// Nothing more is to be done with it in this round.
fn settled_for_now(job: Job) -> Job {
    Job { stage: Stage::Settled, ..job }
}

/// What work beside the reactor needs.
struct Parts {
    node: NodeHandle,
    intake: Arc<Intake>,
    groups: GroupHandle,
    wallet: Arc<Wallet>,
}

/// Cuts every window that is over. One that would not fit into a record is cut shorter.
fn cut_due(parts: &Parts) -> Result<(), RoundError> {
    loop {
        let now = now_ms();
        let due = parts
            .intake
            .look(|state| state.streams.iter().find_map(|(of, s)| Some((*of, s.cut, s.next_cut(now, false)?))));
        let Some((of, from, to)) = due else { return Ok(()) };
        parts.intake.note(Entry::Cut { of, to: parts.fitting(of, from, to)? }, &mut os_rng())?;
    }
}

impl Parts {
    fn me(&self) -> ParticipantId {
        self.wallet.participant()
    }

    fn draft(&self, of: u32, from: u64, to: u64) -> Result<Draft, RoundError> {
        let made = self.intake.look(|state| state.streams.get(&of).map(|stream| stream.window(from, to)));
        let window = match made {
            Some(Ok(window)) => window,
            Some(Err(error)) => return Err(RoundError::Window(from, error.to_string())),
            None => return Err(RoundError::Window(from, "its stream is gone".into())),
        };
        Ok(Draft::from_window(&window, &Policy::Minimal, self.node.params(), &self.wallet.identity().public())?)
    }

    /// The end of the longest window from `from` that fits into a record.
    fn fitting(&self, of: u32, from: u64, mut to: u64) -> Result<u64, RoundError> {
        let pad_min = usize::try_from(self.node.params().pad_min_bytes).unwrap_or(usize::MAX);
        while to - from > 1 && self.draft(of, from, to)?.sensitive.encode(pad_min).is_err() {
            to = from + (to - from) / 2;
        }
        Ok(to)
    }

    /// Records of windows that wait to be mined, or are on their way back to the pool.
    fn waiting(&self) -> Result<BTreeSet<RecordId>, RoundError> {
        let (store, me) = (self.node.store(), self.me());
        let mine = store.pool()?.into_iter().map(|entry| entry.record).filter(|record| record.content.uploader == me);
        Ok(mine.map(|record| record.id(&self.node.chain_id())).collect())
    }

    fn seen(&self, stage: &Stage, group: &GroupUid, waiting: &BTreeSet<RecordId>) -> Result<Seen, RoundError> {
        let (store, (_, tip_height)) = (self.node.store(), self.node.store().tip()?);
        let mut seen = Seen {
            sealing: self.groups.sealing(group).ok().map(|access| access.gid),
            tip_height,
            settled_at: u64::from(self.node.params().confirmations),
            ..Seen::default()
        };
        if let Stage::Sealed(record, _) | Stage::Submitted(record, _) = stage {
            let id = record.id(&self.node.chain_id());
            // The pool was read before: a record that left it since is on the chain by now.
            seen.waits = waiting.contains(&id) || store.records_are_returning()?;
            seen.depth = store.location(&id)?.map(|at| confirmations(at.height, tip_height));
        }
        Ok(seen)
    }

    /// Does what needs the disk alone, and notes it.
    fn note(&self, job: Job, step: Step) -> Result<Job, RoundError> {
        let Job { of, from, .. } = job;
        let (entry, stage) = match (step, &job.stage) {
            (Step::Seal, _) => {
                let (record, r) = self.seal(&job)?;
                let entry = Entry::Sealed { of, from, record: record.encode().into(), r };
                (entry, Stage::Sealed(Box::new(record), r))
            }
            (Step::NoteSubmitted, Stage::Sealed(record, r)) => {
                (Entry::Submitted { of, from }, Stage::Submitted(record.clone(), *r))
            }
            (Step::Unseal, stage) => {
                if let Stage::Sealed(record, _) | Stage::Submitted(record, _) = stage {
                    self.wallet.forget_made(&record.id(&self.node.chain_id()))?;
                }
                (Entry::Unsealed { of, from }, Stage::Cut)
            }
            (Step::Settle, _) => (Entry::Settled { of, from }, Stage::Settled),
            (_, stage) => return Ok(Job { stage: stage.clone(), ..job }),
        };
        self.intake.note(entry, &mut os_rng())?;
        Ok(Job { stage, ..job })
    }

    fn seal(&self, job: &Job) -> Result<(Record, [u8; 32]), RoundError> {
        let access: EpochAccess = self.groups.sealing(&job.group)?;
        let draft = self.draft(job.of, job.from, job.to)?;
        let at = Moment { now_ms: now_ms(), tip_height: self.node.store().tip()?.1 };
        let made = seal_to_group(self.node.params(), self.wallet.identity(), &access, &draft, at, &mut os_rng())?;
        Ok((made.record, *made.r.expose()))
    }
}
