//! Everything stored, in order, for tests that compare or search; and one hash over the state.

use super::ChainStore;
use crate::engine::Engine;
use crate::schema::meta;
use crate::{Column, StorageError};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

/// One stored key and its value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DumpEntry {
    /// Of which column.
    pub column: Column,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The value's bytes.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for DumpEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        write!(f, "{}/{} = {} bytes {}", self.column, hex(&self.key), self.value.len(), hex(&self.value))
    }
}

impl<E: Engine> ChainStore<E> {
    /// Every key and value, by column and key. Holds all of it in memory: for tests and small chains.
    pub fn dump(&self) -> Result<Vec<DumpEntry>, StorageError> {
        let _writer = self.writer();
        let mut entries = Vec::new();
        for column in Column::ALL {
            self.engine.scan(column, &[], &mut |key, value| {
                entries.push(DumpEntry { column, key: key.to_vec(), value: value.to_vec() });
                ControlFlow::Continue(())
            })?;
        }
        Ok(entries)
    }

    /// SHA-256 over the tip and the columns of [`Column::STATE`]: equal on two nodes on one tip. Reads all of them. It hashes
    /// stored bytes, so it compares stores of one format only, and is no part of the protocol.
    pub fn state_hash(&self) -> Result<[u8; 32], StorageError> {
        let _writer = self.writer();
        let mut state = Sha256::new();
        let mut add = |bytes: &[u8]| {
            // Lengths as u64, so that no two states give the same bytes.
            state.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            state.update(bytes);
        };
        add(&self.engine.get(Column::Meta, meta::TIP)?.unwrap_or_default());
        for column in Column::STATE {
            add(column.name().as_bytes());
            self.engine.scan(column, &[], &mut |key, value| {
                add(key);
                add(value);
                ControlFlow::Continue(())
            })?;
        }
        Ok(state.finalize().into())
    }
}
