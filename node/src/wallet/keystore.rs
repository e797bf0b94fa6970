//! The keystore: a participant's secret keys in one file under a passphrase (docs/spec/keystore.md).
//!
//! The passphrase opens a random data key, and the data key opens everything else: the identity, named secrets such as
//! the node's own key, and the wallet's state. So a new passphrase re-encrypts 32 bytes and nothing else.

use super::files::{self, FileError};
use super::vault::{self, KdfCost, KdfParams, SealedBox};
use super::{Passphrase, PassphraseError};
use medring_protocol::ParticipantId;
use medring_protocol::identity::{IdentitySecret, PublicKeys};
use medring_protocol::kdf::{Suite, kdf};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const FORMAT: &str = "medring-keystore/1";
/// Largest keystore read, bytes.
const BYTES_MAX: usize = 256 * 1024;
/// Most named secrets.
const SECRETS_MAX: usize = 16;
/// Longest named secret, bytes.
const SECRET_BYTES_MAX: usize = 4096;

/// Why a keystore or a backup could not be made, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Something is there already.
    #[error("{path} exists already and is not overwritten; choose another path or move it away", path = .0.display())]
    Exists(PathBuf),
    /// The disk or the permissions.
    #[error(transparent)]
    File(#[from] FileError),
    /// The passphrase could not be had.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The file is whole and the passphrase does not open it.
    #[error("the passphrase does not open {path}; try again, or restore the key from a backup", path = .0.display())]
    WrongPassphrase(PathBuf),
    /// The file is not what medring wrote.
    #[error("{path} is damaged or no such file of medring: {what}; restore it from a backup", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The passphrase's cost is outside the fixed limits.
    #[error("{path} asks for an Argon2id cost that is not accepted: {what}", path = path.display())]
    Cost {
        /// Which file.
        path: PathBuf,
        /// Which figure.
        what: String,
    },
    /// A named secret that cannot be kept.
    #[error("the secret {name:?} cannot be kept: {what}")]
    Secret {
        /// Its name.
        name: String,
        /// Why.
        what: &'static str,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    participant: ParticipantId,
    keys: PublicKeys,
    kdf: KdfParams,
    /// The data key, under the passphrase's key.
    data_key: SealedBox,
    /// Ed25519 seed ‖ Chebyshev scalar, under the data key.
    identity: SealedBox,
    /// Named secrets, under the data key.
    secrets: BTreeMap<String, SealedBox>,
}

/// What a keystore shows without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeystoreInfo {
    /// The participant.
    pub participant: ParticipantId,
    /// Its public keys.
    pub keys: PublicKeys,
    /// What opening it costs.
    pub kdf: KdfCost,
}

/// An open keystore. Its secrets are wiped on drop.
pub struct Keystore {
    path: PathBuf,
    participant: ParticipantId,
    identity: Arc<IdentitySecret>,
    data_key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Keystore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keystore")
            .field("path", &self.path)
            .field("participant", &self.participant)
            .finish_non_exhaustive()
    }
}

fn load(path: &Path) -> Result<Body, KeystoreError> {
    let damaged = |what| KeystoreError::Damaged { path: path.to_owned(), what };
    let body: Body = vault::from_json(FORMAT, &files::read_limited(path, BYTES_MAX)?).map_err(damaged)?;
    if body.keys.id() != body.participant {
        return Err(damaged("the participant id is not that of its keys".into()));
    }
    body.kdf.cost.check().map_err(|what| KeystoreError::Cost { path: path.to_owned(), what })?;
    Ok(body)
}

/// What every box of one participant is bound to besides its key and its name.
fn ad(name: &str, participant: &ParticipantId) -> Vec<u8> {
    [FORMAT.as_bytes(), &[0], name.as_bytes(), &[0], participant.as_bytes()].concat()
}

fn subkey(data_key: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    kdf(Suite::T2Aes, None, &[data_key], "keystore", &[label.as_bytes()])
}

fn secret_label(name: &str) -> String {
    format!("secret {name}")
}

