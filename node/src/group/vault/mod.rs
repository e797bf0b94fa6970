//! Groups at rest: one encrypted state per group, and one key file per epoch, outside the database, that can be destroyed.
//!
//! The secrets of an epoch lie in the state under a random key of their own. Wiping an epoch is destroying that key: its file is
//! overwritten where it lies, synced and removed, and every copy of the ciphertext, wherever a file system left one, is
//! noise. Formats: docs/spec/group-files.md; what a disk may keep all the same: docs/threat-model/keys-at-rest.md.

#[cfg(test)]
mod crashes;
mod disk;
mod format;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use crate::wallet::FileError;
use disk::{Disk, FileSystem};
use format::{EPOCHS_MAX, EpochKey, KEY_FILE_BYTES, Owner, STATE_BYTES_MAX, StoredState};
use medring_protocol::group::GroupUid;
use medring_protocol::group::machine::Snapshot;
use medring_protocol::{ChainId, Gid, ParticipantId};
use rand::CryptoRng;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Most groups of one participant.
pub const GROUPS_MAX: usize = 256;
const STATE: &str = "state";
const STATE_NEW: &str = ".state.tmp";
const KEY_SUFFIX: &str = ".key";

/// Why a group could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk or the permissions. What was stored before is still there.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not what this keystore wrote for this chain and group.
    #[error(
        "{path} is damaged, or of another key or chain ({what}); move the group's folder away: its owner then takes this \
         participant out and invites it again, or recalls the group if it is its own",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A bound.
    #[error("{0}")]
    Bound(String),
}

/// A group as it was stored: its machine, and what the node keeps beside it.
pub type Stored = (GroupUid, Snapshot, Vec<u8>);

/// All groups of one participant on one chain. One process at a time; the folder's lock sees to that. Blocks on the disk.
pub struct Vault {
    dir: PathBuf,
    owner: Owner,
    disk: Box<dyn Disk>,
    /// Groups whose folder is known to hold what was stored last and nothing else, with their epochs' keys.
    groups: BTreeMap<GroupUid, BTreeMap<Gid, EpochKey>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({}, redacted)", self.dir.display())
    }
}

/// What a group's folder holds.
#[derive(Default)]
struct Found {
    state: Option<(Snapshot, Vec<u8>)>,
    keys: BTreeMap<Gid, EpochKey>,
}

impl Vault {
    /// The groups in `dir`, which is made if it is not there. `key`: the keystore's subkey for groups.
    pub fn open(
        dir: &Path,
        key: Zeroizing<[u8; 32]>,
        chain: ChainId,
        participant: ParticipantId,
    ) -> Result<Self, VaultError> {
        Self::on(Box::new(FileSystem), dir, Owner { key, chain, participant })
    }

