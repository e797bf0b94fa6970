//! A disk in memory that fails or dies at its n-th step, loses what was not synced when the power goes, and never forgets
//! what lies under a removed name, as real ones do not.

use super::disk::Disk;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use zeroize::Zeroizing;

/// What goes wrong. Steps count from 1; one operation has up to three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    Never,
    /// This step fails, and the next ones do not.
    Once(u64),
    /// Nothing succeeds from this step on, until [`ModelDisk::restart`].
    From(u64),
}

#[derive(Clone, Default)]
struct Inode {
    /// As programs see it.
    now: Vec<u8>,
    /// As a power cut leaves it.
    synced: Vec<u8>,
}

struct State {
    /// Never freed.
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    synced_folders: BTreeSet<PathBuf>,
    fault: Fault,
    steps: u64,
    syncs: u64,
}

/// The disk; clones are the same one.
#[derive(Clone)]
pub(super) struct ModelDisk(Arc<Mutex<State>>);

impl State {
    fn alive(&self) -> io::Result<()> {
        match self.fault {
            Fault::From(n) if self.steps >= n => Err(io::Error::other("the disk is gone")),
            _ => Ok(()),
        }
    }

    fn step(&mut self) -> io::Result<()> {
        self.alive()?;
        self.steps += 1;
        match self.fault {
            Fault::Once(n) if self.steps == n => Err(io::Error::other(format!("step {n} fails"))),
            _ => self.alive(),
        }
    }

    /// Half of the bytes, then all, then synced: a step each.
    fn write(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        for part in [bytes.len() / 2, bytes.len()] {
            let now = &mut self.inodes[inode].now;
            let kept = now.len().max(part);
            now.resize(kept, 0);
            now[..part].copy_from_slice(&bytes[..part]);
            self.step()?;
        }
        let inode = &mut self.inodes[inode];
        inode.synced = inode.now.clone();
        self.syncs += 1;
        Ok(())
    }

    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl ModelDisk {
    /// Empty.
    pub(super) fn new(fault: Fault) -> Self {
        Self(Arc::new(Mutex::new(State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            folders: BTreeSet::new(),
            synced_folders: BTreeSet::new(),
            fault,
            steps: 0,
            syncs: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whether the fault has struck.
    pub(super) fn struck(&self) -> bool {
        let state = self.state();
        matches!(state.fault, Fault::Once(n) | Fault::From(n) if state.steps >= n)
    }

    /// Syncs so far.
    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The process starts again; the next fault counts from here.
    pub(super) fn restart(&self, fault: Fault) {
        let mut state = self.state();
        (state.fault, state.steps) = (fault, 0);
    }

    /// The power goes: of all that was not synced, any part may be lost and any may be kept.
    pub(super) fn power_cut(&self, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let state = &mut *self.state();
        for inode in state.inodes.iter_mut().filter(|inode| inode.now != inode.synced) {
            let cut = rng.random_range(0..=inode.now.len());
            match rng.random_range(0..3) {
                0 => inode.now = inode.synced.clone(),
                1 => {}
                _ => {
                    let rest: Vec<u8> = inode.synced.iter().skip(cut).copied().collect();
                    inode.now.truncate(cut);
                    inode.now.extend(rest);
                }
            }
            inode.synced = inode.now.clone();
        }
        let all: BTreeSet<PathBuf> = state.names.keys().chain(state.synced_names.keys()).cloned().collect();
        for path in all {
            let (new, old) = (state.names.get(&path).copied(), state.synced_names.get(&path).copied());
            match if rng.random() { new } else { old } {
                Some(inode) => state.names.insert(path, inode),
                None => state.names.remove(&path),
            };
        }
        let lost: Vec<PathBuf> =
            state.folders.difference(&state.synced_folders).filter(|_| rng.random()).cloned().collect();
        state.folders.retain(|folder| !lost.iter().any(|lost| folder.starts_with(lost)));
        state.names.retain(|path, _| !lost.iter().any(|lost| path.starts_with(lost)));
        state.synced_names = state.names.clone();
        state.synced_folders = state.folders.clone();
    }

    /// Everything that can be read off the platters, removed files included.
    pub(super) fn remains(&self) -> Vec<Vec<u8>> {
        self.state().inodes.iter().flat_map(|inode| [inode.now.clone(), inode.synced.clone()]).collect()
    }
}

impl Disk for ModelDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.folders.insert(path.to_owned());
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        let inside = state.names.keys().chain(&state.folders).filter(|path| path.parent() == Some(folder));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let state = self.state();
        state.alive()?;
        let bytes = &state.inodes[state.inode(path)?].now;
        if bytes.len() > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Zeroizing::new(bytes.clone())) }
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.state();
        state.step()?;
        assert!(state.folders.contains(path.parent().unwrap()), "{} has no folder", path.display());
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.names.insert(path.to_owned(), inode);
        state.write(inode, bytes)
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.state();
        state.step()?;
        let inode = state.inode(path)?;
        state.write(inode, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.step()?;
        let inode = state.inode(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.step()?;
        state.inode(path)?;
        state.names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.step()?;
        let inside = |path: &Path| path.parent() == Some(folder);
        state.synced_names.retain(|path, _| !inside(path));
        let names = state.names.iter().filter(|(path, _)| inside(path));
        state.synced_names.extend(names.map(|(path, inode)| (path.clone(), *inode)));
        state.synced_folders.extend(state.folders.iter().filter(|path| inside(path)).cloned());
        state.syncs += 1;
        Ok(())
    }
}