impl Keystore {
    /// Stores `identity` in a new file of mode 0600 and returns it open. Never overwrites.
    pub fn create(
        path: &Path,
        passphrase: &Passphrase,
        identity: IdentitySecret,
        cost: KdfCost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeystoreError> {
        Self::create_with(path, passphrase, identity, &BTreeMap::new(), cost, rng)
    }

    /// The same with named secrets in it from the start.
    pub(super) fn create_with(
        path: &Path,
        passphrase: &Passphrase,
        identity: IdentitySecret,
        secrets: &BTreeMap<String, Zeroizing<Vec<u8>>>,
        cost: KdfCost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeystoreError> {
        if path.symlink_metadata().is_ok() {
            return Err(KeystoreError::Exists(path.to_owned()));
        }
        passphrase.check_strength()?;
        let mut data_key = Zeroizing::new([0; 32]);
        rng.fill_bytes(data_key.as_mut());
        let keys = identity.public();
        let participant = keys.id();
        let (kdf, wrapped) = wrap_data_key(path, passphrase, cost, &participant, &data_key, rng)?;
        let sealed =
            SealedBox::seal(&subkey(&data_key, "identity"), &ad("identity", &participant), &*identity.expose(), rng);
        let secrets = (secrets.iter())
            .map(|(name, secret)| {
                let key = subkey(&data_key, &secret_label(name));
                (name.clone(), SealedBox::seal(&key, &ad(&secret_label(name), &participant), secret, rng))
            })
            .collect();
        let body = Body { participant, keys, kdf, data_key: wrapped, identity: sealed, secrets };
        files::write_private(path, vault::to_json(FORMAT, &body).as_bytes())?;
        Ok(Self { path: path.to_owned(), participant, identity: Arc::new(identity), data_key })
    }

    /// Opens a keystore. Costs what [`KdfCost`] says, plus a ladder that checks the keys against each other.
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, KeystoreError> {
        let body = load(path)?;
        let damaged = |what: &str| KeystoreError::Damaged { path: path.to_owned(), what: what.into() };
        let data_key = unwrap_data_key(path, &body, passphrase)?;
        let plain = (body.identity)
            .open(&subkey(&data_key, "identity"), &ad("identity", &body.participant))
            .ok_or_else(|| damaged("the identity does not decrypt"))?;
        let (seed, scalar) = plain
            .split_first_chunk::<32>()
            .and_then(|(seed, rest)| Some((seed, <&[u8; 32]>::try_from(rest).ok()?)))
            .ok_or_else(|| damaged("the identity is not 64 bytes"))?;
        let identity =
            IdentitySecret::from_bytes(seed, scalar).ok_or_else(|| damaged("the Chebyshev secret is zero"))?;
        if identity.public() != body.keys {
            return Err(damaged("the secret keys do not belong to its public keys"));
        }
        Ok(Self { path: path.to_owned(), participant: body.participant, identity: Arc::new(identity), data_key })
    }

    /// What the file shows to anyone who can read it.
    pub fn inspect(path: &Path) -> Result<KeystoreInfo, KeystoreError> {
        let Body { participant, keys, kdf, .. } = load(path)?;
        Ok(KeystoreInfo { participant, keys, kdf: kdf.cost })
    }

    /// The secret keys.
    pub fn identity(&self) -> &Arc<IdentitySecret> {
        &self.identity
    }

    /// The participant.
    pub fn participant(&self) -> ParticipantId {
        self.participant
    }

    /// Where it is stored.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores it under a new passphrase. The old one opens the old file and its copies for ever.
    pub fn change_passphrase(
        &self,
        new: &Passphrase,
        cost: KdfCost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), KeystoreError> {
        new.check_strength()?;
        let mut body = self.reload()?;
        (body.kdf, body.data_key) = wrap_data_key(&self.path, new, cost, &self.participant, &self.data_key, rng)?;
        Ok(files::write_private(&self.path, vault::to_json(FORMAT, &body).as_bytes())?)
    }

    /// Keeps a named secret (1 to 4,096 bytes) in the file, for example the node's libp2p key. Replaces one of that name.
    pub fn seal_secret(&self, name: &str, secret: &[u8], rng: &mut impl CryptoRng) -> Result<(), KeystoreError> {
        let refuse = |what| Err(KeystoreError::Secret { name: name.chars().take(40).collect(), what });
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(letter) {
            return refuse("its name must be 1 to 32 of a-z, 0-9 and -");
        }
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
            return refuse("it must have 1 to 4,096 bytes");
        }
        let mut body = self.reload()?;
        if !body.secrets.contains_key(name) && body.secrets.len() >= SECRETS_MAX {
            return refuse("the keystore holds 16 secrets already");
        }
        let sealed = SealedBox::seal(&self.secret_key(name), &ad(&secret_label(name), &self.participant), secret, rng);
        body.secrets.insert(name.to_owned(), sealed);
        Ok(files::write_private(&self.path, vault::to_json(FORMAT, &body).as_bytes())?)
    }

    /// A named secret; `None` if none of that name is kept.
    pub fn open_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeystoreError> {
        let Some(sealed) = self.reload()?.secrets.remove(name) else { return Ok(None) };
        match sealed.open(&self.secret_key(name), &ad(&secret_label(name), &self.participant)) {
            Some(secret) => Ok(Some(secret)),
            None => {
                let what = format!("the secret {name:?} does not decrypt");
                Err(KeystoreError::Damaged { path: self.path.clone(), what })
            }
        }
    }

    /// Every named secret.
    pub(super) fn secrets(&self) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, KeystoreError> {
        let mut out = BTreeMap::new();
        for name in self.reload()?.secrets.into_keys() {
            if let Some(secret) = self.open_secret(&name)? {
                out.insert(name, secret);
            }
        }
        Ok(out)
    }

    /// The key under which groups are kept.
    pub(crate) fn group_key(&self) -> Zeroizing<[u8; 32]> {
        self.subkey("group")
    }

    /// A key of its own for each use of the data key.
    pub(crate) fn subkey(&self, label: &str) -> Zeroizing<[u8; 32]> {
        subkey(&self.data_key, label)
    }

    fn secret_key(&self, name: &str) -> Zeroizing<[u8; 32]> {
        subkey(&self.data_key, &secret_label(name))
    }

    /// The file as it is now: another process may have changed the passphrase or added a secret since we opened it.
    fn reload(&self) -> Result<Body, KeystoreError> {
        let body = load(&self.path)?;
        if body.participant != self.participant {
            let what = format!("it now holds the keys of {}", body.participant);
            return Err(KeystoreError::Damaged { path: self.path.clone(), what });
        }
        Ok(body)
    }
}

fn wrap_data_key(
    path: &Path,
    passphrase: &Passphrase,
    cost: KdfCost,
    participant: &ParticipantId,
    data_key: &[u8; 32],
    rng: &mut impl CryptoRng,
) -> Result<(KdfParams, SealedBox), KeystoreError> {
    let kdf = KdfParams::new(cost, rng);
    let key = kdf.derive(passphrase).map_err(|what| KeystoreError::Cost { path: path.to_owned(), what })?;
    let sealed = SealedBox::seal(&key, &ad("data key", participant), data_key, rng);
    Ok((kdf, sealed))
}

fn unwrap_data_key(path: &Path, body: &Body, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
    let key = body.kdf.derive(passphrase).map_err(|what| KeystoreError::Cost { path: path.to_owned(), what })?;
    let plain = body.data_key.open(&key, &ad("data key", &body.participant));
    // The checksum held, so the file is as it was written: what does not fit is the passphrase.
    let plain = plain.ok_or_else(|| KeystoreError::WrongPassphrase(path.to_owned()))?;
    let mut data_key = Zeroizing::new([0; 32]);
    if plain.len() != data_key.len() {
        return Err(KeystoreError::Damaged { path: path.to_owned(), what: "the data key is not 32 bytes".into() });
    }
    data_key.copy_from_slice(&plain);
    Ok(data_key)
}

/// Writes `body` with a checksum that fits, as a forger would, and returns why the file does not open.
#[cfg(test)]
pub(super) fn forge_for_tests(path: &Path, body: serde_json::Value) -> KeystoreError {
    let text = match serde_json::from_value::<Body>(body) {
        Ok(body) => vault::to_json(FORMAT, &body),
        Err(e) => panic!("the forgery must parse: {e}"),
    };
    std::fs::write(path, text).expect("the test's folder can be written");
    let passphrase = Passphrase::new(b"correct horse").expect("a passphrase");
    Keystore::open(path, &passphrase).expect_err("a forgery")
}
