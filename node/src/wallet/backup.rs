//! Backup and restore: one encrypted file with the keys, the named secrets, and from which height to scan each chain.

use super::Passphrase;
use super::files;
use super::keystore::{Keystore, KeystoreError};
use super::vault::{self, KdfCost, KdfParams, SealedBox};
use medring_protocol::identity::IdentitySecret;
use medring_protocol::{ChainId, ParticipantId};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

const FORMAT: &str = "medring-backup/1";
/// Largest backup read, bytes.
const BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    participant: ParticipantId,
    kdf: KdfParams,
    sealed: SealedBox,
}

/// What lies under the passphrase. Wiped on drop.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    identity: String,
    secrets: BTreeMap<String, String>,
    birthdays: BTreeMap<ChainId, u64>,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.identity.zeroize();
        self.secrets.values_mut().for_each(Zeroize::zeroize);
    }
}

fn ad(participant: &ParticipantId) -> Vec<u8> {
    [FORMAT.as_bytes(), &[0], participant.as_bytes()].concat()
}

/// Writes everything that `keystore` holds, and `birthdays` (per chain, the height at which its wallet begins), to one
/// new file under `passphrase`, which may differ from the keystore's. Opened records are not in it: they are found again.
pub fn backup(
    keystore: &Keystore,
    birthdays: &BTreeMap<ChainId, u64>,
    path: &Path,
    passphrase: &Passphrase,
    cost: KdfCost,
    rng: &mut impl CryptoRng,
) -> Result<(), KeystoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(KeystoreError::Exists(path.to_owned()));
    }
    passphrase.check_strength()?;
    let content = Content {
        identity: hex::encode(keystore.identity().expose().as_slice()),
        secrets: keystore.secrets()?.into_iter().map(|(name, secret)| (name, hex::encode(&*secret))).collect(),
        birthdays: birthdays.clone(),
    };
    let participant = keystore.participant();
    let kdf = KdfParams::new(cost, rng);
    let key = kdf.derive(passphrase).map_err(|what| KeystoreError::Cost { path: path.to_owned(), what })?;
    // Maps with string keys: this cannot fail.
    let plain = Zeroizing::new(serde_json::to_vec(&content).unwrap_or_default());
    let sealed = SealedBox::seal(&key, &ad(&participant), &plain, rng);
    Ok(files::write_private(path, vault::to_json(FORMAT, &Body { participant, kdf, sealed }).as_bytes())?)
}

/// Makes the keystore at `keystore_path` (which must not exist) anew from a backup, under the backup's passphrase. Returns
/// it open, with the height from which to scan each chain.
pub fn restore(
    backup_path: &Path,
    passphrase: &Passphrase,
    keystore_path: &Path,
    cost: KdfCost,
    rng: &mut impl CryptoRng,
) -> Result<(Keystore, BTreeMap<ChainId, u64>), KeystoreError> {
    let damaged = |what: String| KeystoreError::Damaged { path: backup_path.to_owned(), what };
    let body: Body = vault::from_json(FORMAT, &files::read_limited(backup_path, BYTES_MAX)?).map_err(damaged)?;
    let key =
        (body.kdf.derive(passphrase)).map_err(|what| KeystoreError::Cost { path: backup_path.to_owned(), what })?;
    let plain = body.sealed.open(&key, &ad(&body.participant));
    let plain = plain.ok_or_else(|| KeystoreError::WrongPassphrase(backup_path.to_owned()))?;
    let content: Content = serde_json::from_slice(&plain).map_err(|e| damaged(format!("its content: {e}")))?;
    let identity = decode_identity(&content.identity).ok_or_else(|| damaged("its identity is no key".into()))?;
    if identity.public().id() != body.participant {
        return Err(damaged("its keys are not those of its participant".into()));
    }
    let mut secrets = BTreeMap::new();
    for (name, secret) in &content.secrets {
        let secret = hex::decode(secret).map_err(|_| damaged(format!("its secret {name:?} is not hex")))?;
        secrets.insert(name.clone(), Zeroizing::new(secret));
    }
    let keystore = Keystore::create_with(keystore_path, passphrase, identity, &secrets, cost, rng)?;
    Ok((keystore, content.birthdays.clone()))
}

fn decode_identity(text: &str) -> Option<IdentitySecret> {
    let mut bytes = Zeroizing::new([0; 64]);
    hex::decode_to_slice(text, bytes.as_mut()).ok()?;
    let (seed, scalar) = bytes.split_at(32);
    IdentitySecret::from_bytes(seed.try_into().ok()?, scalar.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_backed_up_is_what_is_restored() {
        let (dir, mut rng) = (tempfile::tempdir().unwrap(), ChaCha20Rng::seed_from_u64(1));
        let at = |name: &str| dir.path().join(name);
        let (cost, identity) = (KdfCost::TESTNET, IdentitySecret::generate(&mut rng));
        let keystore = Keystore::create(&at("key"), &passphrase("first one"), identity, cost, &mut rng).unwrap();
        keystore.seal_secret("libp2p", b"node key", &mut rng).unwrap();
        let birthdays = BTreeMap::from([(ChainId([7; 32]), 42)]);
        backup(&keystore, &birthdays, &at("backup"), &passphrase("second one"), cost, &mut rng).unwrap();

        let wrong = restore(&at("backup"), &passphrase("first one"), &at("new"), cost, &mut rng).unwrap_err();
        assert!(matches!(wrong, KeystoreError::WrongPassphrase(_)), "{wrong}");
        let taken = restore(&at("backup"), &passphrase("second one"), &at("key"), cost, &mut rng).unwrap_err();
        assert!(matches!(taken, KeystoreError::Exists(_)), "{taken}");

        let (restored, found) = restore(&at("backup"), &passphrase("second one"), &at("new"), cost, &mut rng).unwrap();
        assert_eq!(*restored.identity().expose(), *keystore.identity().expose());
        assert_eq!(restored.open_secret("libp2p").unwrap().unwrap().as_slice(), b"node key");
        assert_eq!(found, birthdays);
        assert!(Keystore::open(&at("new"), &passphrase("second one")).is_ok());
    }

    #[test]
    fn each_byte_flipped_is_an_error() {
        let (dir, mut rng) = (tempfile::tempdir().unwrap(), ChaCha20Rng::seed_from_u64(1));
        let at = |name: &str| dir.path().join(name);
        let (cost, identity) = (KdfCost::TESTNET, IdentitySecret::generate(&mut rng));
        let keystore = Keystore::create(&at("key"), &passphrase("first one"), identity, cost, &mut rng).unwrap();
        backup(&keystore, &BTreeMap::new(), &at("backup"), &passphrase("first one"), cost, &mut rng).unwrap();
        let whole = std::fs::read(at("backup")).unwrap();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x20;
            std::fs::write(at("backup"), bytes).unwrap();
            let refused = restore(&at("backup"), &passphrase("first one"), &at("new"), cost, &mut rng).unwrap_err();
            assert!(matches!(refused, KeystoreError::Damaged { .. }), "byte {place}: {refused}");
        }
        assert!(!at("new").exists());
    }
}
