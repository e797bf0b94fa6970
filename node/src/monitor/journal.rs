//! The intake's file: encrypted entries, each synced before it counts; what is torn at the end is dropped, what is damaged
//! before the end is told (docs/spec/vitals.md).

use super::entry::Entry;
use crate::wallet::FileError;
use crate::wallet::files::{read_limited, write_private};
use crate::wallet::vault::{decrypt, encrypt};
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::{ChainId, ParticipantId, codec};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::Write;
#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"medring-vitals/1\n";
const SALT_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;
const HEAD_BYTES: usize = MAGIC.len() + SALT_BYTES + CHECK_BYTES;
/// Length u32 ‖ eight bytes that vouch for it.
const FRAME_BYTES: usize = 4 + CHECK_BYTES;
/// Largest entry, encrypted.
const ENTRY_BYTES_MAX: usize = 512 * 1024;
/// Largest file read.
pub(super) const FILE_BYTES_MAX: usize = 640 * 1024 * 1024;
const NAME: &str = "journal";

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    /// The disk or the permissions.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not what this keystore wrote for this chain.
    #[error(
        "{path} is damaged, or of another key or chain ({what}); move it away to go on: samples in it that are in no record yet are lost",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Whose journal it is, where, and the keystore's key for it.
pub(super) struct Owner {
    pub(super) dir: PathBuf,
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) chain: ChainId,
    pub(super) participant: ParticipantId,
}

impl Owner {
    fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    fn file_key(&self, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let fields: [&[u8]; 3] = [self.chain.as_bytes(), self.participant.as_bytes(), salt];
        kdf(Suite::T2Aes, None, &[self.key.as_slice()], "vitals journal", &fields)
    }

    fn ad(&self) -> Vec<u8> {
        [MAGIC, self.chain.as_bytes(), self.participant.as_bytes()].concat()
    }

    fn damaged(&self, what: impl Into<String>) -> JournalError {
        JournalError::Damaged { path: self.path(), what: what.into() }
    }

    /// Every entry of the file; none if there is no file. A last entry that was not written whole was never acknowledged,
    /// and is dropped.
    pub(super) fn read(&self) -> Result<Vec<Entry>, JournalError> {
        let bytes = match read_limited(&self.path(), FILE_BYTES_MAX) {
            Err(e) if e.error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        let head = bytes.split_at_checked(HEAD_BYTES).filter(|(head, _)| head.starts_with(MAGIC));
        let (head, mut rest) = head.ok_or_else(|| self.damaged("it does not begin as a journal does"))?;
        let (salt, check) = head.split_at(MAGIC.len()).1.split_at(SALT_BYTES);
        // Written whole with the file: without it nothing behind it could be told from what was torn.
        if check != vouch(salt, MAGIC) {
            return Err(self.damaged("its head is not as it was written"));
        }
        let (key, ad) = (self.file_key(salt), self.ad());
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let place = entries.len();
            let torn = |what: &str| match followed(salt, rest) {
                true => Err(self.damaged(format!("entry {place} {what}, and others follow it"))),
                false => Ok(()),
            };
            let Some((frame, body)) = rest.split_at_checked(FRAME_BYTES) else { break };
            let Some(len) = frame_len(salt, frame) else {
                torn("has no length")?;
                break;
            };
            let Some((sealed, after)) = body.split_at_checked(len) else { break };
            let Some(plain) = decrypt(&key, &nonce(place), &ad, sealed) else {
                if after.is_empty() {
                    break;
                }
                return Err(self.damaged(format!("entry {place} does not decrypt, and others follow it")));
            };
            let entry = codec::decode(&plain, ENTRY_BYTES_MAX);
            entries.push(entry.map_err(|e| self.damaged(format!("entry {place}: {e}")))?);
            rest = after;
        }
        Ok(entries)
    }

    /// Begins the file anew with these entries, under a new key; the old file or the new one is there, whole.
    pub(super) fn rewrite(&self, entries: &[Entry], rng: &mut impl CryptoRng) -> Result<Journal, JournalError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let mut journal = Pen { key: self.file_key(&salt), ad: self.ad(), salt, place: 0 };
        let mut bytes = [MAGIC, &salt, &vouch(&salt, MAGIC)].concat();
        for entry in entries {
            bytes.extend_from_slice(&journal.frame(entry));
        }
        let path = self.path();
        write_private(&path, &bytes)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(FileError::writing(&path))?;
        Ok(Journal { pen: journal, path, file, bytes: bytes.len(), broken: false })
    }
}

fn nonce(place: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&u64::try_from(place).unwrap_or(u64::MAX).to_be_bytes());
    nonce
}

fn vouch(salt: &[u8], what: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new().chain_update(salt).chain_update(what).finalize();
    let mut out = [0; CHECK_BYTES];
    out.copy_from_slice(&digest[..CHECK_BYTES]);
    out
}

/// The length that a frame names, if it was written by us.
fn frame_len(salt: &[u8], frame: &[u8]) -> Option<usize> {
    let (len, check) = frame.split_first_chunk::<4>()?;
    let bytes = usize::try_from(u32::from_be_bytes(*len)).ok().filter(|bytes| *bytes <= ENTRY_BYTES_MAX)?;
    (check == vouch(salt, len)).then_some(bytes)
}

/// Whether behind a frame that is no frame there are others: then it was written whole once.
fn followed(salt: &[u8], rest: &[u8]) -> bool {
    (1..rest.len()).any(|at| rest.get(at..at + FRAME_BYTES).is_some_and(|frame| frame_len(salt, frame).is_some()))
}

/// Encrypts one entry after the other.
struct Pen {
    key: Zeroizing<[u8; 32]>,
    ad: Vec<u8>,
    salt: [u8; SALT_BYTES],
    place: usize,
}

impl Pen {
    fn frame(&mut self, entry: &Entry) -> Vec<u8> {
        let plain = Zeroizing::new(codec::encode(entry));
        let sealed = encrypt(&self.key, &nonce(self.place), &self.ad, &plain);
        self.place += 1;
        let len = u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes();
        [len.as_slice(), &vouch(&self.salt, &len), &sealed].concat()
    }
}

/// The open file, at its end.
pub(super) struct Journal {
    pen: Pen,
    path: PathBuf,
    file: File,
    bytes: usize,
    broken: bool,
}

impl Journal {
    /// Appends an entry; it is on disk once this returns. After an error the file ends in something that does not count, and
    /// has to be rewritten before anything is appended.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), FileError> {
        let frame = self.pen.frame(entry);
        self.broken = true;
        self.file.write_all(&frame).and_then(|()| self.file.sync_data()).map_err(FileError::writing(&self.path))?;
        self.broken = false;
        self.bytes += frame.len();
        Ok(())
    }

    /// Whether the last append failed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Length of the file.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The journal's folder, for tests that spoil it.
#[cfg(test)]
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.join(NAME)
}
