//! Keeps the boards of alerts up to date with what opens, and on disk.

use super::alerts::{AlertError, AlertKind, Board, Change, Limits};
use super::timeline::Timeline;
use super::{Monitor, ReadError};
use crate::driver::{NodeHandle, Shutdown, now_ms, os_rng};
use crate::wallet::FileError;
use crate::wallet::files::{read_limited, write_private};
use crate::wallet::vault::{decrypt, encrypt};
use medring_protocol::group::GroupUid;
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::vitals::{Channel, Decimal, MDC};
use medring_protocol::{ChainId, ParticipantId, codec};
use rand::CryptoRng;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"medring-alerts/1\n";
const SALT_BYTES: usize = 32;
const NAME: &str = "alerts.state";
/// All boards of a node, at rest.
const STATE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Groups with thresholds.
const BOARDS_MAX: usize = 32;
/// How often time is looked at: silence is an alert, too.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Notices a slow subscriber may lag behind.
const NOTICES_MAX: usize = 256;

/// Something happened to an alert of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNotice {
    /// Where.
    pub group: GroupUid,
    /// What.
    pub change: Change,
}

/// Why an alert's business was not done.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The board's part.
    #[error(transparent)]
    Alert(#[from] AlertError),
    /// The disk. Nothing has changed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The stored state cannot be used.
    #[error("{0}")]
    Damaged(String),
    /// A bound.
    #[error("{BOARDS_MAX} groups have thresholds, the most there may be")]
    Full,
}

/// Whose boards, where, and the keystore's key for them.
pub(super) struct Owner {
    pub(super) dir: PathBuf,
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) chain: ChainId,
    pub(super) participant: ParticipantId,
}

/// The boards of all groups of a node.
pub struct Boards {
    owner: Owner,
    boards: Mutex<BTreeMap<GroupUid, Board>>,
    problem: Option<String>,
    notices: broadcast::Sender<AlertNotice>,
}

impl Owner {
    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    fn file_key(&self, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let fields: [&[u8]; 3] = [self.chain.as_bytes(), self.participant.as_bytes(), salt];
        kdf(Suite::T2Aes, None, &[self.key.as_slice()], "alerts", &fields)
    }

    fn ad(&self) -> Vec<u8> {
        [MAGIC, self.chain.as_bytes(), self.participant.as_bytes()].concat()
    }

    fn load(&self) -> Result<BTreeMap<GroupUid, Board>, BoardError> {
        let path = self.path();
        let bytes = match read_limited(&path, STATE_BYTES_MAX) {
            Err(e) if e.error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            read => read?,
        };
        let damaged = || {
            let what = "is damaged, or of another key or chain; move it away, and set the thresholds anew";
            BoardError::Damaged(format!("{} {what}", path.display()))
        };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or_else(damaged)?;
        let plain = decrypt(&self.file_key(salt), &[0; 12], &self.ad(), sealed).ok_or_else(damaged)?;
        codec::decode(&plain, STATE_BYTES_MAX).map_err(|_| damaged())
    }

    fn save(&self, boards: &BTreeMap<GroupUid, Board>, rng: &mut impl CryptoRng) -> Result<(), FileError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let plain = Zeroizing::new(codec::encode(boards));
        // The key is new with each writing, so the nonce may be fixed.
        let sealed = encrypt(&self.file_key(&salt), &[0; 12], &self.ad(), &plain);
        write_private(&self.path(), &[MAGIC, &salt, &sealed].concat())
    }
}

impl Boards {
    pub(super) fn open(owner: Owner) -> Self {
        let (boards, problem) = match owner.load() {
            Ok(boards) => (boards, None),
            Err(error) => {
                tracing::error!(%error, "this node raises no alerts; the rest of it works");
                (BTreeMap::new(), Some(error.to_string()))
            }
        };
        Self { owner, boards: Mutex::new(boards), problem, notices: broadcast::channel(NOTICES_MAX).0 }
    }

