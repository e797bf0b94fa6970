//! The tokens that open the API: one drawn at each start for the commands of this machine, and those made for others.

use super::file::{self, Stored};
use super::{Identity, Scope};
use crate::api::types::TokenInfo;
use crate::driver::ApiToken;
use crate::wallet::FileError;
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Tokens that may be at one time, besides the one of the start.
const TOKENS_MAX: usize = 64;
/// A name's length, characters.
const NAME_CHARS_MAX: usize = 40;

/// Why the tokens of a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The disk, or permissions.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("{}: {problem}. Move it away to start without it: the tokens it names are then revoked", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum TokenError {
    /// Its name.
    #[error("the name has to be 1 to {NAME_CHARS_MAX} characters, none of them a control character")]
    Name,
    /// There are too many.
    #[error("there are {TOKENS_MAX} tokens already")]
    Full,
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What became of a token that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Verdict {
    /// It opens.
    Good(Identity),
    /// It did once; its id.
    Expired(Arc<str>),
    /// It is none of ours.
    Unknown,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// `None`: until it is revoked.
    pub(crate) expires_ms: Option<u64>,
}

#[derive(Clone)]
struct Entry {
    id: Arc<str>,
    stored: Stored,
}

/// All tokens of a node. Clones are the same tokens.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    /// SHA-256 of the token drawn at the start.
    start: [u8; 32],
    path: PathBuf,
    /// As they are on disk.
    entries: RwLock<Arc<Vec<Entry>>>,
    /// Held while the file is written: readers go on meanwhile.
    writing: Mutex<()>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("made", &self.entries().len()).finish_non_exhaustive()
    }
}

fn sha256(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Tokens {
    /// The tokens of a data folder, and the one of this start.
    pub(crate) fn open(path: &Path, start: &ApiToken) -> Result<Self, TokensError> {
        let stored = file::read(path).map_err(|error| match error {
            Ok(error) => TokensError::File(error),
            Err(problem) => TokensError::Damaged { path: path.to_owned(), problem },
        })?;
        let entries = stored.into_iter().map(|stored| Entry { id: stored.id.as_str().into(), stored }).collect();
        let start = sha256(start.expose().as_bytes());
        let entries = RwLock::new(Arc::new(entries));
        Ok(Self(Arc::new(Inner { start, path: path.to_owned(), entries, writing: Mutex::default() })))
    }

    fn entries(&self) -> Arc<Vec<Entry>> {
        self.0.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a token that was sent opens at this time. Takes equally long whichever it is, or none: every hash is compared
    /// in constant time, and none is left out.
    pub(in crate::api) fn verify(&self, sent: &[u8], now_ms: u64) -> Verdict {
        let (sent, entries) = (sha256(sent), self.entries());
        let is_start: bool = sent.ct_eq(&self.0.start).into();
        let mut place = u64::MAX;
        for (at, entry) in (0u64..).zip(entries.iter()) {
            let same: Choice = sent.ct_eq(&entry.stored.sha256);
            place.conditional_assign(&at, same);
        }
        if is_start {
            return Verdict::Good(Identity { token: None, scope: Scope::Operator });
        }
        let found = usize::try_from(place).ok().and_then(|at| entries.get(at));
        let Some(Entry { id, stored }) = found else { return Verdict::Unknown };
        if stored.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return Verdict::Expired(id.clone());
        }
        Verdict::Good(Identity { token: Some(id.clone()), scope: stored.scope })
    }

    /// Whether what an identity came with opens still: it was neither revoked nor ran out.
    pub(in crate::api) fn stands(&self, identity: &Identity, now_ms: u64) -> bool {
        let Some(token) = &identity.token else { return true };
        let entries = self.entries();
        let found = entries.iter().find(|entry| entry.id == *token);
        found.is_some_and(|entry| entry.stored.expires_ms.is_none_or(|expires| now_ms < expires))
    }

    /// Makes a token. It is on disk, by its hash, once this returns; the token itself is nowhere but in the answer. Blocks.
    pub(in crate::api) fn create(
        &self,
        new: NewToken,
        now_ms: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(TokenInfo, ApiToken), TokenError> {
        let NewToken { name, scope, expires_ms } = new;
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(TokenError::Name);
        }
        let _writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.entries().as_ref().clone();
        if entries.len() >= TOKENS_MAX {
            // What ran out makes room. Until then the list has it, and whoever sends it is told why it does not open.
            entries.retain(|entry| entry.stored.expires_ms.is_none_or(|expires| now_ms < expires));
        }
        if entries.len() >= TOKENS_MAX {
            return Err(TokenError::Full);
        }
        let token = ApiToken::draw(rng);
        let id = loop {
            let id = format!("{:08x}", rng.next_u32());
            if entries.iter().all(|entry| *entry.id != *id) {
                break id;
            }
        };
        let sha256 = sha256(token.expose().as_bytes());
        let stored = Stored { id: id.clone(), name, scope, sha256, created_ms: now_ms, expires_ms };
        let entry = Entry { id: id.into(), stored };
        let info = info(&entry);
        entries.push(entry);
        self.store(entries)?;
        Ok((info, token))
    }

    /// All of them, oldest first, also those that ran out.
    pub(in crate::api) fn list(&self) -> Vec<TokenInfo> {
        self.entries().iter().map(info).collect()
    }

    /// Ends a token. `Ok(None)`: there is none of this id. Gone from the disk once this returns. Blocks.
    pub(in crate::api) fn revoke(&self, id: &str) -> Result<Option<TokenInfo>, FileError> {
        let _writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.entries().as_ref().clone();
        let Some(at) = entries.iter().position(|entry| *entry.id == *id) else { return Ok(None) };
        let gone = entries.remove(at);
        self.store(entries)?;
        Ok(Some(info(&gone)))
    }

    /// On disk first, then in force.
    fn store(&self, entries: Vec<Entry>) -> Result<(), FileError> {
        let stored: Vec<Stored> = entries.iter().map(|entry| entry.stored.clone()).collect();
        file::write(&self.0.path, &stored)?;
        *self.0.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries);
        Ok(())
    }
}

