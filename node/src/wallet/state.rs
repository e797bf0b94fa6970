//! What a wallet knows, and its one encrypted file (docs/spec/wallet.md).
//!
//! The file is rewritten whole and atomically: a crash leaves the old state or the new, and the old one only costs a scan of
//! some blocks again. It stays small, since it holds where records are and what opens them, not the records: at most
//! [`RECORDS_MAX`] of about 300 bytes. Everything in it but the birthday can be found again on the chain.

use super::checks::{Checks, Place};
use super::files::{self, FileError};
use super::vault;
use medring_protocol::codec;
use medring_protocol::identity::Role;
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::record::Kind;
use medring_protocol::seal::RecordSecret;
use medring_protocol::{BlockId, ChainId, ParticipantId, RecordId};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

const MAGIC: &[u8] = b"medring-wallet/1\n";
const SALT_BYTES: usize = 32;
/// Most records one wallet holds.
pub const RECORDS_MAX: usize = 16_384;
/// Longest reason kept why a record did not open, bytes.
const PROBLEM_BYTES_MAX: usize = 200;
/// Largest state read, bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

const _: () = assert!(RECORDS_MAX * (300 + PROBLEM_BYTES_MAX) < BYTES_MAX + 1024 * 1024, "a full wallet can be read");

/// A record that is sealed to this participant.
#[derive(Clone, Debug, Serialize)]
pub struct WalletRecord {
    /// Its id.
    pub record_id: RecordId,
    /// What it is.
    pub kind: Kind,
    /// Who made it.
    pub uploader: ParticipantId,
    /// The uploader's role, if it is enrolled.
    pub uploader_role: Option<Role>,
    /// T, ms since 1970.
    pub stamp_ms: u64,
    /// Where it stands; `None`: it left the best chain in a reorg and waits to be mined again.
    pub place: Option<Place>,
    /// Length of its content, bytes.
    pub bytes: u64,
    /// What it was checked for when it was found.
    pub checks: Checks,
    /// Why it does not open, though it is sealed to this participant.
    pub problem: Option<String>,
    /// r.
    #[serde(skip)]
    pub(super) r: Option<RecordSecret>,
}

impl WalletRecord {
    /// r, if the record opened: whoever is given it reads this record, and nothing else.
    pub(crate) fn secret(&self) -> Option<&RecordSecret> {
        self.r.as_ref()
    }
}

#[derive(Serialize, Deserialize)]
struct StoredRecord {
    id: RecordId,
    kind: Kind,
    uploader: ParticipantId,
    uploader_role: Option<Role>,
    stamp_ms: u64,
    place: Option<Place>,
    bytes: u64,
    checks: Checks,
    problem: Option<String>,
    r: Option<[u8; 32]>,
}

impl Drop for StoredRecord {
    fn drop(&mut self) {
        self.r.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
struct StoredState {
    birthday: u64,
    marks: Vec<(u64, BlockId)>,
    records: Vec<StoredRecord>,
}

/// What a wallet knows.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// First height that is scanned.
    pub(super) birthday: u64,
    /// Blocks up to which the best chain was scanned, ascending: the newest ones all, older ones ever more sparsely. The
    /// last is the scan's position; the others find the fork after a reorg.
    pub(super) marks: Vec<(u64, BlockId)>,
    /// By id.
    pub(super) records: BTreeMap<RecordId, WalletRecord>,
}

/// Marks kept without a gap.
const MARKS_DENSE: usize = 32;

impl State {
    /// The next height to scan.
    pub(super) fn next_height(&self) -> u64 {
        self.marks.last().map_or(self.birthday, |(height, _)| height + 1)
    }

    /// Notes that the block at `height` was scanned, and thins the marks out: behind the newest, each gap is at most about
    /// as long as the way to the tip, so a reorg costs at most scanning twice what it replaced.
    pub(super) fn mark(&mut self, height: u64, id: BlockId) {
        self.marks.push((height, id));
        let (mut kept, mut seen) = (Vec::new(), 0usize);
        let mut last = u64::MAX;
        for (at, id) in self.marks.iter().rev() {
            let distance = height - at;
            let gap = if seen < MARKS_DENSE { 1 } else { (distance / 4).next_power_of_two() };
            if last == u64::MAX || last - at >= gap || at / gap != last / gap {
                kept.push((*at, *id));
                last = *at;
                seen += 1;
            }
        }
        kept.reverse();
        self.marks = kept;
    }
}

/// Why a wallet's state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk or the permissions.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not what this keystore wrote for this chain.
    #[error(
        "{path} is damaged, or of another key or chain ({what}); move it away: the records are found again from the birthday height",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Where a state is kept, for whom, and the key it lies under.
pub(super) struct StateFile {
    pub(super) path: PathBuf,
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) chain: ChainId,
    pub(super) participant: ParticipantId,
}