    /// What happens to alerts from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<AlertNotice> {
        self.notices.subscribe()
    }

    /// Why there are no alerts, and what to do.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// A group's board as it is stored; an empty one if it has no thresholds.
    pub fn board(&self, group: &GroupUid) -> Board {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned().unwrap_or_default()
    }

    /// Groups that have thresholds.
    fn groups(&self) -> Vec<GroupUid> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Watches a channel by these limits, or no more.
    pub fn set_limits(&self, group: &GroupUid, channel: &str, limits: Option<Limits>) -> Result<(), BoardError> {
        self.change(group, |board| board.set_limits(channel, limits, now_ms()))
    }

    /// Somebody has seen an alert.
    pub fn acknowledge(&self, group: &GroupUid, id: u64) -> Result<(), BoardError> {
        self.change(group, |board| board.acknowledge(id, now_ms()).map(|()| Vec::new()))
    }

    /// Keeps alerts of one kind back for so long, ms from now.
    pub fn snooze(&self, group: &GroupUid, channel: &str, kind: AlertKind, ms: u64) -> Result<(), BoardError> {
        let now = now_ms();
        self.change(group, |board| board.snooze(channel, kind, now.saturating_add(ms), now).map(|()| Vec::new()))
    }

    /// Feeds what opened.
    fn feed(&self, group: &GroupUid, timeline: &Timeline) -> Result<(), BoardError> {
        let now = now_ms();
        self.change(group, |board| {
            let watched: Vec<(String, String, Option<u64>)> =
                board.watched().map(|(name, unit, at)| (name.to_owned(), unit.to_owned(), at)).collect();
            let mut changes = Vec::new();
            for (name, unit, latest_ms) in watched {
                let of = |c: &Channel| channel_name(c) == name && c.unit == unit;
                let wanted: Vec<bool> = timeline.channels.iter().map(of).collect();
                // Older ones are history, and a board does not look at them twice.
                let from = latest_ms.map_or(0, |at| at.saturating_add(1));
                let new: Vec<(u64, Decimal)> =
                    timeline.range(&wanted, from, u64::MAX, 0).map(|p| (p.time_ms, p.value)).collect();
                changes.extend(board.observe(&name, &new, now));
            }
            changes.extend(board.tick(now));
            Ok(changes)
        })
    }

    /// Changes a board: on disk first, then in memory, then it is told.
    fn change(
        &self,
        group: &GroupUid,
        change: impl FnOnce(&mut Board) -> Result<Vec<Change>, AlertError>,
    ) -> Result<(), BoardError> {
        if let Some(problem) = &self.problem {
            return Err(BoardError::Damaged(problem.clone()));
        }
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        let before = boards.get(group).cloned().unwrap_or_default();
        let mut after = before.clone();
        let changes = change(&mut after)?;
        if after == before {
            return Ok(());
        }
        if !boards.contains_key(group) && boards.len() >= BOARDS_MAX {
            return Err(BoardError::Full);
        }
        let mut all = boards.clone();
        all.insert(*group, after);
        self.owner.save(&all, &mut os_rng())?;
        *boards = all;
        for change in changes {
            // Err: nobody listens.
            let _ = self.notices.send(AlertNotice { group: *group, change });
        }
        Ok(())
    }
}

/// How a channel is named outside: its LOINC code, or `mdc:` and a code.
pub fn channel_name(channel: &Channel) -> String {
    if channel.system == MDC { format!("mdc:{}", channel.code) } else { channel.code.clone() }
}

/// Why a round was not made.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// Runs until the node stops.
pub(super) async fn run(node: NodeHandle, monitor: Monitor, stop: Shutdown) {
    let Some(groups) = node.groups() else { return };
    let mut tips = node.watch();
    let mut failing = false;
    loop {
        let tip = tips.borrow_and_update().tip;
        for group in monitor.alerts.groups() {
            // A group that was left keeps its board and is not watched.
            let Ok(view) = groups.view(&group) else { continue };
            let (node, groups, monitor) = (node.clone(), groups.clone(), monitor.clone());
            let round = move || -> Result<(), RoundError> {
                let timeline = monitor.timeline(&node, &groups, &view)?;
                Ok(monitor.alerts.feed(&group, &timeline)?)
            };
            match tokio::task::spawn_blocking(round).await {
                Ok(Ok(())) => failing = false,
                Ok(Err(error)) if !failing => {
                    tracing::warn!(%error, "alerts are not up to date; it is tried again");
                    failing = true;
                }
                // Told already, or it panicked and that was told.
                _ => {}
            }
        }
        tokio::select! {
            moved = tips.wait_for(|snapshot| snapshot.tip != tip) => if moved.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(dir: &std::path::Path, key: u8) -> Owner {
        let (chain, participant) = (ChainId([1; 32]), ParticipantId([2; 32]));
        Owner { dir: dir.to_owned(), key: Zeroizing::new([key; 32]), chain, participant }
    }

    fn limits() -> Limits {
        let value = |n| Decimal::new(n, 0);
        Limits { unit: "/min".into(), low: value(50), high: value(120), stale_ms: 600_000 }
    }

    #[test]
    fn boards_are_found_again_encrypted_and_under_their_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupUid([9; 32]);
        let boards = Boards::open(owner(dir.path(), 3));
        boards.set_limits(&group, "8867-4", Some(limits())).unwrap();
        let bytes = std::fs::read(dir.path().join(NAME)).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"8867-4"));
        assert_eq!(Boards::open(owner(dir.path(), 3)).board(&group), boards.board(&group));
        let other = Boards::open(owner(dir.path(), 4));
        assert!(other.problem().unwrap().contains("damaged"));
        assert!(other.set_limits(&group, "8867-4", Some(limits())).is_err());
        assert_eq!(std::fs::read(dir.path().join(NAME)).unwrap(), bytes, "what cannot be read is left as it is");
    }

    #[test]
    fn what_could_not_be_stored_has_not_happened() {
        let dir = tempfile::tempdir().unwrap();
        let group = GroupUid([9; 32]);
        let boards = Boards::open(owner(dir.path(), 3));
        std::fs::create_dir(dir.path().join(".alerts.state.tmp")).unwrap();
        assert!(matches!(boards.set_limits(&group, "8867-4", Some(limits())), Err(BoardError::File(_))));
        assert_eq!(boards.board(&group), Board::default());
    }
}
