//! A testnet that ends with its owner.

use super::state::State;
use super::testnet::Testnet;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

/// A [`Testnet`] whose nodes are killed when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Guarded {
    testnet: Testnet,
    /// Where the nodes stand; `None` once they may outlive this.
    folder: Option<PathBuf>,
}

impl Guarded {
    /// Guards a testnet.
    pub fn new(testnet: Testnet) -> Self {
        Self { folder: Some(testnet.folder().to_path_buf()), testnet }
    }

    /// Lets the nodes run on.
    pub fn keep(mut self) {
        self.folder = None;
    }
}

impl Deref for Guarded {
    type Target = Testnet;
    fn deref(&self) -> &Testnet {
        &self.testnet
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Testnet {
        &mut self.testnet
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // From the folder, so that nothing another process of this testnet's owner started is left out.
        let state = self.folder.take().and_then(|folder| State::load(&folder).ok());
        for process in state.into_iter().flat_map(|s| s.nodes).filter_map(|n| n.process) {
            process.kill();
            process.reap();
        }
    }
}
