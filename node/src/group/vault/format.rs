//! The bytes of a group's two kinds of file (docs/spec/group-files.md).

use crate::wallet::vault::{decrypt, encrypt};
use medring_protocol::codec;
use medring_protocol::group::GroupUid;
use medring_protocol::kdf::{Suite, kdf};
use medring_protocol::{ChainId, Gid, ParticipantId};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const KEY_MAGIC: &[u8] = b"medring-epoch-key/1\n";
const STATE_MAGIC: &[u8] = b"medring-group/1\n";
const EPOCH_LABEL: &[u8] = b"medring-epoch/1\n";
const SALT_BYTES: usize = 32;
/// A key file: magic, salt, 32 bytes and their tag.
pub(super) const KEY_FILE_BYTES: usize = KEY_MAGIC.len() + SALT_BYTES + 32 + 16;
/// Largest state read or written.
pub(super) const STATE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most epochs and attempts whose secrets one group keeps: all that are remembered, if archived, and a few under way.
pub(super) const EPOCHS_MAX: usize = 512;

/// Drawn for one epoch or attempt, and all there is to destroy when it is wiped.
pub(super) type EpochKey = Zeroizing<[u8; 32]>;

/// Whose files these are, and the key that all of them hang on.
pub(super) struct Owner {
    /// The keystore's subkey for groups.
    pub(super) key: Zeroizing<[u8; 32]>,
    pub(super) chain: ChainId,
    pub(super) participant: ParticipantId,
}

/// What a state file holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredState {
    /// The machine's public part.
    #[serde(with = "serde_bytes")]
    pub(super) public: Vec<u8>,
    /// What the node keeps beside the machine.
    #[serde(with = "serde_bytes")]
    pub(super) extra: Vec<u8>,
    /// By GID, ascending.
    pub(super) epochs: Vec<StoredEpoch>,
}

/// The secrets of one epoch, under its key file's key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredEpoch {
    pub(super) gid: Gid,
    salt: [u8; SALT_BYTES],
    #[serde(with = "serde_bytes")]
    sealed: Vec<u8>,
}

fn salt(rng: &mut dyn CryptoRng) -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    rng.fill_bytes(&mut salt);
    salt
}

impl Owner {
    /// Each writing has a key of its own, from a new salt, so the nonce may be fixed.
    fn file_key(&self, secret: &[u8; 32], label: &str, fields: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut all: Vec<&[u8]> = vec![self.chain.as_bytes(), self.participant.as_bytes()];
        all.extend_from_slice(fields);
        kdf(Suite::T2Aes, None, &[secret], label, &all)
    }

    /// What every ciphertext is bound to besides its key.
    fn ad(&self, magic: &[u8], group: &GroupUid, gid: Option<&Gid>) -> Vec<u8> {
        let gid = gid.map_or(&[][..], |gid| gid.as_bytes());
        [magic, self.chain.as_bytes(), self.participant.as_bytes(), group.as_bytes(), gid].concat()
    }

    /// The content of a key file.
    pub(super) fn wrap(&self, group: &GroupUid, gid: &Gid, key: &EpochKey, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let salt = salt(rng);
        let under = self.file_key(&self.key, "group epoch key", &[group.as_bytes(), gid.as_bytes(), &salt]);
        let sealed = encrypt(&under, &[0; 12], &self.ad(KEY_MAGIC, group, Some(gid)), key.as_slice());
        [KEY_MAGIC, &salt, &sealed].concat()
    }

    /// The key in a key file; `None` if it is not that of this owner, group and epoch.
    pub(super) fn unwrap(&self, group: &GroupUid, gid: &Gid, file: &[u8]) -> Option<EpochKey> {
        let (salt, sealed) = file.strip_prefix(KEY_MAGIC)?.split_at_checked(SALT_BYTES)?;
        let under = self.file_key(&self.key, "group epoch key", &[group.as_bytes(), gid.as_bytes(), salt]);
        let plain = decrypt(&under, &[0; 12], &self.ad(KEY_MAGIC, group, Some(gid)), sealed)?;
        let mut key = Zeroizing::new([0; 32]);
        if plain.len() != key.len() {
            return None;
        }
        key.copy_from_slice(&plain);
        Some(key)
    }

    /// Secrets of one epoch as a state file holds them.
    pub(super) fn seal_epoch(
        &self,
        group: &GroupUid,
        gid: Gid,
        key: &EpochKey,
        secrets: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> StoredEpoch {
        let salt = salt(rng);
        let under = self.file_key(key, "group epoch", &[group.as_bytes(), gid.as_bytes(), &salt]);
        let sealed = encrypt(&under, &[0; 12], &self.ad(EPOCH_LABEL, group, Some(&gid)), secrets);
        StoredEpoch { gid, salt, sealed }
    }

    /// Opens them; `None` under any other key.
    pub(super) fn open_epoch(
        &self,
        group: &GroupUid,
        key: &EpochKey,
        stored: &StoredEpoch,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let under = self.file_key(key, "group epoch", &[group.as_bytes(), stored.gid.as_bytes(), &stored.salt]);
        decrypt(&under, &[0; 12], &self.ad(EPOCH_LABEL, group, Some(&stored.gid)), &stored.sealed)
    }

    /// The content of a state file.
    pub(super) fn seal_state(&self, group: &GroupUid, state: &StoredState, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let salt = salt(rng);
        let under = self.file_key(&self.key, "group state", &[group.as_bytes(), &salt]);
        let sealed = encrypt(&under, &[0; 12], &self.ad(STATE_MAGIC, group, None), &codec::encode(state));
        [STATE_MAGIC, &salt, &sealed].concat()
    }

    /// Reads a state file; `Err` says what is wrong with it.
    pub(super) fn open_state(&self, group: &GroupUid, file: &[u8]) -> Result<StoredState, String> {
        let rest = file.strip_prefix(STATE_MAGIC).ok_or("it does not begin as a group's state does")?;
        let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or("it is truncated")?;
        let under = self.file_key(&self.key, "group state", &[group.as_bytes(), salt]);
        let plain = decrypt(&under, &[0; 12], &self.ad(STATE_MAGIC, group, None), sealed);
        let plain = plain.ok_or("it does not decrypt: damaged, or of another key, chain or group")?;
        let state: StoredState = codec::decode(&plain, STATE_BYTES_MAX).map_err(|e| e.to_string())?;
        if state.epochs.len() > EPOCHS_MAX || !state.epochs.is_sorted_by(|a, b| a.gid < b.gid) {
            return Err("its epochs are too many or out of order".into());
        }
        Ok(state)
    }
}