impl StateFile {
    fn file_key(&self, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let fields: [&[u8]; 3] = [self.chain.as_bytes(), self.participant.as_bytes(), salt];
        kdf(Suite::T2Aes, None, &[self.key.as_slice()], "wallet file", &fields)
    }

    fn ad(&self) -> Vec<u8> {
        [MAGIC, self.chain.as_bytes(), self.participant.as_bytes()].concat()
    }

    /// Writes the state under a key of its own, so that the nonce may be fixed: magic ‖ salt ‖ AES-256-GCM(state).
    pub(super) fn save(&self, state: &State, rng: &mut impl CryptoRng) -> Result<(), FileError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let plain = Zeroizing::new(codec::encode(&to_stored(state)));
        let sealed = vault::encrypt(&self.file_key(&salt), &[0; 12], &self.ad(), &plain);
        files::write_private(&self.path, &[MAGIC, &salt, &sealed].concat())
    }

    /// Reads the state; `None` if there is no file yet.
    pub(super) fn load(&self) -> Result<Option<State>, StateError> {
        let bytes = match files::read_limited(&self.path, BYTES_MAX) {
            Err(e) if e.error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let damaged = |what: &str| StateError::Damaged { path: self.path.clone(), what: what.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as a wallet does"))?;
        let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or_else(|| damaged("it is truncated"))?;
        let plain = vault::decrypt(&self.file_key(salt), &[0; 12], &self.ad(), sealed);
        let plain = plain.ok_or_else(|| damaged("it does not decrypt"))?;
        let stored: StoredState = codec::decode(&plain, BYTES_MAX).map_err(|e| damaged(&e.to_string()))?;
        if stored.records.len() > RECORDS_MAX {
            return Err(damaged("it holds too many records"));
        }
        Ok(Some(from_stored(stored)))
    }

    /// The file's folder-independent name.
    pub(super) fn path_in(dir: &Path) -> PathBuf {
        dir.join("wallet.state")
    }
}

fn to_stored(state: &State) -> StoredState {
    let record = |w: &WalletRecord| StoredRecord {
        id: w.record_id,
        kind: w.kind,
        uploader: w.uploader,
        uploader_role: w.uploader_role,
        stamp_ms: w.stamp_ms,
        place: w.place,
        bytes: w.bytes,
        checks: w.checks,
        problem: w.problem.as_ref().map(|p| p.chars().take(PROBLEM_BYTES_MAX / 4).collect()),
        r: w.r.as_ref().map(|r| *r.expose()),
    };
    let records = state.records.values().map(record).collect();
    StoredState { birthday: state.birthday, marks: state.marks.clone(), records }
}

fn from_stored(stored: StoredState) -> State {
    let record = |s: &StoredRecord| WalletRecord {
        record_id: s.id,
        kind: s.kind,
        uploader: s.uploader,
        uploader_role: s.uploader_role,
        stamp_ms: s.stamp_ms,
        place: s.place,
        bytes: s.bytes,
        checks: s.checks,
        problem: s.problem.clone(),
        r: s.r.as_ref().map(RecordSecret::from_bytes),
    };
    let records = stored.records.iter().map(|s| (s.id, record(s))).collect();
    State { birthday: stored.birthday, marks: stored.marks, records }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_few_and_reach_back_to_the_start() {
        let mut state = State::default();
        for height in 0..20_000 {
            state.mark(height, BlockId([1; 32]));
            assert!(state.marks.len() < 160, "{} marks at height {height}", state.marks.len());
        }
        assert_eq!(state.next_height(), 20_000);
        for depth in [1u64, 10, 100, 1_000, 10_000] {
            let fork = 19_999 - depth;
            let mark = state.marks.iter().rev().map(|(height, _)| *height).find(|height| *height <= fork);
            let again = 19_999 - mark.unwrap_or(0);
            assert!(again <= 2 * depth + 64, "a reorg of {depth} blocks scans {again} again");
        }
    }
}