fn info(entry: &Entry) -> TokenInfo {
    let Stored { id, name, scope, sha256: _, created_ms, expires_ms } = entry.stored.clone();
    TokenInfo { id, name, scope, created_ms, expires_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    fn example(dir: &Path) -> (Tokens, ApiToken, ChaCha20Rng) {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let start = ApiToken::draw(&mut rng);
        (Tokens::open(&dir.join("tokens.json"), &start).unwrap(), start, rng)
    }

    fn new(name: &str, expires_ms: Option<u64>) -> NewToken {
        NewToken { name: name.into(), scope: Scope::Viewer, expires_ms }
    }

    fn good(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Good(_))
    }

    #[test]
    fn a_token_opens_until_it_runs_out_or_is_revoked_and_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, start, mut rng) = example(dir.path());
        let (short, short_token) = tokens.create(new("short", Some(100)), 1, &mut rng).unwrap();
        let (_, long_token) = tokens.create(new("long", None), 2, &mut rng).unwrap();
        let sent = |token: &ApiToken| token.expose().as_bytes().to_vec();
        assert!(good(tokens.verify(&sent(&short_token), 99)) && good(tokens.verify(&sent(&long_token), 99)));
        assert_eq!(tokens.verify(&sent(&short_token), 100), Verdict::Expired(short.id.as_str().into()));
        assert_eq!(tokens.verify(b"", 1), Verdict::Unknown);
        assert_eq!(tokens.verify(&sent(&long_token)[1..], 1), Verdict::Unknown);
        assert!(good(tokens.verify(&sent(&start), u64::MAX)));

        let other_start = ApiToken::draw(&mut rng);
        let again = Tokens::open(&dir.path().join("tokens.json"), &other_start).unwrap();
        assert_eq!(again.list(), tokens.list());
        assert!(good(again.verify(&sent(&long_token), 99)));
        assert_eq!(again.verify(&sent(&start), 1), Verdict::Unknown, "the token of a start ends with it");
        let Verdict::Good(identity) = again.verify(&sent(&short_token), 1) else { panic!("it is good still") };
        assert!(again.stands(&identity, 99) && !again.stands(&identity, 100));
        assert_eq!(again.revoke(&short.id).unwrap(), Some(short.clone()));
        assert_eq!(again.verify(&sent(&short_token), 1), Verdict::Unknown);
        assert!(!again.stands(&identity, 1) && again.revoke(&short.id).unwrap().is_none());
        assert_eq!(Tokens::open(&dir.path().join("tokens.json"), &other_start).unwrap().list().len(), 1);
    }

    #[test]
    fn the_file_holds_no_token_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _, mut rng) = example(dir.path());
        let (_, token) = tokens.create(new("doctor", None), 1, &mut rng).unwrap();
        let path = dir.path().join("tokens.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(token.expose()) && text.contains("doctor"), "{text}");
        assert!(!format!("{tokens:?}").contains(&text[40..60]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn they_are_bounded_and_those_that_ran_out_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _, mut rng) = example(dir.path());
        for n in 0..TOKENS_MAX {
            tokens.create(new("x", (n == 5).then_some(50)), 1, &mut rng).unwrap();
        }
        assert!(matches!(tokens.create(new("x", None), 49, &mut rng), Err(TokenError::Full)));
        tokens.create(new("x", None), 50, &mut rng).unwrap();
        for name in ["", "a\nb", &"x".repeat(41)] {
            assert!(matches!(tokens.create(new(name, None), 1, &mut rng), Err(TokenError::Name)), "{name:?}");
        }
    }

    #[test]
    fn what_could_not_be_stored_does_not_open_and_what_could_not_be_removed_still_does() {
        let dir = tempfile::tempdir().unwrap();
        let (tokens, _, mut rng) = example(dir.path());
        let (kept, token) = tokens.create(new("kept", None), 1, &mut rng).unwrap();
        // A folder in the temporary file's place makes every write fail, whoever runs the test.
        std::fs::create_dir(dir.path().join(".tokens.json.tmp")).unwrap();
        assert!(matches!(tokens.create(new("lost", None), 1, &mut rng), Err(TokenError::File(_))));
        assert!(tokens.revoke(&kept.id).is_err());
        assert_eq!(tokens.list(), [kept]);
        assert!(good(tokens.verify(token.expose().as_bytes(), 1)));
    }

    #[test]
    fn a_damaged_file_is_named_and_not_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        let start = ApiToken::draw(&mut ChaCha20Rng::seed_from_u64(1));
        for text in ["", "{}", r#"{"format":"medring-tokens/2","tokens":[]}"#] {
            std::fs::write(&path, text).unwrap();
            let error = Tokens::open(&path, &start).unwrap_err().to_string();
            assert!(error.contains("tokens.json") && error.contains("Move it away"), "{error}");
        }
    }
}