    fn on(disk: Box<dyn Disk>, dir: &Path, owner: Owner) -> Result<Self, VaultError> {
        disk.make_folder(dir).map_err(FileError::writing(dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_folder(parent).map_err(FileError::writing(parent))?;
        }
        Ok(Self { dir: dir.to_owned(), owner, disk, groups: BTreeMap::new() })
    }

    /// Every group as it was stored last, by uid. What a crash left half done is finished first: keys of epochs that the
    /// stored state does not know any more, or does not know yet, are wiped.
    pub fn load_all(&mut self, rng: &mut dyn CryptoRng) -> Result<Vec<Stored>, VaultError> {
        let mut names = self.disk.list(&self.dir).map_err(FileError::reading(&self.dir))?;
        names.sort_unstable();
        let mut out = Vec::new();
        for group in names.iter().filter_map(|name| name.parse::<GroupUid>().ok()) {
            let Found { state, keys } = self.look(&group, rng)?;
            let Some((snapshot, extra)) = state else { continue };
            self.groups.insert(group, keys);
            out.push((group, snapshot, extra));
        }
        Ok(out)
    }

    /// Stores a group's machine, and destroys the keys of the epochs that it does not hold any more. Durable when this
    /// returns: two syncs in the ordinary case, two more for a new epoch, two more for one that is wiped.
    ///
    /// After an error either the old or the new state is there, whole, and the next call finds out which.
    pub fn store(
        &mut self,
        group: &GroupUid,
        snapshot: &Snapshot,
        extra: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), VaultError> {
        if snapshot.secrets.len() > EPOCHS_MAX {
            return Err(VaultError::Bound(format!("a group keeps at most {EPOCHS_MAX} epochs")));
        }
        // Taken out, and put back only when all is done: after an error the folder is looked at anew.
        let mut keys = match self.groups.remove(group) {
            Some(keys) => keys,
            None => self.enter(group, rng)?,
        };
        self.draw_keys(group, snapshot, &mut keys, rng)?;
        self.replace_state(group, snapshot, extra, &keys, rng)?;
        let gone: Vec<Gid> = keys.keys().filter(|gid| !snapshot.secrets.contains_key(gid)).copied().collect();
        self.wipe(group, &gone, rng)?;
        keys.retain(|gid, _| snapshot.secrets.contains_key(gid));
        self.groups.insert(*group, keys);
        Ok(())
    }

    /// Makes a group's folder, or cleans up in it.
    fn enter(&self, group: &GroupUid, rng: &mut dyn CryptoRng) -> Result<BTreeMap<Gid, EpochKey>, VaultError> {
        let folder = self.folder(group);
        let groups = self.disk.list(&self.dir).map_err(FileError::reading(&self.dir))?;
        let groups = groups.iter().filter_map(|name| name.parse::<GroupUid>().ok()).collect::<Vec<_>>();
        if !groups.contains(group) && groups.len() >= GROUPS_MAX {
            return Err(VaultError::Bound(format!("this node keeps {GROUPS_MAX} groups already; no more fit")));
        }
        self.disk.make_folder(&folder).map_err(FileError::writing(&folder))?;
        self.disk.sync_folder(&self.dir).map_err(FileError::writing(&self.dir))?;
        Ok(self.look(group, rng)?.keys)
    }

    /// Gives each new epoch a key, whose file is durable before a state speaks of it.
    fn draw_keys(
        &self,
        group: &GroupUid,
        snapshot: &Snapshot,
        keys: &mut BTreeMap<Gid, EpochKey>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), VaultError> {
        let known = keys.len();
        for gid in snapshot.secrets.keys() {
            if keys.contains_key(gid) {
                continue;
            }
            let mut key = Zeroizing::new([0; 32]);
            rng.fill_bytes(key.as_mut());
            let path = self.key_file(group, gid);
            let file = self.owner.wrap(group, gid, &key, rng);
            self.disk.create(&path, &file).map_err(FileError::writing(&path))?;
            keys.insert(*gid, key);
        }
        if keys.len() > known { self.sync(group) } else { Ok(()) }
    }

    fn replace_state(
        &self,
        group: &GroupUid,
        snapshot: &Snapshot,
        extra: &[u8],
        keys: &BTreeMap<Gid, EpochKey>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), VaultError> {
        let mut state = StoredState { public: snapshot.public.clone(), extra: extra.to_vec(), epochs: Vec::new() };
        for (gid, secrets) in &snapshot.secrets {
            // Every epoch has a key by now.
            let Some(key) = keys.get(gid) else { continue };
            state.epochs.push(self.owner.seal_epoch(group, *gid, key, secrets, rng));
        }
        let file = self.owner.seal_state(group, &state, rng);
        if file.len() > STATE_BYTES_MAX {
            return Err(VaultError::Bound(format!("a group's state has at most {STATE_BYTES_MAX} bytes")));
        }
        let (new, path) = (self.folder(group).join(STATE_NEW), self.folder(group).join(STATE));
        self.disk.create(&new, &file).map_err(FileError::writing(&new))?;
        self.disk.rename(&new, &path).map_err(FileError::writing(&path))?;
        self.sync(group)
    }

    /// Destroys keys. First where they lie, synced; only then their names, so that no name is lost while its bytes stand.
    fn wipe(&self, group: &GroupUid, gids: &[Gid], rng: &mut dyn CryptoRng) -> Result<(), VaultError> {
        for gid in gids {
            let path = self.key_file(group, gid);
            let mut noise = [0; KEY_FILE_BYTES];
            rng.fill_bytes(&mut noise);
            self.disk.overwrite(&path, &noise).map_err(FileError::writing(&path))?;
            self.disk.remove(&path).map_err(FileError::writing(&path))?;
        }
        if gids.is_empty() { Ok(()) } else { self.sync(group) }
    }

    /// Reads a group's folder, and clears away what belongs to no stored state.
    fn look(&self, group: &GroupUid, rng: &mut dyn CryptoRng) -> Result<Found, VaultError> {
        let folder = self.folder(group);
        let names = self.disk.list(&folder).map_err(FileError::reading(&folder))?;
        let has = |name: &str| names.iter().any(|n| n == name);
        let mut found = Found::default();
        if has(STATE) {
            // The name may be newer than what the disk would show after a power cut: nothing rests on it before it is durable.
            self.sync(group)?;
            found = self.read(group)?;
        }
        let of_key = |name: &String| name.strip_suffix(KEY_SUFFIX)?.parse::<Gid>().ok();
        let strays: Vec<Gid> = names.iter().filter_map(of_key).filter(|gid| !found.keys.contains_key(gid)).collect();
        self.wipe(group, &strays, rng)?;
        if has(STATE_NEW) {
            let path = folder.join(STATE_NEW);
            self.disk.remove(&path).map_err(FileError::writing(&path))?;
        }
        Ok(found)
    }

    fn read(&self, group: &GroupUid) -> Result<Found, VaultError> {
        let path = self.folder(group).join(STATE);
        let file = self.disk.read(&path, STATE_BYTES_MAX).map_err(FileError::reading(&path))?;
        let state = self.owner.open_state(group, &file);
        let StoredState { public, extra, epochs } = state.map_err(|what| VaultError::Damaged { path, what })?;
        let mut snapshot = Snapshot { public, secrets: BTreeMap::new() };
        let mut keys = BTreeMap::new();
        for stored in &epochs {
            let path = self.key_file(group, &stored.gid);
            let damaged = |what: &str| VaultError::Damaged { path: path.clone(), what: what.into() };
            let file = match self.disk.read(&path, KEY_FILE_BYTES) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Err(damaged("it is gone, and the state needs it")),
                read => read.map_err(|e| FileError::reading(&path)(e).into()),
            }?;
            let key = self.owner.unwrap(group, &stored.gid, &file).ok_or_else(|| damaged("it does not decrypt"))?;
            let secrets = self.owner.open_epoch(group, &key, stored);
            let secrets = secrets.ok_or_else(|| damaged("it does not open what the state holds"))?;
            snapshot.secrets.insert(stored.gid, secrets);
            keys.insert(stored.gid, key);
        }
        Ok(Found { state: Some((snapshot, extra)), keys })
    }

    fn sync(&self, group: &GroupUid) -> Result<(), VaultError> {
        let folder = self.folder(group);
        Ok(self.disk.sync_folder(&folder).map_err(FileError::writing(&folder))?)
    }

    fn folder(&self, group: &GroupUid) -> PathBuf {
        self.dir.join(group.to_string())
    }

    fn key_file(&self, group: &GroupUid, gid: &Gid) -> PathBuf {
        self.folder(group).join(format!("{gid}{KEY_SUFFIX}"))
    }
}
