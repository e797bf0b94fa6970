//! Looks through everything a testnet that is down left on the disk: stores, logs, wallets, payloads.

use super::leak::{Detector, Leak};
use crate::procs::{NodeEntry, Testnet, TestnetError};
use medring_protocol::params::Params;
use medring_storage::{ChainStore, RocksEngine, StorageError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct Searched {
    /// Keys and values of stores.
    pub values: usize,
    /// Whole files.
    pub files: usize,
    /// Bytes of both.
    pub bytes: u64,
    /// What should not have been there.
    pub leaks: Vec<Leak>,
}

/// Looks at every key and value of every column of every node's store, and at every byte of every file in its folder:
/// log, store, wallet, payloads before encryption. No node may be running.
pub fn search(detector: &Detector, testnet: &Testnet) -> Result<Searched, TestnetError> {
    let params = testnet.genesis()?.params;
    let mut searched = Searched::default();
    for node in &testnet.state().nodes {
        search_store(detector, node, &params, &mut searched).map_err(|e| TestnetError::Other(e.to_string()))?;
        search_files(detector, &node.name, &node.folder, &mut searched)
            .map_err(|e| TestnetError::Io(node.folder.display().to_string(), e))?;
    }
    Ok(searched)
}

fn search_store(
    detector: &Detector,
    node: &NodeEntry,
    params: &Params,
    searched: &mut Searched,
) -> Result<(), StorageError> {
    let store = ChainStore::open(RocksEngine::open(node.data_dir().join("chain"))?, params)?;
    for entry in store.dump()? {
        let place = format!("{}: column {}", node.name, entry.column);
        for bytes in [&entry.key, &entry.value] {
            searched.leaks.extend(detector.search(&place, bytes));
            searched.values += 1;
            searched.bytes += bytes.len() as u64;
        }
    }
    Ok(())
}

fn search_files(detector: &Detector, name: &str, folder: &Path, searched: &mut Searched) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search_files(detector, name, &path, searched)?;
            continue;
        }
        let mut bytes = Vec::new();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let place = format!("{name}: {}", path.file_name().unwrap_or_default().to_string_lossy());
        searched.leaks.extend(detector.search(&place, &bytes));
        searched.files += 1;
        searched.bytes += bytes.len() as u64;
    }
    Ok(())
}
